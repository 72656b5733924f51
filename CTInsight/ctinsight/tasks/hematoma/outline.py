"""One door to the four methods: CT and brain in, cleaned mask of blood out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import WrongUseError
from ctinsight.measure import dilate
from ctinsight.tasks.hematoma.active_contour import active_contour
from ctinsight.tasks.hematoma.along_skull import complete_along_skull, margins_of
from ctinsight.tasks.hematoma.blood_classes import fuzzy_mask
from ctinsight.tasks.hematoma.cleanup import clean_up, fill_holes
from ctinsight.tasks.hematoma.intensity import cut_to_brain
from ctinsight.tasks.hematoma.parameters import Method
from ctinsight.tasks.hematoma.threshold import (
    CLICK_RADIUS_MM,
    candidate_cores,
    clicked_voxel,
    connected_to,
    core_threshold_hu,
    threshold_automatic,
    threshold_from_point,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.finding import Interval
    from ctinsight.tasks.hematoma.cleanup import Region
    from ctinsight.tasks.hematoma.intensity import Head
    from ctinsight.tasks.hematoma.parameters import Parameters
    from ctinsight.volume import Volume


@dataclass(frozen=True, eq=False)
class Outline:
    """A mask of blood and how it was made.

    Parameters
    ----------
    mask_kji
        (slices, rows, columns) bool, on the grid of the CT.
    refused
        Bright regions that the clean-up did not take for blood.
    facts
        What the method measured on its way, for the manifest.
    sweep
        With a network: the volume in mL at a lower and a higher threshold.
    model_card
        With a network: the facts about its weights.
    notes
        What must be read with the numbers.
    """

    mask_kji: NDArray[np.bool_]
    refused: tuple[Region, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    sweep: Interval | None = None
    model_card: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()


def outline_blood(volume: Volume, brain_kji: NDArray[np.bool_], parameters: Parameters) -> Outline:
    """Outline blood without any weights.

    Parameters
    ----------
    volume
        The CT.
    brain_kji
        (slices, rows, columns) bool, the inside of the skull.
    parameters
        ``method`` is one of threshold, fcm and active-contour.

    Raises
    ------
    WrongUseError
        A click outside the brain, or on tissue unlike blood.
    """
    head = cut_to_brain(volume, brain_kji, margin_voxels=margins_of(volume.grid.spacing_kji_mm))
    facts: dict[str, Any] = {
        "tissue_hu": head.tissue.mode_hu,
        "tissue_spread_hu": head.tissue.spread_hu,
        "core_threshold_hu": core_threshold_hu(head),
    }
    raw, more = _raw_mask(head, parameters)
    facts |= more
    if parameters.point_ras is not None:
        return Outline(head.whole(_finished(raw, head, parameters)), facts=facts)
    cleaned = clean_up(raw, head, parameters.clean_up)
    refused = tuple(region for region in cleaned.regions if region.refused)
    return Outline(head.whole(_finished(cleaned.mask_kji, head, parameters)), refused, facts)


def _finished(mask_kji: NDArray[np.bool_], head: Head, parameters: Parameters) -> NDArray[np.bool_]:
    filled = np.asarray(fill_holes(mask_kji, parameters.hole_rule) & head.brain_kji)
    if parameters.range_hu is not None and parameters.method is not Method.FUZZY_C_MEANS:
        # A fixed range is taken at its word: what shares a voxel with bone lies above it.
        return filled
    return complete_along_skull(filled, head, follow=parameters.point_ras is None)


def _raw_mask(head: Head, parameters: Parameters) -> tuple[NDArray[np.bool_], dict[str, Any]]:
    if parameters.method is Method.FUZZY_C_MEANS:
        return _fuzzy(head, parameters)
    if parameters.point_ras is not None:
        mask = threshold_from_point(head, parameters.point_ras, parameters.range_hu)
        cores = mask
    else:
        mask = threshold_automatic(head, parameters.range_hu)
        cores = candidate_cores(head)
    if parameters.method is Method.THRESHOLD:
        return mask, {}
    if parameters.point_ras is None:
        # Surfaces start only where a region passes the rules; the others would be refused afterwards anyway.
        cores &= clean_up(mask, head, parameters.clean_up).mask_kji
    return active_contour(head, cores), {"surface_starts_ml": float(cores.sum()) * head.grid.voxel_volume_ml}


def _fuzzy(head: Head, parameters: Parameters) -> tuple[NDArray[np.bool_], dict[str, Any]]:
    mask, classes = fuzzy_mask(head)
    facts = {"class_centers_hu": list(classes.centers_hu), "blood_class_found": classes.found}
    if parameters.point_ras is None:
        return mask, facts
    k, j, i = clicked_voxel(head, parameters.point_ras)
    click = np.zeros(mask.shape, dtype=np.bool_)
    click[k, j, i] = True
    near = dilate(click, head.grid, CLICK_RADIUS_MM) & mask
    if not near.any():
        raise WrongUseError(
            found=f"{head.smooth_kji[k, j, i]:.0f} HU at the point, which is not in the class of blood",
            expected=f"a point in a bleed; the brightest class lies at {classes.centers_hu[-1]:.0f} HU",
            remedy="Click into the bright part of the bleed, or use the threshold method.",
        )
    return connected_to(near, mask), facts
