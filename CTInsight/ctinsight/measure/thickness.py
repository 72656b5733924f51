"""Thickness of a wall in three dimensions: on its surface, and along given lines.

The length of a line inside a mask is the integral of the mask along it. Blurring the mask first changes
nothing in that integral where the wall is flat, but averages the steps of the voxels on oblique walls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from ctinsight.measure.box import bounding_box, check_mask, padded_crop
from ctinsight.measure.distances import distance_to_mm
from ctinsight.measure.isosurface import Mesh, mask_mesh, smoothed
from ctinsight.volume import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: Blur in voxels along each axis: for thickness, and for single lines, which may end soon after the wall.
_BLUR_VOXELS, _LINE_BLUR_VOXELS = 1.0, 0.7
#: Margin around the mask in voxels: three times the blur, and room to start outside.
_MARGIN = 6
#: A line that is longer than this times the widest ball on its way runs along the wall, not across it.
_ACROSS = 1.3
#: Cosine between the surfaces where a line enters and leaves: walls have nearly parallel faces, rims have
#: not.
_FACING = -0.85
#: A line has left the wall where the blurred mask falls below the first value, or rises again after the
#: second.
_OUTSIDE, _VALLEY = 0.06, 0.35
_LINES_AT_ONCE = 20_000


@dataclass(frozen=True, eq=False)
class SurfaceThickness:
    """Thickness on the surface of a mask.

    Parameters
    ----------
    mesh
        The surface, with the steps of the voxels smoothed.
    thickness_mm
        (n,) of each vertex: length inside the mask along the inward normal. Vertices on rims, where that line
        runs along the wall, have the value of the nearest vertex that was measured.
    measured
        (n,) whether the vertex was measured itself.
    """

    mesh: Mesh
    thickness_mm: Array
    measured: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Field:
    """A blurred mask that can be asked at any place."""

    soft: NDArray[np.float32]
    inside: NDArray[np.bool_]
    grid: Grid

    @classmethod
    def of(cls, mask_kji: NDArray[np.bool_], grid: Grid, blur_voxels: float) -> _Field:
        padded, start = padded_crop(mask_kji, (_MARGIN, _MARGIN, _MARGIN))
        matrix = grid.ijk_to_ras.copy()
        matrix[:3, 3] = grid.ras_from_ijk(start[::-1])
        soft = ndimage.gaussian_filter(padded.astype(np.float32), blur_voxels)
        return cls(soft, padded, Grid((padded.shape[0], padded.shape[1], padded.shape[2]), matrix))

    def at(self, points_ras: Array, values: NDArray[np.float32] | None = None) -> Array:
        values = self.soft if values is None else values
        kji = np.moveaxis(self.grid.ijk_from_ras(points_ras), -1, 0)[::-1]
        return np.asarray(ndimage.map_coordinates(values, kji, order=1, mode="constant"), dtype=np.float64)

    def inward_normals(self, points_ras: Array) -> Array:
        """Return unit vectors towards the inside, in RAS."""
        slopes = [
            self.at(points_ras, ndimage.sobel(self.soft, axis=axis) / spacing)
            for axis, spacing in zip((2, 1, 0), self.grid.spacing_ijk_mm, strict=True)
        ]
        rise = np.stack(slopes, axis=-1) @ self.grid.directions.T
        return np.asarray(rise / np.maximum(np.linalg.norm(rise, axis=-1, keepdims=True), 1e-12))


def surface_thickness(mask_kji: NDArray[np.bool_], grid: Grid) -> SurfaceThickness:
    """Measure the thickness of a wall at every vertex of its surface.

    Parameters
    ----------
    mask_kji
        (slices, rows, columns), such as the maxilla.
    grid
        Any spacing and obliquity.

    Returns
    -------
    SurfaceThickness
        Without vertices for an empty mask.

    Notes
    -----
    What a mask does not say cannot be measured: a wall parallel to the voxels reads a whole number of them.
    On oblique walls the steps average out (figures in ``Testing/Benchmarks/dcr_accuracy.py``).
    """
    check_mask(mask_kji, grid)
    mesh = smoothed(mask_mesh(mask_kji, grid))
    count = len(mesh.vertices_ras)
    if count == 0:
        return SurfaceThickness(mesh, np.zeros(0), np.zeros(0, dtype=np.bool_))
    field = _Field.of(mask_kji, grid, _BLUR_VOXELS)
    depth = np.asarray(distance_to_mm(~field.inside, field.grid), dtype=np.float32)
    length, across = np.zeros(count), np.zeros(count, dtype=np.bool_)
    for first in range(0, count, _LINES_AT_ONCE):
        part = slice(first, first + _LINES_AT_ONCE)
        length[part], across[part] = _through(field, depth, mesh.vertices_ras[part])
    if across.any() and not across.all():
        places = mesh.vertices_ras
        nearest = KDTree(places[across]).query(places[~across])[1]
        length[~across] = length[across][nearest]
    return SurfaceThickness(mesh, length, across)


def _through(field: _Field, depth: NDArray[np.float32], points_ras: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return the length inside along the inward normal, and whether the line crosses the wall."""
    spacing = field.grid.spacing_ijk_mm
    step, before = min(spacing) / 4, 3 * max(spacing)
    longest = 2 * float(depth.max()) * _ACROSS + 2 * before + max(spacing)
    places = np.arange(-before, longest, step)
    normals = field.inward_normals(points_ras)
    lines = points_ras[:, None, :] + places[:, None] * normals[:, None, :]
    inside = field.at(lines)
    entry = int(np.argmin(np.abs(places)))
    start, end = _run(inside, entry)
    order = np.arange(len(places))
    own = (order >= start[:, None]) & (order <= end[:, None])
    length = (inside * own).sum(axis=1) * step
    widest = 2 * np.where(own, field.at(lines, depth), 0).max(axis=1)
    peak = np.where(own & (order >= entry), inside, 0).max(axis=1)
    leaves = len(places) - 1 - np.argmax((own & (inside >= peak[:, None] / 2))[:, ::-1], axis=1)
    faces = field.inward_normals(lines[np.arange(len(lines)), leaves])
    across = ((normals * faces).sum(axis=1) < _FACING) & (end < len(places) - 1)
    return length, np.asarray(across & (length <= _ACROSS * widest + max(spacing) / 2))


