"""Small nodules against what the scanner would show of them: density, core and rim, stumps of vessels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from ctinsight.regions.lungs import cube_grid
from ctinsight.resample import resample
from ctinsight.tasks.nodule.balance import others_of
from ctinsight.tasks.nodule.caps import without_stumps
from ctinsight.tasks.nodule.cube import Cube, slices_across
from ctinsight.tasks.nodule.layers import find_layers
from ctinsight.tasks.nodule.scanner import box_weights, even_fit, zone_about
from ctinsight.volume import Grid, Volume

LUNG_HU, RIM_HU, CORE_HU = -850.0, -600.0, 40.0
FINE = cube_grid((0.0, 0.0, 0.0), 9.0, 0.3)


def away(grid: Grid):
    """Distance of every voxel from the origin, mm."""
    k, j, i = np.indices(grid.shape_kji)
    return np.linalg.norm(grid.ras_from_ijk(np.stack([i, j, k], axis=-1)), axis=-1)


def scanned(parts, thickness_mm=0.6, noise_hu=20.0):
    """Scan concentric balls (radius in mm, HU) and interpolate the CT on a cube.

    Drawn on voxels of 0.15 mm, blurred by 0.4 mm and averaged over 0.6 x 0.6 x ``thickness_mm``.
    """
    fine = Grid((144, 144, 144), np.diag([0.15, 0.15, 0.15, 1.0]) + _shift(-10.725))
    hu = np.full(fine.shape_kji, LUNG_HU, dtype=np.float32)
    for radius, value in parts:
        hu[away(fine) < radius] = value
    hu = ndimage.gaussian_filter(hu, 0.4 / 0.15)
    n = round(thickness_mm / 0.15)
    native = hu.reshape(144 // n, n, 36, 4, 36, 4).mean(axis=(1, 3, 5))
    native += np.random.default_rng(1).normal(0, noise_hu, native.shape)
    matrix = np.diag([0.6, 0.6, thickness_mm, 1.0]) + _shift(-10.8 + 0.3)
    matrix[2, 3] = -10.8 + thickness_mm / 2
    volume = Volume(native.astype(np.float32), matrix)
    inside = np.ones(FINE.shape_kji, dtype=bool)
    cube_hu = resample(volume, FINE, order=3).array_kji
    gap = np.full(FINE.shape_kji, 40.0, dtype=np.float32)
    return Cube(FINE, np.float32(cube_hu), inside, (thickness_mm, 0.6, 0.6), gap, volume)


def _shift(mm):
    matrix = np.zeros((4, 4))
    matrix[:3, 3] = mm
    return matrix


def test_a_thin_rim_is_found_with_its_density():
    """A core of 3 mm radius in ground glass of 4 mm: the rim of 1 mm never shows its -600 HU by itself."""
    cube = scanned(((4.0, RIM_HU), (3.0, CORE_HU)))
    layers = find_layers(cube, away(FINE) < 4.2, -300.0)
    assert layers.rim_hu == pytest.approx(RIM_HU, abs=30)
    assert layers.core_hu == pytest.approx(CORE_HU, abs=60)
    assert layers.without_core(cube).hu_kji[30, 30, 30] < -400


def test_an_even_nodule_has_no_rim():
    """The blurred border of a solid ball of 4 mm radius is not ground glass."""
    assert find_layers(scanned(((4.0, CORE_HU),)), away(FINE) < 4.4, -300.0) is None


def test_what_two_slices_show_is_not_taken_apart():
    """Slices of 3.6 mm through a ball of 8 mm: fewer than three."""
    cube = scanned(((4.0, RIM_HU), (2.0, CORE_HU)), thickness_mm=3.6)
    assert slices_across(cube, away(FINE) < 4.0) == pytest.approx(8 / 3.6, abs=0.2)
    assert find_layers(cube, away(FINE) < 4.0, -300.0) is None


@pytest.mark.parametrize("thickness_mm", [0.6, 1.8])
def test_the_density_of_a_small_ball_is_fitted(thickness_mm):
    """Ground glass of 5 mm across: the fit finds its contrast to 10 %, also on slices of 1.8 mm."""
    zone = zone_about(scanned(((2.5, RIM_HU),), thickness_mm), away(FINE) < 2.5)
    lung, more = even_fit(zone, 180.0).values_hu
    assert lung == pytest.approx(LUNG_HU, abs=10)
    assert more == pytest.approx(RIM_HU - LUNG_HU, rel=0.10)


@pytest.mark.parametrize("width", [0.4, 1.0, 2.0, 3.5, 5.0])
def test_a_box_of_any_width_sums_to_one_and_has_its_spread(width):
    """The variance lies between that of whole samples, (w² - 1) / 12, and of shared ones, (w² + 2) / 12."""
    weights = box_weights(width)
    places = np.arange(len(weights)) - len(weights) // 2
    assert weights.sum() == pytest.approx(1.0)
    spread = float((weights * places**2).sum())
    assert (width**2 - 1) / 12 - 1e-6 <= spread <= (width**2 + 2) / 12 + 1e-6


def test_the_stump_of_a_vessel_is_taken_off():
    """A ball of 5 mm radius with a vessel of 2 mm, cut 1.5 mm away, is left with the ball's volume."""
    ball = away(FINE) < 5.0
    _, j, i = (np.indices(FINE.shape_kji) - 30) * 0.3
    rod = (np.hypot(j, i) < 2.0) & (np.indices(FINE.shape_kji)[0] > 30)
    cube = scanned(((5.0, CORE_HU),))
    stump = ball | (rod & (away(FINE) < 6.5))
    left = without_stumps(cube, stump, ball | rod)
    assert left.sum() == pytest.approx(ball.sum(), rel=0.02)
    assert stump.sum() > 1.03 * ball.sum()


def test_a_free_nodule_keeps_every_voxel():
    """Nothing was cut off, and grains at the border are no vessel."""
    ball = away(FINE) < 5.0
    grains = ball | (away(FINE) < 5.3)
    cube = scanned(((5.0, CORE_HU),))
    assert not others_of(cube, ball, grains).any()
    assert np.array_equal(without_stumps(cube, ball, grains), ball)
