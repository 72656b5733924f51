"""The synthetic head: the same head on every grid, with true volumes, sides and attenuations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from ctinsight.errors import WrongUseError
from ctinsight.finding import Side
from ctinsight.phantoms import (
    Ellipsoid,
    HeadSpec,
    Pose,
    clinical_grid,
    crescent,
    head_grid,
    head_phantom,
    standard_phantoms,
)
from ctinsight.phantoms.cranium import Cranium
from ctinsight.volume import Grid

BLEED = Ellipsoid((-28, -5, 14), (12, 16, 11), mean_hu=62.0)


def block(spacing_mm, *, rotation_degrees=(0, 0, 0), flip=(True, True, False)) -> Grid:
    """Make a small grid about the bleed, which is quick to draw."""
    whole = head_grid(spacing_mm, size_mm=(44, 52, 40), rotation_degrees=rotation_degrees, flip_ijk=flip)
    matrix = whole.ijk_to_ras.copy()
    matrix[:3, 3] += np.array(BLEED.centre) - (0, -8, 8)
    return Grid(whole.shape_kji, matrix)


@pytest.fixture(scope="module")
def a_head():
    """Draw a whole head at 2 x 2 x 5 mm with a bleed on the left and a bead on the left temple."""
    return head_phantom(HeadSpec(head_grid((2, 2, 5)), 1, (BLEED,), left_marker=True, sample_mm=2.5))


@pytest.mark.parametrize(
    ("spacing_mm", "rotation_degrees", "tolerance"),
    [
        ((0.5, 0.5, 0.5), (0, 0, 0), 0.002),
        ((1, 1, 1), (25, 10, 40), 0.01),
        ((0.45, 0.45, 5), (0, 0, 0), 0.02),
    ],
)
def test_counted_voxels_are_the_true_volume(spacing_mm, rotation_degrees, tolerance):
    """4/3 pi * 12 * 16 * 11 mm3 = 8.847 mL, straight and oblique, cubes and slices."""
    case = head_phantom(HeadSpec(block(spacing_mm, rotation_degrees=rotation_degrees), lesions=(BLEED,)))
    counted_ml = case.truth_kji.sum() * case.volume.grid.voxel_volume_ml
    assert case.truth_ml == pytest.approx(8.847, abs=5e-4)
    assert counted_ml == pytest.approx(case.truth_ml, rel=tolerance)


def test_the_inside_of_a_bleed_has_its_mean_attenuation():
    """Two voxels from its border the mean is 62 HU within 1 HU, and the noise 4 HU within 10 %."""
    case = head_phantom(HeadSpec(block((1, 1, 2)), lesions=(BLEED,), noise_hu=4.0))
    core = case.volume.array_kji[ndimage.binary_erosion(case.truth_kji, iterations=2)]
    assert core.mean() == pytest.approx(62, abs=1)
    assert core.std() == pytest.approx(4, rel=0.1)


def test_a_thick_slice_shows_partial_volume():
    """A slice of 20 mm centred on the bleed's top is a mix: darker than blood, brighter than brain."""
    top = Grid((1, 3, 3), np.array([[2, 0, 0, -30], [0, 2, 0, -7], [0, 0, 20, 25], [0, 0, 0, 1]]))
    case = head_phantom(HeadSpec(top, lesions=(BLEED,), noise_hu=0.0))
    assert 40 < case.volume.array_kji[0, 1, 1] < 55


def test_flipped_axes_show_the_same_head():
    """Running i to the right, j to anterior and k to inferior reverses the array and changes nothing else."""
    usual = head_phantom(HeadSpec(block((3, 3, 5)), lesions=(BLEED,), noise_hu=0.0))
    reverse = block((3, 3, 5), flip=(False, False, True))
    flipped = head_phantom(HeadSpec(reverse, lesions=(BLEED,), noise_hu=0.0))
    difference = usual.volume.array_kji - flipped.volume.array_kji[::-1, ::-1, ::-1]
    assert np.abs(difference).max() <= 1
    assert np.array_equal(usual.truth_kji, flipped.truth_kji[::-1, ::-1, ::-1])


def test_a_turned_grid_shows_the_same_head():
    """Swapping rows and columns samples the same points, so the picture is a turned picture."""
    straight = head_phantom(HeadSpec(block((3, 3, 3)), noise_hu=0.0))
    grid = straight.volume.grid
    swapped = grid.ijk_to_ras[:, [1, 0, 2, 3]]
    k, j, i = grid.shape_kji
    turned = head_phantom(HeadSpec(Grid((k, i, j), swapped), noise_hu=0.0))
    difference = straight.volume.array_kji - turned.volume.array_kji.transpose(0, 2, 1)
    assert np.abs(difference).max() <= 1


