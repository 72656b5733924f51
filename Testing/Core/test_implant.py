"""Implanting a known lesion into a head: volume, place, side, attenuation, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from ctinsight.errors import GeometryError, WrongUseError
from ctinsight.finding import Side
from ctinsight.phantoms import HeadSpec, ImplantRecipe, head_grid, head_phantom, implant_lesion
from ctinsight.phantoms.texture import NoiseLevel, correlated_noise, measure_noise
from ctinsight.volume import Grid

BALL_AT = (28.0, -5.0, 20.0)


@pytest.fixture(scope="module")
def a_host():
    """Draw a head without a bleed at 1.5 x 1.5 x 5 mm."""
    return head_phantom(HeadSpec(head_grid((1.5, 1.5, 5)), 2, sample_mm=2.5))


@pytest.fixture(scope="module")
def a_lesion():
    """Make a ball of blood (label 1) of 12 mm radius in a shell of oedema (3) to 16 mm, right of the middle.

    1 mm voxels, axes in RAS order; the ball lies 25 mm to the right of its grid's centre, with a smaller ball
    further right, so that it is no mirror image of itself.
    """
    z, y, x = np.mgrid[-40:41, -40:41, -60:61]
    away = np.sqrt((x - 25.0) ** 2 + y**2 + z**2)
    bump = np.sqrt((x - 38.0) ** 2 + y**2 + z**2)
    labels = np.where(np.minimum(away - 12, bump - 5) < 0, 1, np.where(away < 16, 3, 0)).astype(np.uint8)
    matrix = np.eye(4)
    matrix[:3, 3] = (-60, -40, -40)
    return labels, Grid(labels.shape, matrix)


def implanted(host, lesion, **options):
    """Implant into a phantom host."""
    return implant_lesion(host.volume, host.brain_kji, *lesion, recipe=ImplantRecipe(**options))


def mask_ml(lesion) -> float:
    """Volume of label 1 on 1 mm voxels."""
    return float((lesion[0] == 1).sum()) / 1000


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.3])
def test_the_true_volume_is_the_masks_times_the_cube_of_the_scale(a_host, a_lesion, scale):
    """Label 1 holds n voxels of 0.001 mL: at scale s there are n * s cubed / 1000 mL, within 0.5 %.

    Counting voxels more than half filled loses the caps of the ball in 5 mm slices: up to 5 %.
    """
    case = implanted(a_host, a_lesion, position_ras=BALL_AT, scale=scale)
    assert case.clipped_ml == 0
    assert case.truth_ml == pytest.approx(mask_ml(a_lesion) * scale**3, rel=0.005)
    counted_ml = case.truth_kji.sum() * a_host.volume.grid.voxel_volume_ml
    assert counted_ml == pytest.approx(case.truth_ml, rel=0.05)


def test_an_oblique_host_receives_the_same_volume(a_lesion):
    """Host grid turned by 20, 10 and 15 degrees, lesion turned by 30 degrees: the same mL within 0.5 %."""
    grid = head_grid((1.2, 1.2, 4), size_mm=(150, 150, 60), rotation_degrees=(20, 10, 15))
    host = head_phantom(HeadSpec(grid, sample_mm=4))
    case = implanted(host, a_lesion, position_ras=(25, -8, 8), rotation_degrees=(0, 0, 30))
    assert case.truth_ml == pytest.approx(mask_ml(a_lesion), rel=0.005)
    assert case.centroid_ras == pytest.approx((25, -8, 8), abs=0.3)


def test_the_blood_has_the_mean_asked_for_inside(a_host, a_lesion):
    """One voxel from its border the mean is 55 HU within 1 HU."""
    case = implanted(a_host, a_lesion, position_ras=BALL_AT, mean_hu=55.0)
    core = ndimage.binary_erosion(case.truth_kji, np.ones((3, 3, 3)))
    assert case.volume.array_kji[core].mean() == pytest.approx(55, abs=1)


def test_the_edge_is_a_mix_of_blood_and_brain(a_host, a_lesion):
    """At the poles of the ball the blood is diluted: voxels brighter than brain that are not truth."""
    case = implanted(a_host, a_lesion, position_ras=BALL_AT)
    changed = case.volume.array_kji != a_host.volume.array_kji
    rim = changed & ~case.truth_kji & a_host.brain_kji
    mixed = (case.volume.array_kji > a_host.volume.array_kji + 3) & rim
    assert mixed.sum() > 50
    assert not (changed & ~a_host.brain_kji).any()


def test_oedema_is_darker_than_the_brain_and_never_truth(a_host, a_lesion):
    """In the shell of label 3, 13 to 16 mm from the centre, voxels fall by up to 8 HU."""
    case = implanted(a_host, a_lesion, position_ras=BALL_AT, side=Side.RIGHT)
    away = _distance_mm(a_host.volume.grid, BALL_AT, case)
    change = case.volume.array_kji.astype(int) - a_host.volume.array_kji
    shell = (away > 13.5) & (away < 15) & (a_host.volume.array_kji > 20) & (change <= 0)
    assert change[shell].mean() < -4
    assert change[shell].min() >= -9
    assert not case.truth_kji[shell].any()


def _distance_mm(grid, _point, case):
    """Distance of every voxel to the ball's centre, which the bump moves off the blood's centroid."""
    ijk = np.stack(np.indices(grid.shape_kji)[::-1], axis=-1)
    volume_ball, volume_all = 4 / 3 * np.pi * 12**3, case.truth_ml * 1000
    shift = 13.0 * (1 - volume_ball / volume_all)
    centre = np.array(case.centroid_ras) - (shift, 0, 0)
    return np.linalg.norm(grid.ras_from_ijk(ijk) - centre, axis=-1)


@pytest.mark.parametrize(("side", "sign"), [(Side.RIGHT, 1), (Side.LEFT, -1)])
def test_the_side_is_the_patients_and_the_shape_is_mirrored(a_host, a_lesion, side, sign):
    """The bump lies laterally of the ball on either side, so the blood reaches farther out than in."""
    case = implanted(a_host, a_lesion, side=side)
    r_mm = a_host.volume.grid.ras_from_ijk(np.argwhere(case.truth_kji)[:, ::-1])[:, 0] * sign
    assert case.centroid_ras[0] * sign == pytest.approx(26, abs=3)
    assert r_mm.max() - r_mm.mean() > r_mm.mean() - r_mm.min()


def test_the_same_recipe_gives_the_same_bytes(a_host, a_lesion):
    """Another seed changes the noise only: the truth stays."""
    first, again, other = (implanted(a_host, a_lesion, seed=s, position_ras=BALL_AT) for s in (1, 1, 2))
    assert first.volume.array_kji.tobytes() == again.volume.array_kji.tobytes()
    assert first.volume.array_kji.tobytes() != other.volume.array_kji.tobytes()
    assert np.array_equal(first.truth_kji, other.truth_kji)


def test_the_result_says_that_it_is_semi_synthetic(a_host, a_lesion):
    """Every implanted case carries the words."""
    assert implanted(a_host, a_lesion).statement.startswith("Semi-synthetic")


def test_a_position_in_the_skull_is_refused_with_the_ml(a_host, a_lesion):
    """A ball half in the skull would lose its truth."""
    with pytest.raises(WrongUseError, match="mL of blood outside the brain mask"):
        implanted(a_host, a_lesion, position_ras=(68, -10, 10))


def test_blood_cut_at_the_brain_mask_is_said_in_ml(a_host, a_lesion):
    """When clipping is allowed, placed and clipped mL add up to the mask's volume within 1 %."""
    case = implanted(a_host, a_lesion, position_ras=(56, -10, 20), max_clipped_fraction=0.6)
    assert case.clipped_ml > 0.3
    assert case.truth_ml + case.clipped_ml == pytest.approx(mask_ml(a_lesion), rel=0.01)
    assert not (case.truth_kji & ~a_host.brain_kji).any()


