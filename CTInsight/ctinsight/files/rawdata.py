"""Bytes to voxels, strictly: never more than the header promises, never less."""

from __future__ import annotations

import bz2
import gzip
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from ctinsight.errors import InputRefusedError, UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

#: Largest image that is read, in bytes: ten times a whole-body CT of 2000 slices. A header that asks for
#: more is damaged or a trap.
MAX_IMAGE_BYTES = 12 * 1024**3
_CHUNK = 1 << 24

#: Signs from DICOM and ITK world coordinates (left, posterior, superior) to ours (right, anterior, superior).
LPS_SIGNS = (-1.0, -1.0, 1.0)

GET_AGAIN = "Copy or export the file again from its source."


@dataclass(frozen=True)
class VoxelLayout:
    """How the voxels of an image lie in its bytes: in which file, which shape, which number type.

    Raises
    ------
    UnreadableFileError
        No voxel along an axis.
    InputRefusedError
        More than :data:`MAX_IMAGE_BYTES`.
    """

    path: Path
    shape_kji: tuple[int, int, int]
    dtype: np.dtype[Any]

    def __post_init__(self) -> None:
        name, size = self.path.name, self.shape_kji[::-1]
        if min(size) < 1:
            raise unreadable(self.path, f"an image of {size} voxels", "at least one voxel along each axis")
        if self.n_bytes > MAX_IMAGE_BYTES:
            raise InputRefusedError(
                found=f"{name}: an image of {size} voxels ({self.n_bytes / 1024**3:.0f} GiB)",
                expected=f"at most {MAX_IMAGE_BYTES // 1024**3} GiB",
                remedy="Check the header, or crop the image to the head or chest.",
            )

    @property
    def n_bytes(self) -> int:
        """Number of bytes of the whole image."""
        return self.dtype.itemsize * self.shape_kji[0] * self.shape_kji[1] * self.shape_kji[2]

    def read(self, stream: IO[bytes]) -> tuple[NDArray[Any], tuple[str, ...]]:
        """Read the voxels (slices, rows, columns), and a note about bytes that follow them."""
        data = read_exactly(stream, self.n_bytes, self.path)
        extra = len(stream.read(_CHUNK))  # reading on verifies the checksum at the end of compressed data
        notes = (f"{extra} bytes after the image data were ignored.",) if extra else ()
        return self.array(data), notes

    def array(self, data: bytes | bytearray) -> NDArray[Any]:
        """View bytes as (slices, rows, columns) in the machine's byte order."""
        array = np.frombuffer(data, dtype=self.dtype).reshape(self.shape_kji)
        return array.astype(self.dtype.newbyteorder("="), copy=False)


@dataclass(frozen=True, eq=False)
class StoredImage:
    """An image file as it was read, before anyone asks whether it is a CT.

    ``ijk_to_ras`` may still be sheared or singular: :class:`ctinsight.volume.Grid` judges that.
    ``content`` names what the header says the voxels are when that is not an image ("labels").
    """

    file_format: str
    array_kji: NDArray[Any]
    ijk_to_ras: NDArray[np.float64]
    notes: tuple[str, ...] = ()
    content: str = "image"


def unreadable(path: Path, found: str, expected: str = "a complete, undamaged file") -> UnreadableFileError:
    """Make the error that says what is wrong with a file's bytes."""
    return UnreadableFileError(found=f"{path.name}: {found}", expected=expected, remedy=GET_AGAIN)


@contextmanager
def refusing_damage(path: Path) -> Iterator[None]:
    """Turn the errors of damaged or missing files into one with a remedy."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise unreadable(path, f"compressed data that end early or are damaged ({error})") from error
    except OSError as error:
        raise unreadable(path, f"a file that cannot be read ({error.strerror or error})") from error


def open_plain_or_gzip(path: Path) -> IO[bytes]:
    """Open a file for reading; gzip is recognised by its first bytes, not by its name."""
    with path.open("rb") as probe:
        packed = probe.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path, "rb") if packed else path.open("rb"))


def read_exactly(stream: IO[bytes], n_bytes: int, path: Path) -> bytearray:
    """Read ``n_bytes`` from a stream, or say how many there were."""
    data = bytearray()
    while len(data) < n_bytes:
        chunk = stream.read(min(_CHUNK, n_bytes - len(data)))
        if not chunk:
            raise unreadable(
                path, f"{len(data)} bytes of image data", f"the {n_bytes} bytes that its header promises"
            )
        data += chunk
    return data


def decompressor(stream: IO[bytes], encoding: str) -> IO[bytes]:
    """Wrap a stream of ``raw``, ``gzip`` or ``bzip2`` encoding."""
    if encoding == "gzip":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
    if encoding == "bzip2":
        return bz2.BZ2File(stream)
    return stream


def with_signs(matrix: NDArray[np.float64], signs: tuple[float, float, float]) -> NDArray[np.float64]:
    """Turn the world axes of a 4 x 4 matrix; infinite numbers stay what they are."""
    return np.asarray(matrix * np.array([*signs, 1.0])[:, np.newaxis], dtype=np.float64)
