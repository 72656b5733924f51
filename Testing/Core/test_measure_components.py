"""Pieces of a mask: labelled, listed, filtered, filled."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.errors import WrongUseError
from ctinsight.measure import (
    fill_holes,
    keep_largest,
    label_components,
    measure_components,
    remove_small,
    volume_ml,
)
from makers.shapes import a_ball, a_box, a_grid, turned


@pytest.mark.parametrize(("connectivity", "count"), [(6, 3), (18, 2), (26, 1)])
def test_connectivity_says_what_holds_together(connectivity, count):
    """Three voxels, two that share an edge and one that shares a corner: 3, 2 or 1 pieces."""
    mask = np.zeros((3, 3, 3), dtype=bool)
    mask[0, 0, 0] = mask[0, 1, 1] = mask[1, 2, 2] = True
    assert label_components(mask, connectivity=connectivity)[1] == count


def test_pieces_are_numbered_from_the_largest():
    """A piece of 2, one of 5 and one of 3 voxels become 3, 1 and 2."""
    mask = np.array([[[1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1]]], dtype=bool)
    labels, count = label_components(mask)
    assert count == 3
    assert labels.ravel().tolist() == [3, 3, 0, 1, 1, 1, 1, 1, 0, 2, 2, 2]


def test_an_unknown_connectivity_is_refused():
    """8 is a neighbourhood of pictures, not of volumes."""
    with pytest.raises(WrongUseError, match="connectivity 8"):
        label_components(a_box((2, 2, 2)), connectivity=8)


def test_every_piece_is_measured_in_the_patient():
    """Two balls of 8 and 5 mm at known places, 60 and 40 HU, are listed with the larger first."""
    grid = a_grid((24, 70, 70), (1, 1, 2.5), angles_degrees=(12, -8, 20), centre_ras=(0, 0, 50))
    large, small = a_ball(grid, 8, (-12, 5, 55)), a_ball(grid, 5, (14, -3, 44))
    labels, _ = label_components(large | small)
    first, second = measure_components(labels, grid, array_hu=60.0 * large + 40.0 * small)
    assert first.centroid_ras == pytest.approx((-12, 5, 55), abs=0.3)
    assert second.centroid_ras == pytest.approx((14, -3, 44), abs=0.3)
    assert (first.mean_hu, second.mean_hu) == (60.0, 40.0)
    assert first.volume_ml == pytest.approx(4 / 3 * np.pi * 0.8**3, rel=0.03)
    assert second.diameter.length_mm == pytest.approx(10, abs=1.0)


def test_nothing_has_no_pieces():
    """An empty mask has no label, an empty list, and stays empty in every filter."""
    grid = a_grid((3, 3, 3))
    nothing = a_box(grid.shape_kji, (0, 0))
    labels, count = label_components(nothing)
    assert (count, measure_components(labels, grid)) == (0, ())
    assert not keep_largest(nothing).any()
    assert not remove_small(nothing, grid, min_volume_ml=0.1).any()
    assert not fill_holes(nothing, grid).any()


def test_the_largest_piece_is_kept():
    """Of pieces of 2 and 3 voxels the one of 3 stays."""
    mask = np.array([[[1, 1, 0, 1, 1, 1]]], dtype=bool)
    assert keep_largest(mask).ravel().tolist() == [False, False, False, True, True, True]


def test_a_piece_of_exactly_the_minimum_stays():
    """With voxels of 0.1 mL and a minimum of 0.3 mL, 3 voxels stay and 2 go."""
    grid = a_grid((1, 1, 6), (10, 10, 1))
    mask = np.array([[[1, 1, 0, 1, 1, 1]]], dtype=bool)
    assert volume_ml(remove_small(mask, grid, min_volume_ml=0.3), grid) == pytest.approx(0.3)


@pytest.mark.parametrize("ras_axes", [((2, 1), (1, 1), (0, 1)), ((0, -1), (2, 1), (1, 1))])
def test_a_tunnel_is_filled_per_slice_only(ras_axes):
    """A tube along S is open in 3-D at both ends, and closed within each slice."""
    grid = a_grid((4, 7, 7))
    tube = a_box(grid.shape_kji, (0, 4), (1, 6), (1, 6)) & ~a_box(grid.shape_kji, (0, 4), (2, 5), (2, 5))
    tube, grid = turned(tube, grid, ras_axes)
    assert fill_holes(tube, grid).sum() == 4 * 16
    assert fill_holes(tube, grid, per_slice=True).sum() == 4 * 25


def test_a_bubble_is_filled_in_3d_and_a_diagonal_leak_does_not_open_it():
    """A cube of 5 with a hollow of 3 and one corner voxel missing becomes 125 - 1 voxels."""
    grid = a_grid((7, 7, 7))
    shell = a_box(grid.shape_kji, *[(1, 6)] * 3) & ~a_box(grid.shape_kji, *[(2, 5)] * 3)
    shell[1, 1, 1] = False
    assert fill_holes(shell, grid).sum() == 124
