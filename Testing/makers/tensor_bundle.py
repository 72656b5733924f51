"""Write TensorFlow checkpoints for tests: one data file, one index table of two blocks."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from ctinsight.models.importers.crc32c import crc32c, mask, masked_crc32c

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def write_bundle(
    prefix: Path, tensors: Mapping[str, NDArray], names: Mapping[str, str] | None = None
) -> None:
    """Write float tensors by key; ``names`` (full name by key) adds the object graph."""
    data, entries = b"", {b"": _field(1, 1) + _field(3, _field(1, 1))}
    for key, tensor in sorted(tensors.items()):
        value = tensor.astype("<f4").tobytes()
        entries[key.encode()] = _entry(1, tensor.shape, (len(data), len(value)), masked_crc32c(value))
        data += value
    if names is not None:
        graph = _field(
            1, b"".join(_field(2, _field(2, full) + _field(3, key)) for key, full in names.items())
        )
        length = crc32c(struct.pack("<I", len(graph)))
        stored = struct.pack("<I", mask(length)) + graph
        value = _varint(len(graph)) + stored
        crc = masked_crc32c(stored, length)
        entries[b"_CHECKPOINTABLE_OBJECT_GRAPH"] = _entry(7, (), (len(data), len(value)), crc)
        data += value
    prefix.with_name(prefix.name + ".data-00000-of-00001").write_bytes(data)
    prefix.with_name(prefix.name + ".index").write_bytes(_table(dict(sorted(entries.items()))))


def _entry(dtype: int, shape: tuple[int, ...], place: tuple[int, int], crc: int) -> bytes:
    dims = b"".join(_field(2, _field(1, n)) for n in shape)
    offset, size = place
    fields = _field(1, dtype) + _field(2, dims) + _field(4, offset) + _field(5, size)
    return fields + _varint(6 << 3 | 5) + struct.pack("<I", crc)


def _table(rows: dict[bytes, bytes]) -> bytes:
    keys = list(rows)
    half = len(keys) // 2 + 1
    table, handles = b"", {}
    for part in (keys[:half], keys[half:]):
        if part:
            block = _block({key: rows[key] for key in part})
            handles[part[-1]] = _varint(len(table)) + _varint(len(block) - 5)
            table += block
    index = _block(handles)
    footer = _varint(0) + _varint(0) + _varint(len(table)) + _varint(len(index) - 5)
    return table + index + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def _block(rows: dict[bytes, bytes]) -> bytes:
    body, before = b"", b""
    for key, value in rows.items():
        shared = next((n for n, (a, b) in enumerate(zip(key, before, strict=False)) if a != b), 0)
        shared = shared if before else 0
        body += _varint(shared) + _varint(len(key) - shared) + _varint(len(value)) + key[shared:] + value
        before = key
    body += struct.pack("<II", 0, 1) + b"\0"
    return body + struct.pack("<I", masked_crc32c(body))


def _field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])
