"""NIfTI-1 and NIfTI-2, read from the raw header.

Common readers repair what they meet: ITK replaces a sheared sform by the nearest rotation and falls back to
a default orientation, others prefer one of two contradicting transforms in silence. A wrong side or a wrong
millilitre would follow, so the header is read here and every doubt is a refusal or a note.

References
----------
NIfTI-1 data format, Neuroimaging Informatics Technology Initiative, https://nifti.nimh.nih.gov/nifti-1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import GeometryError, InputRefusedError, NotCTError
from ctinsight.files.rawdata import (
    StoredImage,
    VoxelLayout,
    open_plain_or_gzip,
    read_exactly,
    refusing_damage,
    unreadable,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_CONTENTS = {1002: "labels", 1003: "names", 1004: "matrices", 1005: "matrices", 1006: "displacements",
             1007: "vectors", 1008: "points", 1009: "triangles", 1010: "quaternions", 2003: "colours",
             2004: "colours"}  # fmt: skip
_UNITS = {1: "metres", 3: "micrometres"}
#: Byte offset and struct format of each field, for headers of 348 and 540 bytes.
_FIELDS_1 = {
    "dim": (40, "8h"), "intent": (68, "h"), "datatype": (70, "h"), "bitpix": (72, "h"), "pixdim": (76, "8f"),
    "vox_offset": (108, "f"), "scaling": (112, "2f"), "units": (123, "B"), "codes": (252, "2h"),
    "quatern": (256, "6f"), "srow": (280, "12f"),
}  # fmt: skip
_FIELDS_2 = {
    "datatype": (12, "h"), "bitpix": (14, "h"), "dim": (16, "8q"), "pixdim": (104, "8d"),
    "vox_offset": (168, "q"), "scaling": (176, "2d"), "codes": (344, "2i"), "quatern": (352, "6d"),
    "srow": (400, "12d"), "units": (500, "i"), "intent": (504, "i"),
}  # fmt: skip
#: Spacings of sform and pixdim that differ by less are one spacing, rounded; at this limit on all three axes
#: a volume differs by 0.6 %.
_SAME_SPACING = 2e-3
_ORIENT = "Convert it again from DICOM with a tool that writes the orientation."


@dataclass(frozen=True)
class NiftiHeader:
    """The header fields that decide size, value and place of a voxel, as they stand in the file."""

    order: str
    single_file: bool
    n_bytes: int
    dim: tuple[int, ...]
    pixdim: tuple[float, ...]
    datatype: int
    bitpix: int
    vox_offset: float
    scaling: tuple[float, float]
    units: int
    intent: int
    codes: tuple[int, int]
    quatern: tuple[float, ...]
    srow: tuple[float, ...]


def read_nifti(path: Path) -> StoredImage:
    """Read a ``.nii``, ``.nii.gz`` or NIfTI ``.hdr``/``.img`` pair.

    Raises
    ------
    UnreadableFileError
        Not NIfTI, damaged or truncated.
    GeometryError
        No orientation, or two that contradict each other.
    NotCTError
        Colours, complex numbers, vectors or several time points.
    """
    with refusing_damage(path), open_plain_or_gzip(path) as stream:
        header = _read_header(stream, path)
        shape = _shape_kji(header, path)
        matrix, notes = _ijk_to_ras(header, path)
        if header.single_file:
            _skip_to_voxels(stream, header, path)
            stored, more = VoxelLayout(path, shape, _dtype(header, path)).read(stream)
        else:
            stored, more = _read_image_file(header, shape, path)
    array, scaled = _scaled(stored, header, path)
    return StoredImage("NIfTI", array, matrix, (*notes, *more, *scaled), _content(header.intent))


def _content(intent: int) -> str:
    return "statistics" if 2 <= intent <= 24 else _CONTENTS.get(intent, "image")


def _read_header(stream: IO[bytes], path: Path) -> NiftiHeader:
    start = stream.read(4)
    size, order = _size_and_order(start)
    if size == 0:
        raise unreadable(path, "a first number that is not 348 or 540", "a NIfTI-1 or NIfTI-2 header")
    block = start + bytes(read_exactly(stream, size - 4, path))
    magic = block[344:348] if size == 348 else block[4:8]
    if magic[:3] not in (b"n+1", b"ni1", b"n+2", b"ni2"):
        raise unreadable(
            path,
            f"the mark {magic!r} (an Analyze 7.5 file knows no orientation)",
            "a NIfTI-1 or NIfTI-2 mark",
        )
    fields = _FIELDS_1 if size == 348 else _FIELDS_2
    values = {
        name: struct.unpack_from(order + kind, block, offset) for name, (offset, kind) in fields.items()
    }
    single = {name: values[name][0] for name in ("datatype", "bitpix", "vox_offset", "units", "intent")}
    return NiftiHeader(
        order=order,
        single_file=magic[1:2] == b"+",
        n_bytes=size,
        dim=values["dim"],
        pixdim=values["pixdim"],
        scaling=(values["scaling"][0], values["scaling"][1]),
        codes=(values["codes"][0], values["codes"][1]),
        quatern=values["quatern"],
        srow=values["srow"],
        **single,
    )


def _size_and_order(start: bytes) -> tuple[int, str]:
    for order in "<>":
        if len(start) == 4 and struct.unpack(order + "i", start)[0] in (348, 540):
            return struct.unpack(order + "i", start)[0], order
    return 0, "<"


def _shape_kji(header: NiftiHeader, path: Path) -> tuple[int, int, int]:
    n_axes = header.dim[0]
    if not 1 <= n_axes <= 7:
        raise unreadable(path, f"an image with {n_axes} axes", "three axes")
    sizes = header.dim[1 : n_axes + 1]
    if n_axes < 3 or any(n != 1 for n in sizes[3:]):
        raise NotCTError(
            found=f"{path.name}: an image of {' x '.join(map(str, sizes))}",
            expected="one three-dimensional volume",
            remedy="Choose a single volume; split a time series or several channels first.",
        )
    return int(sizes[2]), int(sizes[1]), int(sizes[0])


def _dtype(header: NiftiHeader, path: Path) -> np.dtype[Any]:
    kind = _TYPES.get(header.datatype)
    if kind is None:
        raise NotCTError(
            found=f"{path.name}: voxels of NIfTI type {header.datatype}",
            expected="one real number per voxel",
            remedy="Choose the CT volume; colours and complex numbers are not Hounsfield units.",
        )
    dtype = np.dtype(header.order + kind)
    if header.bitpix != dtype.itemsize * 8:
        raise unreadable(path, f"bitpix {header.bitpix} for NIfTI type {header.datatype}")
    return dtype


def _skip_to_voxels(stream: IO[bytes], header: NiftiHeader, path: Path) -> None:
    first = header.n_bytes + 4
    offset = header.vox_offset or first
    if not (np.isfinite(offset) and first <= offset < 2**31 and offset == int(offset)):
        raise unreadable(path, f"voxels that start at byte {offset}", f"a whole number of at least {first}")
    read_exactly(stream, int(offset) - header.n_bytes, path)


def _read_image_file(
    header: NiftiHeader, shape: tuple[int, int, int], path: Path
) -> tuple[NDArray[Any], tuple[str, ...]]:
    base = path.name.removesuffix(".gz").removesuffix(".hdr").removesuffix(".img")
    names = [path.with_name(base + ".img"), path.with_name(base + ".img.gz")]
    found = next((name for name in names if name.is_file()), None)
    if found is None:
        raise unreadable(path, "a header without its image data", f"the file {names[0].name} beside it")
    with refusing_damage(found), open_plain_or_gzip(found) as stream:
        read_exactly(stream, int(header.vox_offset) if 0 <= header.vox_offset < 2**31 else 0, found)
        return VoxelLayout(found, shape, _dtype(header, path)).read(stream)


def _scaled(stored: NDArray[Any], header: NiftiHeader, path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    slope, intercept = header.scaling
    if slope == 0 or (slope, intercept) == (1.0, 0.0):
        return stored, ()
    if not (np.isfinite(slope) and np.isfinite(intercept)):
        raise InputRefusedError(
            found=f"{path.name}: a scale of {slope} and an offset of {intercept} for the voxel values",
            expected="finite numbers (scl_slope, scl_inter)",
            remedy="Convert the image again; its Hounsfield values cannot be known.",
        )
    whole = slope == int(slope) and intercept == int(intercept) and stored.dtype.kind in "iu"
    if whole and stored.dtype.itemsize <= 2 and abs(slope) <= 1024 and abs(intercept) <= 2**20:
        values = stored.astype(np.int32) * int(slope) + int(intercept)
        fits = int(values.min()) >= -(2**15) and int(values.max()) < 2**15
        return values.astype(np.int16) if fits else values, ()
    return stored.astype(np.float64) * slope + intercept, ()


def _ijk_to_ras(header: NiftiHeader, path: Path) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    if header.units & 7 in _UNITS:
        raise GeometryError(
            found=f"{path.name}: lengths in {_UNITS[header.units & 7]}",
            expected="millimetres",
            remedy="Convert the image again with lengths in mm.",
        )
    notes = () if header.units & 7 == 2 else ("The header names no unit of length; millimetres were taken.",)
    qform_code, sform_code = header.codes
    if sform_code <= 0 and qform_code <= 0:
        raise GeometryError(
            found=f"{path.name}: no orientation (qform and sform code are 0)",
            expected="a header that says where left and right are",
            remedy=_ORIENT,
        )
    if sform_code <= 0:
        return _qform(header, path), notes
    sform = _sform(header, path)
    if qform_code <= 0:
        return sform, notes
    return sform, (*notes, *_compare(sform, _qform(header, path), header, path))


def _sform(header: NiftiHeader, path: Path) -> NDArray[np.float64]:
    matrix = np.vstack([np.reshape(header.srow, (3, 4)), (0, 0, 0, 1)]).astype(np.float64)
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    stated = np.abs(header.pixdim[1:4])
    if not np.allclose(spacing, stated, rtol=_SAME_SPACING, atol=1e-6):
        raise GeometryError(
            found=f"{path.name}: voxel spacings of {_mm(spacing)} in the orientation matrix (sform) and of "
            f"{_mm(stated)} in pixdim",
            expected="the same spacing in both",
            remedy="Convert it again from DICOM; which of the two is true cannot be known.",
        )
    return matrix


def _qform(header: NiftiHeader, path: Path) -> NDArray[np.float64]:
    b, c, d, *offset = header.quatern
    a_squared = 1.0 - (b * b + c * c + d * d)
    qfac = header.pixdim[0]
    spacing = np.array(header.pixdim[1:4], dtype=np.float64)
    if not (a_squared > -1e-4 and qfac in (-1.0, 0.0, 1.0) and np.all(spacing > 0)):
        raise GeometryError(
            found=f"{path.name}: a qform with quaternion {b, c, d}, qfac {qfac}, spacing {_mm(spacing)}",
            expected="a unit quaternion, qfac 1 or -1 and positive spacings",
            remedy=_ORIENT,
        )
    w, x, y, z = _unit_quaternion(b, c, d, max(a_squared, 0.0) ** 0.5)
    rotation = np.array(
        [
            [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), w * w + y * y - x * x - z * z, 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), w * w + z * z - x * x - y * y],
        ]
    )
    spacing[2] *= -1.0 if qfac == -1.0 else 1.0
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation * spacing, offset
    return matrix


def _unit_quaternion(b: float, c: float, d: float, a: float) -> NDArray[np.float64]:
    quaternion = np.array([a, b, c, d], dtype=np.float64)
    return np.asarray(quaternion / np.linalg.norm(quaternion), dtype=np.float64)


def _compare(
    sform: NDArray[np.float64], qform: NDArray[np.float64], header: NiftiHeader, path: Path
) -> tuple[str, ...]:
    last = np.array(header.dim[1:4], dtype=np.float64) - 1
    corners = np.array(np.meshgrid(*[(0, n) for n in last], [1.0])).reshape(4, -1)
    apart = float(np.linalg.norm(((sform - qform) @ corners)[:3], axis=0).max())
    if apart < 0.5 * float(np.min(header.pixdim[1:4])):
        return ()
    unit_s, unit_q = (m[:3, :3] / np.linalg.norm(m[:3, :3], axis=0) for m in (sform, qform))
    if not np.all(np.sum(unit_s * unit_q, axis=0) > np.cos(np.radians(30))):
        raise GeometryError(
            found=f"{path.name}: two orientations (sform and qform) that turn the axes differently",
            expected="the same patient left and right in both",
            remedy=_ORIENT,
        )
    return (f"The header holds two positions up to {apart:.1f} mm apart; the first (sform) was taken.",)


def _mm(spacing: Any) -> str:
    return " x ".join(f"{value:.4g}" for value in spacing) + " mm"
