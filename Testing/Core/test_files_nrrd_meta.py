"""NRRD and MetaImage headers: spaces, detached data, and what is not guessed."""

from __future__ import annotations

import bz2
import gzip
import zlib

import numpy as np
import pytest

from ctinsight.errors import CTInsightError, GeometryError, InputRefusedError, NotCTError, UnreadableFileError
from ctinsight.files import read_labelmap, read_scan

_VALUES = np.arange(60, dtype="<i2").reshape(3, 4, 5)
_BYTES = _VALUES.tobytes()
_NRRD = {
    "type": "short", "dimension": "3", "space": "left-posterior-superior", "sizes": "5 4 3",
    "space directions": "(0.5,0,0) (0,0.6,0) (0,0,4)", "kinds": "domain domain domain", "endian": "little",
    "encoding": "raw", "space origin": "(-10,-20,30)",
}  # fmt: skip
_META = {
    "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False", "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "-10 -20 30",
    "CenterOfRotation": "0 0 0", "AnatomicalOrientation": "RAI", "ElementSpacing": "0.5 0.6 4",
    "DimSize": "5 4 3", "ElementType": "MET_SHORT",
}  # fmt: skip


@pytest.fixture
def nrrd(tmp_path):
    """Write an NRRD file with some fields changed, or left out by ``None``; underscores stand for blanks."""

    def write(data=_BYTES, **changes):
        fields = _NRRD | {name.replace("_", " "): value for name, value in changes.items()}
        text = "NRRD0004\n# c\n" + "".join(f"{n}: {v}\n" for n, v in fields.items() if v is not None)
        path = tmp_path / "a.nrrd"
        path.write_bytes(text.encode() + b"\n" + data)
        return path

    return write


@pytest.fixture
def meta(tmp_path):
    """Write a MetaImage file with some fields changed, or left out by ``None``."""

    def write(data=_BYTES, **changes):
        fields = _META | {"ElementDataFile": "LOCAL"} | changes
        fields["ElementDataFile"] = fields.pop("ElementDataFile")  # must be the last line
        path = tmp_path / "a.mha"
        text = "".join(f"{n} = {v}\n" for n, v in fields.items() if v is not None)
        path.write_bytes(text.encode() + data)
        return path

    return write


_PLACE = np.array([[-0.5, 0, 0, 10], [0, -0.6, 0, 20], [0, 0, 4, 30], [0, 0, 0, 1]])


def test_the_plain_files_are_read_alike(nrrd, meta):
    """The files that the other tests damage hold the same values at the same RAS places."""
    for path in (nrrd(), meta()):
        volume = read_scan(path).volume
        assert np.array_equal(volume.array_kji, _VALUES)
        assert np.allclose(volume.ijk_to_ras, _PLACE)


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("right-anterior-superior", (1, 1)),
        ("RAS", (1, 1)),
        ("LPS", (-1, -1)),
        ("left-anterior-superior", (-1, 1)),
    ],
)
def test_each_nrrd_space_has_its_own_signs(nrrd, space, signs):
    """The first voxel at (-10, -20, 30) of the file's space lies at these RAS coordinates."""
    origin = read_scan(nrrd(space=space)).volume.ijk_to_ras[:3, 3]
    assert origin.tolist() == [-10 * signs[0], -20 * signs[1], 30]


@pytest.mark.parametrize(
    "changes",
    [
        {"space": None},
        {"space": "scanner-xyz"},
        {"space": "left-posterior-superior-time"},
        {"space_origin": None},
        {"space_directions": None},
        {"space_directions": None, "spacings": "0.5 0.6 4"},
        {"space_units": '"m" "m" "m"'},
        {"space_directions": "(0.5,0,0) (0.3,0.6,0) (0,0,4)"},
        {"space_directions": "(0,0,0) (0,0.6,0) (0,0,4)"},
        {"space_directions": "(nan,0,0) (0,0.6,0) (0,0,4)"},
        {"space_origin": "(nan,0,0)"},
        {"space_directions": "(0.5,0,0) (0.5,0,0) (0,0,4)"},
    ],
)
def test_an_nrrd_without_sound_geometry_is_refused(nrrd, changes):
    """No space, no origin, no directions, another unit, shear, zero or NaN."""
    with pytest.raises(GeometryError):
        read_scan(nrrd(**changes))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"sizes": "5 4"}, UnreadableFileError),
        ({"sizes": "5 4 x"}, UnreadableFileError),
        ({"sizes": "5 4 -3"}, UnreadableFileError),
        ({"sizes": "6 4 3"}, UnreadableFileError),
        ({"sizes": "99999 99999 99999"}, InputRefusedError),
        ({"type": "block"}, NotCTError),
        (
            {"dimension": "4", "sizes": "2 5 4 3", "space_directions": "none (1,0,0) (0,1,0) (0,0,1)"},
            NotCTError,
        ),
        ({"encoding": "hex"}, UnreadableFileError),
        ({"endian": None}, UnreadableFileError),
        ({"space_directions": "(1,0) (0,1,0) (0,0,1)"}, UnreadableFileError),
        ({"byte_skip": "-7"}, UnreadableFileError),
        ({"data_file": "../a.raw"}, UnreadableFileError),
        ({"data_file": "/etc/hostname"}, UnreadableFileError),
        ({"data_file": "missing.raw"}, UnreadableFileError),
        ({"data_file": "LIST"}, UnreadableFileError),
    ],
)
def test_other_nrrd_damage_is_refused(nrrd, changes, error):
    """Sizes, types, encodings and data files that do not fit."""
    with pytest.raises(error):
        read_scan(nrrd(**changes))


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("bzip2", bz2.compress)])
def test_packed_nrrd_is_read_and_its_damage_noticed(nrrd, encoding, pack):
    """Gzip and bzip2 data; without their last bytes they are refused."""
    packed = pack(_VALUES.tobytes())
    assert np.array_equal(read_scan(nrrd(packed, encoding=encoding)).volume.array_kji, _VALUES)
    with pytest.raises(UnreadableFileError):
        read_scan(nrrd(packed[:-10], encoding=encoding))


