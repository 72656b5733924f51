"""The surface of a mask as triangles, half-way between voxel centres (marching cubes)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from ctinsight.measure.box import bounding_box, check_mask, padded_crop
from ctinsight.measure.cube_triangles import cube_triangles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.volume import Grid

#: Shrinking and growing weight of one smoothing step: Taubin 1995, https://doi.org/10.1145/218380.218473
_TAUBIN = (0.5, -0.53)


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles in patient space.

    Parameters
    ----------
    vertices_ras
        (n, 3) in mm.
    triangles
        (m, 3) indices of vertices.
    """

    vertices_ras: NDArray[np.float64]
    triangles: NDArray[np.intp]

    @property
    def triangle_areas_mm2(self) -> NDArray[np.float64]:
        """Area of each triangle in mm²."""
        a, b, c = (self.vertices_ras[self.triangles[:, n]] for n in range(3))
        return np.asarray(np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2, dtype=np.float64)

    @property
    def vertex_areas_mm2(self) -> NDArray[np.float64]:
        """Area that belongs to each vertex: a third of every triangle that it is a corner of."""
        shares = np.repeat(self.triangle_areas_mm2 / 3, 3)
        summed = np.bincount(self.triangles.ravel(), weights=shares, minlength=len(self.vertices_ras))
        return np.asarray(summed, dtype=np.float64)


def marching_cubes_area_mm2(mask_kji: NDArray[np.bool_], spacing_kji_mm: tuple[float, float, float]) -> float:
    """Add up the area of marching cubes' triangles.

    A mask is not padded: where it touches the border of the image its surface is open and not counted. The
    sum reads about a tenth too high on smooth surfaces, because the triangles lean in a few directions only;
    see :func:`ctinsight.measure.surface_area_mm2` for the area itself.
    """
    box = bounding_box(mask_kji)
    if box is None:
        return 0.0
    near = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in box)
    counts = np.bincount(_cases(mask_kji[near]).ravel(), minlength=256)
    half = np.array(spacing_kji_mm) / 2
    areas = np.zeros(256)
    for case in np.flatnonzero(counts):
        a, b, c = np.moveaxis(cube_triangles()[case] * half, 1, 0)
        areas[case] = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    return float(counts @ areas)


def mask_mesh(mask_kji: NDArray[np.bool_], grid: Grid) -> Mesh:
    """Return the closed surface of a mask, without double vertices; empty for an empty mask."""
    check_mask(mask_kji, grid)
    if bounding_box(mask_kji) is None:
        return Mesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.intp))
    padded, start = padded_crop(mask_kji, (1, 1, 1))
    cases = _cases(padded)
    corners = []
    for case in np.unique(cases):
        pattern = cube_triangles()[case]
        if len(pattern):
            cubes = np.argwhere(cases == case)
            corners.append((2 * cubes[:, None, None, :] + pattern[None]).reshape(-1, 3))
    lattice = np.concatenate(corners)
    size = 2 * np.array(padded.shape)
    places, index = np.unique(np.ravel_multi_index(tuple(lattice.T), tuple(size)), return_inverse=True)
    vertices_kji = np.stack(np.unravel_index(places, tuple(size)), axis=1) / 2 + np.array(start)
    triangles = index.reshape(-1, 3)
    flat = (
        (triangles[:, 0] == triangles[:, 1])
        | (triangles[:, 1] == triangles[:, 2])
        | (triangles[:, 0] == triangles[:, 2])
    )
    return Mesh(grid.ras_from_ijk(vertices_kji[:, ::-1]), triangles[~flat])


def smoothed(mesh: Mesh, steps: int = 12) -> Mesh:
    """Round the steps that voxels leave in a surface, without shrinking it."""
    count = len(mesh.vertices_ras)
    if count == 0:
        return mesh
    pairs = np.concatenate([mesh.triangles[:, [0, 1]], mesh.triangles[:, [1, 2]], mesh.triangles[:, [2, 0]]])
    ones = np.ones(len(pairs))
    links = sparse.coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(count, count)).tocsr()
    links = ((links + links.T) > 0).astype(np.float64)
    weights = sparse.diags(1 / np.maximum(np.asarray(links.sum(axis=1)).ravel(), 1)) @ links
    vertices = mesh.vertices_ras
    for step in range(2 * steps):
        vertices = vertices + _TAUBIN[step % 2] * (weights @ vertices - vertices)
    return Mesh(np.asarray(vertices), mesh.triangles)


def _cases(mask_kji: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the case of every cube between eight neighbouring voxel centres."""
    inside = mask_kji.astype(np.intp)
    k, j, i = inside.shape
    cases = np.zeros((k - 1, j - 1, i - 1), dtype=np.intp)
    for dk in (0, 1):
        for dj in (0, 1):
            for di in (0, 1):
                corner = inside[dk : k - 1 + dk, dj : j - 1 + dj, di : i - 1 + di]
                cases |= corner << (4 * dk + 2 * dj + di)
    return cases
