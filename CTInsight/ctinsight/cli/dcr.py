"""``ctinsight dcr``: measurements before a dacryocystorhinostomy, from masks or from a click in the sac."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ctinsight.cli.options import (
    AllowGaps,
    CasePath,
    OutPath,
    Overwrite,
    Series,
    numbers,
    refuse_current_folder,
    refuse_own_input,
)
from ctinsight.cli.words import ProgressLine, describe, summarize
from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.dcr import Parameters
    from ctinsight.volume import Scan

_RAS = "R,A,S"


def dcr(
    case: CasePath,
    *,
    out: OutPath,
    masks: Annotated[
        Path | None,
        typer.Option(
            help="Labelmap of the CT: 1 lacrimal sac, 2 maxilla at the surgical site, 3 nasal cavity."
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(metavar="SAC,MAXILLA,NASAL", help="Labels in --masks, when they are not 1,2,3."),
    ] = None,
    side: Annotated[
        str | None, typer.Option(metavar="left|right", help="Operated side, the patient's own.")
    ] = None,
    sac_point: Annotated[
        str | None,
        typer.Option(metavar=_RAS, help="Without --masks: a point on contrast medium in the sac, RAS in mm."),
    ] = None,
    clinical: Annotated[
        Path | None,
        typer.Option(help="Clinical form: CSV (header, a row per case) or JSON; for the difficulty model."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--weights", help="Difficulty model: installed name (dcr-difficulty-v1) or JSON file."),
    ] = None,
    segment: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL[,FINE]",
            help="Find the masks by nnU-Net: dcr-seg or another installed name; v1: coarse,fine.",
        ),
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="With --segment: no mirroring.")] = False,
    intensity: Annotated[
        str, typer.Option(help="With --segment: auto (as the plans say), hu or double-scaled.")
    ] = "auto",
    window_center: Annotated[
        str | None, typer.Option(metavar=_RAS, help="Middle of the planned opening, RAS in mm.")
    ] = None,
    window_axis: Annotated[
        str | None, typer.Option(metavar=_RAS, help="Direction of drilling, RAS; default: from nose to sac.")
    ] = None,
    window_diameter_mm: Annotated[float, typer.Option(help="Diameter of the planned opening in mm.")] = 10.0,
    series: Series = None,
    allow_gaps: AllowGaps = False,
    overwrite: Overwrite = False,
) -> None:
    """Measure lacrimal sac, bone and nasal cavity before an endoscopic dacryocystorhinostomy.

    CASE may also be a folder with images/, labels/ and clinical_data.csv: every case is measured then.
    """
    from ctinsight.files import ReadOptions, read_scan
    from ctinsight.progress import Progress
    from ctinsight.report import refuse_existing, write_result
    from ctinsight.tasks.dcr import Parameters, measure_segmentation, run
    from ctinsight.tasks.dcr.batch import is_batch
    from ctinsight.tasks.dcr.clinical import case_name, read_clinical

    form = None if clinical is None else read_clinical(clinical, case_name(case))
    parameters = Parameters.from_dict(
        {
            "clinical": form,
            "model": model,
            "side": side,
            "segmentation": _segmentation(segment, intensity, fast=fast),
            "sac_point_ras": _point("--sac-point", sac_point),
            "window_center_ras": _point("--window-center", window_center),
            "window_axis_ras": _point("--window-axis", window_axis),
            "window_diameter_mm": window_diameter_mm,
        }
    )
    if is_batch(case):
        _run_batch(case, out, parameters, overwrite=overwrite)
        return
    _refuse_contradiction({"--masks": masks, "--sac-point": sac_point, "--segment": segment}, labels)
    refuse_current_folder(out)
    refuse_existing(out, overwrite=overwrite)
    refuse_own_input(case, out)
    scan = read_scan(case, ReadOptions(series=series, allow_gaps=allow_gaps))
    describe(scan)
    progress = Progress(ProgressLine())
    if masks is None:
        result = run(scan, parameters, progress)
    else:
        result = measure_segmentation(scan, read_masks(masks, labels, scan), parameters, progress=progress)
    summarize(result, write_result(result, scan, out, overwrite=overwrite))


def _run_batch(folder: Path, out: Path, parameters: Parameters, *, overwrite: bool) -> None:
    from ctinsight import RESEARCH_USE_ONLY
    from ctinsight.report import write_result
    from ctinsight.tasks.dcr.batch import TABLE_NAME, exit_code, run_batch

    if out.resolve() == folder.resolve() or folder.resolve() in out.resolve().parents:
        raise WrongUseError(
            found=f"results would be written among the images of {folder}",
            expected="a folder for the results outside of it",
            remedy="Name another folder with -o.",
        )
    rows = []
    for row in run_batch(folder, out, parameters, write=write_result, overwrite=overwrite):
        rows.append(row)
        typer.echo(f"{row.status:8} {row.name}: {row.message}")
    typer.echo(f"One row per case: {out / TABLE_NAME}\n{RESEARCH_USE_ONLY}")
    if code := exit_code(rows):
        raise typer.Exit(code)


def read_masks(path: Path, labels: str | None, scan: Scan) -> NDArray[Any]:
    """Read a labelmap onto the grid of the CT, with the labels 1, 2 and 3."""
    import numpy as np

    from ctinsight.files import read_labelmap
    from ctinsight.resample import resample_labels

    labelmap, grid = read_labelmap(path)
    if not grid.same_as(scan.volume.grid, tolerance_mm=0.01):
        typer.echo("  note: the masks lie on another grid and are brought to the CT by nearest neighbours")
        labelmap = resample_labels(labelmap, grid, scan.volume.grid)
    if labels is None:
        return labelmap
    wanted = [int(n) for n in numbers("--labels", labels, 3)]
    known = np.zeros(labelmap.shape, dtype=np.uint8)
    for number, label in enumerate(wanted, start=1):
        known[labelmap == label] = number
    return known


def _point(option: str, text: str | None) -> tuple[float, ...] | None:
    return None if text is None else numbers(option, text, 3)


def _segmentation(segment: str | None, intensity: str, *, fast: bool) -> dict[str, Any] | None:
    if segment is None:
        if fast or intensity != "auto":
            raise WrongUseError(
                found="--fast or --intensity without --segment",
                expected="--segment MODEL with them",
                remedy="Name the model that finds the masks.",
            )
        return None
    return {"names": segment.split(","), "mirroring": not fast, "intensity": intensity}


def _refuse_contradiction(sources: dict[str, Path | str | None], labels: str | None) -> None:
    given = [name for name, value in sources.items() if value is not None]
    if len(given) != 1 or (labels is not None and given != ["--masks"]):
        raise WrongUseError(
            found=" and ".join(given)
            if len(given) > 1
            else f"none of {', '.join(sources)}"
            if not given
            else "--labels without --masks",
            expected="--masks SEG (with --labels, if wanted), --sac-point R,A,S, or --segment MODEL",
            remedy="Give the masks that were drawn, a point on contrast medium in the sac, or a network.",
        )
