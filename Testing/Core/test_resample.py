"""Resampling keeps every Hounsfield unit where it is in the patient."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctinsight.errors import GeometryError, WrongUseError
from ctinsight.resample import (
    grid_with_spacing,
    isotropic_grid,
    low_pass,
    radiological,
    reorient,
    reorientation,
    resample,
    resample_labels,
    resample_mask,
    resample_probability,
)
from ctinsight.volume import Grid, Volume
from makers.shapes import ALL_RAS_AXES, a_ball, a_box, a_grid, positions_ras, turned

ANGLE = st.floats(-40, 40)
SPACING = st.floats(0.4, 5.0)


def ramp(points_ras: np.ndarray) -> np.ndarray:
    """Rise by 1, 2 and 3 HU per mm to the right, front and top."""
    return points_ras @ np.array([1.0, 2.0, 3.0]) + 40.0


def a_ramp(grid: Grid) -> Volume:
    """Return the linear field on a grid."""
    return Volume(ramp(positions_ras(grid)), grid.ijk_to_ras)


@pytest.mark.parametrize("ras_axes", ALL_RAS_AXES)
def test_every_orientation_becomes_radiological(ras_axes):
    """Whatever the array order was, k runs up, j back and i to the left, and no value moves."""
    start = a_grid((3, 4, 5), (0.5, 0.7, 3.0), angles_degrees=(20, -10, 30))
    array, grid = reorient(ramp(positions_ras(start)), start, ras_axes=ras_axes)
    result = radiological(Volume(array, grid.ijk_to_ras))
    assert [result.grid.ras_axis(axis) for axis in range(3)] == [(2, 1), (1, -1), (0, -1)]
    assert result.array_kji == pytest.approx(ramp(positions_ras(result.grid)), abs=1e-9)


def test_a_mark_at_the_right_front_bottom_comes_first():
    """The voxel of the patient's right, front and bottom is the first of the radiological array."""
    array = np.zeros((2, 3, 4))
    array[0, 2, 3] = 70.0  # RAS order: k up, j forward, i to the right
    result = radiological(Volume(array, np.eye(4)))
    assert result.array_kji[0, 0, 0] == 70.0


@pytest.mark.parametrize("ras_axes", ALL_RAS_AXES)
def test_turning_back_restores_the_array(ras_axes):
    """Undo after apply is the array as it was, bit for bit."""
    array = np.random.default_rng(1).normal(size=(3, 4, 5))
    turn = reorientation(a_grid((3, 4, 5), (1, 2, 3)), ras_axes=ras_axes)
    assert np.array_equal(turn.undo(turn.apply(array)), array)


def test_ras_axes_must_name_each_axis_once():
    """Naming S twice is refused."""
    with pytest.raises(WrongUseError, match="ras_axes"):
        reorientation(a_grid((2, 2, 2)), ras_axes=((2, 1), (2, 1), (0, 1)))


@pytest.mark.parametrize("order", [1, 3])
@settings(max_examples=15, deadline=None)
@given(angles=st.tuples(ANGLE, ANGLE, ANGLE), spacing=st.tuples(SPACING, SPACING, SPACING))
def test_a_linear_field_is_reproduced_on_any_grid(order, angles, spacing):
    """Linear and cubic interpolation return a linear field in RAS to 1e-6 HU away from the edge."""
    source = a_grid((30, 30, 30), spacing, angles_degrees=angles, centre_ras=(5, -7, 900))
    target = a_grid((4, 5, 6), (0.3, 0.4, 0.5), angles_degrees=(10, 20, -15), centre_ras=(5, -7, 900))
    result = resample(a_ramp(source), target, order=order)
    assert result.array_kji == pytest.approx(ramp(positions_ras(target)), abs=1e-6)


