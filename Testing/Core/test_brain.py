"""The intracranial space: whole, without skull, on any grid, and refused where there is no head."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK  # reads the atlas: its values are not HU, so the project's own reader is not asked

from ctinsight.errors import InputRefusedError
from ctinsight.files import read_scan
from ctinsight.finding import Side
from ctinsight.phantoms import HeadSpec, crescent, head_grid, head_phantom
from ctinsight.phantoms.cranium import FORAMEN_CENTRE
from ctinsight.regions.brain import extract_brain
from ctinsight.volume import Volume

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def overlap(a, b) -> float:
    """Dice coefficient."""
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


@pytest.fixture(scope="module")
def a_bleeding_head():
    """Draw a head in thick slices with a subdural crescent of 75 HU, 14 mm deep, on the right."""
    lesion = crescent(Side.RIGHT, 14.0, mean_hu=75.0)
    return head_phantom(HeadSpec(head_grid((1, 1, 5)), lesions=(lesion,), sample_mm=2.5))


@pytest.fixture(scope="module")
def its_brain(a_bleeding_head):
    """Extract the brain of the bleeding head once."""
    return extract_brain(a_bleeding_head.volume)


def test_the_mask_is_the_cranial_cavity(a_bleeding_head, its_brain):
    """In slices of 5 mm with a bleed on the skull the Dice with the true cavity is at least 0.97."""
    assert overlap(its_brain.mask_kji, a_bleeding_head.brain_kji) >= 0.97
    counted_ml = its_brain.mask_kji.sum() * a_bleeding_head.volume.grid.voxel_volume_ml
    assert its_brain.volume_ml == pytest.approx(counted_ml)


def test_an_oblique_fine_grid_gives_the_cavity_too():
    """On 2 mm cubes turned by 12, -8 and 20 degrees the Dice is at least 0.98."""
    grid = head_grid((2, 2, 2), rotation_degrees=(12, -8, 20))
    case = head_phantom(HeadSpec(grid, seed=2, sample_mm=2.5))
    assert overlap(extract_brain(case.volume).mask_kji, case.brain_kji) >= 0.98


def test_a_bleed_on_the_skull_is_inside(a_bleeding_head, its_brain):
    """No more than 0.1 % of the crescent's voxels under 120 HU (the rest is half bone) is left out."""
    soft_blood = a_bleeding_head.truth_kji & (a_bleeding_head.volume.array_kji < 120)
    assert (soft_blood & ~its_brain.mask_kji).sum() <= 0.001 * soft_blood.sum()


def test_neither_bone_nor_air_nor_fat_is_inside(a_bleeding_head, its_brain):
    """Under 1 % of the mask is bone (over 300 HU), under 0.1 % is fat or air (below -50 HU)."""
    inside_hu = a_bleeding_head.volume.array_kji[its_brain.mask_kji]
    assert (inside_hu > 300).mean() < 0.01
    assert (inside_hu < -50).mean() < 0.001


def test_the_spinal_canal_is_cut_off(a_bleeding_head, its_brain):
    """Nothing lies more than 10 mm below the centre of the foramen magnum."""
    lowest_k = np.flatnonzero(its_brain.mask_kji.any(axis=(1, 2)))[0]
    lowest_mm = a_bleeding_head.volume.grid.ras_from_ijk((0, 0, lowest_k))[2]
    assert lowest_mm > FORAMEN_CENTRE[2] - 10


def test_turned_and_flipped_arrays_give_the_same_voxels(a_bleeding_head, its_brain):
    """A sagittal array with slices running down holds the same patient, so the same mask."""
    volume, matrix = a_bleeding_head.volume, a_bleeding_head.volume.ijk_to_ras
    turned = np.transpose(volume.array_kji, (2, 0, 1))[:, ::-1, :]  # new k, j, i = old i, reversed k, old j
    columns = np.eye(4)
    columns[:3, :3] = np.stack([matrix[:3, 1], -matrix[:3, 2], matrix[:3, 0]], axis=1)
    columns[:3, 3] = matrix[:3, 3] + matrix[:3, 2] * (volume.array_kji.shape[0] - 1)
    mask = extract_brain(Volume(turned, columns)).mask_kji
    assert np.array_equal(mask, np.transpose(its_brain.mask_kji, (2, 0, 1))[:, ::-1, :])


def test_a_scan_that_ends_below_the_vertex_says_so(a_bleeding_head, its_brain):
    """With the upper 12 slices gone the rest is found as before, and the top area is over 50 cm2."""
    volume = a_bleeding_head.volume
    cut = extract_brain(Volume(volume.array_kji[:-12], volume.ijk_to_ras))
    assert overlap(cut.mask_kji, its_brain.mask_kji[:-12]) > 0.99
    assert cut.top_area_cm2 > 50
    assert its_brain.top_area_cm2 == 0


def test_an_opening_in_the_skull_lets_little_scalp_in(a_bleeding_head, its_brain):
    """A bone flap of 60 mm replaced by muscle adds no more than 3 % to the volume."""
    volume = a_bleeding_head.volume
    k, j, i = np.indices(volume.array_kji.shape, sparse=True)
    row = np.flatnonzero(its_brain.mask_kji[20, :, 107])[0]  # the forehead in slice 20
    flap = (5.0 * (k - 20)) ** 2 + (j - row) ** 2 + (i - 107) ** 2 < 30**2
    open_hu = np.where(flap & (volume.array_kji > 110), 45, volume.array_kji)
    assert extract_brain(volume.with_array(open_hu)).volume_ml == pytest.approx(its_brain.volume_ml, rel=0.03)


