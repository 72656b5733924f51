"""Area of a surface, and how far two surfaces lie apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from ctinsight.measure.box import bounding_box, check_mask, padded_crop, six_neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.volume import Grid

#: Width of the blur that finds the surface normal, in units of the largest voxel edge.
_NORMAL_SIGMA = 0.75


@dataclass(frozen=True)
class SurfaceDistances:
    """How far two surfaces lie apart, in mm.

    ``hausdorff_mm`` is the largest distance, ``hd95_mm`` the larger of the two directed 95th percentiles,
    ``assd_mm`` the mean over the surface points of both masks.
    """

    hausdorff_mm: float
    hd95_mm: float
    assd_mm: float


def surface_area_mm2(mask_kji: NDArray[np.bool_], grid: Grid) -> float:
    """Estimate the area of the surface of a mask.

    Every voxel face at the surface counts with its area times the cosine between itself and the surface
    normal there; the normal is the gradient of the mask blurred in mm. Faces alone would read 1.5 times
    the area of a sphere.

    Notes
    -----
    Measured: spheres of 5 to 20 mm radius read -1.7 to -0.9 % at 1 mm, and +3.2 to 0.0 % at
    0.45 x 0.45 x 5 mm. Edges of boxes are rounded (a box of 5 x 20 x 40 voxels reads -5 %), and what is
    thinner than two slices reads low.

    References
    ----------
    Coeurjolly et al., "Multigrid convergence and surface area estimation", LNCS 2616 (2003),
    https://doi.org/10.1007/3-540-36586-9_7
    """
    check_mask(mask_kji, grid)
    if bounding_box(mask_kji) is None:
        return 0.0
    spacing = np.array(grid.spacing_kji_mm)
    sigma = _NORMAL_SIGMA * spacing.max() / spacing
    margin = np.ceil(3 * sigma).astype(int) + 2
    padded, _ = padded_crop(mask_kji, (int(margin[0]), int(margin[1]), int(margin[2])))
    soft = ndimage.gaussian_filter(padded.astype(np.float32), sigma, truncate=3.0)
    face_mm2 = grid.voxel_volume_mm3 / spacing
    return float(sum(face_mm2[axis] * _cosines(padded, soft, spacing, axis).sum() for axis in range(3)))


def _cosines(
    padded: NDArray[np.bool_], soft: NDArray[np.float32], spacing: NDArray[np.float64], axis: int
) -> NDArray[np.float64]:
    # |cosine| between the faces across one axis and the gradient of the soft mask at their centres.
    ahead = np.zeros(3, dtype=int)
    ahead[axis] = 1
    before, after = (np.take(padded, range(a, padded.shape[axis] - 1 + a), axis=axis) for a in (0, 1))
    near = np.stack(np.nonzero(before != after))
    far = near + ahead[:, None]
    squares = np.zeros(near.shape[1])
    outer = (near - ahead[:, None], far + ahead[:, None])
    own = (soft[tuple(outer[1])] - soft[tuple(outer[0])]).astype(np.float64) / (3.0 * spacing[axis])
    for other in range(3):
        if other == axis:
            continue
        step = np.zeros((3, 1), dtype=int)
        step[other] = 1
        rise = sum(soft[tuple(p + step)] - soft[tuple(p - step)] for p in (near, far))
        squares += (rise / (4.0 * spacing[other])) ** 2
    length = np.sqrt(squares + own**2)
    return np.asarray(np.abs(own) / np.maximum(length, 1e-12), dtype=np.float64)


def surface_points_ras(mask_kji: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    """Return the centres (n, 3) in RAS of the voxels of the mask that touch the outside by a face."""
    check_mask(mask_kji, grid)
    padded, start = padded_crop(mask_kji, (2, 2, 2))
    _, all_neighbours = six_neighbours(padded)
    kji = np.argwhere(padded & ~all_neighbours) + np.array(start)
    return grid.ras_from_ijk(kji[:, ::-1])


def surface_distances_mm(
    a_kji: NDArray[np.bool_], b_kji: NDArray[np.bool_], grid: Grid
) -> SurfaceDistances | None:
    """Compare the surfaces of two masks on one grid, between centres of surface voxels.

    ``None`` when either mask is empty: there is no distance then.
    """
    points_a, points_b = surface_points_ras(a_kji, grid), surface_points_ras(b_kji, grid)
    if len(points_a) == 0 or len(points_b) == 0:
        return None
    from_a = np.asarray(KDTree(points_b).query(points_a)[0])
    from_b = np.asarray(KDTree(points_a).query(points_b)[0])
    return SurfaceDistances(
        hausdorff_mm=float(max(from_a.max(), from_b.max())),
        hd95_mm=float(max(np.percentile(from_a, 95), np.percentile(from_b, 95))),
        assd_mm=float(np.concatenate([from_a, from_b]).mean()),
    )
