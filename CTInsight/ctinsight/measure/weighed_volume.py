"""Volume with voxels at the border weighed by their attenuation, beside the plain count of voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from ctinsight.measure.box import check_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.volume import Grid

    Mask = NDArray[np.bool_]
    Field = NDArray[np.float32]

#: Half-width of the border: this many mm, or one voxel where voxels are longer.
RIM_MM = 1.0
#: The surroundings are read in a shell of this width outside the border (mm), or of one more voxel.
SHELL_MM = 1.5
#: The outline is smoothed in its slices by this (mm, standard deviation) before the border is laid about it;
#: else the border would bulge around bright noise and count it twice.
OUTLINE_SIGMA_MM = 1.5
#: Standard deviation (mm) of the average that gives each voxel of the border its own surroundings.
BESIDE_SIGMA_MM = 1.5
#: Brighter than any blood (HU): bone. What lies within ``BONE_REACH_MM`` of it keeps its count.
BONE_HU = 150.0
BONE_REACH_MM = 1.5
_FAT_HU = -30.0
#: A single voxel may count from -1 to 2: cut at 0 and 1, noise of one sign would be dropped and the volume of
#: 6 mL at 4 HU noise grow by 1 to 3 % (measured on phantoms). Only the sums stay within their bounds.
_SHARE_LIMITS = (-1.0, 2.0)

#: Limits of use: least contrast (HU), least voxels wholly inside, and how mixed the inside may be (spread
#: over contrast, after smoothing).
LEAST_CONTRAST_HU = 10.0
LEAST_INNER_VOXELS = 30
MOST_SPREAD = 0.3
#: Where both readings differ by more than this share, the border is not that of one bleed in even tissue:
#: thin scattered blood, a bright rim along the skull. Phantoms of 5 mL in slices of 5 mm differ by 5 %.
MOST_CHANGE = 0.1


@dataclass(frozen=True)
class PartialVolume:
    """A volume with its border weighed, or why there is none.

    ``volume_ml`` is the plain count where ``reason`` says why weighing does not apply (it is empty
    otherwise).
    """

    volume_ml: float
    reason: str = ""


@dataclass(frozen=True, eq=False)
class _Zones:
    """Parts of the box around one component (slices, rows, columns)."""

    inner: Mask
    rim: Mask
    shell: Mask


def partial_volume(array_hu: NDArray[Any], mask_kji: Mask, grid: Grid) -> PartialVolume:
    """Measure the volume of one connected bleed with its border voxels weighed by their attenuation.

    A voxel wholly inside counts as one. A voxel of the border counts by where its HU lies between the blood
    (median of the inside) and its own surroundings (mean of what is outside near it, bone left out). Voxels
    beside bone count as the mask says. Noise averages out over the border, since single voxels are not cut
    at 0 and 1.

    Parameters
    ----------
    array_hu
        (slices, rows, columns), HU.
    mask_kji
        (slices, rows, columns) bool, one component.
    grid
        The grid of both.

    Returns
    -------
    PartialVolume
        The weighed volume; or the voxel count and a reason: too thin, mixed density, too little contrast, an
        outline that does not lie on the edge of the blood, or readings that differ by more than 10 %.
    """
    check_mask(mask_kji, grid)
    spacing = grid.spacing_kji_mm
    count_ml = float(np.count_nonzero(mask_kji)) * grid.voxel_volume_ml
    found = ndimage.find_objects(mask_kji.astype(np.uint8))
    if not found:
        return PartialVolume(0.0, "nothing was found")
    margins = [int(np.ceil((2 * max(RIM_MM, mm) + SHELL_MM) / mm)) + 1 for mm in spacing]
    box = tuple(slice(max(s.start - m, 0), s.stop + m) for s, m in zip(found[0], margins, strict=True))
    hu, mask = np.asarray(array_hu[box], dtype=np.float32), mask_kji[box]
    zones = _zones(hu, mask, spacing)
    if zones.inner.sum() < LEAST_INNER_VOXELS or not zones.shell.any():
        return PartialVolume(count_ml, "too thin: hardly a voxel lies wholly inside")
    blood_hu = float(np.median(hu[zones.inner]))
    beside = _beside(hu, zones.shell, spacing)
    contrast = blood_hu - beside
    if float(np.median(contrast[zones.rim])) < LEAST_CONTRAST_HU:
        return PartialVolume(count_ml, "too little contrast to what surrounds it")
    if _spread(hu, zones.inner, spacing) > MOST_SPREAD * float(np.median(contrast[zones.rim])):
        return PartialVolume(count_ml, "mixed density inside")
    share = np.clip((hu - beside) / np.maximum(contrast, LEAST_CONTRAST_HU / 2), *_SHARE_LIMITS)
    inside, outside = zones.rim & mask, zones.rim & ~mask
    if not _on_the_edge(share, inside, outside):
        return PartialVolume(count_ml, "the outline does not lie on the edge of the blood")
    # What noise left out wholly inside the smoothed outline is blood; the rest counts as the mask says.
    changed = float(share[zones.rim].sum()) - float(inside.sum()) + float((zones.inner & ~mask).sum())
    weighed_ml = count_ml + changed * grid.voxel_volume_ml
    if abs(weighed_ml - count_ml) > MOST_CHANGE * count_ml:
        return PartialVolume(count_ml, "weighed and counted differ too much: no even border")
    return PartialVolume(weighed_ml)


def _zones(hu: Field, mask: Mask, spacing: tuple[float, float, float]) -> _Zones:
    sigma = [OUTLINE_SIGMA_MM / mm if mm <= 2 * OUTLINE_SIGMA_MM else 0.0 for mm in spacing]
    even = ndimage.gaussian_filter(mask.astype(np.float32), sigma) > 0.5
    even = even if even.any() else mask
    bone = hu >= BONE_HU
    clear = (hu > _FAT_HU) & ~bone
    if bone.any():
        clear &= ndimage.distance_transform_edt(~bone, sampling=spacing) > BONE_REACH_MM
    reach = [max(RIM_MM, mm) for mm in spacing]
    wide = [max(RIM_MM + SHELL_MM, 2 * mm) for mm in spacing]
    outer = _steps(~even, spacing, reach)
    inner = even & (_steps(even, spacing, reach) > 1)
    rim = ~inner & (even | (outer <= 1))
    shell = ~even & ~mask & ~rim & (_steps(~even, spacing, wide) <= 1) & clear
    return _Zones(inner, rim & clear, shell)


def _steps(mask: Mask, spacing: tuple[float, float, float], unit: list[float]) -> NDArray[np.float64]:
    """Return the distance of each voxel of a mask to its outside, in units per axis; 0 outside the mask."""
    sampling = [mm / (1.01 * one) for mm, one in zip(spacing, unit, strict=True)]
    return np.asarray(ndimage.distance_transform_edt(mask, sampling=sampling))


def _beside(hu: Field, shell: Mask, spacing: tuple[float, float, float]) -> Field:
    sigma = [max(BESIDE_SIGMA_MM / mm, 0.5) for mm in spacing]
    weight = ndimage.gaussian_filter(shell.astype(np.float32), sigma, truncate=3.0)
    summed = ndimage.gaussian_filter(np.where(shell, hu, np.float32(0)), sigma, truncate=3.0)
    near = summed / np.maximum(weight, np.float32(1e-6))
    return np.asarray(np.where(weight > 1e-4, near, np.median(hu[shell])), dtype=np.float32)


def _spread(hu: Field, inner: Mask, spacing: tuple[float, float, float]) -> float:
    """Return how much the inside varies beyond noise: (90th - 10th percentile) / 2.56 after smoothing."""
    sigma = [1.5 / mm for mm in spacing]
    weight = ndimage.gaussian_filter(inner.astype(np.float32), sigma)
    smooth = ndimage.gaussian_filter(np.where(inner, hu, np.float32(0)), sigma)[inner] / weight[inner]
    low, high = np.percentile(smooth, (10, 90))
    return float(high - low) / 2.56


def _on_the_edge(share: Field, inside: Mask, outside: Mask) -> bool:
    """Whether the border inside the outline is mostly blood, and that outside mostly not."""
    if not inside.any() or not outside.any():
        return False
    return bool(share[inside].mean() > 0.5 and share[outside].mean() < 0.5)
