"""``ctinsight lvo``: from a plain head CT to dense-vessel evidence and arterial territories."""

from __future__ import annotations

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
        }
    )
    refuse_current_folder(out)
    refuse_existing(out, overwrite=overwrite)
    refuse_own_input(case, out)
    scan = read_scan(case, ReadOptions(series=series, allow_gaps=allow_gaps))
    describe(scan)
    result = run(scan, parameters, Progress(ProgressLine()))
    summarize(result, write_result(result, scan, out, overwrite=overwrite))
