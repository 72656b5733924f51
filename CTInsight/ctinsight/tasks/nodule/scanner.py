"""What the CT would show of a mask: its voxel size and blur, fitted to the CT's own voxels.

Nodules a few voxels wide never show their own density. But a mask of the right size, blurred as the scanner
does, explains the voxels by a density, and a mask too small or too large explains them less well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.measure import bounding_box
from ctinsight.tasks.nodule.balance import near_others
from ctinsight.tasks.nodule.cube import box_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.nodule.cube import Cube

#: Blurs of the scanner that are tried besides voxel size, standard deviation in mm: sharp to soft kernels.
BLURS_MM = (0.3, 0.45, 0.65)
#: Borders that are tried for an even nodule, as shares of its contrast.
LEVEL_SHARES = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55)
#: So far about the nodule the CT takes part, in voxels of the CT.
ZONE_VOXELS = 2.6
#: The blur of a border reaches so far, in voxels of the CT; what is that many HU over the lung beyond is
#: not the nodule's.
BLUR_VOXELS, OTHERS_HU = 1.5, 125.0
#: So many voxels of the CT are asked for.
LEAST_VOXELS = 60


@dataclass(frozen=True)
class Fit:
    """Mean squared misfit in HU², with borders, blur and densities; the first density is the lung's."""

    misfit: float
    levels_hu: tuple[float, ...] = ()
    blur_mm: float = 0.0
    values_hu: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Zone:
    """The nodule and what is about it, without other dense things.

    Parameters
    ----------
    cube, box
        Part of a cube.
    hu, places
        The CT's own voxels in it: HU (n,), and (k, j, i) in the box (3, n).
    within_kji
        Where the border is sought, in the box.
    """

    cube: Cube
    box: tuple[slice, slice, slice]
    hu: NDArray[np.float64]
    places: NDArray[np.float64]
    within_kji: NDArray[np.bool_]

    @property
    def usable(self) -> bool:
        """Whether enough voxels of the CT are in it."""
        return self.hu.size >= LEAST_VOXELS

    def inside(self, level_hu: float) -> NDArray[np.bool_]:
        """Take everything as dense, in the box."""
        return np.asarray((self.cube.hu_kji[self.box] >= level_hu) & self.within_kji)

    def blurred(self, mask_kji: NDArray[np.bool_], blur_mm: float) -> NDArray[np.float32]:
        """Find the share of a voxel of the CT that a mask fills, blurred as the scanner does, in the box."""
        share = mask_kji.astype(np.float32)
        for axis, native in enumerate(self.cube.native_mm):
            share = ndimage.convolve1d(share, box_weights(native / self.cube.spacing_mm), axis)
        return np.asarray(ndimage.gaussian_filter(share, blur_mm / self.cube.spacing_mm))

    def seen(self, level_hu: float, blur_mm: float) -> NDArray[np.float64]:
        """Sample that share at the CT's voxels."""
        share = self.blurred(self.inside(level_hu), blur_mm)
        return np.asarray(ndimage.map_coordinates(share, self.places, order=1), dtype=np.float64)

    def fit(self, seen: tuple[NDArray[np.float64], ...], levels_hu: tuple[float, ...], blur_mm: float) -> Fit:
        """Find the densities of the lung and of the parts that explain the CT best."""
        terms = np.stack([np.ones_like(self.hu), *seen], axis=1)
        values = np.linalg.lstsq(terms, self.hu, rcond=None)[0]
        misfit = float(((self.hu - terms @ values) ** 2).mean())
        return Fit(misfit, levels_hu, blur_mm, tuple(float(v) for v in values))


def zone_about(cube: Cube, mask_kji: NDArray[np.bool_]) -> Zone:
    """Cut out the zone about a nodule."""
    sampling = [cube.spacing_mm / mm for mm in cube.native_mm]
    away = ndimage.distance_transform_edt(~mask_kji, sampling=sampling)
    # What is dense close by is the nodule's own blur; farther out it is something else.
    others = near_others(cube, away <= BLUR_VOXELS, cube.smoothed(0.7) >= cube.background_hu + OTHERS_HU)
    near = np.asarray(away <= ZONE_VOXELS)
    box = bounding_box(near) or (slice(0, 0), slice(0, 0), slice(0, 0))
    places, hu = cube.native_points(near & ~others)
    places -= np.array([s.start for s in box])[:, None]
    return Zone(cube, box, hu, places, ((away <= BLUR_VOXELS) & cube.lung_kji)[box])


def even_fit(zone: Zone, contrast_hu: float) -> Fit:
    """Fit an even nodule whose contrast is roughly known."""
    levels = [zone.cube.background_hu + share * contrast_hu for share in LEVEL_SHARES]
    fits = (zone.fit((zone.seen(level, blur),), (level,), blur) for blur in BLURS_MM for level in levels)
    return min(fits, key=lambda f: f.misfit)
