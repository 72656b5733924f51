"""``ctinsight nodule``: from clicks in a chest CT to outlines and measures of nodules."""

from __future__ import annotations

from typing import Annotated

import typer

from ctinsight.cli.options import (
    AllowGaps,
    CasePath,
    OutPath,
    Overwrite,
    Series,
    point_ras,
    refuse_current_folder,
    refuse_own_input,
)
from ctinsight.cli.words import ProgressLine, describe, summarize


def nodule(
    case: CasePath,
    *,
    out: OutPath,
    point: Annotated[
        list[str], typer.Option(metavar="R,A,S", help="A point in a nodule, RAS in mm; once for each nodule.")
    ],
    solid_threshold_hu: Annotated[
        float, typer.Option(help="From here on tissue is called solid, in HU.")
    ] = -300.0,
    allow_thick_slices: Annotated[
        bool, typer.Option("--allow-thick-slices", help="Measure above 3 mm slices; the result says so.")
    ] = False,
    series: Series = None,
    allow_gaps: AllowGaps = False,
    overwrite: Overwrite = False,
) -> None:
    """Outline and measure pulmonary nodules at given points of a chest CT."""
    from ctinsight.files import ReadOptions, read_scan
    from ctinsight.progress import Progress
    from ctinsight.report import refuse_existing, write_result
    from ctinsight.tasks.nodule import Parameters, run

    parameters = Parameters(
        points_ras=tuple(point_ras(text) for text in point),
        solid_threshold_hu=solid_threshold_hu,
        allow_thick_slices=allow_thick_slices,
    )
    refuse_current_folder(out)
    refuse_existing(out, overwrite=overwrite)
    refuse_own_input(case, out)
    scan = read_scan(case, ReadOptions(series=series, allow_gaps=allow_gaps))
    describe(scan)
    result = run(scan, parameters, Progress(ProgressLine()))
    summarize(result, write_result(result, scan, out, overwrite=overwrite))
