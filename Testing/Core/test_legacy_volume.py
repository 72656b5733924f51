"""The original program's arithmetic, reproduced to the last digit for parity."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ctinsight.tasks.hematoma.legacy import (
    legacy_area_cm2,
    legacy_mask_volume,
    legacy_picture,
    legacy_volume,
    outline_areas_px,
    resize_8bit,
    square_pixel_cm2,
)

#: The eight neighbours, counter-clockwise on the screen, beginning in the east: (row, column).
_AROUND = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))


def followed(mask, start, came_from):
    """Follow one border as Suzuki and Abe (1985, step 3) do and return its pixels in order."""
    first = next(
        (d for d in ((came_from - n) % 8 for n in range(8)) if mask[tuple(np.add(start, _AROUND[d]))]), None
    )
    if first is None:
        return [start]
    last, at, back, path = tuple(np.add(start, _AROUND[first])), start, first, []
    while True:
        path.append(at)
        ahead = next(d for d in ((back + n) % 8 for n in range(1, 9)) if mask[tuple(np.add(at, _AROUND[d]))])
        following = tuple(np.add(at, _AROUND[ahead]))
        if following == start and at == last:
            return path
        at, back = following, (ahead + 4) % 8


def shoelace(path):
    """Return the area of a closed polygon."""
    rows, columns = np.array(path, dtype=float).T
    return abs(float(rows @ np.roll(columns, 1) - columns @ np.roll(rows, 1))) / 2


@given(arrays(np.bool_, (9, 9), elements=st.booleans()))
@settings(max_examples=60, deadline=None)
def test_outer_outline_is_the_followed_border(mask) -> None:
    """The squares between pixel centres add up to the polygon that following the border gives."""
    from scipy import ndimage

    padded = np.pad(mask, 1)
    labels, count = ndimage.label(padded, np.ones((3, 3)))
    ours = outline_areas_px(mask)[:count]
    for label, area in enumerate(ours, start=1):
        part = labels == label
        start = tuple(int(n) for n in np.argwhere(part)[0])
        assert area == shoelace(followed(part, start, came_from=4))


@given(arrays(np.bool_, (9, 9), elements=st.booleans()))
@settings(max_examples=60, deadline=None)
def test_hole_outline_is_the_followed_border(mask) -> None:
    """The same for holes, whose border runs through the pixels around them."""
    from scipy import ndimage

    padded = np.pad(mask, 1)
    holes, count = ndimage.label(~padded)
    inner = [n for n in range(1, count + 1) if n != holes[0, 0]]
    ours = outline_areas_px(mask)[ndimage.label(padded, np.ones((3, 3)))[1] :]
    for label, area in zip(inner, ours, strict=True):
        row, column = (int(n) for n in np.argwhere(holes == label)[0])
        assert area == shoelace(followed(padded, (row, column - 1), came_from=0))


def test_areas_by_hand() -> None:
    """A 5 x 5 block spans 4 x 4 between centres; its one-pixel hole is a diamond of 2; a line has none."""
    block = np.zeros((9, 9), np.bool_)
    block[1:6, 1:6] = True
    block[3, 3] = False
    block[7, 1:8] = True
    assert outline_areas_px(block) == [16.0, 0.0, 2.0]


def test_stretching_in_fixed_point() -> None:
    """Two pixels of 0 and 255 become 0, 64, 191, 255: OpenCV rounds 63.75 up and 191.25 down."""
    assert resize_8bit(np.array([[0, 255], [0, 255]], np.uint8), 4)[0].tolist() == [0, 64, 191, 255]


def test_pixel_size() -> None:
    """10,000 pixels of 96 dpi are 7.00043 cm²."""
    assert 10_000 * square_pixel_cm2() == pytest.approx(7.000434027777777, rel=1e-12)


def test_more_than_eight_outlines_are_none() -> None:
    """Eight squares are measured, a ninth makes the slice count as empty."""
    picture = np.zeros((288, 288), np.uint8)
    for index in range(8):
        picture[20:40, 30 * index + 5 : 30 * index + 25] = 255
    assert legacy_area_cm2(picture) > 0
    picture[100:120, 5:25] = 255
    assert legacy_area_cm2(picture) == 0


def test_small_and_whole_outlines_are_dropped() -> None:
    """A speck of 3 x 3 pixels at 1440 and a mask of the whole picture count as nothing."""
    picture = np.zeros((1440, 1440), np.uint8)
    picture[5:8, 5:8] = 255
    assert legacy_area_cm2(picture) == 0
    assert legacy_area_cm2(np.full((1440, 1440), 255, np.uint8)) == 0


def test_8_bit_is_cut_not_rounded() -> None:
    """A probability of 0.999 becomes 254, one of 0.0039 vanishes."""
    assert legacy_picture(np.array([[0.999, 0.0039, 1.0]])).tolist() == [[254, 0, 255]]


def test_the_originals_numbers(shared) -> None:
    """Six masks give the areas and volumes that the original program returns for them."""
    folder = shared / "reference" / "drunet"
    expected = json.loads((folder / "volume_metric_reference.json").read_text())
    masks = [
        SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(folder / f"synthetic_masks/{n}.png")))
        for n in range(6)
    ]
    areas, volume = legacy_volume(masks)
    assert areas == pytest.approx(expected["draw_contours_area_cm2_dpi96"], rel=1e-12)
    assert volume == pytest.approx(expected["count_volume_ml_t045"], rel=1e-12)
    assert legacy_mask_volume(masks) == pytest.approx(expected["calculate_volume_real1440_t04"], rel=1e-12)
