"""The command line: options in, files and one summary out. No arithmetic."""

from __future__ import annotations

import math
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ctinsight import RESEARCH_USE_ONLY, __version__
from ctinsight.cli_models import models_app
from ctinsight.errors import DependencyMissingError, WrongUseError
from ctinsight.finding import Outcome

if TYPE_CHECKING:
    from ctinsight.files import ReadOptions
    from ctinsight.finding import Check
    from ctinsight.progress import ProgressEvent
    from ctinsight.report import ResultFiles
    from ctinsight.result import CaseResult
    from ctinsight.tasks.hematoma import Parameters
    from ctinsight.volume import Scan

app = typer.Typer(
    name="ctinsight",
    help=f"Four published CT methods on your own machine. {RESEARCH_USE_ONLY}",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
phantom_app = typer.Typer(
    no_args_is_help=True, help="Make synthetic CTs with known truth.", rich_markup_mode=None
)
app.add_typer(phantom_app, name="phantom")
app.add_typer(models_app, name="models")

#: Typer's (vendored) base class of every wrong call; only this child of it is public.
_UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__bases__[0])

#: What Typer returns in place of a KeyboardInterrupt.
_STOPPED = 130

CasePath = Annotated[
    Path, typer.Argument(metavar="CASE", help="NIfTI, NRRD, MHA, DICOM file, folder or zip.")
]
OutPath = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; made when absent.")]
Series = Annotated[
    str | None, typer.Option(help="Which DICOM series: its number, UID or part of its description.")
]
AllowGaps = Annotated[
    bool, typer.Option("--allow-gaps", help="Measure although slices are missing; said in the result.")
]
Spacing = Annotated[
    str | None, typer.Option(metavar="ROW,COL", help="PNG or JPG slices only: pixel spacing in mm.")
]
Thickness = Annotated[float | None, typer.Option(help="PNG or JPG slices only: distance of slices in mm.")]
Window = Annotated[
    str | None, typer.Option(metavar="CENTER,WIDTH", help="HU window: of PNG or JPG slices, and of DR-UNet.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace earlier results in the folder.")]


def run_command_line(arguments: list[str]) -> int:
    """Run one command; a wrong call becomes a :class:`WrongUseError` with the usage in its remedy."""
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments or ["--help"], prog_name="ctinsight", standalone_mode=False)
    except _UsageError as error:
        context = getattr(error, "ctx", None)
        usage = context.get_usage().removeprefix("Usage: ") if context else "ctinsight --help"
        message = error.format_message()
        raise WrongUseError(
            found="no command was given" if message.startswith("Usage:") else message,
            expected=usage,
            remedy=f"Call {context.command_path if context else 'ctinsight'} --help.",
        ) from error
    if code == _STOPPED:
        raise KeyboardInterrupt
    return int(code or 0)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(f"CT Insight {__version__}. {RESEARCH_USE_ONLY}")


@app.command()
def info(case: CasePath, *, series: Series = None, allow_gaps: AllowGaps = False) -> None:
    """Show the geometry of a CT, how it was read, and whether it suits a head CT method."""
    from ctinsight.checks import check_head_ct
    from ctinsight.files import ReadOptions, read_scan

    scan = read_scan(case, ReadOptions(series=series, allow_gaps=allow_gaps))
    _describe(scan)
    for check in check_head_ct(scan, None):
        typer.echo(
            f"{check.outcome.value.upper():7} {check.name}: {check.measured} (expected {check.expected})"
        )


@app.command()
def doctor(
    *,
    network: Annotated[bool, typer.Option("--network", help="Also ask whether the hosts answer.")] = False,
    timing: Annotated[bool, typer.Option("--timing", help="Also time a network on this machine.")] = False,
) -> None:
    """Look at this machine before the first case: one line each, with what to do."""
    from ctinsight.doctor import Questions, examine

    checks = examine(Questions(network=network, timing=timing))
    for check in checks:
        typer.echo(_worded_check(check))
    if any(check.outcome is Outcome.REFUSE for check in checks):
        raise typer.Exit(DependencyMissingError.exit_code)


