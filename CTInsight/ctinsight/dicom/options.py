"""What a user may say about how an image is to be read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReadOptions:
    """Choices for reading a scan; the defaults never guess.

    Parameters
    ----------
    series
        Which DICOM series: its UID, its number, or a part of its description.
    allow_gaps
        Read a DICOM series although slices are missing; the result says so.
    spacing_mm
        (row, column) distance of neighbouring pixels in mm; folders of PNG or JPG slices only.
    thickness_mm
        Distance of neighbouring slices in mm; folders of PNG or JPG slices only.
    window
        (center, width) in HU that black and white stand for; folders of PNG or JPG slices only.
    """

    series: str | None = None
    allow_gaps: bool = False
    spacing_mm: tuple[float, float] | None = None
    thickness_mm: float | None = None
    window: tuple[float, float] | None = None
