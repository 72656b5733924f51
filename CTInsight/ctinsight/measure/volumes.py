"""Amounts of a mask: volume, areas of its slices, centre, attenuation, overlap, partial-volume bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.finding import Interval
from ctinsight.measure.box import bounding_box, check_mask, check_not_empty, padded_crop, six_neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.volume import Grid


def volume_ml(mask_kji: NDArray[np.bool_], grid: Grid) -> float:
    """Count the voxels and multiply by the true voxel volume.

    Parameters
    ----------
    mask_kji
        (slices, rows, columns).
    grid
        The grid of the mask.

    Returns
    -------
    float
        mL.

    Examples
    --------
    >>> from ctinsight.volume import Grid
    >>> volume_ml(np.ones((2, 10, 10), bool), Grid((2, 10, 10), np.diag([0.5, 0.5, 5.0, 1.0])))
    0.25
    """
    check_mask(mask_kji, grid)
    return int(np.count_nonzero(mask_kji)) * grid.voxel_volume_ml


def slice_axis(grid: Grid) -> tuple[int, int]:
    """Return the array axis closest to superior, and +1 when it runs up, -1 when it runs down."""
    return grid.array_axis(2)


def slice_spacing_mm(grid: Grid) -> float:
    """Return the distance of neighbouring slices along :func:`slice_axis`, in mm."""
    return grid.spacing_kji_mm[slice_axis(grid)[0]]


def slice_areas_cm2(mask_kji: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    """Measure the area of the mask on every slice along the array axis closest to superior.

    Returns
    -------
    array
        One area in cm² per slice, in array order. Their sum times the slice spacing is the volume.
    """
    check_mask(mask_kji, grid)
    axis, _ = slice_axis(grid)
    others = tuple(a for a in range(3) if a != axis)
    counts = np.count_nonzero(mask_kji, axis=others)
    pixel_cm2 = grid.voxel_volume_mm3 / slice_spacing_mm(grid) / 100.0
    return np.asarray(counts * pixel_cm2, dtype=np.float64)


def centroid_ras(mask_kji: NDArray[np.bool_], grid: Grid) -> tuple[float, float, float]:
    """Return the centre of mass of the mask in RAS (mm).

    Raises
    ------
    WrongUseError
        The mask is empty.
    """
    check_mask(mask_kji, grid)
    box = bounding_box(mask_kji)
    box = check_not_empty(box)
    part = mask_kji[box]
    total = np.count_nonzero(part)
    centre_ijk = []
    for axis in (2, 1, 0):
        others = tuple(a for a in range(3) if a != axis)
        counts = np.count_nonzero(part, axis=others)
        centre_ijk.append(float(np.arange(counts.size) @ counts) / total + box[axis].start)
    r, a, s = (float(x) for x in grid.ras_from_ijk(centre_ijk))
    return r, a, s


def mean_hu(array_hu: NDArray[Any], mask_kji: NDArray[np.bool_]) -> float:
    """Return the mean attenuation within the mask, in HU.

    Raises
    ------
    WrongUseError
        The mask is empty.
    """
    box = check_not_empty(bounding_box(mask_kji))
    return float(np.mean(array_hu[box][mask_kji[box]], dtype=np.float64))


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float | None:
    """Return the Dice coefficient ``2 |a and b| / (|a| + |b|)``.

    ``None`` when both masks are empty: there is nothing to overlap, and neither 0 nor 1 would be true.
    Report such cases apart.
    """
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    if total == 0:
        return None
    return 2.0 * int(np.count_nonzero(np.logical_and(a, b))) / total


def partial_volume_bound_ml(mask_kji: NDArray[np.bool_], grid: Grid) -> Interval:
    """Bound the volume by half of the surface voxels on each side.

    A voxel at the surface holds some blood and some brain, and the mask calls it one or the other. The
    low end takes half the volume of the voxels inside that touch the outside by a face; the high end adds
    half the volume of the voxels outside that touch the mask by a face (those beyond the edge of the
    image included). It is a bound from the voxel size alone, not a confidence interval.
    """
    check_mask(mask_kji, grid)
    padded, _ = padded_crop(mask_kji, (2, 2, 2))
    any_neighbour, all_neighbours = six_neighbours(padded)
    inside = int(np.count_nonzero(padded & ~all_neighbours))
    outside = int(np.count_nonzero(any_neighbour & ~padded))
    volume = volume_ml(mask_kji, grid)
    return Interval(
        low=volume - 0.5 * inside * grid.voxel_volume_ml,
        high=volume + 0.5 * outside * grid.voxel_volume_ml,
        meaning="partial-volume bound: half of the surface voxels on each side",
    )
