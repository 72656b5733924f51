"""LungNoduleRisk for one case: checks, outlines from clicks, measures, and the answers built on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.checks import refuse_if_unsuitable
from ctinsight.errors import GeometryError, ProcessingFailedError, WrongUseError
from ctinsight.finding import Check, Outcome
from ctinsight.progress import Progress
from ctinsight.regions.lungs import find_lungs
from ctinsight.result import CaseResult, Segmentation
from ctinsight.scores.guideline import PriorCt
from ctinsight.tasks.nodule.answer import Asked, answer_all, with_answers
from ctinsight.tasks.nodule.emv_answer import prepare_networks
from ctinsight.tasks.nodule.findings import findings_of, lines_of, segments_of, tables_of
from ctinsight.tasks.nodule.leak import leak_check, level_interval
from ctinsight.tasks.nodule.measures import measure_nodule
from ctinsight.tasks.nodule.parameters import Parameters, PriorOptions
from ctinsight.tasks.nodule.reading import Drawing, drawn_shape, edited_shape, native_labels, shape_of
from ctinsight.tasks.nodule.segment import outline_nodule
from ctinsight.tasks.nodule.statements import manifest_of, statements_of
from ctinsight.tasks.nodule.suitability import (
    check_chest_ct,
    check_lungs,
    check_surroundings,
    refuse_outside_image,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ctinsight.regions.lungs import LungField
    from ctinsight.tasks.nodule.measures import NoduleMeasures
    from ctinsight.tasks.nodule.reading import Shape
    from ctinsight.volume import Scan

TASK = "nodule"
#: Two outlines that share more than this of the smaller one are the same nodule.
SAME_NODULE_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Readings:
    """The nodules of one request.

    Parameters
    ----------
    shapes
        Number (from 1, in the order of the points) -> nodule. Points that hit no nodule are missing.
    measures
        The same numbers -> what was measured: what scores and networks build on.
    labelmap_kji
        uint8 on the grid of the CT: 2n - 1 nodule n without its solid part, 2n its solid part.
    checks
        About the outlines and the points that were refused.
    edited
        Whether a person changed an outline.
    """

    shapes: dict[int, Shape]
    measures: dict[int, NoduleMeasures]
    labelmap_kji: NDArray[np.uint8]
    checks: tuple[Check, ...]
    edited: bool = False


def run(
    scan: Scan,
    parameters: Parameters | None = None,
    progress: Progress | None = None,
    prior: Scan | None = None,
) -> CaseResult:
    """Outline and measure the nodules at the given points, and answer what is built on the measures.

    Parameters
    ----------
    scan
        A chest CT in HU, or a part of one.
    parameters
        Points, thresholds, what the user states for the scores, and how networks are run.
    progress
        Told of every stage; may stop the run.
    prior
        An earlier CT; ``parameters.prior`` says where the nodules lie in it.

    Returns
    -------
    CaseResult
        On the grid of the scan. With several points, one that hits no nodule becomes a check that says so; a
        comparison that is not allowed becomes one too.

    Raises
    ------
    InputRefusedError
        The input must not be measured as it is.
    WrongUseError
        No point, or no point hits a nodule; says what lies there and what to do.
    WeightsMissingError
        Networks are required and not there.
    ProcessingFailedError
        No lung was found.
    """
    progress = progress or Progress()
    progress.report("checking the input", 0.01)
    parameters = (parameters or Parameters()).on(scan)
    if not parameters.points_ras:
        raise WrongUseError(
            found="no point",
            expected="one point in each nodule, RAS in mm",
            remedy="Click into the nodule, or give --point R,A,S.",
        )
    _refuse_half_a_prior(parameters, prior)
    checks = check_chest_ct(scan, allow_thick_slices=parameters.allow_thick_slices)
    refuse_if_unsuitable(checks)
    asked = Asked(scan, parameters, prior, prepare_networks(parameters.networks))
    progress.report("finding the lungs", 0.05)
    field = find_lungs(scan.volume)
    readings = read_nodules(scan, field, parameters, progress)
    answers = answer_all(asked, readings.measures, progress)
    result = result_of(scan, readings, (*checks, check_lungs(field)), parameters, progress=progress)
    return with_answers(result, answers, asked)


def _refuse_half_a_prior(parameters: Parameters, prior: Scan | None) -> None:
    if (prior is None) != (not parameters.prior):
        raise WrongUseError(
            found="an earlier CT without points in it"
            if prior
            else "points in an earlier CT that is not given",
            expected="both, or none",
            remedy="Give --prior CASE and --prior-point R,A,S for each nodule.",
        )
    if prior is not None and parameters.patient.prior_ct in {PriorCt.NONE, PriorCt.BEING_LOCATED}:
        raise WrongUseError(
            found=f"an earlier CT, and --prior-ct {parameters.patient.prior_ct}",
            expected="answers that do not contradict each other",
            remedy="Leave --prior-ct away, or answer it with compared.",
        )


def read_nodules(scan: Scan, field: LungField, parameters: Parameters, progress: Progress) -> Readings:
    """Outline and measure the nodule at every point.

    Raises
    ------
    WrongUseError
        No point hits a nodule.
    """
    shapes: dict[int, Shape] = {}
    checks: list[Check] = []
    count = len(parameters.points_ras)
    for n, point in enumerate(parameters.points_ras, start=1):
        progress.report(f"outlining nodule {n} of {count}", 0.15 + 0.6 * (n - 1) / count)
        try:
            refuse_outside_image(scan.volume, point)
            shapes[n] = shape_of(outline_nodule(scan.volume, field, point), point, parameters)
        except WrongUseError as refusal:
            if count == 1:
                raise
            checks.append(_refused_point(n, refusal))
    if not shapes:
        raise WrongUseError(
            found="; ".join(f"{check.name}: {check.measured}" for check in checks),
            expected="points inside lung nodules",
            remedy="Click into the nodules. Points are given in RAS (right, anterior, superior), in mm.",
        )
    progress.report("measuring", 0.78)
    return _readings(scan, shapes, parameters, tuple(checks))


def _readings(
    scan: Scan,
    shapes: dict[int, Shape],
    parameters: Parameters,
    checks: tuple[Check, ...],
    *,
    edited: bool = False,
) -> Readings:
    grid = scan.volume.grid
    labelmap = np.zeros(grid.shape_kji, dtype=np.uint8)
    measures: dict[int, NoduleMeasures] = {}
    kept: dict[int, Shape] = {}
    for n, shape in shapes.items():
        mask, solid = native_labels(shape, grid)
        shared = labelmap[mask]
        if float((shared > 0).mean()) > SAME_NODULE_SHARE:
            checks += (_same_nodule(n, (int(shared[shared > 0][0]) + 1) // 2),)
            continue
        free = mask & (labelmap == 0)
        labelmap[free] = 2 * n - 1
        labelmap[free & solid] = 2 * n
        counted = float(free.sum()) * grid.voxel_volume_mm3
        measures[n] = measure_nodule(shape, parameters, counted)
        kept[n] = shape
        checks += _shape_checks(n, scan, shape, measures[n])
    return Readings(kept, measures, labelmap, checks, edited)


def _shape_checks(n: int, scan: Scan, shape: Shape, measures: NoduleMeasures) -> tuple[Check, ...]:
    around = check_surroundings(n, scan.volume, measures.centre_ras, measures.mean_diameter_mm / 2)
    if shape.outline is None:
        return (around,)
    interval = measures.interval_mm3 or level_interval(shape.outline)
    return around, leak_check(n, shape.outline, measures.mean_diameter_mm, interval)


def result_of(
    scan: Scan,
    readings: Readings,
    checks: tuple[Check, ...],
    parameters: Parameters,
    *,
    progress: Progress,
) -> CaseResult:
    """Put readings into a result."""
    numbers = tuple(readings.measures)
    contrast = any(c.key == "contrast" and c.outcome is not Outcome.PASS for c in checks)
    progress.finish()
    manifest = manifest_of(scan, parameters, edited=readings.edited)
    seconds = {k: round(v, 3) for k, v in progress.stage_seconds.items()}
    return CaseResult(
        task=TASK,
        findings=findings_of(readings.measures, parameters, contrast=contrast),
        tables=tables_of(readings.measures, contrast=contrast),
        checks=checks + readings.checks,
        segmentation=Segmentation(readings.labelmap_kji, scan.volume.grid, segments_of(numbers)),
        lines=lines_of(readings.measures),
        statements=statements_of(parameters, edited=readings.edited),
        manifest={**manifest, "stage_seconds": seconds},
    )


def measure_segmentation(
    scan: Scan,
    labelmap_kji: NDArray[np.integer],
    parameters: Parameters | None = None,
    *,
    progress: Progress | None = None,
    prior: Scan | None = None,
) -> CaseResult:
    """Measure outlines that a person drew or edited: the same findings as :func:`run`, from them.

    Parameters
    ----------
    scan
        The CT.
    labelmap_kji
        (slices, rows, columns), as :func:`run` gives it: 2n - 1 nodule n, 2n its solid part. A bool mask is
        nodule 1.
    parameters
        Those of the run the outlines came from. Where the n-th point is known, only what was edited changes;
        without it the voxels count as they are.
    progress
        Told of every stage.
    prior
        As in :func:`run`.

    Raises
    ------
    GeometryError
        The labelmap is not on the grid of the CT.
    WrongUseError
        It is empty.
    """
    parameters, progress = (parameters or Parameters()).on(scan), progress or Progress()
    _refuse_labelmap(scan, labelmap_kji)
    parameters, lost = _without_lost_prior(parameters, prior)
    _refuse_half_a_prior(parameters, prior)
    progress.report("checking the input", 0.01)
    asked = Asked(scan, parameters, prior, prepare_networks(parameters.networks))
    checks = check_chest_ct(scan, allow_thick_slices=parameters.allow_thick_slices)
    field = find_lungs(scan.volume)
    shapes: dict[int, Shape] = {}
    for n in sorted({(int(label) + 1) // 2 for label in np.unique(labelmap_kji) if label > 0}):
        progress.report(f"reading nodule {n}", 0.3)
        mask = np.isin(labelmap_kji, (2 * n - 1, 2 * n))
        shapes[n] = _edited(
            scan,
            field,
            Drawing(mask, labelmap_kji == 2 * n),
            replace(
                parameters, points_ras=parameters.points_ras[n - 1 : n], nodules=(), prior=PriorOptions()
            ),
        )
    progress.report("measuring", 0.8)
    readings = _readings(scan, shapes, parameters, (), edited=True)
    answers = answer_all(asked, readings.measures, progress)
    result = result_of(scan, readings, (*checks, check_lungs(field)), parameters, progress=progress)
    result = with_answers(result, answers, asked)
    return replace(result, statements=result.statements + lost)


def measure_labelmap(
    scan: Scan,
    labelmap_kji: NDArray[np.integer],
    parameters: Parameters,
    known: Mapping[str, Any],  # noqa: ARG001 - other tasks need it; here everything is found again
    *,
    progress: Progress | None = None,
    prior: Scan | None = None,
) -> CaseResult:
    """Measure an edited labelmap, as the worker gets it; see :func:`measure_segmentation`."""
    return measure_segmentation(scan, labelmap_kji, parameters, progress=progress, prior=prior)


def _without_lost_prior(parameters: Parameters, prior: Scan | None) -> tuple[Parameters, tuple[str, ...]]:
    """Leave out points in an earlier CT that is not at hand any more, and say so."""
    if prior is not None or not parameters.prior:
        return parameters, ()
    said = "Growth was not computed again after the edit: the earlier CT is not at hand."
    return replace(parameters, prior=PriorOptions()), (said,)


def _edited(scan: Scan, field: LungField, drawing: Drawing, parameters: Parameters) -> Shape:
    """Read one nodule; ``parameters`` hold its own point or none."""
    for point in parameters.points_ras:
        try:
            before = shape_of(outline_nodule(scan.volume, field, point), point, parameters)
        except (WrongUseError, ProcessingFailedError):
            before = None
        after = edited_shape(before, scan.volume, drawing, parameters) if before else None
        if after is not None:
            return after
    return drawn_shape(scan.volume, field, drawing, parameters)


def _refused_point(n: int, refusal: WrongUseError) -> Check:
    return Check(
        f"point_{n}",
        f"Point {n}",
        Outcome.WARN,
        refusal.found,
        refusal.expected,
        f"Not measured. {refusal.remedy}",
    )


def _same_nodule(n: int, other: int) -> Check:
    return Check(
        f"point_{n}",
        f"Point {n}",
        Outcome.WARN,
        f"lies in nodule {other}, which is measured already",
        "one point per nodule",
        "Remove the point, or click into the other nodule.",
    )


def _refuse_labelmap(scan: Scan, labelmap_kji: NDArray[np.integer]) -> None:
    if labelmap_kji.shape != scan.volume.grid.shape_kji:
        raise GeometryError(
            found=f"a labelmap of shape {labelmap_kji.shape} for a CT of {scan.volume.grid.shape_kji}",
            expected="a labelmap on the grid of the CT",
            remedy="Resample the labelmap to the CT first.",
        )
    if not np.any(labelmap_kji):
        raise WrongUseError(
            found="an empty labelmap",
            expected="at least one nodule",
            remedy="Draw a nodule, or click into one.",
        )
