"""Place the border of a nodule so that its volume is that of the partial voxels.

Blur and voxel size move the half-way level of a small ball inwards. They do not change the sum of the
density that the nodule adds to the lung: that sum over the contrast is its volume. So the level of the
border is chosen at which the outline holds that volume, where nothing else touches the nodule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.nodule.cube import Cube

#: Partial volume and blur reach so far from the border, in voxels of the CT.
REACH_VOXELS = 1.9
#: A border this close to something else is not free, in voxels of the CT.
TOUCH_VOXELS = 1.2
#: What stays so close to the nodule is a grain of its border, in voxels of the CT.
GRAIN_VOXELS = 0.8
#: The level may move so far from half-way, as a share of the contrast.
LEVEL_LIMITS = (0.2, 0.75)
#: With less than this share of the border free, the half-way level stays.
LEAST_FREE_SHARE = 0.12


@dataclass(frozen=True, eq=False)
class Balance:
    """The level of the border as a share of the contrast, and where it was found.

    ``free_share`` is the share of the border that touches lung alone.
    """

    level: float
    free_share: float
    lung_hu: float
    rim_hu: float

    @property
    def threshold_hu(self) -> float:
        """The level in HU."""
        return self.lung_hu + self.level * (self.rim_hu - self.lung_hu)


def balanced(cube: Cube, mask_kji: NDArray[np.bool_], rim_hu: float, dense_kji: NDArray[np.bool_]) -> Balance:
    """Choose the level at which the outline holds the volume of the partial voxels.

    Parameters
    ----------
    cube
        About the nodule.
    mask_kji
        The nodule at the half-way level.
    rim_hu
        Density of its outer part.
    dense_kji
        Everything at or above the half-way level, the nodule included.
    """
    sampling = np.array([cube.spacing_mm / mm for mm in cube.native_mm])
    outside, nearest = ndimage.distance_transform_edt(~mask_kji, sampling=sampling, return_indices=True)
    inside, nearest_out = ndimage.distance_transform_edt(mask_kji, sampling=sampling, return_indices=True)
    surface = mask_kji & (inside <= 1.01 * sampling.max())
    touched = near_others(cube, mask_kji, dense_kji)
    free = ~touched
    free_share = float(free[surface].mean()) if surface.any() else 0.0
    # Every voxel of the band belongs to its nearest voxel of the border, so columns across it stay whole.
    own = np.where(mask_kji, inside, outside)
    foot = tuple(np.where(mask_kji, n_out, n_in) for n_out, n_in in zip(nearest_out, nearest, strict=True))
    band = (own <= REACH_VOXELS) & free[foot]
    ring = (outside > REACH_VOXELS) & (outside <= REACH_VOXELS + 1.5) & free[foot] & free
    lung_hu = float(np.median(cube.hu_kji[ring])) if ring.sum() > 200 else cube.background_hu
    if free_share < LEAST_FREE_SHARE:
        return Balance(0.5, free_share, lung_hu, rim_hu)
    share = (cube.hu_kji[band] - lung_hu) / (rim_hu - lung_hu)
    # Beyond the first voxel inside, the nodule is filled whatever its density there.
    share[inside[band] > 1.3] = 1.0
    # A core denser than the rim is within reach of thick slices; it fills its place, not more.
    share[(inside[band] > 0) & (share > 1.3)] = 1.0
    # What is close to something else outside the nodule is that thing's blur.
    share[(outside[band] > 0) & touched[band]] = 0.0
    wanted = int(np.clip(round(float(share.sum(dtype=np.float64))), 1, share.size - 1))
    level = float(np.partition(share, share.size - wanted)[share.size - wanted])
    return Balance(float(np.clip(level, *LEVEL_LIMITS)), free_share, lung_hu, rim_hu)


def near_others(cube: Cube, mask_kji: NDArray[np.bool_], dense_kji: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where vessels, wall or other dense things are, and as far about them as their blur reaches."""
    other = others_of(cube, mask_kji, dense_kji) | ~cube.lung_kji
    sampling = [cube.spacing_mm / mm for mm in cube.native_mm]
    return np.asarray(ndimage.distance_transform_edt(~other, sampling=sampling) <= TOUCH_VOXELS)


def others_of(cube: Cube, mask_kji: NDArray[np.bool_], dense_kji: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Dense things besides the nodule; grains on its border that noise makes are not among them."""
    sampling = [cube.spacing_mm / mm for mm in cube.native_mm]
    labels, count = ndimage.label(dense_kji & ~mask_kji)
    if count == 0:
        return np.zeros_like(mask_kji)
    away = ndimage.distance_transform_edt(~mask_kji, sampling=sampling)
    farthest = np.asarray(ndimage.maximum(away, labels, np.arange(count + 1)))
    farthest[0] = 0.0
    return np.asarray((farthest > GRAIN_VOXELS)[labels])