@phantom_app.command()
def head(
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write (.nii.gz, .nrrd, .mha).")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another noise.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write a synthetic head CT with a bleed of exactly known volume."""
    from ctinsight.files import write_volume
    from ctinsight.phantoms import demo_head

    if out.exists() and not overwrite:
        raise WrongUseError(
            found=f"{out} exists already",
            expected="a new file",
            remedy="Choose another name or add --overwrite.",
        )
    case = demo_head(seed)
    write_volume(case.volume, out)
    typer.echo(f"Synthetic head CT with a bleed of {case.truth_ml:.2f} mL: {out}")


@app.command()
def hematoma(
    case: CasePath,
    *,
    out: OutPath,
    method: Annotated[str, typer.Option(help="threshold, fcm, active-contour or drunet.")] = "threshold",
    weights: Annotated[Path | None, typer.Option(help="DR-UNet weights: .h5, TensorFlow checkpoint.")] = None,
    point: Annotated[
        str | None,
        typer.Option(metavar="R,A,S", help="A point in the bleed, RAS in mm; default: none."),
    ] = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="CASE is a folder with one sub-folder per patient.")
    ] = False,
    series: Series = None,
    allow_gaps: AllowGaps = False,
    spacing: Spacing = None,
    thickness_mm: Thickness = None,
    window: Window = None,
    overwrite: Overwrite = False,
) -> None:
    """Segment blood in a head CT and measure its volume in mL, beside ABC/2."""
    # Of an image that carries its own values the window is a matter of DR-UNet alone.
    of_pictures = window if method != "drunet" or spacing is not None else None
    options = _read_options(
        series, allow_gaps, spacing=spacing, thickness_mm=thickness_mm, window=of_pictures
    )
    parameters = _hematoma_parameters(method, weights, point=point, window=window)
    _refuse_unused(method, weights, out)
    if batch:
        _hematoma_batch(case, out, parameters, options, overwrite=overwrite)
        return
    from ctinsight.files import read_scan
    from ctinsight.progress import Progress
    from ctinsight.report import refuse_existing, write_result
    from ctinsight.tasks.hematoma import run

    refuse_existing(out, overwrite=overwrite)
    _refuse_own_input(case, out)
    scan = read_scan(case, options)
    _describe(scan)
    result = run(scan, parameters, Progress(_ProgressLine()))
    written = write_result(result, scan, out, overwrite=overwrite)
    _summarize(result, written)


def _read_options(
    series: str | None,
    allow_gaps: bool,
    *,
    spacing: str | None,
    thickness_mm: float | None,
    window: str | None,
) -> ReadOptions:
    from ctinsight.files import ReadOptions

    spacing_mm = None if spacing is None else _numbers("--spacing", spacing, 2)
    return ReadOptions(
        series=series,
        allow_gaps=allow_gaps,
        spacing_mm=None if spacing_mm is None else (spacing_mm[0], spacing_mm[1]),
        thickness_mm=thickness_mm,
        window=_window(window),
    )


def _hematoma_parameters(
    method: str, weights: Path | None, *, point: str | None, window: str | None
) -> Parameters:
    from ctinsight.tasks.hematoma import Method, NetworkOptions, Parameters

    if method not in list(Method):
        raise WrongUseError(
            found=f"--method {method}",
            expected=", ".join(m.value for m in Method),
            remedy="Choose one of these methods.",
        )
    window_hu = _window(window)
    network = NetworkOptions() if window_hu is None else NetworkOptions(window_hu=window_hu)
    seed = None if point is None else _numbers("--point", point, 3)
    return Parameters(
        method=Method(method),
        weights=weights,
        network=network,
        point_ras=None if seed is None else (seed[0], seed[1], seed[2]),
    )


def _refuse_unused(method: str, weights: Path | None, out: Path) -> None:
    """Refuse options that would do nothing, or something else than was meant."""
    if weights is not None and method != "drunet":
        raise WrongUseError(
            found=f"--weights {weights} with the method {method}, which has none",
            expected="--weights together with --method drunet",
            remedy="Add --method drunet, or leave --weights away.",
        )
    if str(out) == ".":
        raise WrongUseError(
            found="an empty --out, or the current folder itself",
            expected="a folder for the results",
            remedy="Name a folder, such as -o results.",
        )


def _refuse_own_input(case: Path, out: Path) -> None:
    """Refuse to write over, or among, the images that are read: they may be the only copy."""
    from ctinsight.report import RESULT_FILES

    source, target = case.resolve(), out.resolve()
    if target == source or (source.parent == target and source.name in RESULT_FILES.values()):
        raise WrongUseError(
            found=f"results would be written over or among the images of {case}",
            expected="another folder for the results than that of the images",
            remedy="Name another folder with -o.",
        )


