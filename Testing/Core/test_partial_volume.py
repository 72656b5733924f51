"""The volume with its border weighed: balls of known volume, and the cases where it does not apply."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from ctinsight.measure import partial_volume, volume_ml
from ctinsight.volume import Grid

BLOOD_HU, BRAIN_HU, RADIUS_MM = 62.0, 32.0, 11.5
BALL_ML = 4 / 3 * np.pi * RADIUS_MM**3 / 1000


def a_ball_in_brain(offset_mm: float, *, seed: int = 0, noise_hu: float = 4.0):
    """Draw a ball of 6.4 mL in slices of 5 mm, ``offset_mm`` off the middle of a slice; HU, share, grid."""
    spacing = np.array([5.0, 0.6, 0.6])
    grid = Grid((12, 80, 80), np.diag([0.6, 0.6, 5.0, 1.0]))
    fine = [(np.arange(n * m) + 0.5) / m - n / 2 for n, m in zip(grid.shape_kji, (10, 2, 2), strict=True)]
    k, j, i = np.meshgrid(*[f * s for f, s in zip(fine, spacing, strict=True)], indexing="ij", sparse=True)
    inside = (k - offset_mm) ** 2 + j**2 + i**2 < RADIUS_MM**2
    share = inside.reshape(12, 10, 80, 2, 80, 2).mean(axis=(1, 3, 5))
    noise = np.random.default_rng(seed).normal(0, noise_hu, share.shape)
    return BRAIN_HU + share * (BLOOD_HU - BRAIN_HU) + noise, share, grid


@pytest.mark.parametrize("offset_mm", [0.0, 0.8, 1.7, 2.5])
def test_a_ball_of_6_ml_in_thick_slices_is_within_2_percent(offset_mm):
    """Wherever the slices cut it, the weighed volume is within 2 % of the formula."""
    hu, share, grid = a_ball_in_brain(offset_mm)
    found = partial_volume(hu, share > 0.5, grid)
    assert found.reason == ""
    assert found.volume_ml == pytest.approx(BALL_ML, rel=0.02)


def test_an_outline_one_voxel_too_wide_gives_the_same_volume():
    """A pixel wider in front and behind, the count rises by over 5 %; the weighed volume stays within 2 %."""
    hu, share, grid = a_ball_in_brain(0.8)
    wide = ndimage.binary_dilation(share > 0.5, np.ones((1, 3, 1)))
    assert volume_ml(wide, grid) > 1.05 * volume_ml(share > 0.5, grid)
    assert partial_volume(hu, wide, grid).volume_ml == pytest.approx(BALL_ML, rel=0.02)


def test_noise_of_one_sign_is_not_dropped():
    """With noise of 10 HU, a third of the contrast, the mean error over five seeds stays below 1 %."""
    errors = []
    for seed in range(5):
        hu, share, grid = a_ball_in_brain(1.7, seed=seed, noise_hu=10.0)
        errors.append(partial_volume(hu, share > 0.5, grid).volume_ml / BALL_ML - 1)
    assert abs(np.mean(errors)) < 0.01


def test_bone_beside_the_blood_keeps_its_count():
    """With 900 HU right beside it on one side, the volume moves by less than 2 %."""
    hu, share, grid = a_ball_in_brain(0.0)
    hu[:, :, 60:] = 900.0
    assert partial_volume(hu, share > 0.5, grid).volume_ml == pytest.approx(BALL_ML, rel=0.02)


def _far_from_edges(hu, share):
    return hu, ndimage.shift((share > 0.5).astype(np.uint8), (0, 25, 0), order=0) > 0


def _one_slice_thin(hu, share):
    mask = share > 0.5
    mask[:6] = mask[7:] = False
    mask[:, :39] = mask[:, 41:] = False
    return hu, mask


def _of_two_densities(hu, share):
    dark = hu.copy()
    dark[:, :40] -= 20 * share[:, :40]
    return dark, share > 0.5


def _without_contrast(hu, share):
    return hu - share * 25.0, share > 0.5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_far_from_edges, "contrast"),
        (_one_slice_thin, "thin"),
        (_of_two_densities, "mixed density"),
        (_without_contrast, "contrast"),
    ],
)
def test_where_it_does_not_apply_the_count_stands_with_a_reason(change, reason):
    """An outline off the blood, a thread, blood of two densities and blood like brain are counted."""
    hu, share, grid = a_ball_in_brain(0.0)
    hu, mask = change(hu, share)
    found = partial_volume(hu, mask, grid)
    assert reason in found.reason
    assert found.volume_ml == pytest.approx(volume_ml(mask, grid))


def test_an_outline_half_beside_the_blood_is_counted():
    """Shifted by half its width, its border is no edge of blood."""
    hu, share, grid = a_ball_in_brain(0.0)
    mask = ndimage.shift((share > 0.5).astype(np.uint8), (0, 14, 0), order=0) > 0
    found = partial_volume(hu, mask, grid)
    assert found.reason
    assert found.volume_ml == pytest.approx(volume_ml(mask, grid))


def test_an_outline_far_too_wide_is_counted():
    """A pixel wider all around, corners too: the readings differ by over 10 %, and the reason says so."""
    hu, share, grid = a_ball_in_brain(0.8)
    wide = ndimage.binary_dilation(share > 0.5, np.ones((1, 3, 3)))
    found = partial_volume(hu, wide, grid)
    assert "differ too much" in found.reason
    assert found.volume_ml == pytest.approx(volume_ml(wide, grid))


def test_an_empty_mask_is_nothing():
    """No voxel, no volume."""
    hu, share, grid = a_ball_in_brain(0.0)
    assert partial_volume(hu, share > 2, grid).volume_ml == 0.0
