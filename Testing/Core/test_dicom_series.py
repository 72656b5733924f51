"""Which series is read, and what its header says about it."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from ctinsight.dicom import list_series
from ctinsight.errors import NotCTError, UnreadableFileError, WrongUseError
from ctinsight.files import ReadOptions, read_scan
from makers.dicom_series import SeriesRecipe, one_value, write_series

_AXIAL = SeriesRecipe()
_SAGITTAL = ["0", "1", "0", "0", "0", "-1"]


@pytest.fixture
def study(tmp_path):
    """Write a folder with an axial CT of 4 slices (20 HU), one of 3 (30 HU), a localizer and an MR."""
    write_series(tmp_path / "a", _AXIAL, one_value(20))
    write_series(tmp_path / "b" / "deep", replace(_AXIAL, number=2, table_mm=(0.0, 5.0, 10.0)), one_value(30))
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "ImageOrientationPatient": _SAGITTAL}
    write_series(tmp_path / "c", replace(_AXIAL, number=3, table_mm=(0.0,), tags=scout))
    write_series(tmp_path / "d", replace(_AXIAL, number=4, table_mm=tuple(range(9)), tags={"Modality": "MR"}))
    return tmp_path


def test_the_largest_axial_ct_is_taken_and_the_others_are_named(study):
    """Series 1 with 4 slices is read; the note names series 2, 3 and 4."""
    scan = read_scan(study)
    assert scan.volume.array_kji.max() == 20
    note = next(n for n in scan.acquisition.notes if "largest axial CT" in n)
    assert "series 1 'Head 1' (CT, 4 slices)" in note
    assert all(f"series {n}" in note for n in (2, 3, 4))


@pytest.mark.parametrize("wanted", ["2", "head 2", "1.2.826.0.1.3680043.8.498.2"])
def test_a_series_is_chosen_by_number_description_or_uid(study, wanted):
    """Each way of naming series 2 reads its 30 HU."""
    assert read_scan(study, ReadOptions(series=wanted)).volume.array_kji.max() == 30


@pytest.mark.parametrize(
    ("wanted", "error", "word"),
    [("Head", WrongUseError, "fits 4"), ("nine", WrongUseError, "fits 0"), ("", WrongUseError, "fits"),
     ("4", NotCTError, "MR"), ("3", NotCTError, "LOCALIZER")],
)  # fmt: skip
def test_a_choice_that_fits_none_several_or_no_ct_is_refused(study, wanted, error, word):
    """The error says how many series the word fits, or why the one is no CT volume."""
    with pytest.raises(error, match=word):
        read_scan(study, ReadOptions(series=wanted))


def test_one_file_stands_for_its_series(study):
    """Naming one file of series 1 reads its 4 slices even when other series lie beside it."""
    for file in (study / "b" / "deep").iterdir():
        shutil.copy(file, study / "a" / f"other_{file.name}")
    assert read_scan(study / "a" / "slice002.dcm").volume.array_kji.shape[0] == 4


def test_localizers_inside_the_series_are_left_out(tmp_path):
    """A scout with the same series UID is dropped with a note."""
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "ImageOrientationPatient": _SAGITTAL}
    write_series(tmp_path, replace(_AXIAL, table_mm=(0.0, 5.0, 10.0, 400.0), slice_tags={3: scout}))
    scan = read_scan(tmp_path)
    assert scan.volume.array_kji.shape[0] == 3
    assert any("1 localizer" in note for note in scan.acquisition.notes)


def test_slices_of_another_orientation_are_left_out(tmp_path):
    """A sagittal reformat with the same series UID is dropped with a note."""
    write_series(tmp_path, replace(_AXIAL, slice_tags={3: {"ImageOrientationPatient": _SAGITTAL}}))
    scan = read_scan(tmp_path)
    assert scan.volume.array_kji.shape[0] == 3
    assert any("another orientation" in note for note in scan.acquisition.notes)


@pytest.mark.parametrize(
    "kind", [["DERIVED", "SECONDARY", "REFORMATTED", "AXIAL"], ["DERIVED", "PRIMARY", "MPR"]]
)
def test_the_original_goes_before_a_reformat(tmp_path, kind):
    """Three original slices are preferred to four reformatted ones; alone, a reformat is read with a note."""
    write_series(tmp_path / "mpr", replace(_AXIAL, tags={"ImageType": kind}), one_value(20))
    assert any("reformat" in note for note in read_scan(tmp_path).acquisition.notes)
    write_series(tmp_path / "b", replace(_AXIAL, number=2, table_mm=(0.0, 5.0, 10.0)), one_value(30))
    assert read_scan(tmp_path).volume.array_kji.max() == 30


@pytest.mark.parametrize(
    "tags",
    [{"Modality": "MR"}, {"Modality": "PT"}, {"ImageType": ["DERIVED", "SECONDARY", "MIP"]},
     {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, {"RescaleSlope": None}, {"RescaleSlope": "0"},
     {"RescaleIntercept": None}, {"RescaleType": "HU_MOD"}, {"SamplesPerPixel": 3}],
)  # fmt: skip
def test_what_is_no_ct_in_hounsfield_units_is_refused(tmp_path, tags):
    """MR, PET, projections, captures, colours and images without a rescale to HU are refused."""
    write_series(tmp_path, replace(_AXIAL, tags=tags))
    with pytest.raises(NotCTError):
        read_scan(tmp_path)


def test_the_acquisition_says_how_the_image_was_made_and_not_whose_it_is(tmp_path):
    """Kernel, agent, age and thickness are filled; neither name nor ID appears anywhere."""
    tags = {"ContrastBolusAgent": "Iohexol", "ConvolutionKernel": ["Br40d", "3"], "PatientAge": "018M"}
    write_series(tmp_path, replace(_AXIAL, tags=tags))
    acquisition = read_scan(tmp_path).acquisition
    assert (acquisition.modality, acquisition.contrast_agent) == ("CT", "Iohexol")
    assert (acquisition.kernel, acquisition.age_years) == ("Br40d\\3", 1.5)
    assert acquisition.slice_thickness_mm == 5.0
    assert acquisition.slice_positions_mm == (0.0, 5.0, 10.0, 15.0)
    assert not any(secret in repr(acquisition) for secret in ("Nobody", "SECRET"))


def test_two_patients_in_one_folder_are_not_mixed_up(tmp_path):
    """Series of two patients need a choice; two examinations of one patient are named in a note."""
    write_series(tmp_path / "a", replace(_AXIAL, tags={"StudyInstanceUID": "1.2.3"}), one_value(20))
    other = replace(_AXIAL, number=2, table_mm=(0.0, 5.0, 10.0), tags={"StudyInstanceUID": "1.2.4"})
    write_series(tmp_path / "b", other)
    assert any("2 examinations" in note for note in read_scan(tmp_path).acquisition.notes)
    write_series(tmp_path / "b", replace(other, tags={"PatientID": "SOMEBODY-ELSE"}))
    with pytest.raises(WrongUseError, match="2 patients") as caught:
        read_scan(tmp_path)
    assert "SOMEBODY" not in str(caught.value)
    assert read_scan(tmp_path, ReadOptions(series="1")).volume.array_kji.max() == 20


def test_series_are_listed_without_reading_pixels(study):
    """Four series with number, modality and slices."""
    listed = sorted((one.facts.number, one.facts.modality, len(one.frames)) for one in list_series(study))
    assert listed == [(1, "CT", 4), (2, "CT", 3), (3, "CT", 1), (4, "MR", 9)]


def test_junk_beside_the_slices_is_passed_over(tmp_path):
    """A text file named .dcm, a DICOMDIR-like file, a picture and hidden files do not disturb."""
    write_series(tmp_path / "scän 1", _AXIAL)
    (tmp_path / "notes.dcm").write_text("not DICOM\n" * 50)
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 64)
    (tmp_path / ".hidden.dcm").write_bytes(b"\0" * 200)
    (tmp_path / "empty.dcm").touch()
    assert read_scan(tmp_path).volume.array_kji.shape[0] == 4


def test_a_text_file_named_dcm_is_refused(tmp_path):
    """The error says that no known format was found."""
    path = tmp_path / "a.dcm"
    path.write_text("hello\n" * 100)
    with pytest.raises(UnreadableFileError, match="no format"):
        read_scan(path)


def test_slices_that_are_links_are_read(tmp_path):
    """A folder of links to slices is the series."""
    paths = write_series(tmp_path / "store", _AXIAL)
    (tmp_path / "links").mkdir()
    for path in paths:
        (tmp_path / "links" / path.name).symlink_to(path)
    assert read_scan(tmp_path / "links").volume.array_kji.shape[0] == 4


@pytest.mark.parametrize("uid", ["", "1.2.3"])
def test_slices_of_two_patients_never_become_one_volume(tmp_path, uid):
    """Two halves of a stack that share a series UID, or have none, but name different patients: refused."""
    tags = {"SeriesInstanceUID": uid}
    lower = replace(_AXIAL, tags={**tags, "PatientID": "A"})
    upper = replace(_AXIAL, tags={**tags, "PatientID": "B"}, table_mm=(20.0, 25.0, 30.0, 35.0))
    write_series(tmp_path / "lower", lower)
    write_series(tmp_path / "upper", upper)
    with pytest.raises(WrongUseError, match="2 patients"):
        read_scan(tmp_path)


def test_slices_of_two_examinations_never_become_one_volume(tmp_path):
    """One series UID in two studies of a patient is refused, for each part alone may be half a head."""
    for number, start in enumerate((0.0, 20.0)):
        table = tuple(start + 5.0 * n for n in range(4))
        tags = {"SeriesInstanceUID": "1.2.3", "StudyInstanceUID": f"1.2.{number}"}
        write_series(tmp_path / str(number), replace(_AXIAL, table_mm=table, tags=tags))
    with pytest.raises(WrongUseError, match="same series UID"):
        read_scan(tmp_path)
