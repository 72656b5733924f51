"""What the command line prints: the scan, the running phase, checks, findings, files."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

import typer

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.finding import Outcome

if TYPE_CHECKING:
    from ctinsight.finding import Check
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


def summarize(result: CaseResult, written: ResultFiles, *, between: tuple[str, ...] = ()) -> None:
    """Print what is not a pass, every finding, a task's own lines, the limits, and where the files lie."""
    from ctinsight.report import display_finding, display_interval

    for check in result.checks:
        if check.outcome is not Outcome.PASS:
            typer.echo(worded_check(check))
    known = [finding for finding in result.findings if finding.value is not None]
    width = max((len(finding.name) for finding in known), default=0)
    for finding in known:
        number, aside = display_finding(finding), display_interval(finding)
        typer.echo(f"{finding.name:{width}}  {number:>8}  {aside}".rstrip())
    notes = Counter(finding.note for finding in result.findings if finding.value is None)
    for note, count in notes.items():
        typer.echo(f"{count} further findings do not apply: {note}")
    for line in between:
        typer.echo(line)
    for statement in result.statements:
        typer.echo(f"- {statement}")
    typer.echo("Results:")
    for path in written.files.values():
        typer.echo(f"  {path}")
    for note in written.notes:
        typer.echo(f"  note: {note}")
    typer.echo(RESEARCH_USE_ONLY)


def worded_check(check: Check) -> str:
    """Put a check on one line, with its remedy when it is no pass."""
    line = f"{check.outcome.value.upper():7} {check.name}: {check.measured} (expected {check.expected})"
    return line if check.outcome is Outcome.PASS else f"{line}. {check.remedy}"
