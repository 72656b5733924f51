"""Folders, zips and pictures: what is taken, what is refused, and what never leaves its folder."""

from __future__ import annotations

import errno
import stat
import tempfile
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from ctinsight.errors import (
    InputRefusedError,
    NotCTError,
    NotEnoughSpaceError,
    SliceGapError,
    UnreadableFileError,
    WrongUseError,
)
from ctinsight.files import ReadOptions, read_scan, write_volume
from ctinsight.volume import Volume
from makers.dicom_series import SeriesRecipe, write_series

if TYPE_CHECKING:
    from pathlib import Path

_SIZED = ReadOptions(spacing_mm=(0.5, 0.4), thickness_mm=5.0)


def _volume() -> Volume:
    return Volume(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))


def _picture(path: Path, grey: int, size=(3, 4)) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.full(size, grey, dtype=np.uint8)), str(path))


def _zip(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def test_a_zip_of_a_series_is_read_and_leaves_nothing_behind(tmp_path, monkeypatch):
    """A zip with sub-folders and blanks in names reads as its folder; the private folder is gone after."""
    write_series(tmp_path / "in" / "Fall 1" / "Köpf", SeriesRecipe())
    path = _zip(tmp_path / "a.zip", tmp_path / "in")
    private = tmp_path / "temporary"
    private.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(private))
    assert read_scan(path).volume.array_kji.shape == (4, 16, 12)
    assert list(private.iterdir()) == []


def test_a_zip_or_folder_with_one_image_is_that_image(tmp_path):
    """One NRRD in a folder, and the zip of it."""
    (tmp_path / "in").mkdir()
    write_volume(_volume(), tmp_path / "in" / "ct.nrrd")
    assert read_scan(tmp_path / "in").acquisition.file_format == "NRRD"
    assert read_scan(_zip(tmp_path / "a.zip", tmp_path / "in")).volume.array_kji.max() == 23
    write_volume(_volume(), tmp_path / "in" / "ct2.nii.gz")
    with pytest.raises(WrongUseError, match=r"ct2\.nii\.gz"):
        read_scan(tmp_path / "in")


@pytest.mark.parametrize("name", ["../evil.dcm", "/evil.dcm", "a/../../evil", "..\\evil", "C:\\evil"])
def test_paths_that_leave_the_folder_are_refused(tmp_path, name):
    """Absolute paths, .. and drive letters; nothing is written outside."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x" * 200)
    with pytest.raises(InputRefusedError, match="entry"):
        read_scan(path)
    assert not list(tmp_path.parent.glob("evil*"))


def test_links_in_a_zip_are_refused(tmp_path):
    """A symbolic link to /etc/passwd is not followed."""
    entry = zipfile.ZipInfo("a.dcm")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(InputRefusedError, match="entry"):
        read_scan(tmp_path / "a.zip")


def test_a_zip_bomb_is_refused_before_it_opens(tmp_path):
    """80 MB of zeros packed a thousand times are refused by their ratio."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", bytes(80_000_000))
    with pytest.raises(InputRefusedError, match="to 1"):
        read_scan(tmp_path / "a.zip")


def test_too_many_files_are_refused(tmp_path):
    """A zip of 20,001 empty files."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for n in range(20_001):
            archive.writestr(str(n), b"")
    with pytest.raises(InputRefusedError, match="20001 files"):
        read_scan(tmp_path / "a.zip")


@pytest.mark.parametrize("keep", [50, 300, -30, -1])
def test_a_truncated_zip_is_refused(tmp_path, keep):
    """Cut anywhere, the zip is named as damaged."""
    write_series(tmp_path / "in", SeriesRecipe())
    path = _zip(tmp_path / "a.zip", tmp_path / "in")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UnreadableFileError, match="zip"):
        read_scan(path)


def test_a_flipped_bit_in_a_zip_is_noticed(tmp_path):
    """The checksum of an entry does not fit."""
    (tmp_path / "in").mkdir()
    write_volume(_volume(), tmp_path / "in" / "ct.nii")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "in" / "ct.nii", "ct.nii")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[100] ^= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(UnreadableFileError, match="CRC"):
        read_scan(tmp_path / "a.zip")


def test_what_is_not_there_or_empty_or_unknown_is_refused(tmp_path):
    """A missing file, an empty folder, an empty file, a text file, a folder of text."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "none.bin").touch()
    (tmp_path / "a.txt").write_text("hello")
    for name in ("missing.nii.gz", "empty", "none.bin", "a.txt", ""):
        with pytest.raises(UnreadableFileError):
            read_scan(tmp_path / name)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.dcm", "a.zip", "a.hdr"])
def test_an_empty_or_short_file_of_any_name_is_refused(tmp_path, name):
    """0, 3 and 400 bytes of nothing."""
    for content in (b"", b"abc", b"\0" * 400):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableFileError):
            read_scan(tmp_path / name)


def test_pictures_need_a_spacing_and_a_thickness(tmp_path):
    """Without both nothing is guessed."""
    _picture(tmp_path / "1.png", 0)
    for options in (ReadOptions(), ReadOptions(spacing_mm=(1, 1)), ReadOptions(thickness_mm=5)):
        with pytest.raises(WrongUseError, match="mm"):
            read_scan(tmp_path, options)


