"""Thickness in three dimensions: walls of known thickness, straight and oblique, thin and thick."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.finding import Side
from ctinsight.measure.thickness import lengths_inside_mm, surface_thickness
from ctinsight.phantoms.midface import MidfaceSide, MidfaceSpec, midface_grid, midface_labels, side_truth
from ctinsight.tasks.dcr.anatomy import r_mm
from ctinsight.volume import Grid

FINE, COARSE = (0.5, 0.5, 0.5), (0.6, 0.7, 1.5)


def _wall(spacing, side: MidfaceSide):
    grid = midface_grid(spacing, size_mm=(26.0, 34.0, 32.0), centre_ras=(21.0, 38.0, 0.0))
    labels = midface_labels(MidfaceSpec(grid, side, side))
    return (labels == 2) & (r_mm(grid) > 0), grid, side_truth(Side.RIGHT, side)


@pytest.mark.parametrize(
    ("wall_mm", "oblique"), [(1.0, (25.0, -20.0)), (3.0, (12.0, -8.0)), (8.0, (25.0, -20.0))]
)
@pytest.mark.parametrize(("spacing", "within_mm"), [(FINE, 0.15), (COARSE, 0.35)])
def test_oblique_walls(spacing, within_mm, wall_mm, oblique):
    """The median is right to 0.1 mm; 95 % of the face to 0.15 mm, or 0.35 mm on thick slices."""
    mask, grid, truth = _wall(spacing, MidfaceSide(wall_mm, oblique))
    found = surface_thickness(mask, grid)
    local = (found.mesh.vertices_ras - np.array(truth.wall_centre_ras)) @ truth.wall_frame.T
    face = found.thickness_mm[(np.abs(local[:, 1]) < 6) & (np.abs(local[:, 2]) < 9) & found.measured]
    assert len(face) > 200
    assert np.median(face) == pytest.approx(wall_mm, abs=0.1)
    assert np.percentile(np.abs(face - wall_mm), 95) < within_mm


def test_rims_take_the_value_of_the_wall():
    """On the rim of a plate of 3 mm the normal runs 16 mm along it: the plate's 3 mm stand there instead."""
    mask, grid, _ = _wall(FINE, MidfaceSide(3.0))
    found = surface_thickness(mask, grid)
    assert not found.measured.all()
    assert found.thickness_mm.max() < 4.0


def test_two_walls_are_not_added_up():
    """A line that leaves a wall of 2 mm does not count the next wall, 3 mm behind it."""
    mask = np.zeros((30, 30, 30), dtype=bool)
    mask[5:25, 5:25, 8:12] = True
    mask[5:25, 5:25, 18:22] = True
    grid = Grid((30, 30, 30), np.diag([0.5, 0.5, 0.5, 1.0]))
    found = surface_thickness(mask, grid)
    assert np.median(found.thickness_mm[found.measured]) == pytest.approx(2.0, abs=0.1)


def test_empty_mask_has_no_thickness():
    """Nothing has no vertices."""
    grid = Grid((4, 4, 4), np.eye(4))
    assert len(surface_thickness(np.zeros((4, 4, 4), dtype=bool), grid).thickness_mm) == 0


def test_length_of_a_line_inside():
    """A line at 60 degrees to the normal of a plate of 4 mm runs 8 mm inside."""
    mask = np.zeros((40, 40, 40), dtype=bool)
    mask[:, :, 18:22] = True
    grid = Grid((40, 40, 40), np.eye(4))
    away = 12 * np.array([0.5, np.sqrt(0.75), 0.0])
    middle = np.array([19.5, 19.5, 19.5])
    assert lengths_inside_mm(mask, grid, middle - away, middle + away)[0] == pytest.approx(8.0, abs=0.2)
