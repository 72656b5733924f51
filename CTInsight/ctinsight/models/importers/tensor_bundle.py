"""TensorFlow's checkpoint files ("tensor bundle"), read without TensorFlow.

``NAME.index`` is a LevelDB table from tensor names to entries, ``NAME.data-00000-of-00001`` holds the values.
Every checksum on the way is verified.

References
----------
LevelDB table format: https://github.com/google/leveldb/blob/main/doc/table_format.md
TensorFlow, core/protobuf/tensor_bundle.proto and trackable_object_graph.proto
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.errors import WrongWeightsError
from ctinsight.models.importers.crc32c import crc32c, mask, masked_crc32c
from ctinsight.models.importers.protobuf import Message, read_varint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_TABLE_MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_TRAILER_BYTES = 5
#: DataType numbers of tensorflow/core/framework/types.proto that a model's weights may have.
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}
_STRING = 7
#: An index larger than this is no network of ours: 566 tensors with their slots take 100 kB.
_MOST_INDEX_BYTES = 64 * 2**20

_AGAIN = "Copy the .index and all .data files of the checkpoint again, together."


@dataclass(frozen=True)
class Entry:
    """Where one tensor lies: BundleEntryProto."""

    name: str
    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int


@dataclass(frozen=True)
class TensorBundle:
    """An opened checkpoint: its entries by name, values read on demand.

    Parameters
    ----------
    prefix
        Path without ``.index``.
    """

    prefix: Path
    shards: int
    entries: dict[str, Entry]

    @classmethod
    def open(cls, prefix: Path) -> TensorBundle:
        """Read and verify the index.

        Raises
        ------
        WrongWeightsError
            Not an index file, truncated, a checksum that does not fit, or a layout that is not read here.
        """
        index = prefix.with_name(prefix.name + ".index")
        if index.stat().st_size > _MOST_INDEX_BYTES:
            raise damaged(index, f"{index.stat().st_size} bytes, too many for an index")
        try:
            return cls._parse(prefix, dict(_table(index.read_bytes())))
        except (_Damage, ValueError, IndexError, struct.error) as error:
            raise damaged(index, str(error)) from error

    @classmethod
    def _parse(cls, prefix: Path, table: dict[bytes, bytes]) -> TensorBundle:
        if b"" not in table:
            raise _Damage(what="no bundle header")
        header = Message(table.pop(b""))
        if header.integer(2) != 0:
            raise _Damage(what="big-endian values")
        entries = {name.decode(): _entry(name.decode(), Message(value)) for name, value in table.items()}
        return cls(prefix, header.integer(1), entries)

    def shard_path(self, shard: int) -> Path:
        """Return the path of one data file."""
        return self.prefix.with_name(f"{self.prefix.name}.data-{shard:05d}-of-{self.shards:05d}")

    def read(self, name: str) -> NDArray[np.generic]:
        """Read one numeric tensor and verify its checksum.

        Raises
        ------
        WrongWeightsError
            Data file absent or too short, checksum or size that does not fit, type that is no number.
        """
        entry = self.entries[name]
        if entry.dtype not in _DTYPES:
            raise damaged(self.shard_path(entry.shard), f"{name} has the unknown type {entry.dtype}")
        dtype = np.dtype(_DTYPES[entry.dtype])
        if math.prod(entry.shape) * dtype.itemsize != entry.size:
            raise damaged(self.shard_path(entry.shard), f"{name}: {entry.size} bytes for shape {entry.shape}")
        data = self._bytes(entry)
        self._verify(entry, masked_crc32c(data))
        return np.frombuffer(data, dtype).reshape(entry.shape).astype(dtype.newbyteorder("="))

    def read_string(self, name: str) -> bytes:
        """Read a scalar string tensor and verify its checksums; raises as :meth:`read`."""
        entry = self.entries[name]
        data = self._bytes(entry)
        length, start = read_varint(data, 0)
        body = data[start + 4 :]
        # The length enters the checksum as a fixed-width number, not as it is stored.
        crc = crc32c(struct.pack("<I" if length < 2**32 else "<Q", length))
        if entry.dtype != _STRING or len(body) != length or data[start : start + 4] != _packed(crc):
            raise damaged(self.shard_path(entry.shard), f"{name}: not one string of the stated length")
        self._verify(entry, masked_crc32c(data[start:], crc))
        return body

    def _bytes(self, entry: Entry) -> bytes:
        path = self.shard_path(entry.shard)
        if not path.is_file():
            raise damaged(path, "the data file is missing")
        if path.stat().st_size < entry.offset + entry.size:
            raise damaged(path, f"{path.stat().st_size} bytes, but {entry.name} ends beyond")
        with path.open("rb") as file:
            file.seek(entry.offset)
            return file.read(entry.size)

    def _verify(self, entry: Entry, crc: int) -> None:
        if crc != entry.crc:
            raise damaged(self.shard_path(entry.shard), f"{entry.name}: its checksum (CRC-32C) does not fit")


class _Damage(ValueError):  # noqa: N818 - turned into WrongWeightsError before it leaves this file
    def __init__(self, *, what: str) -> None:
        super().__init__(what)


def damaged(path: Path, what: str) -> WrongWeightsError:
    """Make the error for a checkpoint file that cannot be used."""
    return WrongWeightsError(
        found=f"{path.name}: {what}",
        expected="an intact TensorFlow checkpoint (.index and .data files of one save)",
        remedy=_AGAIN,
    )


def _packed(crc: int) -> bytes:
    return struct.pack("<I", mask(crc))


def _entry(name: str, message: Message) -> Entry:
    if message.has(7):
        raise _Damage(what=f"{name} is stored in slices (partitioned variable)")
    shape = tuple(Message(dim).integer(1) for dim in Message(message.content(2)).contents(2))
    return Entry(
        name=name,
        dtype=message.integer(1),
        shape=shape,
        shard=message.integer(3),
        offset=message.integer(4),
        size=message.integer(5),
        crc=message.fixed32(6),
    )


def _table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(data) < _FOOTER_BYTES:
        raise _Damage(what=f"only {len(data)} bytes")
    footer = data[-_FOOTER_BYTES:]
    if struct.unpack("<Q", footer[-8:])[0] != _TABLE_MAGIC:
        raise _Damage(what="no LevelDB table at its end (another format, or truncated)")
    _, at = read_varint(footer, 0)
    _, at = read_varint(footer, at)
    for _, handle in _block(data, footer[at:]):
        yield from _block(data, handle)


def _block(data: bytes, handle: bytes) -> Iterator[tuple[bytes, bytes]]:
    offset, at = read_varint(handle, 0)
    size, _ = read_varint(handle, at)
    end = offset + size
    if end + _TRAILER_BYTES > len(data):
        raise _Damage(what="a block reaches beyond the end (truncated)")
    kind, crc = struct.unpack("<BI", data[end : end + _TRAILER_BYTES])
    if masked_crc32c(data[offset : end + 1]) != crc:
        raise _Damage(what="the checksum (CRC-32C) of a block does not fit")
    if kind != 0:
        raise _Damage(what=f"a block compressed by method {kind}")
    return _rows(data[offset:end])


def _rows(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    (restarts,) = struct.unpack("<I", block[-4:])
    end, at, key = len(block) - 4 - 4 * restarts, 0, b""
    while at < end:
        shared, at = read_varint(block, at)
        fresh, at = read_varint(block, at)
        length, at = read_varint(block, at)
        key = key[:shared] + block[at : at + fresh]
        yield key, block[at + fresh : at + fresh + length]
        at += fresh + length
