"""NIfTI headers that other readers repair in silence."""

from __future__ import annotations

import gzip
import struct

import nibabel
import numpy as np
import pytest

from ctinsight.errors import GeometryError, InputRefusedError, NotCTError, UnreadableFileError
from ctinsight.files import read_labelmap, read_scan

_AFFINE = np.array([[-0.5, 0, 0, 20], [0, 0.5, 0, -30], [0, 0, 4.0, 10], [0, 0, 0, 1.0]])
_VALUES = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
#: Byte offset and format of header fields.
_AT = {
    "dim": (40, "8h"), "intent": (68, "h"), "datatype": (70, "h"), "bitpix": (72, "h"),
    "pixdim": (76, "8f"), "srow_y": (296, "4f"), "vox_offset": (108, "f"), "slope": (112, "f"),
    "inter": (116, "f"), "units": (123, "b"), "qform": (252, "h"), "sform": (254, "h"),
    "quatern": (256, "3f"), "qoffset": (268, "3f"), "srow_x": (280, "4f"), "magic": (344, "4s"),
}  # fmt: skip
_NAN = float("nan")


@pytest.fixture
def nifti(tmp_path):
    """Write a NIfTI file (both forms set) with some header fields overwritten."""

    def write(**fields):
        image = nibabel.Nifti1Image(_VALUES.T, _AFFINE)
        image.set_sform(_AFFINE, 1)
        image.set_qform(_AFFINE, 1)
        image.header.set_xyzt_units("mm")
        data = bytearray(image.to_bytes())
        for name, value in fields.items():
            offset, kind = _AT[name]
            struct.pack_into("<" + kind, data, offset, *np.ravel(value).tolist())
        path = tmp_path / "a.nii"
        path.write_bytes(data)
        return path

    return write


def test_the_plain_file_is_read(nifti):
    """The file that the other tests damage is a good one, without any note."""
    scan = read_scan(nifti())
    assert np.array_equal(scan.volume.array_kji, _VALUES)
    assert np.array_equal(scan.volume.ijk_to_ras, _AFFINE)
    assert scan.acquisition.notes == ()


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"qform": 0, "sform": 0}, "no orientation"),
        ({"sform": 0, "pixdim": (1, 0, 0.5, 4, 0, 0, 0, 0)}, "spacing"),
        ({"pixdim": (1, 0.5, 0.5, 4.02, 0, 0, 0, 0)}, "spacings"),
        ({"srow_x": (-0.5, 0.25, 0, 20)}, "sform"),
        ({"qform": 0, "srow_x": (-0.5, 0.3, 0, 20), "srow_y": (0, 0.4, 0, -30)}, "shear"),
        ({"srow_x": (0, 0, 0, 20)}, "sform"),
        ({"srow_x": (_NAN, 0, 0, 20)}, "sform"),
        ({"srow_x": (-0.5, 0, 0, _NAN), "qform": 0}, "nan"),
        ({"qoffset": (_NAN, 0, 0), "sform": 0}, "nan"),
        ({"quatern": (1, 1, 0), "sform": 0}, "quaternion"),
        ({"quatern": (_NAN, 0, 0), "sform": 0}, "quaternion"),
        ({"pixdim": (0.3, 0.5, 0.5, 4, 0, 0, 0, 0), "sform": 0}, "qfac"),
        ({"pixdim": (-1, 0.7, 0.5, 4, 0, 0, 0, 0)}, "pixdim"),
        ({"quatern": (0, 0, 0)}, "two orientations"),
        ({"units": 1}, "metres"),
        ({"units": 3}, "micrometres"),
    ],
)
def test_doubtful_geometry_is_refused(nifti, fields, word):
    """No orientation, shear, zero, NaN, contradictions, other units: refused by name, not repaired."""
    with pytest.raises(GeometryError, match=word):
        read_scan(nifti(**fields))


def test_two_positions_of_one_direction_are_named(nifti):
    """A qform that lies 7 mm beside the sform does not turn the patient: the sform counts, a note says so."""
    scan = read_scan(nifti(qoffset=(20, -30, 17)))
    assert np.array_equal(scan.volume.ijk_to_ras, _AFFINE)
    assert any("7.0 mm apart" in note for note in scan.acquisition.notes)


def test_the_qform_alone_is_enough(nifti):
    """With sform code 0 the quaternion gives the same matrix."""
    assert np.abs(read_scan(nifti(sform=0)).volume.ijk_to_ras - _AFFINE).max() < 1e-5