def test_extra_axial_blood_slides_to_the_surface(a_host, a_lesion):
    """As label 2 the ball comes to touch the brain surface; in the middle of the brain it is refused."""
    labels, grid = np.where(a_lesion[0] == 1, 2, 0), a_lesion[1]
    case = implanted(a_host, (labels, grid))
    depth_mm = ndimage.distance_transform_edt(a_host.brain_kji, a_host.volume.grid.spacing_kji_mm)
    assert depth_mm[case.truth_kji].min() < 3
    with pytest.raises(WrongUseError, match="beneath the brain surface"):
        implanted(a_host, (labels, grid), position_ras=BALL_AT)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"mean_hu": 90.0}, "90 HU"),
        ({"scale": 0.0}, "scale of 0"),
        ({"side": Side.MIDLINE}, "midline"),
        ({"blood_labels": (1, 3)}, "label 3"),
    ],
)
def test_a_recipe_out_of_range_is_refused(options, found):
    """The recipe refuses nonsense when it is made."""
    with pytest.raises(WrongUseError, match=found):
        ImplantRecipe(**options)


def test_a_position_on_the_other_side_is_refused(a_host, a_lesion):
    """Side left and a position at R = +28 mm contradict each other."""
    with pytest.raises(WrongUseError, match="patient's right"):
        implanted(a_host, a_lesion, side=Side.LEFT, position_ras=BALL_AT)


