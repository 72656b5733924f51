"""The authors' training files: TFRecord in GZIP, read without TensorFlow.

References
----------
https://www.tensorflow.org/tutorials/load_data/tfrecord (layout of a record), and tf.train.Example.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.errors import UnreadableFileError
from ctinsight.models.importers.crc32c import masked_crc32c
from ctinsight.models.importers.protobuf import Message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

#: A picture of 4096 x 4096; a longer record is damaged or hostile.
_MOST_BYTES = 4096 * 4096 * 2 + 4096


def read_tfrecord(path: Path) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yield image and mask of each record, (side, side) uint8.

    Raises
    ------
    UnreadableFileError
        No GZIP, a checksum that differs, or a record without the features ``image`` and ``mask``.
    """
    try:
        with gzip.open(path, "rb") as file:
            index = 0
            while header := file.read(12):
                yield _example(_record(file, header, path, index), path, index)
                index += 1
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, str(error)) from error


def _record(file: gzip.GzipFile, header: bytes, path: Path, index: int) -> bytes:
    length, checksum = struct.unpack("<QI", header) if len(header) == 12 else (0, -1)
    if checksum != masked_crc32c(header[:8]) or length > _MOST_BYTES:
        raise _damaged(path, f"record {index} with a wrong checksum of its length")
    body, end = file.read(length), file.read(4)
    if len(body) != length or len(end) != 4 or struct.unpack("<I", end)[0] != masked_crc32c(body):
        raise _damaged(path, f"record {index} with a wrong checksum")
    return body


def _example(body: bytes, path: Path, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    try:
        entries = [Message(entry) for entry in Message(Message(body).content(1)).contents(1)]
        features = {e.text(1): Message(Message(e.content(2)).content(1)).content(1) for e in entries}
    except (ValueError, UnicodeDecodeError) as error:
        raise _damaged(path, f"record {index}: {error}") from error
    pictures = []
    for name in ("image", "mask"):
        raw = np.frombuffer(features.get(name, b""), dtype=np.uint8)
        side = round(raw.size**0.5)
        if not raw.size or side * side != raw.size:
            raise _damaged(path, f"record {index}: feature {name} of {raw.size} bytes is no square picture")
        pictures.append(raw.reshape(side, side))
    return pictures[0], pictures[1]


def _damaged(path: Path, what: str) -> UnreadableFileError:
    return UnreadableFileError(
        found=f"{path.name}: {what}",
        expected="a TFRecord in GZIP with the features image and mask, raw bytes",
        remedy="Copy the file again, or give the pictures themselves.",
    )
