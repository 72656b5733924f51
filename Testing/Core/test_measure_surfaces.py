"""Surface area, surface distances, distance maps, and morphology by a ball in mm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from ctinsight.errors import WrongUseError
from ctinsight.measure import (
    closed,
    dilate,
    distance_mm,
    erode,
    label_components,
    opened,
    surface_area_mm2,
    surface_distances_mm,
    surface_points_ras,
)
from makers.shapes import a_ball, a_box, a_grid, an_ellipsoid

THICK = (0.5, 0.5, 5.0)


@pytest.mark.parametrize("radius", [6, 10, 20])
@pytest.mark.parametrize("angles", [(0, 0, 0), (20, 30, 40)])
def test_the_surface_of_a_ball_at_1_mm(radius, angles):
    """4 pi r^2 within 3 %."""
    grid = a_grid((48, 48, 48), angles_degrees=angles)
    area = surface_area_mm2(a_ball(grid, radius, (0.2, 0.1, 0.3)), grid)
    assert area == pytest.approx(4 * np.pi * radius**2, rel=0.03)


@pytest.mark.parametrize("radius", [10, 15, 25])
def test_the_surface_of_a_ball_on_thick_slices(radius):
    """4 pi r^2 within 5 % on slices of 5 mm."""
    grid = a_grid((14, 110, 110), THICK, angles_degrees=(18, 0, 0))
    area = surface_area_mm2(a_ball(grid, radius, (0.2, 0.1, 0.9)), grid)
    assert area == pytest.approx(4 * np.pi * radius**2, rel=0.05)


def test_the_surface_of_a_long_ellipsoid():
    """Semi-axes 25, 10, 10 mm: 2 pi b^2 + 2 pi a b asin(e) / e = 2599 mm2, within 3 %."""
    grid = a_grid((30, 60, 60), angles_degrees=(0, 25, 0))
    eccentricity = np.sqrt(1 - (10 / 25) ** 2)
    truth = 2 * np.pi * 100 + 2 * np.pi * 250 * np.arcsin(eccentricity) / eccentricity
    mask = an_ellipsoid(grid, (25, 10, 10), angles_degrees=(0, 25, 0))
    assert surface_area_mm2(mask, grid) == pytest.approx(truth, rel=0.03)


def test_a_flat_block_has_its_area_but_for_the_rounded_edges():
    """30 x 40 x 50 mm has 9400 mm2; the estimate is low by at most 5 % because edges are rounded."""
    grid = a_grid((34, 44, 54))
    area = surface_area_mm2(a_box(grid.shape_kji, (2, 32), (2, 42), (2, 52)), grid)
    assert 0.95 * 9400 <= area <= 9400


def test_nothing_has_no_surface():
    """An empty mask has 0 mm2, no surface points, and no distance to anything."""
    grid = a_grid((3, 3, 3))
    nothing, something = a_box(grid.shape_kji, (0, 0)), a_box(grid.shape_kji, (1, 2))
    assert surface_area_mm2(nothing, grid) == 0.0
    assert surface_points_ras(nothing, grid).shape == (0, 3)
    assert surface_distances_mm(nothing, something, grid) is None


def test_two_plates_lie_as_far_apart_as_they_do():
    """Plates one voxel thick, 2 slices of 5 mm apart: every distance is 10 mm."""
    grid = a_grid((6, 8, 8), THICK)
    low, high = (a_box(grid.shape_kji, (k, k + 1), (1, 7), (1, 7)) for k in (1, 3))
    found = surface_distances_mm(low, high, grid)
    assert (found.hausdorff_mm, found.hd95_mm, found.assd_mm) == pytest.approx((10, 10, 10))


def test_one_stray_voxel_moves_the_hausdorff_distance_and_not_the_95th_percentile():
    """A ball against itself with a speck 20 mm off its surface: Hausdorff about 20 mm, HD95 0 mm."""
    grid = a_grid((20, 20, 60), centre_ras=(10, 0, 0))
    ball = a_ball(grid, 8)
    speck = ball.copy()
    speck[grid.shape_kji[0] // 2, 10, 47] = True
    found = surface_distances_mm(ball, speck, grid)
    assert found.hausdorff_mm == pytest.approx(20, abs=1.0)
    assert found.hd95_mm == 0.0
    assert 0 < found.assd_mm < 0.1


def test_the_distance_map_counts_mm_outside_and_inside():
    """Along a row of 2 mm voxels: 4, 2, then inside -2, -4, -2, then 2."""
    grid = a_grid((1, 1, 6), (2, 1, 1))
    mask = np.array([[[0, 0, 1, 1, 1, 0]]], dtype=bool)
    assert distance_mm(mask, grid).ravel().tolist() == [4, 2, -2, -4, -2, 2]
    assert distance_mm(mask, grid, limit_mm=2).ravel().tolist() == [2, 2, -2, -2, -2, 2]


def test_the_distance_map_of_nothing_and_of_everything():
    """Nothing is infinitely far away, and everything has no outside."""
    grid = a_grid((2, 2, 2))
    assert np.all(distance_mm(a_box(grid.shape_kji, (0, 0)), grid) == np.inf)
    assert np.all(distance_mm(a_box(grid.shape_kji), grid, limit_mm=5) == -5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_distances_agree_with_an_independent_transform(seed):
    """For any mask and spacing the map is scipy's exact Euclidean distance, outside minus inside."""
    rng = np.random.default_rng(seed)
    grid = a_grid(tuple(rng.integers(1, 9, 3)), tuple(rng.uniform(0.3, 5, 3)))
    mask = rng.random(grid.shape_kji) < rng.choice([0.05, 0.3, 0.8])
    mask.flat[0], mask.flat[-1] = True, mask.size == 1
    if mask.all():
        return
    edt = [ndimage.distance_transform_edt(m, sampling=grid.spacing_kji_mm) for m in (~mask, mask)]
    assert distance_mm(mask, grid) == pytest.approx(edt[0] - edt[1], abs=1e-4)
    limited = distance_mm(mask, grid, limit_mm=3.0)
    assert limited == pytest.approx(np.clip(edt[0] - edt[1], -3, 3), abs=1e-4)


