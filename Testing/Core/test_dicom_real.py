"""Real CT series with known oddities (see SOURCE.md beside each)."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.errors import GeometryError, NotCTError, SliceGapError
from ctinsight.files import ReadOptions, read_scan


def test_a_tilted_head_with_4_and_7_mm_slices_is_resampled(shared):
    """Tilt of 18.5 degrees, steps of 4 and 7 mm and one of 1.08 mm become an even right-angled grid."""
    scan = read_scan(shared / "data" / "head_ncct_ge" / "dicom")
    acquisition = scan.acquisition
    assert acquisition.gantry_tilt_degrees == pytest.approx(18.5, abs=0.01)
    assert scan.volume.grid.spacing_ijk_mm == pytest.approx((0.488, 0.488, 2.0), abs=2e-3)
    steps = np.diff(acquisition.slice_positions_mm)
    assert sorted(set(np.round(steps, 1))) == [1.1, 4.0, 7.0]
    assert (scan.volume.array_kji.min(), acquisition.gaps, acquisition.resampled) == (-1024, (), True)
    assert any("18.5 degrees" in note for note in acquisition.notes)


def test_the_old_infarct_of_the_head_stays_on_the_left(shared):
    """The dark left occipital infarct is on the side of negative R (mean HU there lower than mirrored)."""
    volume = read_scan(shared / "data" / "head_ncct_ge" / "dicom").volume
    k = 34  # the slice and the boxes were chosen on the picture; the midline runs through column 265
    left = volume.array_kji[k, 380:420, 290:320]
    right = volume.array_kji[k, 380:420, 210:240]
    assert volume.grid.ras_from_ijk((305, 400, k))[0] < 0 < volume.grid.ras_from_ijk((225, 400, k))[0]
    assert np.median(left) < np.median(right) - 10


@pytest.mark.parametrize(("name", "where"), [("001", "28.11 and 38.11"), ("002", "-133.75 and -132.25")])
def test_missing_slices_are_refused(shared, name, where):
    """sliceincrement: steps 5, 5, 10 and .75, .75, 1.5 mm are holes; --allow-gaps reads them and says so."""
    folder = shared / "data" / "dicom_oddities" / "dicom2nifti_failing" / "sliceincrement" / name
    with pytest.raises(SliceGapError, match=where):
        read_scan(folder)
    assert len(read_scan(folder, ReadOptions(allow_gaps=True)).acquisition.gaps) == 1


def test_a_tilt_of_14_degrees_is_corrected(shared):
    """gantrytilting: 5 mm along the table are 4.85 mm along the slice normal."""
    scan = read_scan(shared / "data" / "dicom_oddities" / "dicom2nifti_failing" / "gantrytilting")
    assert scan.acquisition.gantry_tilt_degrees == pytest.approx(14.0, abs=0.01)
    assert scan.volume.grid.spacing_ijk_mm[2] == pytest.approx(4.851, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "error", "word"),
    [
        ("notavolume", SliceGapError, "at one place"),
        ("slicecount", NotCTError, "MR"),
        ("sliceorientation", NotCTError, "MR"),
    ],
)
def test_what_is_no_ct_volume_is_refused(shared, name, error, word):
    """Four slices at one place, and two MR series."""
    with pytest.raises(error, match=word):
        read_scan(shared / "data" / "dicom_oddities" / "dicom2nifti_failing" / name / "001")


@pytest.mark.parametrize(("name", "shape"), [("CT_small", (1, 128, 128)), ("bad_sequence", (1, 512, 512))])
def test_single_slices_with_a_thickness_are_read(shared, name, shape):
    """Also with a broken sequence and JPEG lossless pixels."""
    path = shared / "data" / "dicom_oddities" / "pydicom_ct_misc" / f"{name}.dcm"
    assert read_scan(path).volume.array_kji.shape == shape


@pytest.mark.parametrize(
    ("name", "error", "word"),
    [
        ("eCT_Supplemental", NotCTError, "PERFUSION"),
        ("explicit_VR-UN", GeometryError, "without a slice thickness"),
    ],
)
def test_a_perfusion_map_and_a_slice_without_thickness_are_refused(shared, name, error, word):
    """The sentence says what is wrong."""
    with pytest.raises(error, match=word):
        read_scan(shared / "data" / "dicom_oddities" / "pydicom_ct_misc" / f"{name}.dcm")


def test_a_chest_ct_is_read_from_its_zip(shared):
    """133 slices of 2.5 mm at the stated origin; what lies outside the field of view is -1024 HU."""
    scan = read_scan(shared / "data" / "chest_lidc_0001" / "dicom_133_slices.zip")
    assert scan.volume.array_kji.shape == (133, 512, 512)
    assert scan.volume.grid.spacing_ijk_mm == pytest.approx((0.703125, 0.703125, 2.5))
    assert scan.volume.ijk_to_ras[:3, 3] == pytest.approx((166, 171.7, -340))
    assert scan.volume.array_kji.min() == -1024
    assert any("-1024 HU" in note for note in scan.acquisition.notes)
