"""HematomaVolume for one case: checks, brain, outline, measurements."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.checks import check_head_ct, refuse_if_unsuitable
from ctinsight.errors import GeometryError, InputRefusedError, ProcessingFailedError
from ctinsight.finding import Finding, Segment
from ctinsight.manifest import input_facts, software_versions
from ctinsight.progress import Progress
from ctinsight.regions.brain import extract_brain
from ctinsight.regions.midline import midsagittal_plane
from ctinsight.result import CaseResult, Segmentation
from ctinsight.tasks.hematoma.findings import VOLUME, findings_of, measure_mask, tables_of
from ctinsight.tasks.hematoma.image_edge import edge_check, edge_statement
from ctinsight.tasks.hematoma.outline import Outline, outline_blood
from ctinsight.tasks.hematoma.parameters import Method, Parameters
from ctinsight.tasks.hematoma.plausibility import plausibility_check
from ctinsight.tasks.hematoma.statements import (
    FIRST_OUTLINE,
    METHOD_NAMES,
    statements_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ctinsight.finding import Check
    from ctinsight.regions.midline import Plane
    from ctinsight.volume import Scan, Volume

TASK = "hematoma"
SEGMENTS = (Segment(1, "hematoma", "Hematoma", "hematoma"),)


@dataclass(frozen=True, eq=False)
class Known:
    """What is already known of a case when its mask is measured.

    Parameters
    ----------
    checks
        The input checks; ``None`` has checks and brain found again.
    brain_kji
        The brain's mask; without it sides stay open.
    model_card
        Of the network that made the first outline: ``result.manifest["model_card"]`` of that run.
    """

    checks: tuple[Check, ...] | None = ()
    brain_kji: NDArray[np.bool_] | None = None
    model_card: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class _Case:
    scan: Scan
    parameters: Parameters
    known: Known
    edited: bool = False


def run(scan: Scan, parameters: Parameters | None = None, progress: Progress | None = None) -> CaseResult:
    """Outline the blood in a head CT and measure it.

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
        On the grid of the scan. "Nothing found" is a result of 0 mL with a zero row.

    Raises
    ------
    InputRefusedError
        The input must not be measured as it is.
    WrongUseError
        A click outside the brain, or on tissue unlike blood.
    WeightsMissingError
        DR-UNet was chosen and has no weights.
    ProcessingFailedError
        A stage could not finish.
    """
    parameters, progress = parameters or Parameters(), progress or Progress()
    require_weights(parameters)
    progress.report("checking the input", 0.01)
    refuse_if_unsuitable(check_head_ct(scan, None))
    progress.report("finding the brain", 0.05)
    brain_kji = extract_brain(scan.volume).mask_kji
    checks = check_head_ct(scan, brain_kji)
    refuse_if_unsuitable(checks)
    progress.report(f"outlining blood ({METHOD_NAMES[parameters.method]})", 0.35)
    outline = _outline(scan.volume, brain_kji, parameters, progress)
    return _measured(_Case(scan, parameters, Known(checks, brain_kji)), outline, progress)


def require_weights(parameters: Parameters) -> None:
    """Refuse a method whose weights are not there, before any work is done for it.

    Raises
    ------
    WeightsMissingError
        DR-UNet was chosen and has no weights.
    WrongWeightsError
        Installed weights were changed.
    """
    if parameters.method is Method.DRUNET:
        from ctinsight.tasks.hematoma.drunet import find_weights

        find_weights(parameters.weights)


def measure_segmentation(
    scan: Scan,
    mask_kji: NDArray[np.bool_],
    parameters: Parameters | None = None,
    known: Known | None = None,
    *,
    progress: Progress | None = None,
) -> CaseResult:
    """Measure a mask that a person drew or edited: the same findings as :func:`run`, from that mask.

    Parameters
    ----------
    scan
        The CT.
    mask_kji
        (slices, rows, columns) bool on the grid of the CT; it may be empty.
    parameters
        Those of the run the mask came from.
    known
        What is known already; without it checks and brain are found again, and a case whose brain cannot be
        found is measured without sides. Hand over the model card of a run by DR-UNet here, so that the new
        result still says which weights made the first outline.

    Raises
    ------
    GeometryError
        The mask is not on the grid of the CT.
    """
    parameters, progress = parameters or Parameters(), progress or Progress()
    if mask_kji.shape != scan.volume.grid.shape_kji:
        raise GeometryError(
            found=f"a mask of shape {mask_kji.shape} for a CT of {scan.volume.grid.shape_kji}",
            expected="a mask on the grid of the CT",
            remedy="Resample the mask to the CT first.",
        )
    if known is None or known.checks is None:
        known = replace(_find_out(scan, progress), model_card=known.model_card if known else None)
    card = None if known.model_card is None else dict(known.model_card)
    outline = Outline(np.asarray(mask_kji, dtype=np.bool_), model_card=card)
    return _measured(_Case(scan, parameters, known, edited=True), outline, progress)


def measure_labelmap(
    scan: Scan,
    labelmap_kji: NDArray[np.uint8],
    parameters: Parameters,
    known: Mapping[str, Any],
    *,
    progress: Progress | None = None,
) -> CaseResult:
    """Measure a labelmap with the labels of ``SEGMENTS``, as the worker gets it from an edited segment.

    Parameters
    ----------
    known
        ``model_card`` of the run that made the first outline, if there was one; checks and brain are found
        again.
    """
    mask_kji = np.asarray(labelmap_kji == SEGMENTS[0].label)
    card = known.get("model_card")
    return measure_segmentation(scan, mask_kji, parameters, Known(None, model_card=card), progress=progress)


def _find_out(scan: Scan, progress: Progress) -> Known:
    """Check the input and find its brain; a mask of a person's own may lie in a CT that suits no method."""
    progress.report("checking the input", 0.01)
    try:
        progress.report("finding the brain", 0.05)
        brain_kji = extract_brain(scan.volume).mask_kji
    except (InputRefusedError, ProcessingFailedError):
        return Known(check_head_ct(scan, None))
    return Known(check_head_ct(scan, brain_kji), brain_kji)


