"""HU windows: the ramp, and the table of named windows."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.errors import WrongUseError
from ctinsight.window import WINDOWS, apply_window


def test_the_brain_window_runs_from_0_to_80_hu():
    """Center 40, width 80: 0 HU is black, 40 HU mid-grey, 80 HU white, and beyond is clipped."""
    gray = apply_window(np.array([-1000, 0, 20, 40, 80, 3000], dtype=np.int16), 40, 80)
    assert gray.dtype == np.float32
    assert gray.tolist() == [0.0, 0.0, 0.25, 0.5, 1.0, 1.0]


def test_windowing_leaves_the_image_alone():
    """The array that is windowed is not changed."""
    image = np.array([0.0, 40.0], dtype=np.float32)
    apply_window(image, 40, 80)
    assert image.tolist() == [0.0, 40.0]


def test_every_named_window_has_a_source_and_keeps_its_key():
    """Each entry of the table can be traced, and its key is its key."""
    assert {"brain", "subdural", "stroke", "bone"} <= set(WINDOWS)
    for key, window in WINDOWS.items():
        assert window.key == key
        assert "http" in window.source or "PMID" in window.source


def test_a_named_window_knows_its_ends():
    """Brain: black at 0, white at 80 HU."""
    brain = WINDOWS["brain"]
    assert (brain.low_hu, brain.high_hu) == (0.0, 80.0)
    assert brain.apply(np.array([60.0])).tolist() == [0.75]


@pytest.mark.parametrize("width", [0.0, -80.0, float("nan")])
def test_a_window_without_a_positive_width_is_refused(width):
    """A width of 0 would divide by it."""
    with pytest.raises(WrongUseError, match="width"):
        apply_window(np.zeros(3), 40, width)
