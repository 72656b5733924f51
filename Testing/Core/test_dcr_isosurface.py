"""The triangle surface of a mask: its area as other programs count it, and its shape."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.measure.isosurface import marching_cubes_area_mm2, mask_mesh, smoothed
from ctinsight.volume import Grid

SPACINGS = [(1.0, 1.0, 1.0), (1.5, 0.7, 0.6)]


@pytest.mark.parametrize("spacing", SPACINGS)
def test_area_agrees_with_scikit_image(spacing):
    """Random masks, which hold every case of a cube, have the area that scikit-image gives."""
    measure = pytest.importorskip("skimage.measure")
    mask = np.random.default_rng(3).random((14, 15, 16)) > 0.55
    vertices, faces, _, _ = measure.marching_cubes(mask.astype(np.uint8), 0.5, spacing=spacing)
    expected = measure.mesh_surface_area(vertices, faces)
    assert marching_cubes_area_mm2(mask, spacing) == pytest.approx(expected, rel=1e-6)


def _ball(spacing_mm: float, radius_mm: float) -> tuple[np.ndarray, Grid]:
    n = int(2 * radius_mm / spacing_mm) + 5
    matrix = np.diag([-spacing_mm, -spacing_mm, spacing_mm, 1.0])
    grid = Grid((n, n, n), matrix)
    k, j, i = np.indices((n, n, n)) - (n - 1) / 2
    return (k**2 + j**2 + i**2) * spacing_mm**2 <= radius_mm**2, grid


def test_mesh_is_closed():
    """Every edge of the surface belongs to two triangles."""
    mesh = mask_mesh(*_ball(1.0, 6.0))
    edges = np.sort(np.concatenate([mesh.triangles[:, p] for p in ([0, 1], [1, 2], [2, 0])]), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert set(counts.tolist()) == {2}


def test_mesh_and_count_of_cases_have_one_area():
    """The triangles add up to the area that counting cases gives."""
    mask, grid = _ball(1.0, 6.0)
    area = marching_cubes_area_mm2(mask, grid.spacing_kji_mm)
    assert mask_mesh(mask, grid).triangle_areas_mm2.sum() == pytest.approx(area)


def test_smoothing_rounds_and_keeps_the_size():
    """A ball of 10 mm keeps its radius within 2 % and loses the steps of its voxels."""
    mask, grid = _ball(1.0, 10.0)
    mesh = smoothed(mask_mesh(mask, grid))
    centre = grid.ras_from_ijk((np.array(grid.shape_kji) - 1) / 2)
    radii = np.linalg.norm(mesh.vertices_ras - centre, axis=1)
    assert radii.mean() == pytest.approx(10.0, rel=0.02)
    assert mesh.triangle_areas_mm2.sum() == pytest.approx(4 * np.pi * 100, rel=0.03)


def test_empty_mask_has_no_surface():
    """Nothing has no area and no triangles."""
    empty, grid = np.zeros((4, 4, 4), dtype=bool), Grid((4, 4, 4), np.eye(4))
    assert marching_cubes_area_mm2(empty, (1.0, 1.0, 1.0)) == 0
    assert len(mask_mesh(empty, grid).triangles) == 0
