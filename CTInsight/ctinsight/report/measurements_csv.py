"""``measurements.csv``: every number of a result, one per line, for spreadsheets and statistics."""

from __future__ import annotations

import csv
from dataclasses import astuple, dataclass, fields
from io import StringIO
from typing import TYPE_CHECKING, Any

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.files.spreadsheet import csv_cell
from ctinsight.manifest import provenance_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ctinsight.finding import Column, Finding, MeasuredLine, Table
    from ctinsight.result import CaseResult
    from ctinsight.terms import Code

Value = float | int | str | None


@dataclass(frozen=True)
class Line:
    """One line of the file; ``unit`` is a UCUM code, an empty ``value`` is not applicable (see ``note``)."""

    group: str
    item: str
    measurement: str
    value: Value = None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    interval_meaning: str = ""
    code_scheme: str = ""
    code_value: str = ""
    code_meaning: str = ""
    note: str = ""


def measurements_csv(result: CaseResult) -> str:
    """Write every finding, table cell, check, line and statement of a result as one table.

    Returns
    -------
    str
        Comma-separated text with one header line; the research-use sentence is its first row. Text that a
        spreadsheet program would take for a formula has an apostrophe in front.
    """
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow([f.name for f in fields(Line)])
    for line in _lines(result):
        writer.writerow([csv_cell(value) for value in astuple(line)])
    return text.getvalue()


def _lines(result: CaseResult) -> Iterator[Line]:
    yield Line("about", "case", "research_use_only", RESEARCH_USE_ONLY)
    yield Line("about", "case", "task", result.task)
    made = provenance_of(result.manifest)
    yield Line("about", "case", "method", made.method)
    yield Line("about", "case", "weights", made.weights)
    yield Line("about", "case", "weights_sha256", made.weights_sha256)
    yield Line("about", "case", "software_version", made.version)
    for finding in result.findings:
        yield _finding_line(finding)
    for table in result.tables:
        yield from _table_lines(table)
    for measured in result.lines:
        yield from _measured_lines(measured)
    for check in result.checks:
        note = f"expected {check.expected}. {check.remedy}".strip()
        yield Line("check", check.name, check.key, f"{check.outcome}: {check.measured}", note=note)
    for number, statement in enumerate(result.statements, start=1):
        yield Line("statement", f"statement {number}", "statement", statement)


def _finding_line(finding: Finding) -> Line:
    interval = finding.interval
    return Line(
        group="finding",
        item=finding.name,
        measurement=finding.key,
        value=finding.value,
        unit=finding.unit,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        interval_meaning=interval.meaning if interval else "",
        note=finding.note,
        **_code_cells(finding.code),
    )


def _code_cells(code: Code | None) -> dict[str, Any]:
    if code is None:
        return {}
    return {"code_scheme": code.scheme, "code_value": code.value, "code_meaning": code.meaning}


def _table_lines(table: Table) -> Iterator[Line]:
    if not table.rows:
        yield Line(f"table {table.key}", "no rows", "rows", 0, "1", note=f"{table.title}: nothing found")
    for number, row in enumerate(table.rows, start=1):
        for column, value in zip(table.columns, row, strict=True):
            yield _table_line(f"table {table.key}", f"row {number}", column, value)


def _table_line(group: str, item: str, column: Column, value: Value) -> Line:
    return Line(
        group,
        item,
        column.key,
        value,
        column.unit,
        note=column.description if value is not None else f"not applicable. {column.description}".strip(),
        **_code_cells(column.code),
    )


def _measured_lines(measured: MeasuredLine) -> Iterator[Line]:
    yield Line("line", measured.name, f"{measured.key}_length_mm", measured.length_mm, "mm")
    for end, point in (("start", measured.start_ras), ("end", measured.end_ras)):
        for axis, value in zip("ras", point, strict=True):
            note = "patient coordinates: r to the right, a anterior, s superior"
            yield Line("line", measured.name, f"{measured.key}_{end}_{axis}_mm", value, "mm", note=note)
