"""``ctinsight lvo``: from a plain head CT to dense-vessel evidence and arterial territories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ctinsight.cli.options import (
    AllowGaps,
    CasePath,
    OutPath,
    Overwrite,
    Series,
    refuse_current_folder,
    refuse_own_input,
)
from ctinsight.cli.words import ProgressLine, describe, summarize


def lvo(
    case: CasePath,
    *,
    out: OutPath,
    template: Annotated[str, typer.Option(help="mni (fetched once), or phantom: for phantoms only.")] = "mni",
    deformable: Annotated[
        bool, typer.Option("--deformable", help="Deform the template to this brain; some seconds more.")
    ] = False,
    as_published: Annotated[
        bool,
        typer.Option("--as-published", help="Difference map and names of halves as the published system."),
    ] = False,
    despite_bleed: Annotated[
        bool, typer.Option("--despite-bleed", help="Go on although a bleed was seen; the result says so.")
    ] = False,
    vessels: Annotated[
        Path | None,
        typer.Option(
            help="Labelmap of vessels: 1 terminal ICA, 2 M1, 3 M2, 4 other. Gives their projection."
        ),
    ] = None,
    vessel_model: Annotated[
        str | None,
        typer.Option(help="Stage 1 by nnU-Net instead of --vessels: lvo-vessels or another installed name."),
    ] = None,
    culprit_model: Annotated[
        str | None, typer.Option(help="Stage 3 by nnU-Net: lvo-mip or another installed name.")
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Stages 1 and 3 without mirroring.")] = False,
    weights: Annotated[
        Path | None,
        typer.Option(help="McResNet weights, or lvo-mcresnet for installed ones; needs vessels."),
    ] = None,
    counterfactual: Annotated[
        bool, typer.Option("--counterfactual", help="Also score with each prior withheld.")
    ] = False,
    sensitivity: Annotated[float | None, typer.Option(help="Of these weights, 0 to 1; for PPV, NPV.")] = None,
    specificity: Annotated[float | None, typer.Option(help="Of these weights, 0 to 1; for PPV, NPV.")] = None,
    prevalence: Annotated[float | None, typer.Option(help="In your patients, 0 to 1; for PPV, NPV.")] = None,
    series: Series = None,
    allow_gaps: AllowGaps = False,
    overwrite: Overwrite = False,
) -> None:
    """Look for dense large vessels in a plain head CT, and compare its arterial territories."""
    from ctinsight.files import ReadOptions, read_scan
    from ctinsight.progress import Progress
    from ctinsight.report import refuse_existing, write_result
    from ctinsight.tasks.lvo import Parameters, run

    parameters = Parameters.from_dict(
        {
            "template": template,
            "deformable": deformable,
            "as_published": as_published,
            "despite_bleed": despite_bleed,
            "vessels": vessels,
            "vessel_model": vessel_model,
            "culprit_model": culprit_model,
            "fast": fast,
            "weights": weights,
            "counterfactual": counterfactual,
            "sensitivity": sensitivity,
            "specificity": specificity,
            "prevalence": prevalence,
        }
    )
    refuse_current_folder(out)
    refuse_existing(out, overwrite=overwrite)
    refuse_own_input(case, out)
    scan = read_scan(case, ReadOptions(series=series, allow_gaps=allow_gaps))
    describe(scan)
    result = run(scan, parameters, Progress(ProgressLine()))
    summarize(result, write_result(result, scan, out, overwrite=overwrite))
