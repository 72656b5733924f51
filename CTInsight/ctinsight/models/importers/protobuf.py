"""Just enough of the protocol-buffer wire format to read a checkpoint's index.

References
----------
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a variable-length number; return it and the position behind it.

    Raises
    ------
    ValueError
        More than ten bytes, or the data end inside it.

    Examples
    --------
    >>> read_varint(bytes([0xAC, 0x02]), 0)
    (300, 2)
    """
    value = 0
    for index in range(10):
        if at + index >= len(data):
            break
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    msg = "a number that does not end (damaged)"
    raise ValueError(msg)


class Message:
    """The fields of one message, by number; an absent number field is 0, as the format defines.

    Raises
    ------
    ValueError
        The data do not follow the wire format.
    """

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[int | bytes]] = {}
        at = 0
        while at < len(data):
            tag, at = read_varint(data, at)
            value, at = _value(data, at, tag & 7)
            self._fields.setdefault(tag >> 3, []).append(value)

    def has(self, field: int) -> bool:
        """Whether the field occurs."""
        return field in self._fields

    def integer(self, field: int) -> int:
        """Return the last value of a number field, 0 when absent."""
        value = self._fields.get(field, [0])[-1]
        if isinstance(value, bytes):
            msg = f"field {field} is no number (damaged)"
            raise ValueError(msg)
        return value

    fixed32 = integer

    def content(self, field: int) -> bytes:
        """Return the last value of a length-delimited field, empty when absent."""
        found = self.contents(field)
        return found[-1] if found else b""

    def contents(self, field: int) -> list[bytes]:
        """Return every value of a repeated length-delimited field."""
        values = self._fields.get(field, [])
        found = [value for value in values if isinstance(value, bytes)]
        if len(found) != len(values):
            msg = f"field {field} is no message (damaged)"
            raise ValueError(msg)
        return found

    def text(self, field: int) -> str:
        """Return the last value of a string field."""
        return self.content(field).decode()


def _value(data: bytes, at: int, wire: int) -> tuple[int | bytes, int]:
    if wire == _VARINT:
        return read_varint(data, at)
    if wire == _LENGTH:
        length, at = read_varint(data, at)
        if at + length > len(data):
            msg = "a field reaches beyond the end (damaged)"
            raise ValueError(msg)
        return data[at : at + length], at + length
    width, code = {_FIXED32: (4, "<I"), _FIXED64: (8, "<Q")}.get(wire, (0, ""))
    if not width or at + width > len(data):
        msg = f"unknown wire type {wire} (damaged)"
        raise ValueError(msg)
    return int(struct.unpack(code, data[at : at + width])[0]), at + width
