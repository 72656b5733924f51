"""Longest lines, in 3-D and on a slice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctinsight.errors import WrongUseError
from ctinsight.measure import (
    in_plane_diameters,
    largest_slice,
    max_diameter,
    outline_segments,
    slice_areas_cm2,
    surface_area_mm2,
    volume_ml,
)
from makers.shapes import ALL_RAS_AXES, a_ball, a_box, a_grid, an_ellipsoid, turned


def ends(line):
    """Return both ends of a line, (2, 3) in RAS."""
    return np.array([line.start_ras, line.end_ras])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_rod_of_cubic_voxels_is_as_long_as_its_voxels(axis):
    """7 voxels of 2 mm in a row are 14 mm long, along each axis and on a turned grid."""
    grid = a_grid((9, 9, 9), (2, 2, 2), angles_degrees=(30, 10, 50))
    ranges = [(4, 5)] * 3
    ranges[axis] = (1, 8)
    assert max_diameter(a_box(grid.shape_kji, *ranges), grid).length_mm == pytest.approx(14.0)


def test_a_rod_of_thick_slices_ends_in_the_middle_of_its_last_slices():
    """4 slices of 5 mm and pixels of 0.5 mm: 3 x 5 + 0.5 = 15.5 mm along the slices, 2 mm across them."""
    grid = a_grid((6, 6, 6), (0.5, 0.5, 5.0))
    assert max_diameter(a_box((6, 6, 6), (1, 5), (2, 3), (2, 3)), grid).length_mm == pytest.approx(15.5)
    assert max_diameter(a_box((6, 6, 6), (2, 3), (1, 5), (2, 3)), grid).length_mm == pytest.approx(2.0)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.45, 0.45, 5.0), (0.8, 0.8, 2.5)])
def test_a_ball_has_its_diameter_within_a_voxel_of_the_plane(spacing):
    """A ball of 30 mm reads 29.5 to 31 mm on cubic, thick and oblique voxels."""
    shape = tuple(int(np.ceil(44 / s)) for s in spacing[::-1])
    grid = a_grid(shape, spacing, angles_degrees=(15, -25, 10), centre_ras=(1, 2, 3))
    assert 29.5 <= max_diameter(a_ball(grid, 15, (1.2, 2.3, 2.9)), grid).length_mm <= 31.0


def test_the_longest_line_of_a_slanted_ellipsoid_lies_along_it():
    """Semi-axes 20, 8 and 8 mm turned by 35 degrees about S: 40 mm, and the line points that way."""
    grid = a_grid((40, 60, 60), centre_ras=(3, 2, 1))
    mask = an_ellipsoid(grid, (20, 8, 8), centre_ras=(3, 2, 1), angles_degrees=(0, 0, 35))
    line = max_diameter(mask, grid)
    direction = np.diff(ends(line), axis=0)[0] / line.length_mm
    assert line.length_mm == pytest.approx(40, abs=1.0)
    assert abs(direction @ [np.cos(np.radians(35)), np.sin(np.radians(35)), 0]) > 0.995
    assert ends(line).mean(axis=0) == pytest.approx((3, 2, 1), abs=1.0)


def test_a_and_b_of_a_bar():
    """A bar of 20 x 1 pixels of 0.5 mm: A is 10 mm, B is 0.5 mm."""
    grid = a_grid((3, 9, 30), (0.5, 0.5, 5.0))
    found = in_plane_diameters(a_box(grid.shape_kji, (1, 2), (4, 5), (5, 25)), grid)
    assert (found.slice_index, found.a.length_mm, found.b.length_mm) == pytest.approx((1, 10.0, 0.5))


def test_b_of_a_t_stands_where_the_stem_is():
    """A bar 21 mm wide and 1 mm high with a stem of 8 mm below its middle: A 21 mm, B 9 mm at the stem."""
    grid = a_grid((1, 12, 25))
    mask = a_box(grid.shape_kji, (0, 1), (10, 11), (2, 23)) | a_box(grid.shape_kji, (0, 1), (2, 10), (12, 13))
    found = in_plane_diameters(mask, grid)
    assert (found.a.length_mm, found.b.length_mm) == pytest.approx((21.0, 9.0))
    assert ends(found.b)[:, 0] == pytest.approx([0.0, 0.0])


def test_b_crosses_a_gap_like_a_calliper():
    """Two bars of 21 x 1 and 11 x 1 mm joined at one end, 3 mm apart: B spans both, 5 mm."""
    grid = a_grid((1, 9, 25))
    mask = a_box(grid.shape_kji, (0, 1), (2, 3), (1, 24))
    mask |= a_box(grid.shape_kji, (0, 1), (6, 7), (6, 17)) | a_box(grid.shape_kji, (0, 1), (2, 7), (6, 7))
    found = in_plane_diameters(mask, grid)
    assert (found.a.length_mm, found.b.length_mm) == pytest.approx((23.0, 5.0))


@pytest.mark.parametrize("angle", [0, 17, 45, 80])
def test_a_and_b_of_an_ellipse_at_any_angle(angle):
    """Semi-axes 20 and 12 mm: A 40 and B 24 mm within one pixel of 0.5 mm, on an oblique grid."""
    grid = a_grid((5, 110, 110), (0.5, 0.5, 5.0), angles_degrees=(18.5, 0, 0))
    mask = an_ellipsoid(grid, (20, 12, 60), angles_degrees=(18.5, 0, angle))
    found = in_plane_diameters(mask, grid)
    assert found.a.length_mm == pytest.approx(40, abs=0.5)
    assert found.b.length_mm == pytest.approx(24, abs=0.8)


def test_a_crescent_is_read_from_tip_to_tip_and_across():
    """A half ring from 30 to 40 mm: A 80 mm over the tips, B sqrt(40^2 - 30^2) = 26.5 mm beside the hollow.

    A may tilt by the few degrees that one pixel allows at a flat end, and B follows it.
    """
    grid = a_grid((1, 200, 200), (0.5, 0.5, 5.0))
    ring = a_ball(grid, 40) & ~a_ball(grid, 30)
    ring[:, :100] = False  # what lies behind the tips
    found = in_plane_diameters(ring, grid)
    assert found.a.length_mm == pytest.approx(80, abs=0.5)
    assert found.b.length_mm == pytest.approx(26.5, abs=2.0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), ras_axes=st.sampled_from(ALL_RAS_AXES))
def test_no_measure_depends_on_the_order_of_the_axes(seed, ras_axes):
    """Flips and permutes leave volume, areas, lines and surface of any mask unchanged."""
    rng = np.random.default_rng(seed)
    grid = a_grid((4, 7, 6), tuple(rng.uniform(0.5, 4, 3)), angles_degrees=tuple(rng.uniform(-25, 25, 3)))
    mask = rng.random(grid.shape_kji) < 0.3
    mask[1, 2, 3] = True
    results = []
    for m, g in ((mask, grid), turned(mask, grid, ras_axes)):
        plane = in_plane_diameters(m, g)
        results.append((volume_ml(m, g), *sorted(slice_areas_cm2(m, g)), surface_area_mm2(m, g)))
        results[-1] += (max_diameter(m, g).length_mm, plane.a.length_mm, plane.b.length_mm)
    assert results[0] == pytest.approx(results[1], rel=1e-5)


@pytest.mark.parametrize("ras_axes", ALL_RAS_AXES[::5])
def test_a_and_b_of_an_ellipse_stand_at_one_place_whatever_the_order_of_the_axes(ras_axes):
    """Of the many equally long lines of an ellipse the same ones, in the patient, are drawn each time."""
    grid = a_grid((3, 60, 50), (0.9, 0.9, 5.0))
    mask = an_ellipsoid(grid, (15, 25, 30))
    one, other = in_plane_diameters(mask, grid), in_plane_diameters(*turned(mask, grid, ras_axes))
    assert ends(other.a) == pytest.approx(ends(one.a), abs=1e-6)
    assert ends(other.b) == pytest.approx(ends(one.b), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_and_b_are_perpendicular_lie_in_the_slice_and_b_is_not_longer(seed):
    """For any mask, B stands at 90 degrees to A, both at one height of the slice normal, B <= A <= D."""
    rng = np.random.default_rng(seed)
    grid = a_grid((3, 8, 9), (0.7, 0.7, 4.0), angles_degrees=tuple(rng.uniform(-25, 25, 3)))
    mask = rng.random(grid.shape_kji) < 0.3
    mask[1, 2, 3] = True
    found = in_plane_diameters(mask, grid)
    a, b = (np.diff(ends(line), axis=0)[0] for line in (found.a, found.b))
    heights = grid.ijk_from_ras(np.concatenate([ends(found.a), ends(found.b)]))[:, 2]
    assert a @ b == pytest.approx(0, abs=1e-5)
    assert heights == pytest.approx(np.full(4, found.slice_index), abs=1e-6)
    assert found.b.length_mm <= found.a.length_mm + 1e-6
    assert found.a.length_mm <= max_diameter(mask, grid).length_mm + 1e-6


def test_of_equally_large_slices_the_most_inferior_counts():
    """Three equal slices: the lowest in the patient, also when the array runs downward."""
    grid = a_grid((5, 9, 9))
    mask = a_box(grid.shape_kji, (1, 4), (2, 7), (2, 7))
    down, down_grid = turned(mask, grid, ((2, -1), (1, 1), (0, 1)))
    assert (largest_slice(mask, grid), largest_slice(down, down_grid)) == (1, 3)


def test_a_chosen_slice_is_measured_and_an_empty_one_refused():
    """On slice 2 the bar is 3 mm; slice 0 holds nothing; an empty mask has no line."""
    grid = a_grid((4, 9, 9))
    mask = a_box(grid.shape_kji, (1, 2), (2, 7), (2, 7)) | a_box(grid.shape_kji, (2, 3), (4, 5), (3, 6))
    assert in_plane_diameters(mask, grid, slice_index=2).a.length_mm == pytest.approx(3.0)
    with pytest.raises(WrongUseError, match="slice 0"):
        in_plane_diameters(mask, grid, slice_index=0)
    with pytest.raises(WrongUseError, match="empty"):
        max_diameter(mask & False, grid)


def test_the_outline_of_one_pixel_is_a_diamond():
    """Four segments around the pixel, through the middles of its edges."""
    segments = outline_segments(np.array([[True]]))
    corners = {tuple(point) for point in segments.reshape(-1, 2).tolist()}
    assert len(segments) == 4
    assert corners == {(-0.5, 0.0), (0.5, 0.0), (0.0, -0.5), (0.0, 0.5)}