def test_an_unnamed_unit_is_noted(nifti):
    """Unit code 0 is taken as mm, with a note."""
    assert any("unit" in note for note in read_scan(nifti(units=0)).acquisition.notes)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"dim": (4, 5, 4, 1, 3, 1, 1, 1)}, NotCTError),
        ({"dim": (2, 5, 12, 1, 1, 1, 1, 1)}, NotCTError),
        ({"dim": (0, 5, 4, 3, 1, 1, 1, 1)}, UnreadableFileError),
        ({"dim": (9, 5, 4, 3, 1, 1, 1, 1)}, UnreadableFileError),
        ({"dim": (3, 5, -4, 3, 1, 1, 1, 1)}, UnreadableFileError),
        ({"dim": (3, 5, 0, 3, 1, 1, 1, 1)}, UnreadableFileError),
        ({"dim": (3, 32767, 32767, 32767, 1, 1, 1, 1)}, InputRefusedError),
        ({"dim": (3, 6, 4, 3, 1, 1, 1, 1)}, UnreadableFileError),
        ({"datatype": 128, "bitpix": 24}, NotCTError),
        ({"datatype": 32, "bitpix": 64}, NotCTError),
        ({"bitpix": 8}, UnreadableFileError),
        ({"magic": b"\0\0\0\0"}, UnreadableFileError),
        ({"vox_offset": 100}, UnreadableFileError),
        ({"vox_offset": _NAN}, UnreadableFileError),
        ({"vox_offset": 354.0}, UnreadableFileError),
        ({"slope": _NAN}, InputRefusedError),
        ({"slope": 1, "inter": float("inf")}, InputRefusedError),
        ({"intent": 1002}, NotCTError),
        ({"intent": 3}, NotCTError),
        ({"intent": 1007}, NotCTError),
    ],
)
def test_other_damage_is_refused(nifti, fields, error):
    """Wrong dimensions, types, offsets, scales and contents."""
    with pytest.raises(error):
        read_scan(nifti(**fields))


@pytest.mark.parametrize(
    ("slope", "inter", "value"), [(0, 5, 59), (0, _NAN, 59), (2, -1024, -906), (0.5, 0, 29.5)]
)
def test_the_scale_of_values_is_applied(nifti, slope, inter, value):
    """Slope 0 means none; 59 x 2 - 1024 = -906; 59 x 0.5 = 29.5."""
    assert read_scan(nifti(slope=slope, inter=inter)).volume.array_kji.max() == max(value, -906)


def test_a_labelmap_with_label_intent_is_read_as_one(nifti):
    """Intent 1002 (labels) is refused as a CT and read as a labelmap."""
    assert read_labelmap(nifti(intent=1002))[0].max() == 59


def test_truncated_and_lengthened_files(nifti):
    """One byte short is refused; bytes beyond the image are noted."""
    path = nifti()
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(UnreadableFileError, match="119 bytes"):
        read_scan(path)
    path.write_bytes(data + b"xx")
    assert any("2 bytes after" in note for note in read_scan(path).acquisition.notes)


def test_damaged_gzip_is_refused(nifti):
    """A flipped bit and a missing end inside .nii.gz are noticed by the checksum."""
    packed = bytearray(gzip.compress(nifti().read_bytes()))
    path = nifti().with_name("a.nii.gz")
    for damaged in (packed[:-12], packed[:-5] + bytes([packed[-5] ^ 1]) + packed[-4:], packed[:100]):
        path.write_bytes(damaged)
        with pytest.raises(UnreadableFileError):
            read_scan(path)


@pytest.mark.parametrize("kind", [nibabel.Nifti2Image, nibabel.Nifti1Pair, nibabel.Nifti1Image])
@pytest.mark.parametrize("order", "<>")
def test_the_relatives_of_nifti_1_are_read(tmp_path, kind, order):
    """NIfTI-2, header and image pairs, and big-endian files."""
    header = kind.header_class(endianness=order)
    image = kind(_VALUES.T, _AFFINE, header)
    path = tmp_path / ("a.hdr" if kind is nibabel.Nifti1Pair else "a.nii")
    nibabel.save(image, path)
    volume = read_scan(path).volume
    assert np.array_equal(volume.array_kji, _VALUES)
    assert np.abs(volume.ijk_to_ras - _AFFINE).max() < 1e-6


def test_analyze_without_orientation_is_refused(tmp_path):
    """An Analyze 7.5 pair does not know left from right."""
    nibabel.save(nibabel.AnalyzeImage(_VALUES.T, _AFFINE), tmp_path / "a.hdr")
    with pytest.raises(UnreadableFileError, match="Analyze"):
        read_scan(tmp_path / "a.hdr")
