"""Blood along the skull: followed into its thin ends, and outwards to the inner table by the half-way rule.

The brain mask stops short of the skull on purpose, so that no bone starts a bleed. What was accepted as blood
there is completed afterwards in two steps; nothing new is started, so a head without a bleed stays empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.measure import opened
from ctinsight.tasks.hematoma.intensity import grow_box, sub_grid, voxels_of
from ctinsight.tasks.hematoma.threshold import (
    EDGE_MARGIN_MM,
    GLOW_SHARE,
    RING_MM,
    UPPER_HU,
    RegionRange,
    connected_to,
    core_value_hu,
    tissue_beside_hu,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.hematoma.intensity import Head

    Mask = NDArray[np.bool_]
    Box = tuple[slice, slice, slice]

#: How far an accepted bleed is followed along the skull (mm), and how deep under it: the thin ends of a
#: crescent hold no ball of the size that a core needs, and reach further than a rim is blurred.
FOLLOW_MM = 12.0
FOLLOW_DEPTH_MM = 15.0
#: Only a bleed of which half lies within so many mm of the skull is followed: a layer under it, not a bleed
#: of the tissue that reaches it.
LAYER_MM = 8.0
#: A smaller piece near the skull is no layer (mL); crumbs of a bleed of the tissue lie there too.
LEAST_LAYER_ML = 4.0
#: What a ball of this radius cannot enter is noise (mm).
SPECK_RADIUS_MM = 0.5

#: How far beyond the brain mask the inner table may lie, and how far from there bone is looked for: so many
#: mm and so much of a voxel's longest side, because a skull that leans over a thick slice rises slowly in it.
#: In thin slices a slow rise is spongy bone.
TABLE_REACH = (1.0, 0.6)
BONE_REACH = (1.0, 0.5)
#: A brightest neighbour below this is no bone (HU): thin floors, or pictures clipped by a window.
LEAST_BONE_HU = 300.0
#: The rim beside the skull belongs to blood straight inside it; of a layer also this much aside (mm).
ASIDE_MM = 2.0

_FAT_HU = -20.0
_NEIGHBOURS = np.ones((3, 3, 3), dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class _Part:
    """One bleed in a box of the head; masks and fields (slices, rows, columns) of that box."""

    head: Head
    box: Box
    mask: Mask

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        return self.head.spacing_kji_mm

    @property
    def interior(self) -> Mask:
        """Brain without the rim that may share its voxels with bone."""
        return np.asarray(self.head.depth_mm[self.box] > EDGE_MARGIN_MM)

    def distance_mm(self, mask: Mask) -> NDArray[np.float64]:
        if not mask.any():
            return np.full(mask.shape, np.inf)
        return np.asarray(ndimage.distance_transform_edt(~mask, sampling=self.spacing_mm))


def margins_of(spacing_kji_mm: tuple[float, float, float]) -> tuple[int, int, int]:
    """Return how many voxels around the brain :func:`complete_along_skull` looks at, per array axis."""
    reach = _reach_mm(TABLE_REACH, spacing_kji_mm) + _reach_mm(BONE_REACH, spacing_kji_mm)
    return voxels_of(reach + 1.0, spacing_kji_mm)


def complete_along_skull(mask_kji: Mask, head: Head, *, follow: bool = True) -> Mask:
    """Complete every bleed that touches the rim of the brain.

    1. It is followed into what continues it with more than half of its contrast, at most 12 mm along and 15
       mm under the skull (not with ``follow=False``, after a click).
    2. The rim outside it, up to the inner table, is added: of a layer the voxels of brain with more than half
       of the blood's contrast; of every bleed the voxels between brain and skull that hold more than half
       blood, that is, lie below the middle of blood and the bone beside them. Straight outwards only: a voxel
       behind bone is bone.

    Parameters
    ----------
    mask_kji
        (slices, rows, columns) bool on the grid of ``head``: what passed every other rule.
    head
        The CT cut to its brain, with :func:`margins_of` voxels around it where the image has them.

    Returns
    -------
    NDArray
        The mask with what was added; voxels of it may lie outside the brain mask.
    """
    labels, _count = ndimage.label(mask_kji, _NEIGHBOURS)
    margins = voxels_of(FOLLOW_MM + RING_MM[1], head.spacing_kji_mm)
    found = mask_kji.copy()
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        wide = grow_box(box, margins, labels.shape)
        part = _Part(head, wide, labels[wide] == label)
        if head.depth_mm[wide][part.mask].min() <= EDGE_MARGIN_MM + 1.0:
            found[wide] |= _completed(part, follow=follow)
    return found


def _completed(part: _Part, *, follow: bool) -> Mask:
    head, box = part.head, part.box
    even_hu = head.hu_kji[box] - GLOW_SHARE * head.glow_kji[box]
    blood_hu = core_value_hu(even_hu, part.mask, part.spacing_mm)
    lower_hu = RegionRange(blood_hu, _beside_hu(part, even_hu)).lower_hu
    is_layer = float(np.median(head.depth_mm[box][part.mask])) <= LAYER_MM
    is_layer &= float(part.mask.sum()) * head.grid.voxel_volume_ml >= LEAST_LAYER_ML
    mask = _followed(part, lower_hu) if follow and is_layer else part.mask
    # A bleed of the tissue keeps the outline that it has inside the brain; only bone-shared voxels are added.
    inside, aside_mm = (part.interior, ASIDE_MM) if is_layer else (head.brain_kji[box], 0.0)
    blood = mask & inside
    if not blood.any():
        return mask
    rim = head.brain_kji[box] & ~inside & (head.smooth_kji[box] >= lower_hu)
    rim |= _shared_with_bone(part, core_value_hu(head.hu_kji[box], part.mask, part.spacing_mm))
    outwards = part.distance_mm(blood) <= part.distance_mm(inside) + aside_mm
    return np.asarray(mask | (rim & outwards))


def _beside_hu(part: _Part, even_hu: NDArray[np.float32]) -> float:
    """Read the tissue under a bleed, free of the skull's glow."""
    distance = part.distance_mm(part.mask)
    ring = (distance > RING_MM[0]) & (distance <= RING_MM[1]) & part.interior
    return tissue_beside_hu(part.head, even_hu[ring])