def _refuse_batch_in_input(folder: Path, out: Path) -> None:
    source, target = folder.resolve(), out.resolve()
    if target == source or source in target.parents:
        raise WrongUseError(
            found=f"results would be written among the images of {folder}",
            expected="a folder for the results outside of it",
            remedy="Name another folder with -o, such as one beside the folder of the images.",
        )


def _hematoma_batch(
    folder: Path, out: Path, parameters: Parameters, options: ReadOptions, *, overwrite: bool
) -> None:
    from ctinsight.report import write_result
    from ctinsight.tasks.hematoma import run_batch
    from ctinsight.tasks.hematoma.batch import STAMP_NAME

    replaces_all = overwrite

    def write(result: CaseResult, scan: Scan, folder: Path, *, overwrite: bool = False) -> object:
        # A batch renews its own results; one that a person made there, with its scene, stays.
        own = overwrite and (folder / STAMP_NAME).is_file()
        return write_result(result, scan, folder, overwrite=replaces_all or own)

    _refuse_batch_in_input(folder, out)
    for case in run_batch(folder, out, parameters, options=options, write=write):
        typer.echo(f"{case.status:8} {case.name}: {case.message}")
    typer.echo(f"One row per patient: {out / 'batch.csv'}\n{RESEARCH_USE_ONLY}")


def _window(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    center, width = _numbers("--window", text, 2)
    return center, width


def _numbers(option: str, text: str, count: int) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise WrongUseError(
            found=f"{option} {text}",
            expected=f"{count} numbers with commas between them and a decimal point, such as "
            + ",".join(["12.5", "-30", "40"][:count]),
            remedy=f"Write the option as {option}=" + ",".join(["12.5", "-30", "40"][:count]),
        )
    return numbers


class _ProgressLine:
    """Shows the running phase on one terminal line, or a line per phase when nobody watches."""

    def __init__(self) -> None:
        self._phase = ""
        self._live = sys.stderr.isatty()

    def __call__(self, event: ProgressEvent) -> None:
        left = "" if event.seconds_left is None else f", about {event.seconds_left:.0f} s left"
        if self._live:
            typer.echo(f"\r\033[K{event.phase} {event.fraction:4.0%}{left}", err=True, nl=event.fraction >= 1)
        elif event.phase != self._phase and event.fraction < 1:
            typer.echo(f"{event.phase} ...", err=True)
        self._phase = event.phase


def _describe(scan: Scan) -> None:
    grid, facts = scan.volume.grid, scan.acquisition
    columns, rows, slices = grid.shape_kji[::-1]
    spacing = " x ".join(f"{mm:.3g}" for mm in grid.spacing_ijk_mm)
    typer.echo(f"{facts.file_format}: {columns} x {rows} x {slices} voxels of {spacing} mm")
    for note in facts.notes:
        typer.echo(f"  note: {note}")


def _summarize(result: CaseResult, written: ResultFiles) -> None:
    from ctinsight.report import display_finding, display_interval

    for check in result.checks:
        if check.outcome is not Outcome.PASS:
            typer.echo(
                f"{check.outcome.value.upper()}: {check.name}: {check.measured} (expected {check.expected})"
            )
    known = [finding for finding in result.findings if finding.value is not None]
    width = max((len(finding.name) for finding in known), default=0)
    for finding in known:
        number, aside = display_finding(finding), display_interval(finding)
        typer.echo(f"{finding.name:{width}}  {number:>8}  {aside}".rstrip())
    notes = Counter(finding.note for finding in result.findings if finding.value is None)
    for note, count in notes.items():
        typer.echo(f"{count} further findings do not apply: {note}")
    for statement in result.statements:
        typer.echo(f"- {statement}")
    typer.echo("Results:")
    for path in written.files.values():
        typer.echo(f"  {path}")
    for note in written.notes:
        typer.echo(f"  note: {note}")
    typer.echo(RESEARCH_USE_ONLY)


def _worded_check(check: Check) -> str:
    line = f"{check.outcome.value.upper():7} {check.name}: {check.measured} (expected {check.expected})"
    return line if check.outcome is Outcome.PASS else f"{line}. {check.remedy}"
