"""Which bright regions are blood: stated 3-D rules, and for each refused region the rule that refused it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.tasks.hematoma.intensity import grow_box, voxels_of
from ctinsight.tasks.hematoma.parameters import HoleRule
from ctinsight.tasks.hematoma.threshold import EDGE_MARGIN_MM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.hematoma.intensity import Head
    from ctinsight.tasks.hematoma.parameters import CleanUpRules

#: The inner table is bare where a region stays further away than this, mm: the rim that no core may enter,
#: and blur.
CONTACT_MM = 4.0

_NEIGHBOURS = np.ones((3, 3, 3), dtype=np.bool_)


@dataclass(frozen=True)
class Region:
    """One bright region with what the rules look at.

    ``inner_radius_mm`` is the radius of the largest ball inside, ``edge_fraction`` the share of its volume
    next to the skull, ``contact_radius_mm`` that of the largest circle in its contact with the skull,
    ``outward_rise_hu`` how much brighter the half next to the skull is; ``refused`` names the rule that
    refused it, or is empty.
    """

    volume_ml: float
    mean_hu: float
    bright_fraction: float
    inner_radius_mm: float
    edge_fraction: float
    contact_radius_mm: float
    outward_rise_hu: float
    center_ras: tuple[float, float, float]
    refused: str = ""


@dataclass(frozen=True, eq=False)
class CleanedMask:
    """What is left as blood, and every region of at least a tenth of the smallest size, kept or refused."""

    mask_kji: NDArray[np.bool_]
    regions: tuple[Region, ...]


def clean_up(mask_kji: NDArray[np.bool_], head: Head, rules: CleanUpRules) -> CleanedMask:
    """Keep the regions of a mask that pass every rule.

    Parameters
    ----------
    mask_kji
        (slices, rows, columns) bool on the grid of ``head``.
    head
        The CT cut to its brain.
    rules
        The limits; each names its source.
    """
    labels, _count = ndimage.label(mask_kji & head.brain_kji, _NEIGHBOURS)
    margins = voxels_of(CONTACT_MM + 15.0, head.spacing_kji_mm)
    keep = np.zeros(mask_kji.shape, dtype=np.bool_)
    regions = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        wide = grow_box(box, margins, labels.shape)
        part = labels[wide] == label
        region = _judge(part, wide, head, rules)
        if not region.refused:
            keep[wide] |= part
        if region.volume_ml >= 0.1 * rules.min_component_ml:
            regions.append(region)
    return CleanedMask(keep, tuple(sorted(regions, key=lambda r: -r.volume_ml)))


def fill_holes(mask_kji: NDArray[np.bool_], rule: HoleRule) -> NDArray[np.bool_]:
    """Fill what blood encloses on all sides, or leave it."""
    if rule is HoleRule.KEEP:
        return mask_kji
    filled = mask_kji.copy()
    labels, _count = ndimage.label(mask_kji, _NEIGHBOURS)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            filled[box] |= ndimage.binary_fill_holes(labels[box] == label)
    return filled


def _judge(
    part: NDArray[np.bool_], box: tuple[slice, slice, slice], head: Head, rules: CleanUpRules
) -> Region:
    """Measure one region, given in a box that is wider than it by more than ``CONTACT_MM``."""
    hu, depth = head.hu_kji[box][part], head.depth_mm[box][part]
    inside = ndimage.distance_transform_edt(np.pad(part, 1), sampling=head.spacing_kji_mm)
    near_skull_mm = max(rules.edge_distance_mm, 1.1 * max(head.spacing_kji_mm))
    smooth = head.smooth_kji[box][part]
    # The rim beside the skull holds bone in part, which says nothing of the region itself.
    inner = depth > EDGE_MARGIN_MM if (depth > EDGE_MARGIN_MM).any() else np.ones(depth.shape, dtype=np.bool_)
    center = head.grid.ras_from_ijk(np.argwhere(part).mean(axis=0)[::-1] + [s.start for s in box[::-1]])
    region = Region(
        volume_ml=float(part.sum()) * head.grid.voxel_volume_ml,
        mean_hu=float(hu[inner].mean()),
        bright_fraction=float(np.mean(smooth[inner] > rules.calcification_hu)),
        inner_radius_mm=float(inside.max()),
        edge_fraction=float(np.mean(depth <= near_skull_mm)),
        contact_radius_mm=_contact_radius_mm(part, box, head),
        outward_rise_hu=_outward_rise_hu(smooth, depth),
        center_ras=(float(center[0]), float(center[1]), float(center[2])),
    )
    return Region(**{**vars(region), "refused": _refusal(region, rules)})


def _refusal(region: Region, rules: CleanUpRules) -> str:
    if region.volume_ml < rules.min_component_ml:
        return f"smaller than {rules.min_component_ml:g} mL"
    if region.mean_hu > rules.max_mean_hu:
        return f"mean above {rules.max_mean_hu:g} HU: calcification or bone"
    if region.bright_fraction > rules.max_bright_fraction:
        share = f"{100 * rules.max_bright_fraction:g} %"
        return f"more than {share} above {rules.calcification_hu:g} HU: calcification"
    if region.inner_radius_mm < rules.min_inner_radius_mm:
        return f"thinner than {2 * rules.min_inner_radius_mm:g} mm: falx, tentorium, vessel or streak"
    if region.edge_fraction <= rules.max_edge_fraction:
        return ""
    if region.outward_rise_hu > rules.max_outward_rise_hu:
        return f"brighter by {region.outward_rise_hu:.0f} HU towards the skull: partial bone"
    if region.contact_radius_mm < rules.min_contact_radius_mm:
        return f"along the skull in a band below {2 * rules.min_contact_radius_mm:g} mm: venous sinus or bone"
    return ""


def _contact_radius_mm(part: NDArray[np.bool_], box: tuple[slice, slice, slice], head: Head) -> float:
    """Return the largest distance from a point of a region to the nearest bare inner table, mm."""
    depth = head.depth_mm[box]
    away = ndimage.distance_transform_edt(~part, sampling=head.spacing_kji_mm)
    bare = (depth > 0) & (depth <= EDGE_MARGIN_MM) & (away > CONTACT_MM)
    if not bare.any():
        return float("inf")
    distance = ndimage.distance_transform_edt(~bare, sampling=head.spacing_kji_mm)
    return max(float(distance[part].max()) - CONTACT_MM, 0.0)


def _outward_rise_hu(hu: NDArray[np.float32], depth_mm: NDArray[np.float32]) -> float:
    """Return mean HU of the half nearer to the skull minus that of the other, the outermost rim left out."""
    inner = depth_mm > EDGE_MARGIN_MM
    if inner.sum() < 20:
        return 0.0
    middle = np.median(depth_mm[inner])
    near, far = inner & (depth_mm <= middle), depth_mm > middle
    return float(hu[near].mean() - hu[far].mean()) if near.any() and far.any() else 0.0
