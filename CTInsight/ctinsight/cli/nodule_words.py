"""What the command prints of a nodule's answers: one block for each nodule, each source by itself."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ctinsight.finding import Finding, Table
    from ctinsight.result import CaseResult

_WIDTH = 18


#: Measures that are worth a line on the screen; the rest stands in measurements.csv.
_SHOWN = re.compile(
    r"nodule_\d+_(mean_diameter_mm|volume_mm3|type|solid_diameter_mm|mean_hu|mass_mg|calcification|fat"
    r"|pleura_distance_mm|recentred_mm)$|nodule_count$"
)


#: Notes that hold for every nodule: they stand in result.json. The others are shown beside the score.
_GENERAL = re.compile(
    r"Cohort: |Source: |Row |Rows |Whether the model's size |With the longest diameter, .* would be "
    r"|Made for |Quoted: "
)


def measured_only(result: CaseResult) -> CaseResult:
    """Leave out the findings that :func:`answer_lines` words, and measures of minor interest."""
    kept = tuple(finding for finding in result.findings if _SHOWN.match(finding.key))
    return replace(result, findings=kept)


def answer_lines(result: CaseResult) -> tuple[str, ...]:
    """Word scores, guidelines, networks and growth, nodule by nodule."""
    tables = {table.key: table for table in result.tables}
    numbers = [row[0] for row in tables["nodules"].rows]
    lines: list[str] = []
    for n in numbers:
        lines.append(f"Nodule {n}{_place(result, int(n or 0))}, each source by itself:")
        lines += [f"  {line}" for line in _lines(result, tables, int(n or 0))]
    return (*lines, "Every measure, input and note stands in result.json and measurements.csv.")


def _place(result: CaseResult, number: int) -> str:
    """Say where a nodule lies, with the side its R points to in words."""
    r, a, s = (result.finding(f"nodule_{number}_center_{axis}_mm").value for axis in "ras")
    if not (isinstance(r, float) and isinstance(a, float) and isinstance(s, float)):
        return ""
    return f", centre R,A,S = {r:.1f}, {a:.1f}, {s:.1f} mm (R grows to the patient's right)"


def _lines(result: CaseResult, tables: dict[str, Table], number: int) -> Iterator[str]:
    for row in _rows(tables, "scores", number):
        yield from _score(row)
        for note in _rows(tables, "score_notes", number):
            if note["score"] == row["score"] and not _GENERAL.match(str(note["note"])):
                yield f"{'':{_WIDTH}} {note['note']}"
    for finding in result.findings:
        if finding.key.startswith(f"nodule_{number}_emv_"):
            yield f"{'EMV-3D-CNN':{_WIDTH}} {finding.note}"
    for row in _rows(tables, "emv_joint_scores", number):
        low, high = float(row["lowest_score"] or 0), float(row["highest_score"] or 0)
        yield f"{'  joint score':{_WIDTH}} {row['end']}: {row['joint_score']:.2f} ({low:.2f}-{high:.2f})"
    for row in _rows(tables, "emv_prevalence", number):
        yield f"{'  what if':{_WIDTH}} {row['question']}: {row['value']:.2f}, {row['label']}"
    yield from _growth(result, tables, number)
    for finding in result.findings:
        if finding.key == f"nodule_{number}_agreement":
            yield f"{finding.value!s:{_WIDTH}} {finding.note}"


def _score(row: dict[str, float | int | str | None]) -> Iterator[str]:
    name = f"{row['score']:{_WIDTH}}"
    if row["status"] != "computed":
        yield f"{name} {row['status']}: {row['reason']}"
    elif row["percent"] is not None:
        yield f"{name} {row['percent']:.1f} %, {row['basis']}"
    else:
        yield f"{name} {row['result']}, by {row['basis']}"
        yield f"{'':{_WIDTH}} {row['row']}"
        yield f"{'':{_WIDTH}} {row['verified']}"


def _growth(result: CaseResult, tables: dict[str, Table], number: int) -> Iterator[str]:
    from ctinsight.report import display_finding, display_interval

    for row in _rows(tables, "growth", number):
        if row["compared"] != "yes":
            yield f"{'growth':{_WIDTH}} not computed: {str(row['compared']).removeprefix('no: ')}"
            continue
        yield (
            f"{'growth':{_WIDTH}} {row['prior_volume_mm3']} to {row['volume_mm3']} mm³,"
            f" {row['prior_diameter_mm']} to {row['diameter_mm']} mm,"
            f" growth by the rule of Lung-RADS: {row['rule'] or 'not known'}"
        )
        for key in ("volume_change_percent", "volume_doubling_days", "match_residual_mm"):
            finding = _finding(result, f"nodule_{number}_{key}")
            aside = display_interval(finding) or finding.note
            yield f"{'':{_WIDTH}} {finding.name.partition(': ')[2]} {display_finding(finding)} {aside}"


def _finding(result: CaseResult, key: str) -> Finding:
    return result.finding(key)


def _rows(tables: dict[str, Table], key: str, number: int) -> list[dict[str, float | int | str | None]]:
    table = tables.get(key)
    if table is None:
        return []
    names = [column.key for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in table.rows if row[0] == number]