def test_pictures_are_stacked_by_number_and_turned_into_hu(tmp_path):
    """Files 8, 9, 10 in this order; grey 0, 51, 255 of window 40/80 are 0, 16, 80 HU; the notes say so."""
    for name, grey in (("10.png", 255), ("9.png", 51), ("8.png", 0)):
        _picture(tmp_path / name, grey)
    scan = read_scan(tmp_path, _SIZED)
    assert scan.volume.array_kji[:, 0, 0] == pytest.approx([0, 16, 80])
    assert scan.volume.grid.spacing_ijk_mm == pytest.approx((0.4, 0.5, 5.0))
    assert np.sign(np.diag(scan.volume.ijk_to_ras)).tolist() == [-1, -1, 1, 1]
    assert "assumed window" in scan.acquisition.notes[0]
    assert any("patient right on the left" in note for note in scan.acquisition.notes)


def test_a_given_window_is_used(tmp_path):
    """Center 50, width 200: black is -50, white 150 HU."""
    _picture(tmp_path / "1.png", 0)
    _picture(tmp_path / "2.png", 255)
    options = ReadOptions(spacing_mm=(1, 1), thickness_mm=5, window=(50, 200))
    assert read_scan(tmp_path, options).volume.array_kji[:, 0, 0] == pytest.approx([-50, 150])


@pytest.mark.parametrize("names", ["a.png b.png", "1.png 01.png", "1.png 2a.png", "1.png x/2.png"])
def test_pictures_without_a_clear_order_are_refused(tmp_path, names):
    """Letters, the same number twice, two folders."""
    (tmp_path / "x").mkdir()
    for name in names.split():
        _picture(tmp_path / name, 0)
    with pytest.raises(WrongUseError):
        read_scan(tmp_path, _SIZED)


def test_pictures_of_other_kinds_are_refused(tmp_path):
    """Colours and 16 bits."""
    colour = np.zeros((3, 4, 3), np.uint8)
    colour[..., 0] = 9
    cases = {"rgb": sitk.GetImageFromArray(colour, isVector=True), "deep": sitk.Image(4, 3, sitk.sitkUInt16)}
    for name, image in cases.items():
        (tmp_path / name).mkdir()
        sitk.WriteImage(image, str(tmp_path / name / "1.png"))
        with pytest.raises(NotCTError, match="8-bit"):
            read_scan(tmp_path / name, _SIZED)
    _picture(tmp_path / "1.png", 0)
    _picture(tmp_path / "2.png", 0, size=(5, 4))
    with pytest.raises(NotCTError, match="sizes"):
        read_scan(tmp_path, ReadOptions(spacing_mm=(1, 1), thickness_mm=1)) if not cases else _read_flat(
            tmp_path
        )
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "1.png").write_text("no picture")
    with pytest.raises(UnreadableFileError):
        read_scan(tmp_path / "text", _SIZED)


def _read_flat(folder: Path):
    from ctinsight.files.pictures import read_pictures

    return read_pictures(sorted(folder.glob("*.png")), _SIZED)


@pytest.mark.parametrize("options", [_SIZED, ReadOptions(window=(40, 80)), ReadOptions(series="1")])
def test_options_of_another_format_are_refused(tmp_path, options):
    """A NIfTI file carries its own spacing, and has no series."""
    write_volume(_volume(), tmp_path / "a.nii")
    with pytest.raises(WrongUseError):
        read_scan(tmp_path / "a.nii", options)


@pytest.mark.parametrize("bad", [(0.0, 1.0, 5.0), (1.0, 1.0, -5.0), (1.0, float("nan"), 5.0)])
def test_impossible_picture_sizes_are_refused(tmp_path, bad):
    """Zero, negative or NaN spacing."""
    _picture(tmp_path / "1.png", 0)
    with pytest.raises(WrongUseError):
        read_scan(tmp_path, ReadOptions(spacing_mm=bad[:2], thickness_mm=bad[2]))


@pytest.mark.parametrize("names", [(1, 2, 4), (2, 4, 5), (10, 20, 40)])
def test_a_missing_picture_is_refused(tmp_path, names):
    """Slices 1, 2 and 4 at one distance would make slice 4 lie where 3 was: the volume would be too small."""
    for name in names:
        _picture(tmp_path / f"{name}.png", 0)
    with pytest.raises(SliceGapError, match="jump"):
        read_scan(tmp_path, _SIZED)


def test_a_series_cannot_be_chosen_among_pictures(tmp_path):
    """--series is refused, not ignored."""
    _picture(tmp_path / "1.png", 0)
    with pytest.raises(WrongUseError, match="--series"):
        read_scan(tmp_path, replace(_SIZED, series="3"))


def test_a_thickness_of_zero_is_an_option_too(tmp_path):
    """A NIfTI file with --thickness-mm 0 is refused like any other thickness."""
    write_volume(_volume(), tmp_path / "a.nii")
    with pytest.raises(WrongUseError):
        read_scan(tmp_path / "a.nii", ReadOptions(thickness_mm=0.0))


def test_a_full_disk_is_not_called_a_damaged_zip(tmp_path, monkeypatch):
    """Fetching the zip again would not help: the error speaks of space."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.dcm", b"1")

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ctinsight.files.archive._extract", full)
    with pytest.raises(NotEnoughSpaceError, match="no space"):
        read_scan(tmp_path / "a.zip")