def _followed(part: _Part, lower_hu: float) -> Mask:
    head, box = part.head, part.box
    smooth = head.smooth_kji[box]
    bright = (smooth - GLOW_SHARE * head.glow_kji[box] >= lower_hu) & (smooth <= UPPER_HU)
    body = opened(bright & part.interior, sub_grid(head.grid, box), SPECK_RADIUS_MM)
    near = (part.distance_mm(part.mask) <= FOLLOW_MM) & (head.depth_mm[box] <= FOLLOW_DEPTH_MM)
    return connected_to(part.mask, part.mask | (body & near))


def _shared_with_bone(part: _Part, blood_hu: float) -> Mask:
    """Return the voxels outside the brain mask that hold less than half bone, reached straight from it."""
    head, box = part.head, part.box
    hu, brain = head.hu_kji[box], head.brain_kji[box]
    distance, nearest = ndimage.distance_transform_edt(~brain, sampling=part.spacing_mm, return_indices=True)
    bone = _brightest(hu, _reach_mm(BONE_REACH, part.spacing_mm), part.spacing_mm)
    soft = (distance > 0) & (distance <= _reach_mm(TABLE_REACH, part.spacing_mm))
    soft &= (hu < (blood_hu + bone) / 2) & (hu > _FAT_HU) & (bone > LEAST_BONE_HU)
    at = np.argwhere(soft)
    step = np.moveaxis(nearest, 0, -1)[soft] - at
    length = np.abs(step).max(axis=1, initial=1)
    inwards = at + np.rint(step / length[:, None]).astype(np.int64)
    reached = brain.copy()
    for _round in range(int(length.max(initial=0))):
        reached[tuple(at.T)] = reached[tuple(inwards.T)]
    return np.asarray(reached & ~brain)


def _reach_mm(rule: tuple[float, float], spacing_mm: tuple[float, float, float]) -> float:
    return rule[0] + rule[1] * max(spacing_mm)


def _brightest(
    hu: NDArray[np.float32], reach_mm: float, spacing_mm: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Return the brightest voxel within a distance to either side, HU."""
    size = [2 * int(reach_mm / mm + 1e-6) + 1 for mm in spacing_mm]
    return np.asarray(ndimage.maximum_filter(np.minimum(hu, np.float32(2000.0)), size=size))
