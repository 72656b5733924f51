"""MetaImage (``.mha``, ``.mhd``), read from the header as it stands.

References
----------
MetaImage, Kitware, https://itk.org/Wiki/ITK/MetaIO/Documentation. World coordinates are those of DICOM
(left, posterior, superior).
"""

from __future__ import annotations

import zlib
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import GeometryError, NotCTError
from ctinsight.files.rawdata import (
    LPS_SIGNS,
    StoredImage,
    VoxelLayout,
    read_exactly,
    refusing_damage,
    unreadable,
    with_signs,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_MAX_LINES = 2000
_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
#: MetaImage knows several names for one thing; the first that occurs is taken, two that differ are refused.
_NAMES = {
    "matrix": ("TransformMatrix", "Orientation", "Rotation"),
    "offset": ("Offset", "Position", "Origin"),
    "msb": ("BinaryDataByteOrderMSB", "ElementByteOrderMSB"),
}


def read_metaimage(path: Path) -> StoredImage:
    """Read a ``.mha``, or a ``.mhd`` with its one data file.

    Raises
    ------
    UnreadableFileError
        Not MetaImage, damaged, truncated, or data in a form that is not read.
    GeometryError
        No spacing, no position or no orientation.
    NotCTError
        Other than one real number per voxel on three axes.
    """
    with refusing_damage(path), path.open("rb") as stream:
        header = _read_header(stream, path)
        shape = _shape_kji(header, path)
        matrix = _ijk_to_ras(header, path)
        layout = VoxelLayout(path, shape, _dtype(header, path))
        _refuse_scale(header, path)
        name = header["ElementDataFile"]
        if name.upper() == "LOCAL":
            array, notes = _read_voxels(stream, header, layout)
        else:
            array, notes = _read_data_file(name, header, layout)
    return StoredImage("MetaImage", array, matrix, notes)


def _read_header(stream: IO[bytes], path: Path) -> dict[str, str]:
    header: dict[str, str] = {}
    for _ in range(_MAX_LINES):
        text = stream.readline(1 << 16).decode("utf-8", errors="replace")
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            break
        if name in header:
            raise unreadable(path, f"two header lines named {name!r}")
        header[name] = value
        if name == "ElementDataFile":
            return header
    raise unreadable(path, "a header that does not end with ElementDataFile", "a MetaImage file")


def _lookup(header: dict[str, str], name: str, path: Path) -> str | None:
    values = {header[n] for n in _NAMES.get(name, (name,)) if n in header}
    if len(values) > 1:
        raise unreadable(path, f"different values for {' and '.join(_NAMES[name])}")
    return next(iter(values), None)


def _flag(header: dict[str, str], name: str, path: Path) -> bool:
    value = (_lookup(header, name, path) or "False").lower()
    if value not in ("true", "false", "1", "0"):
        raise unreadable(path, f"{name} = {value[:40]!r}", "True or False")
    return value in ("true", "1")


def _numbers(header: dict[str, str], name: str, count: int, path: Path) -> NDArray[np.float64]:
    text = _lookup(header, name, path)
    if text is None:
        raise GeometryError(
            found=f"{path.name}: no {_NAMES.get(name, (name,))[0]}",
            expected="a header with spacing, position and orientation",
            remedy="Save it again from 3D Slicer or convert it from DICOM; nothing is guessed here.",
        )
    try:
        numbers = [float(word) for word in text.split()]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise unreadable(path, f"{_NAMES.get(name, (name,))[0]} = {text[:60]!r}", f"{count} numbers")
    return np.array(numbers)


def _shape_kji(header: dict[str, str], path: Path) -> tuple[int, int, int]:
    n_dims, channels = header.get("NDims", ""), header.get("ElementNumberOfChannels", "1")
    sizes = header.get("DimSize", "").split()
    if not all(word.isascii() and word.isdigit() and len(word) < 10 for word in (*sizes, n_dims, channels)):
        raise unreadable(path, f"NDims = {n_dims[:20]!r}, DimSize = {sizes}", "whole numbers")
    if int(n_dims) != len(sizes):
        raise unreadable(path, f"NDims = {n_dims} and DimSize = {sizes}", "one size per dimension")
    if len(sizes) != 3 or int(channels) != 1:
        raise NotCTError(
            found=f"{path.name}: an image of {' x '.join(sizes)} with {channels} channels",
            expected="one number per voxel on three axes",
            remedy="Choose a single volume; split a time series or several channels first.",
        )
    return int(sizes[2]), int(sizes[1]), int(sizes[0])


def _ijk_to_ras(header: dict[str, str], path: Path) -> NDArray[np.float64]:
    if header.get("DistanceUnits", "mm").lower() not in ("mm", "?", ""):
        raise GeometryError(
            found=f"{path.name}: lengths in {header['DistanceUnits']!r}",
            expected="millimetres",
            remedy="Save the image again with lengths in mm.",
        )
    spacing = _numbers(header, "ElementSpacing", 3, path)
    center = _numbers(header, "CenterOfRotation", 3, path) if "CenterOfRotation" in header else np.zeros(3)
    directions = _numbers(header, "matrix", 9, path).reshape(3, 3).T
    lengths = np.linalg.norm(directions, axis=0)
    if not (np.all(spacing > 0) and np.allclose(lengths, 1.0, atol=1e-3) and not center.any()):
        raise GeometryError(
            found=f"{path.name}: ElementSpacing {spacing.tolist()}, axes of length {lengths.tolist()}, "
            f"CenterOfRotation {center.tolist()}",
            expected="positive spacings, axes of length 1 and a rotation about the origin",
            remedy="Save it again from 3D Slicer or convert it from DICOM.",
        )
    matrix = np.eye(4)
    matrix[:3, :3] = directions * spacing
    matrix[:3, 3] = _numbers(header, "offset", 3, path)
    return with_signs(matrix, LPS_SIGNS)


def _dtype(header: dict[str, str], path: Path) -> np.dtype[Any]:
    name = header.get("ElementType", "")
    kind = _TYPES.get(name)
    if kind is None:
        raise NotCTError(
            found=f"{path.name}: ElementType = {name[:40]!r}",
            expected="one real number per voxel",
            remedy="Choose the CT volume, not a vector or colour image.",
        )
    if not _flag(header | {"BinaryData": header.get("BinaryData", "True")}, "BinaryData", path):
        raise unreadable(path, "voxels written as text", "BinaryData = True")
    return np.dtype((">" if _flag(header, "msb", path) else "<") + kind)


def _refuse_scale(header: dict[str, str], path: Path) -> None:
    stated = [header.get(f"ElementToIntensityFunction{name}") for name in ("Slope", "Offset")]
    if stated[0] not in (None, "1", "1.0") or stated[1] not in (None, "0", "0.0"):
        raise unreadable(path, f"a scale for the voxel values ({stated})", "voxels that are Hounsfield units")


def _read_data_file(
    name: str, header: dict[str, str], layout: VoxelLayout
) -> tuple[NDArray[Any], tuple[str, ...]]:
    path = layout.path
    data_path = path.parent / name
    if name.upper().startswith("LIST") or set("%\0") & set(name) or data_path.parent != path.parent:
        raise unreadable(path, f"ElementDataFile = {name[:60]!r}", "LOCAL or one file in the same folder")
    with refusing_damage(data_path), data_path.open("rb") as stream:
        return _read_voxels(stream, header, layout)


def _read_voxels(
    stream: IO[bytes], header: dict[str, str], layout: VoxelLayout
) -> tuple[NDArray[Any], tuple[str, ...]]:
    skip = header.get("HeaderSize", "0")
    if not (skip.isascii() and skip.isdigit() and len(skip) < 10):
        raise unreadable(layout.path, f"HeaderSize = {skip[:20]!r}", "a number of bytes to skip")
    read_exactly(stream, int(skip), layout.path)
    if _flag(header, "CompressedData", layout.path):
        return layout.array(_inflate(stream, layout.n_bytes, layout.path)), ()
    return layout.read(stream)


def _inflate(stream: IO[bytes], size: int, path: Path) -> bytes:
    inflater = zlib.decompressobj(wbits=47)  # zlib or gzip, by the first bytes
    data = inflater.decompress(stream.read(), size + 1)
    if len(data) != size or not (inflater.eof or inflater.decompress(inflater.unconsumed_tail, 1) == b""):
        raise unreadable(path, f"{len(data)} bytes of image data", f"the {size} bytes its header promises")
    if not inflater.eof:
        raise unreadable(path, "compressed data without their end")
    return data