def test_a_voxel_grows_to_a_ball_in_mm():
    """5 mm on 1 x 1 x 5 mm: 81 pixels of a disc of radius 5 and one voxel above and below."""
    grid = a_grid((5, 15, 15), (1, 1, 5))
    grown = dilate(a_box(grid.shape_kji, (2, 3), (7, 8), (7, 8)), grid, 5.0)
    assert [int(s.sum()) for s in grown] == [0, 1, 81, 1, 0]


def test_growing_less_than_a_slice_stays_in_the_slice():
    """2 mm on slices of 5 mm reaches the 13 pixels of a disc of radius 2, and no other slice."""
    grid = a_grid((3, 9, 9), (1, 1, 5))
    grown = dilate(a_box(grid.shape_kji, (1, 2), (4, 5), (4, 5)), grid, 2.0)
    assert [int(s.sum()) for s in grown] == [0, 13, 0]


def test_shrinking_takes_a_rim_also_at_the_edge_of_the_image():
    """A block of 7 that fills the image loses 2 mm on each side: 3 x 3 x 3 stay."""
    grid = a_grid((7, 7, 7))
    assert np.array_equal(erode(a_box((7, 7, 7)), grid, 2.0), a_box((7, 7, 7), *[(2, 5)] * 3))


def test_opening_cuts_a_bridge():
    """Two balls joined by a bar of 3 mm come apart when opened by 2 mm, and keep their size within 3 %."""
    grid = a_grid((30, 30, 60))
    balls = a_ball(grid, 10, (-14, 0, 0)) | a_ball(grid, 10, (14, 0, 0))
    joined = balls | an_ellipsoid(grid, (14, 1.5, 1.5))
    assert label_components(joined)[1] == 1
    apart = opened(joined, grid, 2.0)
    assert label_components(apart)[1] == 2
    assert apart.sum() == pytest.approx(balls.sum(), rel=0.03)


def test_closing_fills_a_crack_also_at_the_edge_of_the_image():
    """A crack of 2 mm through a block in the image's corner is filled below its mouth; nothing is added."""
    grid = a_grid((12, 12, 12))
    block = a_box(grid.shape_kji, *[(0, 9)] * 3)
    crack = a_box(grid.shape_kji, (0, 9), (0, 9), (4, 6))
    filled = closed(block & ~crack, grid, 1.0)
    assert np.all(filled[1:8, 1:8, 4:6])
    assert np.array_equal(filled | crack, block)


def test_a_negative_radius_is_refused():
    """A ball has no negative radius."""
    with pytest.raises(WrongUseError, match="radius"):
        dilate(a_box((2, 2, 2)), a_grid((2, 2, 2)), -1.0)
