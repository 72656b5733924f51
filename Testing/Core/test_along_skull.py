"""Blood along the skull: out to the inner table, into thin ends, never into bone, never out of nothing."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.finding import Side
from ctinsight.measure import dice, volume_ml
from ctinsight.phantoms import HeadSpec, crescent, head_grid, head_phantom
from ctinsight.regions.brain import extract_brain
from ctinsight.tasks.hematoma import Parameters
from ctinsight.tasks.hematoma.outline import outline_blood
from ctinsight.volume import Volume

INNER_MM, OUTER_MM, STEP_MM = 48.0, 54.0, 1.2
BLOOD_HU, BRAIN_HU, BONE_HU = 62.0, 32.0, 1000.0
CAP_COSINE, CAP_DEPTH_MM = np.cos(np.radians(50.0)), 7.0
#: A spherical shell of 7 mm over 50 degrees: 2 pi (1 - cos 50) / 3 x (48^3 - 41^3).
CAP_ML = 2 * np.pi * (1 - CAP_COSINE) / 3 * (INNER_MM**3 - (INNER_MM - CAP_DEPTH_MM) ** 3) / 1000


def a_ramp(distance_mm):
    """Return the share of a voxel on the negative side of a plane at that distance."""
    return np.clip(0.5 - distance_mm / STEP_MM, 0, 1)


@pytest.fixture(scope="module")
def a_cap():
    """Draw blood under a round skull on 1.2 mm cubes: CT, a brain mask 1.5 mm short, distances in mm."""
    axis = (np.arange(96) - 47.5) * STEP_MM
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij", sparse=True)
    radius = np.sqrt(x**2 + y**2 + z**2)
    shell = a_ramp(INNER_MM - CAP_DEPTH_MM - radius) * (x / np.maximum(radius, 1) > CAP_COSINE)
    hu = BRAIN_HU + shell * (BLOOD_HU - BRAIN_HU)
    inside, head = a_ramp(radius - INNER_MM), a_ramp(radius - OUTER_MM)
    hu = inside * hu + (head - inside) * BONE_HU + (1 - head) * -1000.0
    hu += np.random.default_rng(0).normal(0, 3.0, hu.shape)
    matrix = np.diag([STEP_MM, STEP_MM, STEP_MM, 1.0])
    return Volume(hu.astype(np.float32), matrix), radius < INNER_MM - 1.5, radius


def test_a_layer_under_the_skull_reaches_the_inner_table(a_cap):
    """A shell of 31.2 mL is within 5 % though the brain mask ends 1.5 mm short of the bone."""
    volume, brain, _radius = a_cap
    mask = outline_blood(volume, brain, Parameters()).mask_kji
    assert volume_ml(mask & brain, volume.grid) < 0.85 * CAP_ML
    assert volume_ml(mask, volume.grid) == pytest.approx(CAP_ML, rel=0.05)


def test_nothing_beyond_half_bone_is_blood(a_cap):
    """No voxel whose center lies more than half a voxel inside the bone is in the outline."""
    volume, brain, radius = a_cap
    mask = outline_blood(volume, brain, Parameters()).mask_kji
    assert radius[mask].max() < INNER_MM + STEP_MM / 2


def test_a_fixed_range_is_taken_at_its_word(a_cap):
    """With 45 to 95 HU stated, no voxel shared with bone is added."""
    volume, brain, _radius = a_cap
    mask = outline_blood(volume, brain, Parameters(range_hu=(45.0, 95.0))).mask_kji
    assert not (mask & ~brain).any()


def test_a_window_that_hides_bone_adds_nothing(a_cap):
    """Clipped at 80 HU there is no bone to share a voxel with, so the outline keeps to the brain."""
    volume, brain, _radius = a_cap
    clipped = volume.with_array(np.clip(volume.array_kji, 0, 80))
    mask = outline_blood(clipped, brain, Parameters()).mask_kji
    assert mask.any()
    assert not (mask & ~brain).any()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["threshold", "fcm", "active-contour"])
def test_a_crescent_of_9_mm_is_within_5_percent(method):
    """On 1 mm cubes each method measures a subdural crescent drawn by formula."""
    lesion = crescent(Side.LEFT, 9.0, mean_hu=62.0)
    case = head_phantom(HeadSpec(head_grid((1, 1, 1)), seed=41, lesions=(lesion,)))
    brain = extract_brain(case.volume).mask_kji
    mask = outline_blood(case.volume, brain, Parameters(method=method)).mask_kji
    assert volume_ml(mask, case.volume.grid) == pytest.approx(case.truth_ml, rel=0.05)
    assert dice(mask, case.truth_kji) > 0.95