def test_the_same_seed_gives_the_same_bytes():
    """Drawn twice, a head is identical; another seed is another head."""
    spec = HeadSpec(block((3, 3, 5)), seed=4, lesions=(BLEED,), sample_mm=3)
    first, again, other = (head_phantom(replace(spec, seed=s)).volume.array_kji for s in (4, 4, 5))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_the_left_marker_is_on_the_patients_left(a_head):
    """The bead of 1500 HU outside the skin lies at R < -75 mm, in the last columns of the usual order."""
    bead_hu, grid = a_head.volume.array_kji, a_head.volume.grid
    far_left = grid.ras_from_ijk([[i, 0, 0] for i in range(grid.shape_kji[2])])[:, 0] < -82
    assert far_left[-1]
    assert bead_hu[:, :, far_left].max() > 700
    assert bead_hu[:, :, far_left[::-1]].max() < 700


def test_the_bleed_lies_where_it_was_put(a_head):
    """The centroid of the true voxels is the ellipsoid's centre, left of the midline, within 0.5 mm."""
    centroid_ijk = np.argwhere(a_head.truth_kji).mean(axis=0)[::-1]
    assert a_head.volume.grid.ras_from_ijk(centroid_ijk) == pytest.approx(BLEED.centre, abs=0.5)


def test_the_tissues_have_their_attenuation(a_head):
    """White matter 26-33 HU, ventricle 4-12 HU, vault over 500 HU, air -1000 HU, at known points."""
    grid, hu = a_head.volume.grid, ndimage.uniform_filter(a_head.volume.array_kji.astype(float), (1, 3, 3))

    def at(r, a, s):
        i, j, k = np.rint(grid.ijk_from_ras((r, a, s))).astype(int)
        return hu[k, j, i]

    assert 26 < at(26, -10, 38) < 33
    assert 4 < at(9, 24, 10) < 14
    assert at(0, -105, 5) > 500
    assert at(100, 90, 70) == pytest.approx(-1000, abs=8)


def test_the_brain_mask_has_an_adults_volume_and_holds_the_bleed(a_head):
    """Intracranial content of 1300 to 1700 mL, in one piece, with every true voxel inside."""
    volume_ml = a_head.brain_kji.sum() * a_head.volume.grid.voxel_volume_ml
    assert 1300 < volume_ml < 1700
    assert ndimage.label(a_head.brain_kji)[1] == 1
    assert not (a_head.truth_kji & ~a_head.brain_kji).any()


def test_a_turned_head_takes_its_midline_and_lesion_along():
    """Turned by 90 degrees about S, the patient's right points to scanner-anterior and so does the plane."""
    case = head_phantom(HeadSpec(Grid((1, 1, 1), np.eye(4)), pose=Pose((0, 0, 90), (5, 0, 0))))
    assert case.midline_normal_ras == pytest.approx([0, 1, 0], abs=1e-12)
    assert case.midline_point_ras == pytest.approx([5, 0, 0])


def test_a_bleed_through_the_skull_is_refused():
    """An ellipsoid that leaves the cranium has no true volume."""
    outside = Ellipsoid((-60, -5, 14), (20, 16, 11))
    with pytest.raises(WrongUseError, match="outside the intracranial space"):
        head_phantom(HeadSpec(head_grid((4, 4, 5)), lesions=(outside,), sample_mm=9))


def test_overlapping_bleeds_are_refused():
    """Volumes of overlapping lesions do not add up."""
    with pytest.raises(WrongUseError, match="overlap"):
        head_phantom(HeadSpec(block((4, 4, 5)), lesions=(BLEED, BLEED), sample_mm=9))


def test_a_crescent_for_another_head_is_refused():
    """A crescent follows the skull it was made for."""
    with pytest.raises(WrongUseError, match="crescent made for a head"):
        head_phantom(HeadSpec(lesions=(crescent(Side.LEFT, 8, cranium=Cranium((0.9, 1, 1))),)))


def test_the_clinical_grid_is_512_by_512_by_5_mm():
    """0.45 x 0.45 x 5 mm, 34 slices."""
    assert clinical_grid().shape_kji == (34, 512, 512)
    assert clinical_grid().spacing_ijk_mm == pytest.approx((0.45, 0.45, 5.0))


@pytest.mark.slow
@pytest.mark.parametrize("phantom", standard_phantoms(), ids=lambda phantom: phantom.name)
def test_every_standard_phantom_shows_its_volume(phantom):
    """Counted voxels are within 2 % of the truth above 5 mL, within 5 % below."""
    case = phantom.draw()
    counted_ml = case.truth_kji.sum() * case.volume.grid.voxel_volume_ml
    assert counted_ml == pytest.approx(case.truth_ml, rel=0.02 if case.truth_ml > 5 else 0.05)
