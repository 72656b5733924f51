"""How dense the outer part of a nodule is, read where blur and thick slices do not reach.

Depth is counted in voxels of the CT within the planes across its thickest voxel axis, and only where the
nodule goes on above and below: there a voxel is filled by nodule alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.tasks.nodule.scanner import even_fit, zone_about

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.nodule.cube import Cube

#: Rim of a nodule, in voxels from its half-way border inwards: beyond blur, before a core.
RIM_VOXELS = (1.3, 2.6)
#: The nodule must go on so far above and below, as a share of the thickest voxel edge.
BEYOND_SHARE = 0.75
#: Planes with less than this share of the largest section are near a pole, where planes mix.
LEAST_SECTION = 0.6
#: So many filled voxels of the CT give a density by their median; fewer ask for the fit.
LEAST_VOXELS = 5
#: Blur hides at most so much of a small nodule's contrast: its own over what its middle shows.
MOST_HIDDEN = 3.0


@dataclass(frozen=True)
class Levels:
    """Density of the lung around and of the outer part of the nodule, HU, and the border between them.

    ``haloed`` says that the rim is thin ground glass about a solid core.
    """

    lung_hu: float
    rim_hu: float
    haloed: bool = False

    @property
    def threshold_hu(self) -> float:
        """Half-way: there a blurred straight edge keeps its place."""
        return (self.lung_hu + self.rim_hu) / 2


def plane_depth(cube: Cube, mask_kji: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Depth within planes, in voxels of the CT: positive inside, negative outside, 0 near the poles."""
    axis = int(np.argmax(cube.native_mm))
    planes = np.moveaxis(mask_kji, axis, 0)
    in_plane = [cube.spacing_mm / mm for n, mm in enumerate(cube.native_mm) if n != axis]
    areas = planes.sum(axis=(1, 2))
    depth = np.zeros(planes.shape, dtype=np.float32)
    for n in np.flatnonzero(areas >= max(1.0, LEAST_SECTION * areas.max())):
        # From voxel centre to voxel centre; the border runs half-way between them.
        half = float(np.mean(in_plane)) / 2
        inside = np.maximum(ndimage.distance_transform_edt(planes[n], sampling=in_plane) - half, 0)
        outside = np.maximum(ndimage.distance_transform_edt(~planes[n], sampling=in_plane) - half, 0)
        depth[n] = inside - outside
    return np.moveaxis(depth, 0, axis)


def rim_level(cube: Cube, mask_kji: NDArray[np.bool_]) -> float | None:
    """Density of the outer part of a nodule, HU; ``None`` where no voxel is filled by it alone."""
    depth = plane_depth(cube, mask_kji)
    filled = goes_on(cube, mask_kji)
    rim = filled & (depth > RIM_VOXELS[0]) & (depth <= RIM_VOXELS[1])
    values = cube.native_values(rim)
    return float(np.median(values)) if values.size >= LEAST_VOXELS else None


def middle_level(cube: Cube, mask_kji: NDArray[np.bool_]) -> float:
    """Density about the middle of a nodule, HU: stands for the rim of one too small to show it."""
    depth = cube.depth_mm(mask_kji)
    values = cube.native_values(depth >= 0.6 * float(depth.max()))
    return float(np.median(values)) if values.size >= 3 else float(cube.hu_kji[depth >= depth.max()].mean())


def fitted_level(cube: Cube, mask_kji: NDArray[np.bool_]) -> float:
    """Density of an even nodule so small that blur reaches its middle: what explains the CT's voxels best."""
    middle = middle_level(cube, mask_kji)
    zone = zone_about(cube, mask_kji)
    if not zone.usable:
        return middle
    lung, more = even_fit(zone, middle - cube.background_hu).values_hu
    return lung + more if 0.5 <= more / (middle - cube.background_hu) <= MOST_HIDDEN else middle


def goes_on(cube: Cube, mask_kji: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a mask goes on above and below, across the thickest voxel axis of the CT."""
    axis = int(np.argmax(cube.native_mm))
    reach = max(1, round(BEYOND_SHARE * cube.native_mm[axis] / cube.spacing_mm))
    line = np.ones([2 * reach + 1 if n == axis else 1 for n in range(3)], dtype=np.bool_)
    return np.asarray(ndimage.binary_erosion(mask_kji, line))