def test_a_lesion_without_blood_is_refused(a_host, a_lesion):
    """Oedema alone is no bleed."""
    with pytest.raises(WrongUseError, match="without the labels"):
        implanted(a_host, (np.full_like(a_lesion[0], 3), a_lesion[1]))


def test_a_mask_of_another_shape_is_refused(a_host, a_lesion):
    """The brain mask must lie on the host's grid."""
    with pytest.raises(GeometryError, match="brain mask of shape"):
        implant_lesion(a_host.volume, a_host.brain_kji[1:], *a_lesion, recipe=ImplantRecipe())


def test_noise_is_measured_as_it_was_drawn():
    """5 HU with neighbours correlated by 0.6 on a flat image come back within 5 %."""
    drawn = NoiseLevel(5.0, 0.6)
    flat = 35 + correlated_noise(np.random.default_rng(0), (4, 200, 200), drawn)
    measured = measure_noise(flat, np.ones(flat.shape, dtype=np.bool_))
    assert measured.sd_hu == pytest.approx(5.0, rel=0.05)
    assert measured.correlation == pytest.approx(0.6, abs=0.05)


def test_the_real_lesion_mask_leaves_its_oedema_out(shared):
    """Labels 1, 2 and 4 of the public mask are 46.448 + 22.852 + 0.592 mL; half its size is an eighth."""
    from ctinsight.files import read_labelmap

    lesion = read_labelmap(shared / "data" / "head_lesion_mask" / "scan_0_segmentation.nii.gz")
    host = head_phantom(HeadSpec(head_grid((2, 2, 4)), sample_mm=9))
    case = implanted(host, lesion, scale=0.5)
    assert case.truth_ml + case.clipped_ml == pytest.approx(69.892 / 8, rel=0.02)


@pytest.mark.slow
def test_the_semi_synthetic_case_holds_its_blood_on_the_side_asked_for(shared):
    """The public mask in the public CT, either side: 69.892 mL less what the brain mask cuts, at most 5 %."""
    from ctinsight.files import read_labelmap, read_scan
    from ctinsight.regions.brain import extract_brain

    volume = read_scan(shared / "data" / "head_ncct_ge" / "dicom").volume
    brain = extract_brain(volume).mask_kji
    lesion = read_labelmap(shared / "data" / "head_lesion_mask" / "scan_0_segmentation.nii.gz")
    for side, sign in ((Side.RIGHT, 1), (Side.LEFT, -1)):
        case = implant_lesion(volume, brain, *lesion, recipe=ImplantRecipe(side=side))
        assert case.centroid_ras[0] * sign > 5
        assert case.truth_ml + case.clipped_ml == pytest.approx(69.892, rel=0.01)
        assert case.clipped_ml < 0.05 * 69.892
