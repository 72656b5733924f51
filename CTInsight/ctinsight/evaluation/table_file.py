"""Tables of measurements as CSV: read with every fault named, written with what they are."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.errors import UnreadableFileError, WrongUseError
from ctinsight.files.spreadsheet import CSV_ENCODING, csv_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_MOST_FAULTS = 20


def read_columns(path: Path) -> dict[str, list[str]]:
    """Read a CSV with a header line; lines that begin with # are left out.

    Raises
    ------
    UnreadableFileError
        Not there, no text, or rows that are longer or shorter than the header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(line for line in file if not line.startswith("#")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, str(error)) from error
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise _unreadable(path, "no header and rows")
    header = [name.strip() for name in rows[0]]
    if len(set(header)) != len(header):
        raise _unreadable(path, f"columns called alike: {', '.join(header)}")
    wrong = [str(i + 2) for i, row in enumerate(rows[1:]) if len(row) != len(header)]
    if wrong:
        raise _unreadable(path, f"rows {', '.join(wrong[:_MOST_FAULTS])} without {len(header)} cells")
    return {name: [row[i].strip() for row in rows[1:]] for i, name in enumerate(header)}


def numbers(
    columns: Mapping[str, Sequence[str]], name: str, *, may_be_empty: bool = False
) -> NDArray[np.float64]:
    """Return a column as numbers; an empty cell becomes nan only where that is allowed.

    Raises
    ------
    WrongUseError
        No such column, or cells that are no finite numbers: all are named.
    """
    if name not in columns:
        raise WrongUseError(
            found=f"columns {', '.join(columns)}",
            expected=f"a column {name}",
            remedy="Rename the column, or name another table.",
        )
    found, faults = [], []
    for row, cell in enumerate(columns[name], start=2):
        try:
            value = float(cell) if cell or not may_be_empty else math.nan
        except ValueError:
            value = math.inf
        if math.isinf(value) or (math.isnan(value) and not (may_be_empty and not cell)):
            faults.append(f"row {row}: {cell!r}")
        found.append(value)
    if faults:
        raise WrongUseError(
            found=f"in column {name}, {'; '.join(faults[:_MOST_FAULTS])}",
            expected="numbers with a decimal point",
            remedy="Correct these cells; none is filled in.",
        )
    return np.array(found, dtype=np.float64)


def write_rows(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[float | int | str | None]], note: str
) -> None:
    """Write a CSV whose first line, behind a #, says what it is."""
    with path.open("w", encoding=CSV_ENCODING, newline="") as file:
        file.write(f"# {note}\n")
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([csv_cell(cell) for cell in row] for row in rows)


def _unreadable(path: Path, what: str) -> UnreadableFileError:
    return UnreadableFileError(
        found=f"{path.name}: {what}",
        expected="a CSV file (UTF-8, commas) with a header line",
        remedy="Export the table as CSV.",
    )
