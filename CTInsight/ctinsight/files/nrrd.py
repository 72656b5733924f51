"""NRRD images (``.nrrd``, ``.nhdr``), read from the header as it stands.

References
----------
Definition of the NRRD file format, Teem project, https://teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import GeometryError, NotCTError
from ctinsight.files.rawdata import (
    LPS_SIGNS,
    StoredImage,
    VoxelLayout,
    decompressor,
    read_exactly,
    refusing_damage,
    unreadable,
    with_signs,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_MAX_HEADER_BYTES = 1 << 22
_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64",
           "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}  # fmt: skip
_ENCODINGS = {"raw": "raw", "gz": "gzip", "gzip": "gzip", "bz2": "bzip2", "bzip2": "bzip2"}
_SPACES = {
    "right-anterior-superior": (1.0, 1.0, 1.0), "ras": (1.0, 1.0, 1.0),
    "left-anterior-superior": (-1.0, 1.0, 1.0), "las": (-1.0, 1.0, 1.0),
    "left-posterior-superior": LPS_SIGNS, "lps": LPS_SIGNS,
}  # fmt: skip
_ORIENT = "Save it again from 3D Slicer or convert it from DICOM, so that the header holds the orientation."


@dataclass(frozen=True)
class NrrdHeader:
    """The text of an NRRD header: fields (lower-case names), and key/value pairs as written."""

    fields: dict[str, str]
    keys: dict[str, str]


def read_nrrd(path: Path) -> StoredImage:
    """Read an attached ``.nrrd`` or a ``.nhdr`` with its one data file.

    Raises
    ------
    UnreadableFileError
        Not NRRD, damaged, truncated, or data in a form that is not read.
    GeometryError
        No orientation.
    NotCTError
        Other than one real number per voxel on three axes.
    """
    with refusing_damage(path), path.open("rb") as stream:
        header = read_header(stream, path)
        shape, axes = _shape_kji(header, path)
        matrix = _ijk_to_ras(header, axes, path)
        layout = VoxelLayout(path, shape, _dtype(header, path))
        detached = header.fields.get("data file", header.fields.get("datafile"))
        if detached is None:
            array, notes = _read_voxels(stream, header, layout)
        else:
            array, notes = _read_data_file(detached, header, layout)
    content = "labels" if any(re.match(r"Segment\d+_ID$", key) for key in header.keys) else "image"
    return StoredImage("NRRD", array, matrix, notes, content)


def read_header(stream: IO[bytes], path: Path) -> NrrdHeader:
    """Read the text part of an NRRD file and leave the stream at the first byte after it."""
    if not re.match(rb"NRRD000[1-6]\s*$", stream.readline(64)):
        raise unreadable(path, "a first line that is not NRRD0001 to NRRD0006", "an NRRD file")
    fields: dict[str, str] = {}
    keys: dict[str, str] = {}
    while line := stream.readline(_MAX_HEADER_BYTES):
        text = line.decode("utf-8", errors="replace").rstrip("\r\n")
        if not text:
            break
        if text.startswith("#"):
            continue
        if ":=" in text and (": " not in text or text.index(":=") < text.index(": ")):
            key, value = text.split(":=", 1)
            keys[key] = value
        elif ": " in text:
            name, value = text.split(": ", 1)
            if name.strip().lower() in fields:
                raise unreadable(path, f"two header lines named {name.strip()!r}")
            fields[name.strip().lower()] = value.strip()
        else:
            raise unreadable(path, f"a header line without a colon: {text[:60]!r}")
    return NrrdHeader(fields, keys)


def _field(header: NrrdHeader, name: str, path: Path) -> str:
    if name not in header.fields:
        raise unreadable(path, f"a header without the field {name!r}", "a complete NRRD header")
    return header.fields[name]


def _whole_numbers(text: str, name: str, path: Path) -> list[int]:
    if not all(re.fullmatch(r"[+-]?\d{1,18}", word) for word in text.split()):
        raise unreadable(path, f"{name}: {text[:60]!r}", "whole numbers")
    return [int(word) for word in text.split()]


def _shape_kji(header: NrrdHeader, path: Path) -> tuple[tuple[int, int, int], tuple[int, ...]]:
    sizes = _whole_numbers(_field(header, "sizes", path), "sizes", path)
    dimension = _whole_numbers(_field(header, "dimension", path), "dimension", path)
    if dimension != [len(sizes)]:
        raise unreadable(path, f"dimension {dimension} and sizes {sizes}", "one size per dimension")
    directions = _directions(header, path)
    axes = tuple(axis for axis, direction in enumerate(directions) if direction is not None)
    others = [size for axis, size in enumerate(sizes) if axis not in axes]
    if len(directions) != len(sizes) or len(axes) != 3 or any(size != 1 for size in others):
        raise NotCTError(
            found=f"{path.name}: sizes {sizes} with {len(axes)} axes in space",
            expected="one number per voxel on three axes in space",
            remedy="Choose a single volume; split a time series, channels or overlapping segments first.",
        )
    i, j, k = (sizes[axis] for axis in axes)
    return (k, j, i), axes


def _directions(header: NrrdHeader, path: Path) -> list[tuple[float, ...] | None]:
    text = header.fields.get("space directions")
    if text is None:
        raise GeometryError(
            found=f"{path.name}: no orientation (the field 'space directions' is absent)",
            expected="a header that says where left and right are",
            remedy=_ORIENT,
        )
    words = re.findall(r"none|\([^()]*\)|[^\s()]+", text, re.IGNORECASE)
    return [None if word.lower() == "none" else _vector(word, "space directions", path) for word in words]


def _vector(word: str, name: str, path: Path) -> tuple[float, ...]:
    parts = word.strip("()").split(",")
    try:
        numbers = tuple(float(part) for part in parts)
    except ValueError:
        numbers = ()
    if not word.startswith("(") or not word.endswith(")") or len(numbers) != 3:
        raise unreadable(path, f"{name}: {word[:60]!r}", "three numbers in brackets")
    return numbers


def _ijk_to_ras(header: NrrdHeader, axes: tuple[int, ...], path: Path) -> NDArray[np.float64]:
    space = header.fields.get("space", "").lower()
    if space not in _SPACES:
        raise GeometryError(
            found=f"{path.name}: the space {space or '(none)'!r}",
            expected="left-posterior-superior, right-anterior-superior or left-anterior-superior",
            remedy=_ORIENT,
        )
    units = set(re.findall(r'"([^"]*)"', header.fields.get("space units", "")))
    if units - {"mm", ""}:
        raise GeometryError(
            found=f"{path.name}: lengths in {sorted(units)}",
            expected="millimetres",
            remedy="Save the image again with lengths in mm.",
        )
    if "space origin" not in header.fields:
        raise GeometryError(found=f"{path.name}: no space origin", expected="an origin in mm", remedy=_ORIENT)
    directions = _directions(header, path)
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([directions[axis] for axis in axes]).T
    matrix[:3, 3] = _vector(header.fields["space origin"], "space origin", path)
    return with_signs(matrix, _SPACES[space])


def _dtype(header: NrrdHeader, path: Path) -> np.dtype[Any]:
    name = " ".join(_field(header, "type", path).lower().split())
    kind = next((kind for kind, names in _TYPES.items() if name in names), None)
    if kind is None:
        raise NotCTError(
            found=f"{path.name}: voxels of type {name!r}",
            expected="one real number per voxel",
            remedy="Choose the CT volume, not a block or vector image.",
        )
    endian = header.fields.get("endian", "").lower()
    if kind[1] != "1" and endian not in ("little", "big"):
        raise unreadable(path, f"the byte order {endian!r}", "endian: little or big")
    return np.dtype((">" if endian == "big" else "<") + kind)


def _read_data_file(
    name: str, header: NrrdHeader, layout: VoxelLayout
) -> tuple[NDArray[Any], tuple[str, ...]]:
    path = layout.path
    data_path = path.parent / name
    if name.upper().startswith("LIST") or set("%\0") & set(name) or data_path.parent != path.parent:
        raise unreadable(path, f"voxels in {name[:60]!r}", "one data file in the same folder")
    with refusing_damage(data_path), data_path.open("rb") as stream:
        return _read_voxels(stream, header, layout)


def _read_voxels(
    stream: IO[bytes], header: NrrdHeader, layout: VoxelLayout
) -> tuple[NDArray[Any], tuple[str, ...]]:
    encoding = _ENCODINGS.get(_field(header, "encoding", layout.path).lower())
    if encoding is None:
        raise unreadable(
            layout.path, f"the encoding {header.fields['encoding'][:40]!r}", "raw, gzip or bzip2 encoding"
        )
    n_bytes = _skip_lines(stream, header, layout.path)
    if n_bytes == -1 and encoding == "raw":
        stream.seek(0, 2)
        stream.seek(max(stream.tell() - layout.n_bytes, 0))
    elif n_bytes > 0:
        read_exactly(stream, n_bytes, layout.path)
    return layout.read(decompressor(stream, encoding))


def _skip_lines(stream: IO[bytes], header: NrrdHeader, path: Path) -> int:
    """Skip lines before the data, and return the number of bytes to skip (-1: the data are at the end)."""
    fields = header.fields
    skips = {name: fields.get(name + " skip", fields.get(name + "skip", "0")) for name in ("line", "byte")}
    n_lines, n_bytes = (_whole_numbers(skips[name], name + " skip", path) for name in ("line", "byte"))
    if len(n_lines) != 1 or len(n_bytes) != 1 or not (0 <= n_lines[0] <= 10_000 and n_bytes[0] >= -1):
        raise unreadable(path, f"line skip {skips['line']!r}, byte skip {skips['byte']!r}")
    for _ in range(n_lines[0]):
        stream.readline(_MAX_HEADER_BYTES)
    return n_bytes[0]
