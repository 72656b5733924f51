"""DeepDCRModule for one case, without weights: checks, sides, measurements, planned opening."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.checks import refuse_if_unsuitable
from ctinsight.errors import WrongUseError
from ctinsight.finding import Check, Finding, MeasuredLine, Outcome, Segment, Side
from ctinsight.progress import Progress
from ctinsight.result import CaseResult, Segmentation, Surface
from ctinsight.tasks.dcr.anatomy import Label, anatomy_of, operated_side
from ctinsight.tasks.dcr.clinical import clinical_values
from ctinsight.tasks.dcr.corrected import measure_side
from ctinsight.tasks.dcr.difficulty import Difficulty, DifficultyInput, LoadedModel, assess, load_difficulty
from ctinsight.tasks.dcr.findings import (
    Presence,
    published_findings,
    side_findings,
    side_table,
    window_findings,
    window_table,
)
from ctinsight.tasks.dcr.network import NAME as NETWORK
from ctinsight.tasks.dcr.network import NetworkInput, assess_network
from ctinsight.tasks.dcr.osteotomy import plan_osteotomy
from ctinsight.tasks.dcr.outline import first_labelmap
from ctinsight.tasks.dcr.parameters import Parameters
from ctinsight.tasks.dcr.segmentation import segment_midface
from ctinsight.tasks.dcr.sensitivity import published_variants, ranges, side_intervals
from ctinsight.tasks.dcr.statements import manifest_of, network_facts, statements_of, weights_of
from ctinsight.tasks.dcr.suitability import check_anatomy, check_midface_ct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ctinsight.models.dcr_network import DifficultyNetworks
    from ctinsight.tasks.dcr.anatomy import Anatomy
    from ctinsight.tasks.dcr.corrected import SideMeasures
    from ctinsight.tasks.dcr.osteotomy import OsteotomyPlan
    from ctinsight.tasks.dcr.segmentation import NetworkMasks
    from ctinsight.volume import Scan

TASK = "dcr"
#: The published halves may differ by this share from the side that is drawn, before it is said.
_HALVES_DIFFER = 0.05
SEGMENTS = (
    Segment(int(Label.SAC), "sac", "Lacrimal sac", "lacrimal-sac"),
    Segment(int(Label.MAXILLA), "maxilla", "Maxilla at the surgical site", "maxilla"),
    Segment(int(Label.NASAL), "nasal", "Nasal cavity", "nasal-cavity"),
)


@dataclass(frozen=True, eq=False)
class Measured:
    """Everything that was measured in one case.

    Parameters
    ----------
    side
        The operated side.
    anatomy
        Both sides, as drawn.
    sides
        What was measured on each side.
    plan
        The planned opening on the operated side.
    published
        The 16 published measurements of the operated side, name -> value: of the masks, of masks one voxel
        larger, and of smaller ones.
    """

    side: Side
    anatomy: Anatomy
    sides: Mapping[Side, SideMeasures]
    plan: OsteotomyPlan | None
    published: tuple[Mapping[str, float | None], ...]


def run(scan: Scan, parameters: Parameters | None = None, progress: Progress | None = None) -> CaseResult:
    """Find the masks by a network, or make a first outline from a click in the sac, and measure them.

    Parameters
    ----------
    scan
        A CT of the midface in HU, best a CT dacryocystography.
    parameters
        With ``segmentation`` or ``sac_point_ras``.
    progress
        Told of every stage; may stop the run.

    Raises
    ------
    InputRefusedError
        The input must not be measured as it is.
    WrongUseError
        No point, a point on no contrast medium, or a stated side that the sac contradicts.
    ProcessingFailedError
        What is connected to the point is no sac.
    """
    parameters, progress = parameters or Parameters(), progress or Progress()
    progress.report("checking the input", 0.02)
    checks = check_midface_ct(scan)
    refuse_if_unsuitable(checks)
    if parameters.segmentation is not None:
        masks = segment_midface(scan.volume, parameters.segmentation, progress)
        return _result(_Request(scan, parameters, checks, network=masks), masks.labelmap_kji, progress)
    progress.report("outlining sac, bone and nasal air", 0.1)
    labelmap = first_labelmap(scan.volume, parameters)
    return _result(_Request(scan, parameters, checks, clicked=True), labelmap, progress)


def measure_segmentation(
    scan: Scan,
    labelmap_kji: NDArray[np.integer],
    parameters: Parameters | None = None,
    *,
    progress: Progress | None = None,
) -> CaseResult:
    """Measure masks that a person drew or edited.

    Parameters
    ----------
    scan
        The CT.
    labelmap_kji
        (slices, rows, columns): 1 lacrimal sac, 2 maxilla at the surgical site, 3 nasal cavity; one side or
        both. Other labels are refused.
    parameters
        Operated side and planned opening.
    progress
        Told of every stage.

    Raises
    ------
    GeometryError
        The labelmap is not on the grid of the CT.
    WrongUseError
        Nothing or something unknown is drawn, the sac or the clinical form contradicts the stated side, or
        the form does not fit.
    WeightsMissingError, WrongWeightsError
        The difficulty model that was asked for is not there, or is another.
    """
    parameters, progress = parameters or Parameters(), progress or Progress()
    progress.report("checking the input", 0.02)
    checks = check_midface_ct(scan)
    refuse_if_unsuitable(checks)
    refuse_labels(labelmap_kji)
    return _result(_Request(scan, parameters, checks), np.asarray(labelmap_kji), progress)


def measure_labelmap(
    scan: Scan,
    labelmap_kji: NDArray[np.uint8],
    parameters: Parameters,
    known: Mapping[str, Any],
    *,
    progress: Progress | None = None,
) -> CaseResult:
    """Measure a labelmap as the worker gets it from edited segments; ``known`` is not needed."""
    del known
    return measure_segmentation(scan, labelmap_kji, parameters, progress=progress)


def refuse_labels(labelmap_kji: NDArray[np.integer]) -> None:
    """Refuse an empty labelmap and labels that mean nothing here.

    Raises
    ------
    WrongUseError
        See above.
    """
    found = set(np.unique(labelmap_kji).tolist()) - {0}
    unknown = sorted(found - {int(label) for label in Label})
    if unknown or not found:
        raise WrongUseError(
            found=f"labels {', '.join(map(str, unknown[:8]))}" if unknown else "an empty labelmap",
            expected="1 lacrimal sac, 2 maxilla at the surgical site, 3 nasal cavity; 0 elsewhere",
            remedy="Draw these three, or name the labels with --labels SAC,MAXILLA,NASAL.",
        )


@dataclass(frozen=True, eq=False)
class _Request:
    scan: Scan
    parameters: Parameters
    checks: tuple[Check, ...]
    clicked: bool = False
    network: NetworkMasks | None = None


def measure(anatomy: Anatomy, side: Side, parameters: Parameters) -> Measured:
    """Measure both sides, the published features and the planned opening on the operated one."""
    sides = {s: measure_side(anatomy.on(s)) for s in (Side.RIGHT, Side.LEFT)}
    own = anatomy.on(side)
    plan = plan_osteotomy(own, sides[side].path, parameters)
    published = published_variants(_with_all_of_image(anatomy, own))
    return Measured(side, anatomy, sides, plan, published)


def _with_all_of_image(anatomy: Anatomy, own: Anatomy) -> Any:
    """Only the sac is limited to the operated side: the published program divides the others by itself."""
    from dataclasses import replace

    return replace(anatomy, sac_kji=own.sac_kji).lps()


def _result(request: _Request, labelmap_kji: NDArray[np.integer], progress: Progress) -> CaseResult:
    scan, parameters = request.scan, request.parameters
    loaded = _loaded(parameters)
    progress.report("finding the sides", 0.2)
    anatomy = anatomy_of(labelmap_kji, scan.volume)
    side = operated_side(anatomy, parameters.side)
    progress.report("measuring", 0.3)
    measured = measure(anatomy, side, parameters)
    progress.report("measuring with smaller and larger masks", 0.6)
    findings = findings_of(measured)
    own = measured.sides[side]
    answered = _answered(loaded, measured, request)
    features = {s: m.features for s, m in measured.sides.items()}
    divided = anatomy.midline_r_mm is not None
    progress.finish()
    seconds = {k: round(v, 3) for k, v in progress.stage_seconds.items()}
    return CaseResult(
        task=TASK,
        findings=(*findings, *answered.findings),
        tables=(side_table(features, side, divided=divided), window_table(measured.plan), *answered.tables),
        checks=(
            *request.checks,
            *check_anatomy(scan, anatomy, side),
            _other_side(measured),
            _published_halves(measured),
            *answered.checks,
        ),
        segmentation=Segmentation(anatomy.labelmap_kji, scan.volume.grid, SEGMENTS),
        lines=_lines(own, measured.plan, parameters),
        statements=(
            *statements_of(
                answered=loaded is not None,
                clicked=request.clicked,
                network=request.network.statements if request.network else (),
            ),
            *answered.statements,
        ),
        manifest={
            **manifest_of(scan, parameters, clicked=request.clicked),
            **network_facts(request.network),
            **weights_of(answered.card),
            "operated_side": side.value,
            "midline_r_mm": anatomy.midline_r_mm,
            "stage_seconds": seconds,
        },
        surface=thickness_surface(measured.sides),
    )


def _loaded(parameters: Parameters) -> LoadedModel | DifficultyNetworks | None:
    """Load the difficulty model before anything is computed, and check the form against the side."""
    clinical_values(parameters.clinical or {}, parameters.side)
    if parameters.model is None:
        return None
    if parameters.model.startswith(NETWORK):
        from ctinsight.models.dcr_network import load_networks

        return load_networks(parameters.model)
    return load_difficulty(parameters.model)


def _answered(
    loaded: LoadedModel | DifficultyNetworks | None, measured: Measured, request: _Request
) -> Difficulty:
    clinical, side = request.parameters.clinical, measured.side
    if loaded is None:
        return Difficulty((), (), (), (), {})
    if isinstance(loaded, LoadedModel):
        return assess(loaded, DifficultyInput(clinical, measured.published, side))
    own = measured.anatomy.on(side)
    return assess_network(loaded, NetworkInput(request.scan.volume, own, clinical, side))


def findings_of(measured: Measured) -> tuple[Finding, ...]:
    """Word everything about the operated side, thickness first, each with its range."""
    own = measured.anatomy.on(measured.side)
    presence = Presence(bool(own.sac_kji.any()), bool(own.maxilla_kji.any()), bool(own.nasal_kji.any()))
    side = Finding("operated_side", "Operated side", measured.side.value, note="the patient's own")
    corrected = side_findings(measured.sides[measured.side].features, side_intervals(own), presence)
    base, larger, smaller = measured.published
    published = published_findings(base, ranges(base, larger, smaller), presence)
    return (*corrected, side, *window_findings(measured.plan), *published)


def _lines(own: SideMeasures, plan: OsteotomyPlan | None, parameters: Parameters) -> tuple[MeasuredLine, ...]:
    found = [own.path] if own.path else []
    # Along the default direction the line of drilling would lie on the shortest way.
    chosen = parameters.window_axis_ras is not None or parameters.window_center_ras is not None
    return (*found, plan.line) if plan and chosen and plan.depth_center_mm > 0 else tuple(found)


def _other_side(measured: Measured) -> Check:
    other = Side.LEFT if measured.side is Side.RIGHT else Side.RIGHT
    name, expected = "Other side", "masks of both sides, for the comparison"
    if measured.anatomy.midline_r_mm is None:
        words = "the midline is not in view: everything counts as the operated side"
        return Check(
            "other_side", name, Outcome.WARN, words, expected, "Take a series that shows the whole face."
        )
    drawn = any(v is not None for v in measured.sides[other].features.as_dict().values())
    words = f"{other.value}: {'drawn' if drawn else 'nothing is drawn, so there is no comparison'}"
    return Check("other_side", name, Outcome.PASS, words, expected)


def _published_halves(measured: Measured) -> Check:
    """Compare the published halves, by the image's middle column, with the side that is drawn."""
    own, published = measured.sides[measured.side].features, measured.published[0]
    pairs = (
        ("maxilla", published["max_ipsi_volume_mm3"], own.maxilla_volume_mm3),
        ("nasal cavity", published["nas_ipsi_volume_mm3"], own.nasal_volume_mm3),
    )
    sac = published["lac_volume_mm3"] is not None
    off = [
        f"{name} {(half or 0.0) / whole:.0%} of what is drawn"
        for name, half, whole in pairs
        if sac and whole and abs((half or 0.0) / whole - 1) > _HALVES_DIFFER
    ]
    return Check(
        "published_halves",
        "Halves of the published measurements",
        Outcome.WARN if off else Outcome.PASS,
        "; ".join(off) or "the operated side",
        "the middle column of the image in the middle of the face",
        "The lines 'As published', and a model that uses them, count another half; take the whole series."
        if off
        else "",
    )


def thickness_surface(sides: Mapping[Side, SideMeasures]) -> Surface | None:
    """Join the bone of both sides into one surface with its thickness."""
    parts = [m.thickness for m in sides.values() if m.thickness is not None and len(m.thickness.thickness_mm)]
    # Without a midline both sides are the same masks.
    parts = (
        parts[:1] if len(parts) == 2 and len(parts[0].thickness_mm) == len(parts[1].thickness_mm) else parts
    )
    if not parts:
        return None
    starts = np.cumsum([0, *(len(part.mesh.vertices_ras) for part in parts[:-1])])
    return Surface(
        "bone_thickness",
        "Bone by thickness",
        np.concatenate([part.mesh.vertices_ras for part in parts]),
        np.concatenate([part.mesh.triangles + n for part, n in zip(parts, starts, strict=True)]),
        np.concatenate([part.thickness_mm for part in parts]),
        "thickness",
        "mm",
        "maxilla",
    )