@pytest.mark.parametrize("filling_hu", [-1000.0, 0.0, 40.0])
def test_no_head_is_refused(filling_hu):
    """Air alone, a bottle of water, and a bottle at brain attenuation hold no brain."""
    z, y, x = np.indices((40, 60, 60))
    bottle = (y - 30) ** 2 + (x - 30) ** 2 < 20**2
    volume = Volume(np.where(bottle & (z > 2), filling_hu, -1000.0), np.diag([4.0, 4.0, 4.0, 1.0]))
    with pytest.raises(InputRefusedError, match="no brain in the field of view") as refused:
        extract_brain(volume)
    assert refused.value.remedy


def test_a_skull_full_of_water_is_refused():
    """A shell of 900 HU around 0 HU is a test object, not a head."""
    z, y, x = np.indices((50, 50, 50))
    radius = 4 * np.sqrt((z - 25) ** 2 + (y - 25) ** 2 + (x - 25) ** 2)
    hu = np.where(radius < 70, 0.0, np.where(radius < 78, 900.0, -1000.0))
    with pytest.raises(InputRefusedError, match="skull-like shell around 0 HU"):
        extract_brain(Volume(hu, np.diag([4.0, 4.0, 4.0, 1.0])))


def test_an_image_larger_than_a_person_is_refused_before_any_work():
    """512 x 512 x 30 voxels of 9 x 9 x 50 mm, a header ten times too large, would make 4e9 working cubes."""
    array = np.broadcast_to(np.int16(0), (30, 512, 512))
    with pytest.raises(InputRefusedError, match=r"4.61 x 4.61 x 1.50 m") as refused:
        extract_brain(Volume(array, np.diag([9.0, 9.0, 50.0, 1.0])))
    assert "voxel spacing" in refused.value.remedy


@pytest.mark.parametrize(("slices", "mm"), [(slice(20, 21), 1.0), (slice(None), 1.7)])
def test_an_impossible_volume_is_the_inputs_fault(a_bleeding_head, slices, mm):
    """One slice alone, or pixels stated 1.7 times too large (2.9 times the volume), are refused: exit 3."""
    array = a_bleeding_head.volume.array_kji[slices]
    with pytest.raises(InputRefusedError, match=r"intracranial region of \d+ mL with voxels of") as refused:
        extract_brain(Volume(array, np.diag([-mm, -mm, 5.0, 1.0])))
    assert refused.value.exit_code == 3
    assert "check the voxel spacing" in refused.value.remedy


@pytest.mark.parametrize(("low_hu", "high_hu"), [(0, 80), (-20, 180)], ids=["brain", "subdural"])
def test_a_brain_window_leaves_enough_to_find_the_brain(a_bleeding_head, its_brain, low_hu, high_hu):
    """Clipped to the window in 255 steps, with a clot of 75 HU on the skull, the Dice is at least 0.95."""
    step = (high_hu - low_hu) / 255
    grey = np.round((np.clip(a_bleeding_head.volume.array_kji, low_hu, high_hu) - low_hu) / step)
    found = extract_brain(a_bleeding_head.volume.with_array(low_hu + grey * step))
    assert overlap(found.mask_kji, a_bleeding_head.brain_kji) >= 0.95


def test_a_windowed_image_without_a_head_says_what_the_window_took(a_bleeding_head):
    """A white box on black is refused, and the remedy names the window."""
    box = np.zeros(a_bleeding_head.volume.array_kji.shape)
    box[10:20, 50:150, 50:150] = 80.0
    with pytest.raises(InputRefusedError, match="no brain") as refused:
        extract_brain(a_bleeding_head.volume.with_array(box))
    assert "narrow window" in refused.value.remedy
    assert "--window" in refused.value.remedy


def test_the_atlas_agrees_with_its_stripped_version(shared):
    """Dice at least 0.95 with the published brain of the CT template, cut at half its own intensity."""
    head = SimpleITK.ReadImage(str(shared / "atlas" / "scct.nii"))
    brain = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(shared / "atlas" / "scct_stripped.nii")))
    cormack = SimpleITK.GetArrayFromImage(head).astype(np.float64)
    # Rorden 2012 (doi:10.1016/j.neuroimage.2012.03.020): -1024..-124 HU is kept, the next 200 HU are
    # stretched eleven-fold, what is brighter is kept. Brain comes out at 26 HU, air at -1000, bone at 400.
    hu = np.interp(cormack, [0, 900, 3100, 6100], [-1024, -124, 76, 3076])
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(head.GetDirection(), (3, 3)) * head.GetSpacing()
    matrix[:3, 3] = head.GetOrigin()
    found = extract_brain(Volume(hu, LPS_TO_RAS @ matrix))
    assert overlap(found.mask_kji, brain > 1250) >= 0.95


def test_a_real_head_keeps_its_brain_and_nothing_of_its_skull(shared):
    """The GE head (looked at slice by slice): 1505 mL within 3 %, whole at both ends, no bone in the mask."""
    scan = read_scan(shared / "data" / "head_ncct_ge" / "dicom")
    found = extract_brain(scan.volume)
    assert found.volume_ml == pytest.approx(1505, rel=0.03)
    assert found.top_area_cm2 == found.bottom_area_cm2 == 0
    assert (scan.volume.array_kji[found.mask_kji] > 300).mean() < 0.001


def test_a_real_chest_is_refused(shared):
    """The chest CT holds soft tissue, but bone encloses only a third of it."""
    scan = read_scan(shared / "data" / "chest_lidc_0001" / "dicom_133_slices.zip")
    with pytest.raises(InputRefusedError, match=r"of which bone encloses 3\d %"):
        extract_brain(scan.volume)