def _outline(
    volume: Volume, brain_kji: NDArray[np.bool_], parameters: Parameters, progress: Progress
) -> Outline:
    if parameters.method is not Method.DRUNET:
        return outline_blood(volume, brain_kji, parameters)
    from ctinsight.tasks.hematoma.drunet import outline_with_network

    return outline_with_network(volume, brain_kji, parameters, progress)


def _measured(case: _Case, outline: Outline, progress: Progress) -> CaseResult:
    progress.report("measuring", 0.9)
    volume = case.scan.volume
    measured = measure_mask(outline.mask_kji, volume, _midline(volume, case.known.brain_kji))
    findings = findings_of(measured) + _sweep_finding(outline, measured.volume_ml)
    segmentation = Segmentation(outline.mask_kji.astype(np.uint8), volume.grid, SEGMENTS)
    manifest = _manifest(case, outline)
    own = (
        plausibility_check(measured, outline.mask_kji, volume, case.known.brain_kji),
        edge_check(measured.edge, measured.volume_ml),
    )
    keys = {check.key for check in own}
    cut = (edge_statement(measured.edge, measured.volume_ml),) if measured.edge else ()
    progress.finish()
    return CaseResult(
        task=TASK,
        findings=findings,
        tables=tables_of(measured, volume, outline.refused),
        checks=(*(c for c in case.known.checks or () if c.key not in keys), *own),
        segmentation=segmentation,
        lines=measured.lines,
        statements=_statements(case, outline) + cut + outline.notes,
        manifest={**manifest, "stage_seconds": {k: round(v, 3) for k, v in progress.stage_seconds.items()}},
    )


def _statements(case: _Case, outline: Outline) -> tuple[str, ...]:
    said = statements_of(case.parameters, edited=case.edited)
    weights = _weights(case, outline)
    return (*said, FIRST_OUTLINE.format(weights=weights)) if case.edited and weights else said


def _weights(case: _Case, outline: Outline) -> str:
    card = outline.model_card
    if card is not None:
        return f"{card['name']} {card['version']} (SHA-256 {card['sha256'][:12]})"
    return "" if case.parameters.method is not Method.DRUNET else "weights that are not recorded"


def _midline(volume: Volume, brain_kji: NDArray[np.bool_] | None) -> Plane | None:
    if brain_kji is None:
        return None
    try:
        return midsagittal_plane(volume, brain_kji)
    except ProcessingFailedError:
        return None


def _sweep_finding(outline: Outline, volume_ml: float) -> tuple[Finding, ...]:
    if outline.sweep is None:
        return ()
    return (
        Finding(
            "volume_sweep_ml",
            "Hematoma volume, network threshold varied",
            volume_ml,
            "mL",
            VOLUME,
            outline.sweep,
        ),
    )


def _manifest(case: _Case, outline: Outline) -> dict[str, Any]:
    parameters, weights = case.parameters, _weights(case, outline)
    method = METHOD_NAMES[parameters.method]
    return {
        "task": TASK,
        "method": f"{method}, edited by a person" if case.edited else method,
        "tier": "with weights" if weights else "without weights",
        "weights": weights,
        "model_card": outline.model_card,
        "edited": case.edited,
        "parameters": parameters.used(),
        "device": outline.facts.get("device", "cpu"),
        "engine": outline.facts.get("engine", "no network took part"),
        "precision": outline.facts.get("precision", "no network took part"),
        "software": software_versions(*(["torch"] if parameters.method is Method.DRUNET else [])),
        "measured_on_the_way": outline.facts,
        "input": input_facts(case.scan),
    }