def test_detached_big_endian_data_with_a_skip_are_read(nrrd, tmp_path):
    """A .nhdr with its .raw beside it: big-endian, the image at the end of the file."""
    (tmp_path / "a.raw").write_bytes(b"junk" + _VALUES.astype(">i2").tobytes())
    path = nrrd(b"", data_file="a.raw", endian="big", byte_skip="-1")
    assert np.array_equal(read_scan(path.rename(tmp_path / "a.nhdr")).volume.array_kji, _VALUES)


def test_a_list_axis_of_one_is_no_fourth_dimension(nrrd):
    """Sizes 1 5 4 3 with a direction "none" is the same volume."""
    directions = "none (0.5,0,0) (0,0.6,0) (0,0,4)"
    path = nrrd(
        dimension="4", sizes="1 5 4 3", space_directions=directions, kinds="list domain domain domain"
    )
    assert np.allclose(read_scan(path).volume.ijk_to_ras, _PLACE)


def test_a_segmentation_is_no_ct(nrrd):
    """A .seg.nrrd is refused as a scan and read as a labelmap."""
    path = nrrd(space_units='"mm" "mm" "mm"\nSegment0_ID:=lesion')
    with pytest.raises(NotCTError, match="labels"):
        read_scan(path)
    assert read_labelmap(path)[0].max() == 59


@pytest.mark.parametrize(
    "changes",
    [
        {"TransformMatrix": None},
        {"Offset": None},
        {"ElementSpacing": None},
        {"ElementSpacing": "0 0.6 4"},
        {"ElementSpacing": "-0.5 0.6 4"},
        {"ElementSpacing": "nan 0.6 4"},
        {"TransformMatrix": "1 0 0 0.2 1 0 0 0 1"},
        {"TransformMatrix": "2 0 0 0 1 0 0 0 1"},
        {"TransformMatrix": "0 0 0 0 0 0 0 0 0"},
        {"Offset": "inf 0 0"},
        {"CenterOfRotation": "1 0 0"},
        {"DistanceUnits": "m"},
    ],
)
def test_a_metaimage_without_sound_geometry_is_refused(meta, changes):
    """ITK would take spacing 1, origin 0 and an identity matrix in silence."""
    with pytest.raises(GeometryError):
        read_scan(meta(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"NDims": "2"},
        {"NDims": "4", "DimSize": "5 4 3 1"},
        {"DimSize": "5 4 0"},
        {"DimSize": "6 4 3"},
        {"ElementType": "MET_COMPLEX"},
        {"ElementNumberOfChannels": "3"},
        {"ElementDataFile": None},
        {"ElementDataFile": "LIST"},
        {"ElementDataFile": "../a.raw"},
        {"HeaderSize": "-1"},
        {"BinaryData": "False"},
        {"CompressedData": "True"},
        {"ElementSpacing": "1 1"},
        {"Offset": "a b c"},
        {"Position": "0 0 0"},
        {"ElementToIntensityFunctionSlope": "2"},
        {"CompressedData": "maybe"},
    ],
)
def test_other_metaimage_damage_is_refused(meta, changes):
    """Dimensions, types, data files and contradictions."""
    with pytest.raises(CTInsightError):
        read_scan(meta(**changes))


def test_packed_metaimage_is_read_and_its_damage_noticed(meta):
    """Zlib data; short, long and damaged ones are refused."""
    packed = zlib.compress(_VALUES.tobytes())
    assert np.array_equal(read_scan(meta(packed, CompressedData="True")).volume.array_kji, _VALUES)
    for bad in (packed[:-6], zlib.compress(_VALUES.tobytes() * 2), zlib.compress(b"short"), b"", packed[:-1]):
        with pytest.raises(UnreadableFileError):
            read_scan(meta(bad, CompressedData="True"))


def test_a_rotated_metaimage_turns_the_right_way(meta):
    """Axis i runs to posterior: the matrix lists each axis in turn, in LPS."""
    volume = read_scan(meta(TransformMatrix="0 1 0 -1 0 0 0 0 1", Offset="0 0 0")).volume
    assert volume.grid.ras_from_ijk((2, 0, 0)).tolist() == [0, -1, 0]
    assert volume.grid.ras_from_ijk((0, 1, 0)).tolist() == pytest.approx([0.6, 0, 0])