def test_the_outer_half_of_edge_voxels_belongs_to_the_image():
    """A position 0.4 voxels beyond the last centre keeps its value, one 0.6 beyond reads air."""
    source = Volume(np.full((1, 1, 4), 40, dtype=np.int16), np.eye(4))
    target = Grid((1, 1, 2), np.array([[0.2, 0, 0, 3.4], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
    assert resample(source, target).array_kji.ravel().tolist() == [40.0, -1024.0]


def test_nearest_keeps_integers_and_the_same_grid_keeps_everything():
    """Order 0 keeps int16; the same grid returns the same numbers."""
    volume = Volume(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.diag([1, 2, 3, 1]))
    assert resample(volume, isotropic_grid(volume.grid, 1.0), order=0).array_kji.dtype == np.int16
    assert np.array_equal(resample(volume, volume.grid, order=3).array_kji, volume.array_kji)


def test_an_unknown_order_is_refused():
    """Order 2 is not offered."""
    with pytest.raises(WrongUseError, match="order 2"):
        resample(a_ramp(a_grid((2, 2, 2))), a_grid((2, 2, 2)), order=2)


def test_a_new_spacing_covers_the_same_box_around_the_same_centre():
    """10 slices of 5 mm become 50 of 1 mm, and the centre stays."""
    old = a_grid((10, 20, 30), (0.45, 0.45, 5.0), angles_degrees=(15, 0, 0), centre_ras=(1, 2, 3))
    new = isotropic_grid(old, 1.0)
    assert new.shape_kji == (50, 9, 14)
    assert new.spacing_ijk_mm == pytest.approx((1, 1, 1))
    centre_ijk = (np.array(new.shape_kji[::-1]) - 1) / 2
    assert new.ras_from_ijk(centre_ijk) == pytest.approx([1, 2, 3])


def test_a_spacing_of_zero_is_refused():
    """A grid without a positive spacing is not made."""
    with pytest.raises(WrongUseError, match="spacing"):
        grid_with_spacing(a_grid((2, 2, 2)), (1.0, 0.0, 1.0))


def test_low_pass_removes_noise_that_a_coarse_grid_cannot_show():
    """Sampling every fourth voxel keeps noise of 10 HU; after the low pass it is below 2 HU."""
    noise = np.random.default_rng(2).normal(40, 10, (40, 40, 40))
    volume = Volume(noise, np.eye(4))
    coarse = isotropic_grid(volume.grid, 4.0)
    assert resample(volume, coarse, order=0).array_kji.std() > 9.0
    assert resample(low_pass(volume, coarse), coarse).array_kji.std() < 2.0


def test_low_pass_leaves_a_volume_alone_when_the_target_is_not_coarser():
    """A finer grid, or the same turned by flips, needs no blur."""
    volume = a_ramp(a_grid((4, 5, 6), (1, 1, 3)))
    assert low_pass(volume, isotropic_grid(volume.grid, 1.0)) is volume
    assert low_pass(volume, radiological(volume).grid) is volume


@pytest.mark.parametrize("nearest", [True, False])
def test_a_mask_keeps_its_volume_on_an_oblique_grid(nearest):
    """A ball of 20 mm on 1 mm voxels has the same mL within 1 % on a turned grid of 0.8 mm."""
    source = a_grid((50, 50, 50))
    target = a_grid((70, 70, 70), (0.8, 0.8, 0.8), angles_degrees=(20, 30, 40))
    mask = a_ball(source, 20.0)
    moved = resample_mask(mask, source, target, nearest=nearest)
    assert moved.sum() * target.voxel_volume_ml == pytest.approx(mask.sum() / 1000, rel=0.01)


def test_a_mask_and_a_labelmap_follow_flips_exactly():
    """On the same voxels in another order a mask and its labels come back voxel for voxel."""
    grid = a_grid((4, 5, 6), (1, 2, 3))
    labels = np.random.default_rng(3).integers(0, 4, grid.shape_kji).astype(np.uint8)
    other, other_grid = turned(labels, grid, ((0, 1), (2, -1), (1, 1)))
    assert np.array_equal(resample_labels(other, other_grid, grid), labels)
    assert np.array_equal(resample_mask(other == 2, other_grid, grid), labels == 2)


def test_a_probability_comes_back_between_0_and_1():
    """A probability is interpolated linearly: half way between 0 and 1 it is 0.5; beyond the box 0."""
    source = Grid((1, 1, 2), np.eye(4))
    target = Grid((1, 1, 4), np.diag([0.5, 1, 1, 1]) + np.array([[0, 0, 0, 0.5]] + [[0] * 4] * 3))
    values = resample_probability(np.array([[[0.0, 1.0]]]), source, target)
    assert values.ravel().tolist() == [0.5, 1.0, 1.0, 0.0]


def test_an_array_of_another_shape_is_refused():
    """A mask that does not fit its grid is not moved."""
    with pytest.raises(GeometryError, match="shape"):
        resample_mask(a_box((2, 2, 3)), a_grid((2, 2, 2)), a_grid((2, 2, 2)))
