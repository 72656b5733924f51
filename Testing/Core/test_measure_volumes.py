"""Volume, slice areas, centre, attenuation, overlap and the partial-volume bound."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.errors import GeometryError, WrongUseError
from ctinsight.measure import (
    centroid_ras,
    dice,
    mean_hu,
    partial_volume_bound_ml,
    slice_areas_cm2,
    slice_spacing_mm,
    volume_ml,
)
from makers.shapes import ALL_RAS_AXES, a_ball, a_box, a_grid, an_ellipsoid, turned


def test_volume_is_voxels_times_their_true_volume():
    """1000 voxels of 0.45 x 0.45 x 5 mm are 1.0125 mL."""
    grid = a_grid((12, 12, 12), (0.45, 0.45, 5.0), angles_degrees=(10, 20, 30))
    mask = a_box(grid.shape_kji, (1, 11), (1, 11), (1, 11))
    assert volume_ml(mask, grid) == pytest.approx(1.0125, rel=1e-12)


@pytest.mark.parametrize(
    ("spacing", "angles"),
    [((0.45, 0.45, 5.0), (0, 0, 0)), ((1, 1, 1), (0, 0, 0)), ((0.7, 0.7, 2.5), (15, -20, 35))],
)
def test_an_ellipsoid_has_the_volume_of_the_school_formula(spacing, angles):
    """4/3 pi 15 x 20 x 18 mm is 22.62 mL, within 2 % at 0.45 x 0.45 x 5, 1 mm and oblique."""
    shape = tuple(int(np.ceil(60 / s)) for s in spacing[::-1])
    grid = a_grid(shape, spacing, angles_degrees=angles)
    assert volume_ml(an_ellipsoid(grid, (15, 20, 18)), grid) == pytest.approx(22.62, rel=0.02)


@pytest.mark.parametrize("ras_axes", ALL_RAS_AXES[::5])
def test_slice_areas_times_spacing_are_the_volume(ras_axes):
    """In whatever order the axes lie, areas (cm2) times slice spacing (mm) / 10 sum to the mL."""
    grid = a_grid((9, 40, 40), (0.8, 0.9, 5.0), angles_degrees=(18, 5, -7))
    mask, grid = turned(an_ellipsoid(grid, (12, 10, 15)), grid, ras_axes)
    areas = slice_areas_cm2(mask, grid)
    assert len(areas) == 9
    assert slice_spacing_mm(grid) == pytest.approx(5.0)
    assert areas.sum() * slice_spacing_mm(grid) / 10 == pytest.approx(volume_ml(mask, grid), rel=1e-12)


def test_a_slice_of_a_box_has_its_area():
    """20 x 10 pixels of 0.5 mm are 0.5 cm2."""
    grid = a_grid((3, 30, 30), (0.5, 0.5, 5.0))
    assert slice_areas_cm2(a_box(grid.shape_kji, (1, 2), (3, 13), (2, 22)), grid).tolist() == [0, 0.5, 0]


def test_the_centroid_of_a_ball_is_its_centre():
    """A ball at R 4, A -6, S 9 on an oblique grid is found there within 0.2 mm."""
    grid = a_grid((20, 60, 60), (1, 1, 2.5), angles_degrees=(20, 10, 5))
    assert centroid_ras(a_ball(grid, 10, (4, -6, 9)), grid) == pytest.approx((4, -6, 9), abs=0.2)


def test_mean_hu_counts_only_the_mask():
    """Two voxels of 60 and 70 HU among air average 65 HU."""
    image = np.full((2, 2, 2), -1000, dtype=np.int16)
    image[0, 0] = (60, 70)
    assert mean_hu(image, image > 0) == 65.0


def test_dice_of_two_boxes_by_hand():
    """Boxes of 4 and 6 voxels that share 3 have 2 x 3 / 10 = 0.6; two empty masks have none."""
    a, b = a_box((1, 1, 9), (0, 1), (0, 1), (0, 4)), a_box((1, 1, 9), (0, 1), (0, 1), (1, 7))
    assert dice(a, b) == 0.6
    assert dice(a & False, b & False) is None


def test_the_partial_volume_bound_is_half_the_surface_voxels():
    """A cube of 3 has 26 surface voxels inside and 54 outside: 27 - 13 and 27 + 27 voxels."""
    grid = a_grid((7, 7, 7), (10, 10, 10))
    bound = partial_volume_bound_ml(a_box(grid.shape_kji, *[(2, 5)] * 3), grid)
    assert (bound.low, bound.high) == pytest.approx((14, 54))
    assert "half of the surface voxels" in bound.meaning


def test_the_partial_volume_bound_at_the_edge_of_the_image_is_the_same():
    """A cube in the corner of the image has the same bound as one in its middle."""
    grid = a_grid((7, 7, 7), (10, 10, 10))
    bound = partial_volume_bound_ml(a_box(grid.shape_kji, *[(0, 3)] * 3), grid)
    assert (bound.low, bound.high) == pytest.approx((14, 54))


def test_nothing_has_no_volume_no_bound_and_no_centre():
    """An empty mask is 0 mL, from 0 to 0, 0 cm2 on every slice; asking for its centre is refused."""
    grid = a_grid((3, 4, 5))
    nothing = a_box(grid.shape_kji, (0, 0))
    bound = partial_volume_bound_ml(nothing, grid)
    assert (volume_ml(nothing, grid), bound.low, bound.high) == (0.0, 0.0, 0.0)
    assert slice_areas_cm2(nothing, grid).tolist() == [0, 0, 0]
    with pytest.raises(WrongUseError, match="empty"):
        centroid_ras(nothing, grid)


def test_a_mask_must_fit_and_be_boolean():
    """Another shape, or a labelmap in place of a mask, is refused instead of counted."""
    with pytest.raises(GeometryError, match="shape"):
        volume_ml(a_box((2, 2, 3)), a_grid((2, 2, 2)))
    with pytest.raises(WrongUseError, match="bool"):
        volume_ml(np.full((2, 2, 2), 3), a_grid((2, 2, 2)))