def _run(inside: Array, entry: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where the stretch of the wall begins and ends that is entered at ``entry``."""
    count = inside.shape[1]
    before = inside[:, : entry + 1]
    start = entry - np.argmin(before[:, ::-1], axis=1)
    after = inside[:, entry:]
    lowest = np.minimum.accumulate(np.where(_past_peak(after), after, 1.0), axis=1)
    out = _past_peak(after) & ((after < _OUTSIDE) | ((lowest < _VALLEY) & (after > lowest + 0.02)))
    end = np.where(out.any(axis=1), entry + np.argmax(out, axis=1), count - 1)
    return start, end


def _past_peak(after: Array) -> NDArray[np.bool_]:
    """Whether a sample lies behind the first place where the blurred mask falls."""
    falls = np.zeros(after.shape, dtype=np.bool_)
    falls[:, 1:] = np.diff(after, axis=1) < -1e-4
    return np.asarray(np.logical_or.accumulate(falls, axis=1))


def lengths_inside_mm(
    mask_kji: NDArray[np.bool_], grid: Grid, starts_ras: Array, ends_ras: Array
) -> NDArray[np.float64]:
    """Measure how long straight lines run inside a mask.

    Parameters
    ----------
    mask_kji
        (slices, rows, columns).
    grid
        The grid of the mask.
    starts_ras, ends_ras
        (n, 3) in mm.

    Returns
    -------
    array
        (n,) mm, all stretches of a line together.
    """
    check_mask(mask_kji, grid)
    starts, ends = np.atleast_2d(starts_ras), np.atleast_2d(ends_ras)
    if bounding_box(mask_kji) is None or len(starts) == 0:
        return np.zeros(len(starts))
    field = _Field.of(mask_kji, grid, _LINE_BLUR_VOXELS)
    whole = np.linalg.norm(ends - starts, axis=1)
    count = int(np.ceil(whole.max() / (min(grid.spacing_ijk_mm) / 5))) + 1
    shares = (np.arange(count) + 0.5) / count
    lines = starts[:, None, :] + shares[:, None] * (ends - starts)[:, None, :]
    return np.asarray(field.at(lines).mean(axis=1) * whole, dtype=np.float64)
