"""``ctinsight hematoma``: one head CT, or a folder of patients, to mL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.cli.options import (
    AllowGaps,
    CasePath,
    OutPath,
    Overwrite,
    Series,
    Spacing,
    Thickness,
    Window,
    point_ras,
    read_options,
    refuse_current_folder,
    refuse_own_input,
    window_hu,
)
from ctinsight.cli.words import ProgressLine, describe, summarize
from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from ctinsight.files import ReadOptions
    from ctinsight.result import CaseResult
    from ctinsight.tasks.hematoma import BatchCase, Parameters
    from ctinsight.volume import Scan


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
    options = read_options(series, allow_gaps, spacing=spacing, thickness_mm=thickness_mm, window=of_pictures)
    parameters = _parameters(method, weights, point=point, window=window)
    _refuse_unused(method, weights)
    refuse_current_folder(out)
    if batch:
        _run_batch(case, out, parameters, options, overwrite=overwrite)
        return
    from ctinsight.files import read_scan
    from ctinsight.progress import Progress
    from ctinsight.report import refuse_existing, write_result
    from ctinsight.tasks.hematoma import run

    refuse_existing(out, overwrite=overwrite)
    refuse_own_input(case, out)
    scan = read_scan(case, options)
    describe(scan)
    result = run(scan, parameters, Progress(ProgressLine()))
    written = write_result(result, scan, out, overwrite=overwrite)
    summarize(result, written)


def _parameters(method: str, weights: Path | None, *, point: str | None, window: str | None) -> Parameters:
    from ctinsight.tasks.hematoma import Method, NetworkOptions, Parameters

    if method not in list(Method):
        raise WrongUseError(
            found=f"--method {method}",
            expected=", ".join(m.value for m in Method),
            remedy="Choose one of these methods.",
        )
    chosen = window_hu(window)
    network = NetworkOptions() if chosen is None else NetworkOptions(window_hu=chosen)
    return Parameters(
        method=Method(method),
        weights=weights,
        network=network,
        point_ras=None if point is None else point_ras(point),
    )


def _refuse_unused(method: str, weights: Path | None) -> None:
    """Refuse options that would do nothing, or something else than was meant."""
    if weights is not None and method != "drunet":
        raise WrongUseError(
            found=f"--weights {weights} with the method {method}, which has none",
            expected="--weights together with --method drunet",
            remedy="Add --method drunet, or leave --weights away.",
        )


def _refuse_batch_in_input(folder: Path, out: Path) -> None:
    source, target = folder.resolve(), out.resolve()
    if target == source or source in target.parents:
        raise WrongUseError(
            found=f"results would be written among the images of {folder}",
            expected="a folder for the results outside of it",
            remedy="Name another folder with -o, such as one beside the folder of the images.",
        )


def _run_batch(
    folder: Path, out: Path, parameters: Parameters, options: ReadOptions, *, overwrite: bool
) -> None:
    from ctinsight.report import write_result
    from ctinsight.tasks.hematoma import batch_exit_code, run_batch
    from ctinsight.tasks.hematoma.batch import STAMP_NAME

    replaces_all = overwrite

    def write(result: CaseResult, scan: Scan, folder: Path, *, overwrite: bool = False) -> object:
        # A batch renews its own results; one that a person made there, with its scene, stays.
        own = overwrite and (folder / STAMP_NAME).is_file()
        return write_result(result, scan, folder, overwrite=replaces_all or own)

    _refuse_batch_in_input(folder, out)
    statuses = []
    for case in run_batch(folder, out, parameters, options=options, write=write):
        statuses.append(case.status)
        typer.echo(_batch_line(case))
    typer.echo(f"One row per patient: {out / 'batch.csv'}\n{RESEARCH_USE_ONLY}")
    if code := batch_exit_code(statuses):
        raise typer.Exit(code)


def _batch_line(case: BatchCase) -> str:
    """Word one patient: status, name, mL where measured, whether it was there before, and what to note."""
    from ctinsight.tasks.hematoma.batch import COLUMNS

    volume_ml = dict(zip(COLUMNS, case.values, strict=False)).get("volume_ml")
    facts = [f"{volume_ml:.1f} mL"] if isinstance(volume_ml, int | float) else []
    facts += ["kept from the earlier run"] if case.resumed else []
    return f"{case.status:8} {case.name}: {'; '.join(filter(None, [*facts, case.message]))}"
