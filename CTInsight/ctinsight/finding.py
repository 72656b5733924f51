"""What a method says about a case: findings, tables, checks and drawn lines, each with its unit and code."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctinsight.terms import Code


class Side(StrEnum):
    """A side of the patient, never of the picture."""

    LEFT = "left"
    RIGHT = "right"
    MIDLINE = "midline"


class Outcome(StrEnum):
    """What an input check concludes."""

    PASS = "pass"  # noqa: S105 - not a password
    WARN = "warn"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Check:
    """One answer to "is this input suitable?", with the value that was measured.

    ``measured`` is text with its unit ("5.0 mm"), ``expected`` the limit, ``remedy`` what to do when it
    is not a pass.
    """

    key: str
    name: str
    outcome: Outcome
    measured: str
    expected: str
    remedy: str = ""


@dataclass(frozen=True)
class Interval:
    """A range with the statement of what it means; never shown without it."""

    low: float
    high: float
    meaning: str


@dataclass(frozen=True)
class Finding:
    """One number or word with its unit and code.

    Parameters
    ----------
    key
        Machine name with the unit in it: ``volume_ml``.
    name
        What a radiologist calls it.
    value
        ``None`` means not applicable; ``note`` then says why. It is never replaced by 0.
    unit
        UCUM code ("mL", "mm", "[hnsf'U]", "%", "1" for a pure number, "" for a word).
    """

    key: str
    name: str
    value: float | int | str | None
    unit: str = ""
    code: Code | None = None
    interval: Interval | None = None
    note: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table: machine name with unit, title, UCUM unit, meaning."""

    key: str
    title: str
    unit: str = ""
    description: str = ""
    code: Code | None = None


@dataclass(frozen=True)
class Table:
    """Rows of values under typed columns; an empty tuple of rows is a table that found nothing."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[float | int | str | None, ...], ...] = ()

    def __post_init__(self) -> None:
        wrong = [row for row in self.rows if len(row) != len(self.columns)]
        if wrong:
            msg = f"table {self.key!r}: a row of {len(wrong[0])} values under {len(self.columns)} columns"
            raise ValueError(msg)


@dataclass(frozen=True)
class MeasuredLine:
    """A straight line drawn in the patient, both ends in RAS (mm)."""

    key: str
    name: str
    start_ras: tuple[float, float, float]
    end_ras: tuple[float, float, float]

    @property
    def length_mm(self) -> float:
        """Distance of the two ends in mm."""
        return float(sum((a - b) ** 2 for a, b in zip(self.start_ras, self.end_ras, strict=True)) ** 0.5)


@dataclass(frozen=True)
class Segment:
    """One label of a labelmap: its integer, its name, and its entry in :mod:`ctinsight.terms`."""

    label: int
    key: str
    name: str
    term: str
    extra: Mapping[str, str] = field(default_factory=dict)
