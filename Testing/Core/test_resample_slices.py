"""Resizing slices as the published networks did it."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.resample import resize_slices


def test_half_pixel_centres_by_hand():
    """Halving 0, 1, 2, 3 samples at 0.5 and 2.5; doubling 0, 1 samples at -0.25, 0.25, 0.75 and 1.25."""
    assert resize_slices(np.array([[[0, 1, 2, 3]]]), 1, 2).tolist() == [[[0.5, 2.5]]]
    assert resize_slices(np.array([[[0, 1]]]), 1, 4).tolist() == [[[0.0, 0.25, 0.75, 1.0]]]


def test_plain_shrinking_skips_pixels_and_antialias_does_not():
    """One bright pixel of eight vanishes between the samples, unless the triangle is widened."""
    row = np.array([[[8.0, 0, 0, 0, 0, 0, 0, 0]]])
    assert resize_slices(row, 1, 2).sum() == 0.0
    assert resize_slices(row, 1, 2, antialias=True).sum() > 1.0


def test_every_slice_is_resized_alone():
    """Three constant slices stay constant, each with its own value."""
    slices = np.arange(3.0)[:, None, None] * np.ones((3, 7, 9))
    result = resize_slices(slices, 4, 20)
    assert result.shape == (3, 4, 20)
    assert result == pytest.approx(np.arange(3.0)[:, None, None] * np.ones((3, 4, 20)))


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("size", [(256, 256), (31, 700)])
def test_agrees_with_an_independent_bilinear_resize(antialias, size):
    """PyTorch's half-pixel bilinear resize gives the same to 1e-4 of 255 grey levels."""
    torch = pytest.importorskip("torch", reason="PyTorch is the independent reference")
    picture = np.random.default_rng(4).uniform(0, 255, (2, 100, 144)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(picture)[:, None], size=size, mode="bilinear", antialias=antialias
    )[:, 0].numpy()
    assert np.abs(resize_slices(picture, *size, antialias=antialias) - expected).max() < 1e-4 * 255
