"""LVODetect for one case, without weights: checks, bleed, registration, territories, dense vessels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.checks import LVO_LIMITS, check_head_ct, refuse_if_unsuitable
from ctinsight.errors import GeometryError
from ctinsight.finding import Outcome
from ctinsight.manifest import network_engine
from ctinsight.progress import Progress
from ctinsight.regions.bleed import find_bleeds
from ctinsight.regions.brain import extract_brain
from ctinsight.regions.carry import carried
from ctinsight.regions.corridors import landmarks
from ctinsight.regions.hemispheres import RIGHT_LABEL, hemispheres, hemispheric_difference
from ctinsight.regions.midline import midsagittal_plane
from ctinsight.regions.registration import Head, align
from ctinsight.result import CaseResult, ImageLayer, Layer, Segmentation
from ctinsight.tasks.lvo.evidence import Site, gather_evidence
from ctinsight.tasks.lvo.findings import (
    CANDIDATE_LABELS,
    candidate_table,
    corridor_table,
    findings_of,
    labelmap_of,
    landmark_table,
    segments_of,
)
from ctinsight.tasks.lvo.occlusion import (
    ORIENTATION,
    SCORE,
    Occlusion,
    channel_images,
    occlusion_findings,
    occlusion_table,
    require_inputs,
    score_occlusion,
    vessel_mip,
    vessels_on,
)
from ctinsight.tasks.lvo.parameters import Parameters
from ctinsight.tasks.lvo.stages import (
    STATEMENT,
    Stage,
    agreement_check,
    culprit_findings,
    culprit_table,
    find_culprit,
    find_vessels,
    load_stages,
    stage_facts,
    stage_layers,
    vessel_check,
)
from ctinsight.tasks.lvo.statements import EDITED, manifest_of, statements_of
from ctinsight.tasks.lvo.suitability import check_bleed, check_registration, usable
from ctinsight.tasks.lvo.templates import template_of
from ctinsight.tasks.lvo.territories import (
    SideBySide,
    compare_territories,
    hemisphere_layer,
    territory_layers,
    territory_table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ctinsight.finding import Check
    from ctinsight.regions.midline import Plane
    from ctinsight.regions.registration import Alignment
    from ctinsight.regions.template import Template
    from ctinsight.tasks.lvo.evidence import Evidence
    from ctinsight.volume import Scan

TASK = "lvo"


@dataclass(frozen=True, eq=False)
class Prepared:
    """A case before any network: what every later stage starts from.

    ``difference_kji`` is float32 in HU, ``halves_kji`` uint8 (1 left, 2 right of the patient), ``brain_kji``
    bool, all on the grid of the CT; ``reliable`` says whether the registration passed its gate. ``drawn_kji``
    holds candidates that a person drew; then none are looked for.
    """

    scan: Scan
    parameters: Parameters
    brain_kji: NDArray[np.bool_]
    midplane: Plane
    template: Template
    alignment: Alignment
    reliable: bool
    halves_kji: NDArray[np.uint8]
    difference_kji: NDArray[np.float32]
    checks: tuple[Check, ...]
    drawn_kji: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Gathered:
    """What the template brings to the patient; everything is empty where the gate was not passed."""

    evidence: Evidence | None = None
    rows: tuple[SideBySide, ...] = ()
    layers: tuple[Layer, ...] = ()
    images: tuple[ImageLayer, ...] = ()
    occlusion: Occlusion | None = None
    vessels: Stage | None = None
    culprit: Stage | None = None


def run(scan: Scan, parameters: Parameters | None = None, progress: Progress | None = None) -> CaseResult:
    """Look for evidence of a large vessel occlusion in a plain head CT.

    Parameters
    ----------
    scan
        A plain head CT in HU, any orientation, spacing or obliquity.
    parameters
        What was chosen.
    progress
        Told of every stage; may stop the run.

    Returns
    -------
    CaseResult
        On the grid of the scan. Without a good registration everything that needs it is withheld, in words.

    Raises
    ------
    InputRefusedError
        The input must not be used as it is: no head CT, contrast medium, a bleed.
    OfflineError, DownloadFailedError
        The template is not installed and cannot be fetched.
    ProcessingFailedError
        A stage could not finish.
    """
    parameters, progress = parameters or Parameters(), progress or Progress()
    require_inputs(parameters)
    load_stages(parameters)
    return conclude(prepare(scan, parameters, progress), progress)


def measure_labelmap(
    scan: Scan,
    labelmap_kji: NDArray[np.uint8],
    parameters: Parameters,
    known: Mapping[str, Any],  # noqa: ARG001 - what other tasks hand over; nothing of it is needed here
    *,
    progress: Progress | None = None,
) -> CaseResult:
    """Measure candidates that a person drew or edited: labels 1 (left) and 2 (right) of :func:`segments_of`.

    Every connected piece is one candidate, as it was drawn; its side is decided by the patient's mid-plane,
    not by its label. Corridors and territories are found again.

    Raises
    ------
    GeometryError
        The labelmap is not on the grid of the CT.
    InputRefusedError, ProcessingFailedError
        See :func:`run`.
    """
    progress = progress or Progress()
    if labelmap_kji.shape != scan.volume.grid.shape_kji:
        raise GeometryError(
            found=f"a labelmap of shape {labelmap_kji.shape} for a CT of {scan.volume.grid.shape_kji}",
            expected="a labelmap on the grid of the CT",
            remedy="Resample the labelmap to the CT first.",
        )
    require_inputs(parameters)
    drawn = np.isin(labelmap_kji, CANDIDATE_LABELS)
    return conclude(replace(prepare(scan, parameters, progress), drawn_kji=drawn), progress)


def conclude(case: Prepared, progress: Progress) -> CaseResult:
    """Gather evidence from a prepared case and put everything into a result."""
    scan, parameters = case.scan, case.parameters
    gathered = _gather(case, progress) if case.reliable else Gathered()
    progress.finish()
    seconds = {name: round(value, 3) for name, value in progress.stage_seconds.items()}
    thick = any(c.key == "slice_spacing" and c.outcome is not Outcome.PASS for c in case.checks)
    bleed = any(c.key == "bleed" and c.outcome is not Outcome.PASS for c in case.checks)
    grid = scan.volume.grid
    return CaseResult(
        task=TASK,
        findings=(
            *findings_of(gathered.evidence, gathered.rows, case.alignment),
            *occlusion_findings(gathered.occlusion, parameters),
            *culprit_findings(gathered.culprit, grid, case.midplane),
        ),
        tables=(
            candidate_table(gathered.evidence),
            *occlusion_table(gathered.occlusion),
            *culprit_table(gathered.culprit),
            corridor_table(gathered.evidence),
            territory_table(gathered.rows),
            landmark_table(landmarks(case.template.name)),
        ),
        checks=(
            *case.checks,
            *_network_checks(gathered.occlusion),
            *vessel_check(gathered.vessels),
            *agreement_check(gathered.occlusion.score if gathered.occlusion else None, gathered.culprit),
        ),
        segmentation=Segmentation(labelmap_of(gathered.evidence, grid.shape_kji), grid, segments_of()),
        lines=tuple(c.line for c in gathered.evidence.candidates) if gathered.evidence else (),
        statements=(
            *statements_of(parameters, case.template, thick=thick, bleed=bleed),
            *((SCORE, ORIENTATION) if gathered.occlusion else ()),
            *((STATEMENT,) if gathered.vessels or gathered.culprit else ()),
            *(() if case.drawn_kji is None else (EDITED,)),
        ),
        manifest={
            **_manifest(case, gathered.occlusion),
            **stage_facts(gathered.vessels, gathered.culprit),
            "stage_seconds": seconds,
        },
        layers=(_halves(case), *gathered.layers, *stage_layers(gathered.vessels, gathered.culprit, grid)),
        images=(_difference_image(case), *gathered.images),
    )


def prepare(scan: Scan, parameters: Parameters, progress: Progress) -> Prepared:
    """Check the input and bring it to template space; see :func:`run` for what it raises."""
    progress.report("checking the input", 0.01)
    refuse_if_unsuitable(check_head_ct(scan, None, limits=LVO_LIMITS))
    progress.report("finding the brain", 0.05)
    brain = extract_brain(scan.volume).mask_kji
    checks = check_head_ct(scan, brain, limits=LVO_LIMITS)
    progress.report("looking for a bleed", 0.15)
    bleed = check_bleed(find_bleeds(scan.volume, brain), despite=parameters.despite_bleed)
    refuse_if_unsuitable((*checks, bleed))
    progress.report("finding the mid-plane", 0.2)
    midplane = midsagittal_plane(scan.volume, brain)
    template = template_of(parameters.template, progress)
    progress.report("registering to the template", 0.3)
    alignment = align(Head(scan.volume, brain, midplane), template, deformable=parameters.deformable)
    least = parameters.least_registration_score
    progress.report("comparing the halves", 0.5)
    return Prepared(
        scan,
        parameters,
        brain,
        midplane,
        template,
        alignment,
        usable(alignment.quality, least_score=least),
        hemispheres(brain, scan.volume.grid, midplane),
        hemispheric_difference(scan.volume, brain, midplane, parameters.difference),
        (*checks, bleed, check_registration(alignment.quality, least_score=least)),
    )


def _gather(case: Prepared, progress: Progress) -> Gathered:
    volume, template = case.scan.volume, case.template
    progress.report("bringing territories to the patient", 0.65)
    labels = carried(
        template.labels_kji, template.label_grid, case.alignment, within_kji=case.brain_kji, grid=volume.grid
    )
    rows = compare_territories(volume, case.brain_kji, labels, template.territories)
    progress.report("looking for dense vessels", 0.85)
    site = Site(volume, case.brain_kji, case.midplane, case.alignment, template.name)
    evidence = gather_evidence(site, case.parameters.evidence, drawn_kji=case.drawn_kji)
    layers = territory_layers(labels, volume.grid, template.territories)
    progress.report("bringing the prior to the patient", 0.9)
    prior = prior_of(case)
    percent = np.rint(100 * prior).astype(np.uint8)
    meaning = "share of MCA territory around each voxel, percent; smoothed by 8 mm, both sides alike"
    images: tuple[ImageLayer, ...] = (ImageLayer("mca_prior", volume.with_array(percent), meaning),)
    return _with_networks(case, Gathered(evidence, rows, layers, images), prior, progress)


def _with_networks(
    case: Prepared, gathered: Gathered, prior: NDArray[np.float32], progress: Progress
) -> Gathered:
    """Add what the three stages say, as far as vessels and weights are there."""
    parameters, volume = case.parameters, case.scan.volume
    first = None
    if parameters.vessel_model is not None:
        first = find_vessels(volume, parameters, progress.part(0.9, 0.93))
        vessels = first.labels_kji
        if vessel_check(first)[0].outcome is not Outcome.PASS:
            return replace(gathered, vessels=first)
    elif parameters.vessels is not None:
        vessels = vessels_on(parameters.vessels, volume.grid)
    else:
        return gathered
    mip = vessel_mip(volume, vessels)
    images, occlusion, culprit = (*gathered.images, mip), None, None
    if parameters.weights is not None:
        occlusion = score_occlusion(case, vessels, prior, progress)
        images += channel_images(occlusion)
    if parameters.culprit_model is not None:
        part = progress.part(0.97, 0.99)
        culprit = find_culprit(mip.volume, vessels, volume.grid, parameters=parameters, progress=part)
    return replace(gathered, images=images, occlusion=occlusion, vessels=first, culprit=culprit)


def _network_checks(occlusion: Occlusion | None) -> tuple[Check, ...]:
    return (occlusion.check,) if occlusion is not None and occlusion.check is not None else ()


def _manifest(case: Prepared, occlusion: Occlusion | None) -> dict[str, Any]:
    plain = manifest_of(case.scan, case.parameters, case.alignment, case.template)
    if case.drawn_kji is not None:
        plain |= {"edited": True, "method": f"{plain['method']}, edited by a person"}
    if occlusion is None:
        return plain
    card = occlusion.card
    weights = f"{card.name} {card.version} (SHA-256 {card.sha256[:12]})"
    method = f"{plain['method']}, McResNet"
    more = {"tier": "with weights", "weights": weights, "model_card": card.as_manifest(), "method": method}
    return {**plain, **more, **network_engine("McResNet in torch")}


def prior_of(case: Prepared) -> NDArray[np.float32]:
    """Bring the MCA prior (0 to 1) to the patient's brain; 0 elsewhere."""
    template = case.template
    grid = case.scan.volume.grid
    return np.asarray(
        carried(
            template.mca_prior_kji, template.label_grid, case.alignment, within_kji=case.brain_kji, grid=grid
        ),
        dtype=np.float32,
    )


def _halves(case: Prepared) -> Layer:
    grid, named = case.scan.volume.grid, case.parameters.as_published
    return hemisphere_layer(case.halves_kji, grid, as_published=named)


def _difference_image(case: Prepared) -> ImageLayer:
    hu = case.difference_kji
    meaning = "attenuation minus that of the place opposite, HU"
    if case.parameters.as_published:
        hu = np.where(case.halves_kji == RIGHT_LABEL, np.abs(hu), 0)
        meaning = "absolute difference of the halves on the patient's right one (published: left_brain), HU"
    return ImageLayer("difference", case.scan.volume.with_array(np.rint(hu).astype(np.int16)), meaning)
