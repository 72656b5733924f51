"""The head cut to its brain, and what the brain's own Hounsfield values are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.errors import ProcessingFailedError
from ctinsight.volume import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.volume import Volume

#: Smoothing before any decision, standard deviation in mm: halves the noise of a routine head CT and moves
#: the edge of a 1 cm ball inward by only s²/R = 0.05 mm.
SMOOTHING_MM = 0.7

#: Values above are bone or metal; they are cut off before smoothing so that they cannot brighten neighbours.
CLIP_HU = (-40.0, 130.0)

#: Voxels above this that hang together with the outside are skull, whatever the brain mask says: half bone,
#: or more where slices are thick.
BONE_HU = 150.0

#: From this distance to the skull inwards (mm) brain counts as free of its glow, which is at most so many HU.
GLOW_REACH_MM = 12
GLOW_LIMIT_HU = 20.0
#: The glow is read at this quantile of each shell: extra-axial blood over a third of the skull leaves it in
#: brain.
GLOW_QUANTILE = 0.4

#: Brain tissue lies in this range on every CT; the mode is looked for here (grey 37-41, white 20-32 HU).
TISSUE_RANGE_HU = (15.0, 55.0)


@dataclass(frozen=True, eq=False)
class Head:
    """A CT cut to the box of its brain.

    Parameters
    ----------
    hu_kji
        (slices, rows, columns), float32, HU.
    brain_kji
        Same shape, bool: the inside of the skull.
    grid
        The grid of the box.
    box
        The slices of the whole volume's array that the box is.
    whole_shape_kji
        Shape of the whole volume.
    """

    hu_kji: NDArray[np.float32]
    brain_kji: NDArray[np.bool_]
    grid: Grid
    box: tuple[slice, slice, slice]
    whole_shape_kji: tuple[int, int, int]

    @property
    def spacing_kji_mm(self) -> tuple[float, float, float]:
        """Voxel spacing in array order, mm."""
        return self.grid.spacing_kji_mm

    @cached_property
    def smooth_kji(self) -> NDArray[np.float32]:
        """HU, lightly smoothed inside the brain only; outside it the brain's own tissue value."""
        values = np.clip(self.hu_kji, *CLIP_HU)
        smooth = smooth_inside(values, self.brain_kji, self.spacing_kji_mm, SMOOTHING_MM)
        return np.where(self.brain_kji, smooth, np.float32(0))

    @cached_property
    def depth_mm(self) -> NDArray[np.float32]:
        """Distance of each brain voxel to the edge of the brain mask, mm; 0 outside."""
        padded = np.pad(self.brain_kji, 1)
        distance = ndimage.distance_transform_edt(padded, sampling=self.spacing_kji_mm)
        return np.asarray(distance[1:-1, 1:-1, 1:-1], dtype=np.float32)

    @cached_property
    def glow_kji(self) -> NDArray[np.float32]:
        """How much brighter each voxel is for lying near the skull, HU; see :func:`skull_glow`."""
        return skull_glow(self.smooth_kji, self.depth_mm)

    @cached_property
    def tissue(self) -> BrainTissue:
        """The brain's own attenuation, without the glow of the skull."""
        inner = self.brain_kji & (self.depth_mm > 3.0)
        return brain_tissue(self.smooth_kji[inner] - self.glow_kji[inner])

    def whole(self, mask_kji: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Put a mask of the box back into the whole volume."""
        full = np.zeros(self.whole_shape_kji, dtype=np.bool_)
        full[self.box] = mask_kji
        return full


@dataclass(frozen=True)
class BrainTissue:
    """Mode and upper spread (one standard deviation) of brain tissue, HU."""

    mode_hu: float
    spread_hu: float


def cut_to_brain(
    volume: Volume, brain_kji: NDArray[np.bool_], *, margin_voxels: int | tuple[int, ...] = 1
) -> Head:
    """Cut a volume to the box of its brain mask.

    Parameters
    ----------
    volume
        The CT.
    brain_kji
        (slices, rows, columns), bool.
    margin_voxels
        Voxels around that box, one number or one per array axis.

    Raises
    ------
    ProcessingFailedError
        The mask is empty; look at the picture.
    """
    found = ndimage.find_objects(brain_kji.astype(np.uint8))
    if not found or not brain_kji.any():
        raise ProcessingFailedError(
            found="a brain mask without a voxel",
            expected="the inside of a skull",
            remedy="Look at the image: is it a head CT in Hounsfield units?",
        )
    box = grow_box(found[0], margin_voxels, brain_kji.shape)
    hu = np.asarray(volume.array_kji[box], dtype=np.float32)
    brain = without_bone(hu, brain_kji[box])
    return Head(hu, brain, sub_grid(volume.grid, box), box, volume.grid.shape_kji)


def without_bone(hu_kji: NDArray[np.float32], brain_kji: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Take bone that hangs together with the outside out of a brain mask; calcified plexus stays."""
    solid = ~brain_kji | (hu_kji > BONE_HU)
    outside = np.pad(solid, 1, constant_values=True)
    labels, _count = ndimage.label(outside)
    bone: NDArray[np.bool_] = labels[1:-1, 1:-1, 1:-1] == labels[0, 0, 0]
    return np.asarray(brain_kji & ~bone)


def grow_box(
    box: tuple[slice, ...], margin_voxels: int | tuple[int, ...], shape: tuple[int, ...]
) -> tuple[slice, slice, slice]:
    """Widen a box of slices by a margin (per axis or one for all), kept inside the shape."""
    margins = (margin_voxels,) * 3 if isinstance(margin_voxels, int) else margin_voxels
    k, j, i = (
        slice(max(s.start - m, 0), min(s.stop + m, n)) for s, m, n in zip(box, margins, shape, strict=True)
    )
    return k, j, i


def voxels_of(distance_mm: float, spacing_kji_mm: tuple[float, float, float]) -> tuple[int, int, int]:
    """Return how many voxels along each array axis cover a distance."""
    k, j, i = (int(np.ceil(distance_mm / s)) for s in spacing_kji_mm)
    return k, j, i


def sub_grid(grid: Grid, box: tuple[slice, slice, slice]) -> Grid:
    """Return the grid of a box of voxels of a grid."""
    matrix = np.array(grid.ijk_to_ras)
    matrix[:3, 3] = grid.ras_from_ijk([box[2].start, box[1].start, box[0].start])
    return Grid((box[0].stop - box[0].start, box[1].stop - box[1].start, box[2].stop - box[2].start), matrix)


def smooth_inside(
    values_kji: NDArray[np.float32],
    mask_kji: NDArray[np.bool_],
    spacing_kji_mm: tuple[float, float, float],
    sigma_mm: float,
) -> NDArray[np.float32]:
    """Smooth with a Gaussian that sees only the voxels of a mask (normalised convolution).

    Parameters
    ----------
    values_kji
        (slices, rows, columns), HU.
    mask_kji
        The voxels that count.
    spacing_kji_mm
        Voxel spacing in array order.
    sigma_mm
        Standard deviation of the Gaussian.
    """
    sigma = [sigma_mm / s for s in spacing_kji_mm]
    weight = ndimage.gaussian_filter(mask_kji.astype(np.float32), sigma, truncate=3.0)
    summed = ndimage.gaussian_filter(np.where(mask_kji, values_kji, np.float32(0)), sigma, truncate=3.0)
    return np.asarray(summed / np.maximum(weight, np.float32(1e-6)), dtype=np.float32)


def skull_glow(smooth_kji: NDArray[np.float32], depth_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Measure how beam hardening and half-bone voxels brighten a head towards its skull.

    A low quantile over all voxels of the same distance to the skull (in shells of 1 mm), minus that of the
    shell at ``GLOW_REACH_MM``; it never rises inwards and is at most ``GLOW_LIMIT_HU``.

    Parameters
    ----------
    smooth_kji
        (slices, rows, columns), HU.
    depth_mm
        Distance to the skull; 0 outside the brain.

    Returns
    -------
    NDArray
        HU to take off, 0 outside the brain and in its depth.
    """
    shells = np.minimum(np.ceil(depth_mm).astype(np.int16), GLOW_REACH_MM)
    order = range(1, GLOW_REACH_MM + 1)
    inside = smooth_kji[depth_mm > 0]
    number = shells[depth_mm > 0]
    levels = [
        float(np.quantile(inside[number == n], GLOW_QUANTILE)) if (number == n).any() else np.nan
        for n in order
    ]
    if not np.isfinite(levels[-1]):
        return np.zeros_like(smooth_kji)
    rise = np.nan_to_num(np.array(levels) - levels[-1])
    falling = np.maximum.accumulate(rise[::-1])[::-1]
    table = np.concatenate([[0.0], np.clip(falling, 0.0, GLOW_LIMIT_HU)])
    return np.asarray(table[shells], dtype=np.float32)


def brain_tissue(values_hu: NDArray[np.float32]) -> BrainTissue:
    """Find mode and upper spread of brain tissue.

    The spread is read where the smoothed histogram above its mode has fallen to a tenth (2.146 standard
    deviations of a normal curve), so that a bleed further up does not widen it.

    Raises
    ------
    ProcessingFailedError
        Too few voxels lie in the range of brain tissue: not Hounsfield units, or not a brain.
    """
    edges = np.arange(-20.0, 121.0, 0.5)
    counts = ndimage.gaussian_filter1d(np.histogram(values_hu, edges)[0].astype(np.float64), 2.0)
    centers = edges[:-1] + 0.25
    window = (centers >= TISSUE_RANGE_HU[0]) & (centers <= TISSUE_RANGE_HU[1])
    if counts[window].sum() < 0.3 * max(values_hu.size, 1) or values_hu.size < 1000:
        raise ProcessingFailedError(
            found=f"{counts[window].sum():.0f} of {values_hu.size} voxels in the skull have the HU of brain",
            expected=f"most of them between {TISSUE_RANGE_HU[0]:.0f} and {TISSUE_RANGE_HU[1]:.0f} HU",
            remedy="Check that the image is a plain head CT in Hounsfield units.",
        )
    peak = int(np.argmax(np.where(window, counts, 0)))
    below = np.flatnonzero(counts[peak:] <= 0.1 * counts[peak])
    tenth = centers[peak + int(below[0])] if below.size else centers[-1]
    return BrainTissue(float(centers[peak]), float((tenth - centers[peak]) / 2.146))
