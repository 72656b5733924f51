"""The two halves of a brain, and how each differs from the mirror image of the other.

The mirror is the patient's own mid-plane, so the map has a value on both halves and a sign: positive is
denser than the place opposite. The published system (LVO on non-contrast CT, github.com/zsunAI at e829198)
kept one half and no sign; :func:`published_difference` is its arithmetic, for parity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK
from scipy import ndimage

from ctinsight.errors import WrongUseError
from ctinsight.measure import bounding_box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.regions.midline import Plane
    from ctinsight.volume import Grid, Volume

#: Labels of the two halves.
LEFT_LABEL, RIGHT_LABEL = 1, 2
#: Beyond these HU a voxel is no brain, whatever the mask says; they cannot drag a median then.
_CLIP_HU = (-1024, 3071)


@dataclass(frozen=True)
class DifferenceOptions:
    """Filters and limits of the difference map; the defaults are the published ones.

    Parameters
    ----------
    median_voxels
        Side of the cube of the median filter, odd; 1 is no filter.
    lowest_hu
        Where either side is below it, the difference is 0 (CSF, sulci).
    largest_hu
        A larger difference is 0 (bone against brain). It erases nothing that brain or clot can show.
    """

    median_voxels: int = 3
    lowest_hu: float = 15.0
    largest_hu: float = 70.0

    def __post_init__(self) -> None:
        if self.median_voxels not in (1, 3, 5, 7) or not self.largest_hu > 0:
            raise WrongUseError(
                found=f"median_voxels = {self.median_voxels}, largest_hu = {self.largest_hu:g}",
                expected="a median of 1, 3, 5 or 7 voxels and a positive limit in HU",
                remedy="Correct this option.",
            )


def hemispheres(brain_kji: NDArray[np.bool_], grid: Grid, midplane: Plane) -> NDArray[np.uint8]:
    """Label the patient's left half of the brain 1 and the right half 2, by the patient's own mid-plane."""
    i = np.arange(grid.shape_kji[2])
    j = np.arange(grid.shape_kji[1])[:, None]
    normal, matrix = np.array(midplane.normal_ras), grid.ijk_to_ras
    along = normal @ matrix[:3, :3]
    start = float(normal @ (matrix[:3, 3] - np.array(midplane.point_ras)))
    labels = np.zeros(brain_kji.shape, dtype=np.uint8)
    for k in range(grid.shape_kji[0]):
        right = start + along[0] * i + along[1] * j + along[2] * k > 0
        labels[k] = np.where(brain_kji[k], np.where(right, RIGHT_LABEL, LEFT_LABEL), 0)
    return labels


def hemispheric_difference(
    volume: Volume,
    brain_kji: NDArray[np.bool_],
    midplane: Plane,
    options: DifferenceOptions | None = None,
) -> NDArray[np.float32]:
    """Subtract from each brain voxel the place opposite, mirrored about the patient's own mid-plane.

    Returns
    -------
    NDArray
        (slices, rows, columns) float32 in HU; positive is denser than the other side. 0 outside the brain,
        where the mirror image lies outside it, and where the options say so.
    """
    options = options or DifferenceOptions()
    out = np.zeros(brain_kji.shape, dtype=np.float32)
    box = bounding_box(brain_kji)
    if box is None:
        return out
    # Whatever lies opposite to brain but outside its box is no brain, so the box is enough.
    smooth = median_filtered(volume.array_kji[box], options.median_voxels)
    inside = brain_kji[box].astype(np.float32)
    matrix, offset = _mirror_kji(volume.grid, midplane)
    start = np.array([part.start for part in box], dtype=np.float64)
    steps: dict[str, Any] = {"output_shape": inside.shape, "order": 1, "output": np.float32}
    offset = offset + matrix @ start - start
    there = ndimage.affine_transform(smooth, matrix, offset, cval=-1024.0, **steps)
    opposite = ndimage.affine_transform(inside, matrix, offset, **steps) > 0.99
    signed = _limited(smooth.astype(np.float32), there, options)
    out[box] = np.where(brain_kji[box] & opposite, signed, 0)
    return out


def published_difference(
    left: NDArray[Any], right_registered: NDArray[Any], options: DifferenceOptions | None = None
) -> NDArray[np.float64]:
    """Absolute difference of two halves that lie on each other already, as the published system takes it."""
    options = options or DifferenceOptions()
    size = options.median_voxels
    a, b = (
        ndimage.median_filter(np.asarray(side, dtype=np.float64), size) for side in (left, right_registered)
    )
    return np.asarray(np.abs(_limited(a, b, options)))


def _limited(here: NDArray[Any], there: NDArray[Any], options: DifferenceOptions) -> NDArray[Any]:
    signed = here - there
    signed[(here < options.lowest_hu) | (there < options.lowest_hu)] = 0
    signed[np.abs(signed) > options.largest_hu] = 0
    return np.asarray(signed)


def median_filtered(array_kji: NDArray[Any], voxels: int) -> NDArray[Any]:
    """Median of a cube of voxels about each voxel, int16."""
    values = np.clip(np.rint(array_kji), *_CLIP_HU).astype(np.int16)
    if voxels == 1:
        return np.asarray(values)
    itk: Any = SimpleITK
    image = itk.Median(itk.GetImageFromArray(values), [voxels // 2] * 3)
    return np.asarray(itk.GetArrayFromImage(image))


def _mirror_kji(grid: Grid, midplane: Plane) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix and offset from an index (k, j, i) to the index of its mirror image."""
    normal = np.array(midplane.normal_ras)
    mirror = np.eye(4)
    mirror[:3, :3] -= 2 * np.outer(normal, normal)
    mirror[:3, 3] = 2 * float(normal @ np.array(midplane.point_ras)) * normal
    matrix = grid.ras_to_ijk @ mirror @ grid.ijk_to_ras
    return matrix[:3, :3][::-1, ::-1].copy(), matrix[:3, 3][::-1].copy()
