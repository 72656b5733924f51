"""The original DR-UNet program's area and volume arithmetic, for parity with it only.

Not a measurement of a patient: it takes every picture for 1440 x 1440 pixels at 96 dpi whatever the scanner
said, adds holes instead of subtracting them, calls a slice with more than eight outlines empty, and takes
the slice thickness as 4.5 mm. Use :func:`ctinsight.measure.volume_ml` for everything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

LEGACY_STATEMENT = (
    "Legacy arithmetic of the original program (1440 x 1440 pixels at 96 dpi, fixed slice thickness): "
    "for comparison with it only, not the patient's volume."
)


@dataclass(frozen=True)
class LegacyRules:
    """The constants of the original program.

    Parameters
    ----------
    side_px
        Every picture is stretched to this many rows and columns.
    dpi
        Pixels per inch that are assumed: a pixel of 0.2646 mm.
    min_area_px, max_area_fraction
        Outlines outside these limits (exclusive) are dropped.
    max_outlines
        A slice with more counts as empty.
    thickness_cm
        0.45 in its prediction, 0.4 in its calculation from mask files.
    """

    side_px: int = 1440
    dpi: float = 96.0
    min_area_px: float = 200.0
    max_area_fraction: float = 0.94
    max_outlines: int = 8
    thickness_cm: float = 0.45


_RULES = LegacyRules()


def legacy_volume(
    pictures: Iterable[NDArray[np.uint8]], rules: LegacyRules = _RULES
) -> tuple[tuple[float, ...], float]:
    """Follow the original from 8-bit probability pictures to its area per slice and volume.

    Parameters
    ----------
    pictures
        (rows, columns) uint8 each: ``floor(255 * probability)``, see :func:`legacy_picture`.

    Returns
    -------
    tuple
        (area of each slice in cm², their sum times the thickness in mL).
    """
    areas = tuple(legacy_area_cm2(picture, rules) for picture in pictures)
    return areas, sum(areas) * rules.thickness_cm


def legacy_picture(probability: NDArray[Any]) -> NDArray[np.uint8]:
    """Cut a probability (rows, columns) down to 8 bit as the original does."""
    return np.asarray(np.floor(np.clip(probability, 0.0, 1.0) * 255.0), dtype=np.uint8)


def legacy_area_cm2(picture: NDArray[np.uint8], rules: LegacyRules = _RULES) -> float:
    """Measure the outlines of one slice, holes added, in cm²."""
    mask = resize_8bit(picture, rules.side_px) > 0
    largest = rules.max_area_fraction * mask.size
    areas = [area for area in outline_areas_px(mask) if rules.min_area_px < area < largest]
    return 0.0 if len(areas) > rules.max_outlines else sum(areas) * square_pixel_cm2(rules)


def legacy_mask_volume(masks: Iterable[NDArray[np.uint8]], thickness_cm: float = 0.4) -> float:
    """Count the pixels above 0 of stretched mask pictures: the original's second path, in mL."""
    counts = sum(int(np.count_nonzero(resize_8bit(mask, _RULES.side_px))) for mask in masks)
    return counts * square_pixel_cm2(_RULES) * thickness_cm


def square_pixel_cm2(rules: LegacyRules = _RULES) -> float:
    """Return the area of one pixel in cm² at the assumed resolution.

    Examples
    --------
    >>> round(10_000 * square_pixel_cm2(), 5)
    7.00043
    """
    return (2.54 / rules.dpi) ** 2


def outline_areas_px(mask: NDArray[np.bool_]) -> list[float]:
    """Measure every outline of a mask, outer ones and holes, as polygons through pixel centres.

    The areas equal those of OpenCV's ``contourArea`` over ``findContours`` with the full tree. Instead of
    following borders, the squares between four neighbouring pixel centres are counted: the polygon around an
    8-connected component, its holes filled, covers a square whole when all four corners belong to it and half
    when three do. The polygon around a hole runs through the pixels that enclose it: a square with one corner
    in the hole is covered half, with two or more whole.

    Parameters
    ----------
    mask
        (rows, columns) bool.

    Returns
    -------
    list
        Areas in square pixels: outer outlines, then holes.

    Examples
    --------
    >>> ring = np.ones((5, 5), bool)
    >>> ring[2, 2] = False
    >>> outline_areas_px(ring)
    [16.0, 2.0]
    """
    padded = np.pad(mask, 1)
    return _polygon_areas(padded, np.ones((3, 3)), _outer_area) + _polygon_areas(
        ~padded, ndimage.generate_binary_structure(2, 1), _hole_area
    )


def _polygon_areas(mask: NDArray[np.bool_], connectivity: NDArray[Any], area: Any) -> list[float]:
    labels, _ = ndimage.label(mask, connectivity)
    areas = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if area is _hole_area and labels[0, 0] == label:
            continue  # the background around everything is no hole
        part = np.pad(labels[box] == label, 1)
        areas.append(area(part))
    return areas


def _outer_area(part: NDArray[np.bool_]) -> float:
    corners = _corners(ndimage.binary_fill_holes(part))
    return float(np.count_nonzero(corners == 4) + 0.5 * np.count_nonzero(corners == 3))


def _hole_area(part: NDArray[np.bool_]) -> float:
    # What lies inside the hole is enclosed with it; islands are 8-connected, so they fill likewise.
    corners = _corners(ndimage.binary_fill_holes(part, np.ones((3, 3))))
    return float(np.count_nonzero(corners >= 2) + 0.5 * np.count_nonzero(corners == 1))


def _corners(part: NDArray[np.bool_]) -> NDArray[np.int64]:
    whole = part.astype(np.int64)
    return np.asarray(whole[:-1, :-1] + whole[1:, :-1] + whole[:-1, 1:] + whole[1:, 1:])


def resize_8bit(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Stretch an 8-bit picture to a square as OpenCV's INTER_LINEAR does, in its fixed-point arithmetic.

    Parameters
    ----------
    picture
        (rows, columns) uint8.
    side
        New number of rows and of columns.
    """
    top, below, weight_below = _fixed_weights(picture.shape[0], side)
    left, right, weight_right = _fixed_weights(picture.shape[1], side)
    values = picture.astype(np.int64)
    across = values[:, left] * (_ONE - weight_right) + values[:, right] * weight_right
    upper = ((across[top] >> 4) * (_ONE - weight_below)[:, None]) >> 16
    lower = ((across[below] >> 4) * weight_below[:, None]) >> 16
    return np.asarray(np.clip((upper + lower + 2) >> 2, 0, 255), dtype=np.uint8)


#: OpenCV's interpolation weights are integers of 11 bits.
_ONE = 2048


def _fixed_weights(old: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    position = ((np.arange(new) + 0.5) * (old / new) - 0.5).astype(np.float32)
    first = np.floor(position).astype(np.int64)
    fraction = position - first.astype(np.float32)
    fraction[(first < 0) | (first >= old - 1)] = 0
    first = np.clip(first, 0, old - 1)
    weight = np.rint(fraction * np.float32(_ONE)).astype(np.int64)
    return first, np.minimum(first + 1, old - 1), weight
