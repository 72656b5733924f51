"""Grids at an angle, and shapes on them whose size is known from school."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
from scipy.spatial.transform import Rotation

from ctinsight.resample import RasAxes, reorientation
from ctinsight.volume import Grid

#: All 48 ways to lay array axes along patient axes, for :func:`ctinsight.resample.reorientation`.
ALL_RAS_AXES: tuple[RasAxes, ...] = tuple(
    tuple(zip(axes, signs, strict=True))  # type: ignore[misc]
    for axes in permutations(range(3))
    for signs in product((1, -1), repeat=3)
)


def a_grid(
    shape_kji: tuple[int, int, int],
    spacing_ijk_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    *,
    angles_degrees: tuple[float, float, float] = (0.0, 0.0, 0.0),
    centre_ras: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Grid:
    """Make a grid around a centre, turned about its own R, then A, then S axis."""
    rotation = Rotation.from_euler("XYZ", angles_degrees, degrees=True).as_matrix()
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.array(spacing_ijk_mm)
    matrix[:3, 3] = np.array(centre_ras) - matrix[:3, :3] @ ((np.array(shape_kji[::-1]) - 1) / 2.0)
    return Grid(shape_kji, matrix)


def positions_ras(grid: Grid) -> np.ndarray:
    """Return the RAS position (k, j, i, 3) of every voxel centre."""
    kji = np.stack(np.meshgrid(*map(np.arange, grid.shape_kji), indexing="ij"), axis=-1)
    return grid.ras_from_ijk(kji[..., ::-1])


def an_ellipsoid(
    grid: Grid,
    semi_axes_mm: tuple[float, float, float],
    *,
    centre_ras: tuple[float, float, float] = (0.0, 0.0, 0.0),
    angles_degrees: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> np.ndarray:
    """Return the voxels whose centre lies in an ellipsoid; its axes are R, A and S, turned as a grid is."""
    rotation = Rotation.from_euler("XYZ", angles_degrees, degrees=True).as_matrix()
    local = (positions_ras(grid) - np.array(centre_ras)) @ rotation
    return np.asarray(((local / np.array(semi_axes_mm)) ** 2).sum(axis=-1) <= 1.0)


def a_ball(
    grid: Grid, radius_mm: float, centre_ras: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> np.ndarray:
    """Return the voxels whose centre lies in a ball."""
    return an_ellipsoid(grid, (radius_mm,) * 3, centre_ras=centre_ras)


def a_box(shape_kji: tuple[int, int, int], *ranges: tuple[int, int]) -> np.ndarray:
    """Return an array that is True from start to stop (not included) along k, j and i."""
    mask = np.zeros(shape_kji, dtype=bool)
    mask[tuple(slice(*r) for r in ranges)] = True
    return mask


def turned(mask: np.ndarray, grid: Grid, ras_axes: RasAxes) -> tuple[np.ndarray, Grid]:
    """Return the same mask in the same place of the patient, with its array axes in another order."""
    turn = reorientation(grid, ras_axes=ras_axes)
    return turn.apply(mask), turn.grid
