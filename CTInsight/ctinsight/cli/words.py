"""What the command line prints: the scan, the running phase, checks, findings, files."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

import typer

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.finding import Outcome

if TYPE_CHECKING:
    from ctinsight.finding import Check, Finding
    from ctinsight.progress import ProgressEvent
    from ctinsight.report import ResultFiles
    from ctinsight.result import CaseResult
    from ctinsight.volume import Scan


class ProgressLine:
    """Shows the running phase on one terminal line, or a line per phase when nobody watches."""

    def __init__(self) -> None:
        self._phase = ""
        self._live = sys.stderr.isatty()

    def __call__(self, event: ProgressEvent) -> None:
        """Show one event."""
        left = "" if event.seconds_left is None else f", about {event.seconds_left:.0f} s left"
        if self._live:
            typer.echo(f"\r\033[K{event.phase} {event.fraction:4.0%}{left}", err=True, nl=event.fraction >= 1)
        elif event.phase != self._phase and event.fraction < 1:
            typer.echo(f"{event.phase} ...", err=True)
        self._phase = event.phase


def describe(scan: Scan) -> None:
    """Print the geometry of a scan and what its reader did."""
    grid, facts = scan.volume.grid, scan.acquisition
    columns, rows, slices = grid.shape_kji[::-1]
    spacing = " x ".join(f"{mm:.3g}" for mm in grid.spacing_ijk_mm)
    typer.echo(f"{facts.file_format}: {columns} x {rows} x {slices} voxels of {spacing} mm")
    for note in facts.notes:
        typer.echo(f"  note: {note}")


#: Task -> the findings that are worth a line on the screen, in this order; other tasks show all of theirs.
_HEADLINES = {
    "hematoma": (
        *("volume_ml", "volume_sweep_ml", "abc2_simple_ml", "abc2_weighted_ml"),
        *("component_count", "largest_side", "mean_hu"),
    )
}


def summarize(result: CaseResult, written: ResultFiles, *, between: tuple[str, ...] = ()) -> None:
    """Print the headline findings, a task's own lines, what is no pass, the limits, and the files."""
    for line in (*_finding_lines(result), *between):
        typer.echo(line)
    for check in result.checks:
        if check.outcome is not Outcome.PASS:
            typer.echo(worded_check(check))
    limits = [_first_sentence(s) for s in result.statements if s != RESEARCH_USE_ONLY]
    for line in ("Limits (in full in result.json):", *(f"- {limit}" for limit in limits)) if limits else ():
        typer.echo(line)
    typer.echo(f"Results in {written.folder}: {', '.join(path.name for path in written.files.values())}")
    for note in written.notes:
        typer.echo(f"  note: {note}")
    typer.echo(RESEARCH_USE_ONLY)


def _finding_lines(result: CaseResult) -> list[str]:
    from ctinsight.report import display_finding, display_interval

    keys = _HEADLINES.get(result.task)
    stated = {finding.key: finding for finding in result.findings if finding.value is not None}
    shown = [stated[key] for key in keys if key in stated] if keys else list(stated.values())
    width = max((len(finding.name) for finding in shown), default=0)
    lines = [
        f"{f.name:{width}}  {display_finding(f):>8}  {display_interval(f) or _against(f, stated)}".rstrip()
        for f in shown
    ]
    if len(stated) > len(shown):
        lines.append(f"{len(stated) - len(shown)} more measurements are in measurements.csv.")
    notes = Counter(finding.note for finding in result.findings if finding.value is None)
    return lines + [
        f"{count} measurement{' does' if count == 1 else 's do'} not apply: {note}"
        for note, count in notes.items()
    ]


def _against(finding: Finding, stated: dict[str, Finding]) -> str:
    """Say by how much a formula differs from the segmentation, where that is measured."""
    percent = stated.get(finding.key.removesuffix("_ml") + "_difference_percent")
    if percent is None or not isinstance(percent.value, float):
        return ""
    return f"{percent.value:+.0f} % against the segmentation"


def _first_sentence(text: str) -> str:
    """Return a statement up to the full stop of its first sentence.

    Examples
    --------
    >>> _first_sentence("Bleeds below 0.4 mL are missed; a click measures them. See the table.")
    'Bleeds below 0.4 mL are missed; a click measures them.'
    """
    return text.split(". ", maxsplit=1)[0].rstrip(".") + "."


def worded_check(check: Check) -> str:
    """Put a check on one line, with its remedy when it is no pass."""
    line = f"{check.outcome.value.upper():7} {check.name}: {check.measured} (expected {check.expected})"
    return line if check.outcome is Outcome.PASS else f"{line}. {check.remedy}"
