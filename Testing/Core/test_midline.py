"""The patient's own mid-plane: right however the head lies, blind to what is inside the skull."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.errors import ProcessingFailedError
from ctinsight.files import read_scan
from ctinsight.finding import Side
from ctinsight.phantoms import Ellipsoid, HeadSpec, head_grid, head_phantom
from ctinsight.phantoms.lesions import rotation
from ctinsight.regions.brain import extract_brain
from ctinsight.regions.midline import Plane, midsagittal_plane, side_of
from ctinsight.volume import Volume

MIDPLANE = Plane((0.0, 0.0, 0.0), (1.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def a_head():
    """Draw a straight head with a bleed 40 mm to the left of its mid-plane, the plane R = 0."""
    bleed = Ellipsoid((-40, -5, 14), (12, 16, 11), mean_hu=62.0)
    return head_phantom(HeadSpec(head_grid((3, 3, 4)), 1, (bleed,), sample_mm=3.0))


def moved(volume, degrees, shift_mm):
    """Turn (degrees about R, A, S) and shift (mm) the patient by the matrix alone, so the truth is exact."""
    move = np.eye(4)
    move[:3, :3], move[:3, 3] = rotation(degrees), shift_mm
    return Volume(volume.array_kji, move @ volume.ijk_to_ras)


def angle_degrees(a, b) -> float:
    """Angle between two unit vectors."""
    return float(np.degrees(np.arccos(np.clip(np.dot(a, b), -1, 1))))


@pytest.mark.parametrize(
    ("degrees", "shift_mm"),
    [
        ((0, 0, 0), (0, 0, 0)),
        ((0, 0, 20), (30, 0, 0)),
        ((10, -12, -18), (-8, 5, 3)),
        ((-15, 20, 0), (0, 40, 0)),
    ],
)
def test_the_plane_turns_with_the_head(a_head, degrees, shift_mm):
    """Turns and tilts up to 20 degrees are found within 2 degrees, the place within 2 mm."""
    volume = moved(a_head.volume, degrees, shift_mm)
    plane = midsagittal_plane(volume, a_head.brain_kji)
    normal = rotation(degrees) @ (1, 0, 0)
    centre = volume.grid.ras_from_ijk(np.argwhere(a_head.brain_kji).mean(axis=0)[::-1])
    assert angle_degrees(plane.normal_ras, normal) <= 2
    assert plane.distance_mm(centre) == pytest.approx((centre - shift_mm) @ normal, abs=2)


def test_a_large_bleed_on_one_side_does_not_move_it(a_head):
    """120 mL at 75 HU on the right, up to the skull, move the plane by less than 2 mm and 2 degrees."""
    grid = a_head.volume.grid
    ras = grid.ras_from_ijk(np.indices(grid.shape_kji)[::-1].transpose(1, 2, 3, 0))
    bleed = a_head.brain_kji & (np.linalg.norm(ras - (45, 0, 20), axis=-1) < 33)
    assert bleed.sum() * grid.voxel_volume_ml > 120
    volume = a_head.volume.with_array(np.where(bleed, 75, a_head.volume.array_kji))
    plane = midsagittal_plane(volume, extract_brain(volume).mask_kji)
    assert angle_degrees(plane.normal_ras, (1, 0, 0)) <= 2
    assert abs(plane.distance_mm((0, 0, 20))) <= 2


def test_sides_are_the_patients_not_the_images(a_head):
    """A bleed on the left stays left when the patient lies 60 mm to the right and turned by 20 degrees."""
    volume = moved(a_head.volume, (0, 0, 20), (60, 0, 0))
    plane = midsagittal_plane(volume, a_head.brain_kji)
    centre = volume.grid.ras_from_ijk(np.argwhere(a_head.truth_kji).mean(axis=0)[::-1])
    assert centre[0] > 0
    assert side_of(centre, plane) is Side.LEFT


@pytest.mark.parametrize(
    ("right_mm", "side"), [(30, Side.RIGHT), (-30, Side.LEFT), (1.9, Side.MIDLINE), (-2.1, Side.LEFT)]
)
def test_side_of_a_point(right_mm, side):
    """Points closer than 2 mm to the plane have no side."""
    assert side_of((right_mm, 50, -10), MIDPLANE) is side


def test_mirroring_keeps_the_distance_and_changes_the_side():
    """The mirror image of (3, 4, 5) on R = 1 is (-1, 4, 5)."""
    plane = Plane((1.0, 9.0, 9.0), (1.0, 0.0, 0.0))
    assert plane.mirrored((3.0, 4.0, 5.0)).tolist() == [-1, 4, 5]


def test_an_empty_mask_is_an_error(a_head):
    """Without brain there is no plane between its halves."""
    with pytest.raises(ProcessingFailedError, match="empty brain mask"):
        midsagittal_plane(a_head.volume, np.zeros_like(a_head.brain_kji))


def test_a_real_turned_head(shared):
    """The GE head lies turned by 11 degrees; drawn, the plane runs through falx, pineal gland and septum."""
    volume = read_scan(shared / "data" / "head_ncct_ge" / "dicom").volume
    plane = midsagittal_plane(volume, extract_brain(volume).mask_kji)
    turn_degrees = np.degrees(np.arctan2(plane.normal_ras[1], plane.normal_ras[0]))
    assert turn_degrees == pytest.approx(-11, abs=2)
