"""How dense the outer part of a nodule is, read where blur and thick slices do not reach.

Depth is counted in voxels of the CT within the planes across its thickest voxel axis, and only where the
nodule goes on above and below: there a voxel is filled by nodule alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.tasks.nodule.balance import near_others, usual_fill

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.nodule.cube import Cube

#: Rim of a nodule, in voxels from its half-way border inwards: beyond blur, before a core.
RIM_VOXELS = (1.3, 2.6)
#: The same for a rim thinner than that, which blur mixes with the core.
THIN_RIM_VOXELS = (0.6, 1.2)
#: Ring outside the border in which the blur of a sharp border has faded to some 2 % of its contrast.
HALO_VOXELS = (1.4, 2.0)
#: Ground glass fills at least this share of that ring with this much density over the lung, HU; threads and
#: vessels do not.
HALO_SHARE, HALO_HU = 0.85, 100.0
#: The nodule must go on so far above and below, as a share of the thickest voxel edge.
BEYOND_SHARE = 0.75
#: Planes with less than this share of the largest section are near a pole, where planes mix.
LEAST_SECTION = 0.6
#: So many filled voxels of the CT give a density by their median; fewer ask for the fit.
LEAST_VOXELS = 5


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


def thin_rim_level(cube: Cube, mask_kji: NDArray[np.bool_]) -> float:
    """Density just inside the border, for a rim too thin for :func:`rim_level`."""
    depth = plane_depth(cube, mask_kji)
    rim = (depth > THIN_RIM_VOXELS[0]) & (depth <= THIN_RIM_VOXELS[1])
    return float(np.median(cube.hu_kji[rim])) if rim.any() else middle_level(cube, mask_kji)


def has_halo(cube: Cube, mask_kji: NDArray[np.bool_], levels: Levels) -> bool:
    """Whether even ground glass surrounds the nodule, so that it is the core of a part-solid one."""
    depth = plane_depth(cube, mask_kji)
    ring = (depth < -HALO_VOXELS[0]) & (depth >= -HALO_VOXELS[1]) & (cube.wall_gap_kji > 1.5)
    if not ring.any():
        return False
    return float((cube.hu_kji[ring] >= levels.lung_hu + HALO_HU).mean()) >= HALO_SHARE


def fitted_level(cube: Cube, mask_kji: NDArray[np.bool_], dense_kji: NDArray[np.bool_]) -> float:
    """Density of an even nodule so small that blur reaches its middle: least squares over filled shares.

    Parameters
    ----------
    cube
        About the nodule.
    mask_kji
        The nodule.
    dense_kji
        Everything as dense; voxels of the CT near other things are left out.
    """
    share, hu = cube.native_pairs(usual_fill(cube, mask_kji) * ~near_others(cube, mask_kji, dense_kji))
    used = share > min(0.15, 0.5 * float(share.max(initial=0.0)))
    contrast = hu[used] - cube.background_hu
    weight = float((share[used] ** 2).sum())
    if weight <= 0:
        return middle_level(cube, mask_kji)
    return cube.background_hu + float((share[used] * contrast).sum()) / weight


def goes_on(cube: Cube, mask_kji: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a mask goes on above and below, across the thickest voxel axis of the CT."""
    axis = int(np.argmax(cube.native_mm))
    reach = max(1, round(BEYOND_SHARE * cube.native_mm[axis] / cube.spacing_mm))
    line = np.ones([2 * reach + 1 if n == axis else 1 for n in range(3)], dtype=np.bool_)
    return np.asarray(ndimage.binary_erosion(mask_kji, line))
