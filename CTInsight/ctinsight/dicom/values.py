"""DICOM values as scanners really write them: decimal commas, blanks, exponents, too many digits.

The bytes of a text element are parsed here, not by pydicom, so that its two major versions behave alike and
one odd value in an element that nobody needs stops nothing.
"""

from __future__ import annotations

import math
import re
import struct
import warnings
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.errors import BytesLengthException, InvalidDicomError

from ctinsight.errors import UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom.dataset import Dataset

#: What pydicom and its decoders raise on damaged data; found by fuzzing.
PYDICOM_FAULTS = (
    ArithmeticError, AssertionError, AttributeError, BytesLengthException, EOFError, InvalidDicomError,
    LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError, struct.error,
)  # fmt: skip
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@contextmanager
def without_warnings() -> Iterator[None]:
    """Keep pydicom's remarks about odd values from the user: the values are judged here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def text(dataset: Dataset, keyword: str) -> str | None:
    """Read an element as text, several values joined by a backslash; ``None`` when absent or empty."""
    tag = tag_for_keyword(keyword)
    if tag is None or tag not in dataset:
        return None
    item: Any = dataset.get_item(tag)
    value = item.value
    if isinstance(item, RawDataElement) and isinstance(value, bytes):
        decoded = value.decode("latin-1")
    elif value is None:
        return None
    elif isinstance(value, str) or not hasattr(value, "__iter__"):
        decoded = str(value)
    else:
        decoded = "\\".join(str(part) for part in value)
    return decoded.strip(" \0\t\r\n") or None


def numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Read ``count`` decimal numbers; ``None`` when the element is absent or empty.

    Raises
    ------
    UnreadableFileError
        Another count, or text that is no finite number.
    """
    raw = text(dataset, keyword)
    if raw is None:
        return None
    parts = [part.strip(" \0\t\r\n").replace(",", ".") for part in raw.strip("[]()").split("\\")]
    values = tuple(float(part) for part in parts if _NUMBER.fullmatch(part))
    if len(values) != len(parts) or len(values) != count or not all(math.isfinite(v) for v in values):
        raise UnreadableFileError(
            found=f"{keyword} = {raw[:80]!r}",
            expected=f"{count} finite decimal number{'s' if count > 1 else ''}",
            remedy="Export the series again from the scanner or the archive.",
        )
    return values


def number(dataset: Dataset, keyword: str) -> float | None:
    """Read one decimal number; ``None`` when absent or empty."""
    values = numbers(dataset, keyword, 1)
    return None if values is None else values[0]


def number_or_none(dataset: Dataset, keyword: str) -> float | None:
    """Read one decimal number of an element that is not needed; ``None`` when it is odd."""
    try:
        return number(dataset, keyword)
    except UnreadableFileError:
        return None


def whole(dataset: Dataset, keyword: str) -> int | None:
    """Read a binary whole number (US, SS, ...); ``None`` when absent or odd."""
    try:
        with without_warnings():
            value = dataset.get(keyword)
            return None if value is None else int(value)
    except PYDICOM_FAULTS:
        return None


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Read the items of a sequence; empty when absent or damaged."""
    try:
        with without_warnings():
            sequence: Any = dataset.get(keyword)
            return [] if sequence is None or not hasattr(sequence, "__iter__") else list(sequence)
    except PYDICOM_FAULTS:
        return []


def read_dataset(path: Path, *, tags: list[str] | None = None, pixels: bool = False) -> Dataset | None:
    """Read a DICOM file; ``None`` when it is not one or is damaged.

    Parameters
    ----------
    path
        The file; one without the 128-byte preamble is read too, when its first element looks like DICOM.
    tags
        Keywords of the elements to keep; ``None`` keeps all.
    pixels
        Whether to read on into the pixel data.
    """
    try:
        with without_warnings():
            if not looks_like_dicom(path):
                return None
            return pydicom.dcmread(path, stop_before_pixels=not pixels, force=True, specific_tags=tags)
    except PYDICOM_FAULTS:
        return None


def looks_like_dicom(path: Path) -> bool:
    """Whether a file has the DICOM mark, or begins with an element of group 2 or 8."""
    with path.open("rb") as stream:
        start = stream.read(132)
    if start[128:132] == b"DICM":
        return True
    return len(start) == 132 and start[:2] in (b"\x02\x00", b"\x08\x00") and start[3:4] == b"\x00"


def age_years(raw: str | None) -> float | None:
    """Turn a DICOM age ("045Y", "006M") into years; ``None`` when it says nothing.

    Examples
    --------
    >>> age_years("045Y"), age_years("018M"), age_years("unknown")
    (45.0, 1.5, None)
    """
    match = re.fullmatch(r"(\d{1,3})([YMWD])", (raw or "").strip().upper())
    if match is None or match[0] == "000Y":  # what anonymisers leave
        return None
    per_year = {"Y": 1.0, "M": 12.0, "W": 365.25 / 7, "D": 365.25}
    return int(match[1]) / per_year[match[2]]


#: Older dates than the first CT scanners are what anonymisers leave.
_FIRST_YEAR = 1972


def acquisition_date(dataset: Dataset) -> date | None:
    """Return the day on which a CT was taken; ``None`` when no element says it in a usable way."""
    for keyword in ("AcquisitionDate", "AcquisitionDateTime", "SeriesDate", "StudyDate"):
        match = re.match(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})", text(dataset, keyword) or "")
        if match is None or int(match[1]) < _FIRST_YEAR:
            continue
        try:
            return date(int(match[1]), int(match[2]), int(match[3]))
        except ValueError:
            continue
    return None
