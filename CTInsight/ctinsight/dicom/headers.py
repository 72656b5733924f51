"""The headers of DICOM files as plain values: one :class:`Frame` per slice, classic or enhanced."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ctinsight.dicom.values import (
    acquisition_date,
    age_years,
    items,
    number_or_none,
    numbers,
    read_dataset,
    text,
    whole,
)
from ctinsight.errors import UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from pydicom.dataset import Dataset

#: Elements that are read. PatientID and StudyInstanceUID are only compared between files, never kept.
_TAGS = [
    "SOPClassUID", "SOPInstanceUID", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber",
    "SeriesDescription", "Modality",
    "ImageType", "InstanceNumber", "AcquisitionNumber", "PatientAge", "ConvolutionKernel",
    "ContrastBolusAgent", "ContrastBolusAgentSequence", "ImagePositionPatient", "ImageOrientationPatient",
    "PixelSpacing", "SliceThickness", "SpacingBetweenSlices", "GantryDetectorTilt", "RescaleSlope",
    "RescaleIntercept", "RescaleType", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel",
    "PhotometricInterpretation", "BitsAllocated", "PixelRepresentation", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", "AcquisitionDate", "AcquisitionDateTime", "SeriesDate", "StudyDate",
]  # fmt: skip
_SALT = secrets.token_bytes(16)
#: CT, enhanced CT and legacy converted enhanced CT image storage.
CT_CLASSES = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")


@dataclass(frozen=True)
class SeriesFacts:
    """What all frames of a series share.

    ``contrast`` is the agent's name. ``patient_key`` and ``study_key`` are equal for series of one patient
    and one examination; they are salted numbers that mean nothing outside this process. ``acquired_on`` and
    ``has_patient`` (whether a patient is named at all) serve comparisons of two CTs and are never written.
    """

    uid: str
    number: int | None
    description: str | None
    modality: str
    sop_class: str
    image_type: tuple[str, ...]
    kernel: str | None = None
    contrast: str | None = None
    age_years: float | None = None
    tilt_tag_degrees: float | None = None
    patient_key: int = field(default=0, repr=False)
    study_key: int = field(default=0, repr=False)
    acquired_on: date | None = field(default=None, repr=False)
    has_patient: bool = field(default=False, repr=False)


@dataclass(frozen=True)
class Frame:
    """One slice: where it lies (LPS, mm), how to turn its stored values into HU, and in which file it is.

    ``None`` stands for an element that is absent. ``odd`` is the sentence about an element that could not be
    understood; such a frame is refused when its series is chosen.
    """

    path: Path
    index: int
    series: SeriesFacts
    rows: int
    columns: int
    position_lps: tuple[float, ...] | None
    orientation_lps: tuple[float, ...] | None
    spacing_mm: tuple[float, ...] | None
    thickness_mm: float | None
    slope: float | None
    intercept: float | None
    rescale_type: str | None
    instance_uid: str
    instance_number: int | None
    acquisition: int | None
    odd: str = ""


def files_below(folder: Path) -> Iterator[Path]:
    """List the files of a folder and its sub-folders in order, without hidden ones."""
    for root, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        for name in sorted(names):
            path = Path(root, name)
            if not name.startswith(".") and path.is_file():
                yield path


def read_frames(paths: Iterable[Path]) -> tuple[list[Frame], int]:
    """Read the headers of all DICOM images among some files, and count the files passed over."""
    frames: list[Frame] = []
    others = 0
    for path in paths:
        dataset = read_dataset(path, tags=_TAGS)
        if dataset is not None and text(dataset, "Modality") is not None:
            frames.extend(_frames_of(dataset, path))
        else:
            others += 1
    return frames, others


def _frames_of(dataset: Dataset, path: Path) -> Iterator[Frame]:
    series = _series_facts(dataset)
    groups = items(dataset, "PerFrameFunctionalGroupsSequence")
    if not groups:
        frame = _frame([dataset], path, 0, series)
        many = (number_or_none(dataset, "NumberOfFrames") or 1) > 1
        yield replace(frame, odd="several frames without a position for each") if many else frame
        return
    shared = items(dataset, "SharedFunctionalGroupsSequence")[:1]
    for index, group in enumerate(groups):
        yield _frame([group, *shared, dataset], path, index, series)


def _series_facts(dataset: Dataset) -> SeriesFacts:
    number = number_or_none(dataset, "SeriesNumber")
    agents = items(dataset, "ContrastBolusAgentSequence")
    agent = text(agents[0], "CodeMeaning") if agents else text(dataset, "ContrastBolusAgent")
    return SeriesFacts(
        uid=text(dataset, "SeriesInstanceUID") or "",
        number=None if number is None else int(number),
        description=text(dataset, "SeriesDescription"),
        modality=(text(dataset, "Modality") or "").upper(),
        sop_class=text(dataset, "SOPClassUID") or "",
        image_type=tuple(part.strip() for part in (text(dataset, "ImageType") or "").upper().split("\\")),
        kernel=text(dataset, "ConvolutionKernel"),
        contrast=agent,
        age_years=age_years(text(dataset, "PatientAge")),
        tilt_tag_degrees=number_or_none(dataset, "GantryDetectorTilt"),
        patient_key=hash((_SALT, text(dataset, "PatientID"))),
        study_key=hash((_SALT, text(dataset, "StudyInstanceUID"))),
        acquired_on=acquisition_date(dataset),
        has_patient=text(dataset, "PatientID") is not None,
    )


class _Lookup:
    """Find an element in the functional groups of a frame, then in the header of its file."""

    def __init__(self, levels: list[Dataset]) -> None:
        self._levels = levels
        self.odd = ""

    def level(self, group: str, keyword: str) -> Dataset | None:
        """Find the dataset that holds an element: an item of a functional group or the file itself."""
        for level in self._levels:
            for holder in (*items(level, group), level):
                if text(holder, keyword) is not None:
                    return holder
        return None

    def numbers(self, group: str, keyword: str, count: int) -> tuple[float, ...] | None:
        """Read numbers, remembering the first sentence about an odd one."""
        holder = self.level(group, keyword)
        try:
            return None if holder is None else numbers(holder, keyword, count)
        except UnreadableFileError as error:
            self.odd = self.odd or f"{error.found} (expected {error.expected})"
            return None

    def number(self, group: str, keyword: str) -> float | None:
        """Read one number."""
        values = self.numbers(group, keyword, 1)
        return None if values is None else values[0]

    def number_or_none(self, group: str, keyword: str) -> float | None:
        """Read one number that is not needed; an odd one counts as absent."""
        holder = self.level(group, keyword)
        return None if holder is None else number_or_none(holder, keyword)

    def text(self, group: str, keyword: str) -> str | None:
        """Read text."""
        holder = self.level(group, keyword)
        return None if holder is None else text(holder, keyword)


def _frame(levels: list[Dataset], path: Path, index: int, series: SeriesFacts) -> Frame:
    lookup, dataset = _Lookup(levels), levels[-1]
    frame_type = lookup.text("CTImageFrameTypeSequence", "FrameType")
    if frame_type is not None:
        kind = tuple(part.strip() for part in frame_type.upper().split("\\"))
        series = replace(series, image_type=kind)
    thickness = lookup.number_or_none("PixelMeasuresSequence", "SliceThickness")
    instance = number_or_none(dataset, "InstanceNumber")
    acquisition = number_or_none(dataset, "AcquisitionNumber")
    transformation = "PixelValueTransformationSequence"
    return Frame(
        path=path,
        index=index,
        series=series,
        rows=whole(dataset, "Rows") or 0,
        columns=whole(dataset, "Columns") or 0,
        position_lps=lookup.numbers("PlanePositionSequence", "ImagePositionPatient", 3),
        orientation_lps=lookup.numbers("PlaneOrientationSequence", "ImageOrientationPatient", 6),
        spacing_mm=lookup.numbers("PixelMeasuresSequence", "PixelSpacing", 2),
        thickness_mm=thickness if thickness is not None and thickness > 0 else None,
        slope=lookup.number(transformation, "RescaleSlope"),
        intercept=lookup.number(transformation, "RescaleIntercept"),
        rescale_type=lookup.text(transformation, "RescaleType"),
        instance_uid=text(dataset, "SOPInstanceUID") or "",
        instance_number=None if instance is None else int(instance),
        acquisition=None if acquisition is None else int(acquisition),
        odd=lookup.odd,
    )
