"""Sixteen bits only after a self-test on the device, with the network itself; and the result says so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ctinsight.errors import WrongUseError
from ctinsight.inference.precision import (
    Precision,
    choose_precision,
    computing_in,
    fast_reduced,
    head_slice_sample,
)
from ctinsight.inference.slicewise import SliceOptions, segment_slices
from ctinsight.volume import Volume
from fake_card import FakeCard

SAMPLE = head_slice_sample(64)


class Blur(torch.nn.Module):
    """The mean of 3 x 3 pixels, stretched by ``slope`` around a grey of 0.2; it notes what it computed in.

    A large ``detour``, added before and taken away afterwards, costs bits.
    """

    def __init__(self, slope: float, detour: float = 0.0) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 1, 3, padding=1)
        self.conv.weight.data.fill_(slope / 9)
        self.conv.bias.data.fill_(-slope * 0.2)
        self.slope, self.detour = slope, detour
        self.formats = []

    def forward(self, x):
        """Score (batch, 1, rows, columns)."""
        scores = self.conv(x + self.detour)
        self.formats.append(scores.dtype)
        return torch.sigmoid(scores - self.slope * self.detour)


@pytest.fixture
def amx(monkeypatch):
    """Let the processor be one with AMX; any can compute bfloat16, only slowly."""
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)


def test_without_amx_there_is_no_test(monkeypatch):
    """A processor without AMX stays in single precision, says why, and scores nothing for it."""
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    net = Blur(4.0)
    choice = choose_precision(net, SAMPLE, "cpu")
    assert (choice.precision, choice.why) == (Precision.SINGLE, "this processor has no AMX")
    assert net.formats == []


def test_a_network_that_agrees_passes(amx):
    """A gentle network scores alike in both formats: bfloat16 is used, and the figures are kept."""
    net = Blur(4.0)
    choice = choose_precision(net, SAMPLE, "cpu")
    assert choice.precision is Precision.BRAIN
    assert choice.why.endswith("passed")
    assert net.formats == [torch.float32, torch.bfloat16]


@pytest.mark.parametrize("slope", [40.0, float("nan")])
def test_a_network_that_disagrees_stays(amx, slope):
    """One that magnifies rounding (or gives no numbers) fails the test and computes in single precision."""
    choice = choose_precision(Blur(slope, detour=8.0), SAMPLE, "cpu")
    assert choice.precision is Precision.SINGLE
    assert "bfloat16 was not used" in choice.why
    assert "needed 99.9 %" in choice.why


def test_the_test_runs_once_for_each_network_and_device(amx, monkeypatch):
    """A second case asks nothing again; another device does."""
    net = Blur(4.0)
    for _ in range(3):
        choose_precision(net, SAMPLE, "cpu")
    assert len(net.formats) == 2
    FakeCard(monkeypatch, 2**34)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    choose_precision(net, SAMPLE, "cuda")
    assert len(net.formats) == 4


def test_too_little_memory_for_the_test(amx):
    """Where the test itself does not fit, single precision is used and the reason kept."""

    class Full(Blur):
        def forward(self, _x):
            raise torch.OutOfMemoryError

    choice = choose_precision(Full(1.0), SAMPLE, "cpu")
    assert choice.precision is Precision.SINGLE
    assert "memory did not suffice" in choice.why


@pytest.mark.parametrize(("supported", "expected"), [(True, Precision.BRAIN), (False, Precision.HALF)])
def test_cards_take_what_they_compute_fast(monkeypatch, supported, expected):
    """Cards before Ampere only emulate bfloat16: they are tested in float16."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: supported)
    assert fast_reduced("cuda")[0] is expected


def test_single_precision_can_be_asked_for(amx):
    """The choice float32 makes no test; sixteen bits cannot be forced."""
    net = Blur(4.0)
    assert choose_precision(net, SAMPLE, "cpu", "float32").why == "as chosen"
    assert net.formats == []
    with pytest.raises(WrongUseError, match="bfloat16"):
        SliceOptions(precision="bfloat16")


def test_the_result_says_what_was_used(amx):
    """The case is scored in bfloat16, within 0.02 of single precision, and its notes announce it."""
    volume = Volume(np.full((3, 64, 64), 42.0, np.float32), np.diag([-3.0, -3.0, 5.0, 1.0]))
    net = Blur(4.0)
    reduced = segment_slices(volume, net, SliceOptions(side=64, device="cpu"))
    full = segment_slices(volume, net, SliceOptions(side=64, device="cpu", precision="float32"))
    assert reduced.precision.precision is Precision.BRAIN
    assert reduced.notes[0].startswith("The network computed in bfloat16 (self-test")
    assert full.notes == ()
    np.testing.assert_allclose(reduced.probability_kji, full.probability_kji, atol=0.02)


def test_single_means_single(monkeypatch):
    """TF32, a card's shortened single precision, is off while a network scores, and on again afterwards."""
    before = torch.backends.cudnn.allow_tf32
    with computing_in(Precision.SINGLE, "cpu"):
        assert torch.backends.cudnn.allow_tf32 is False
    assert torch.backends.cudnn.allow_tf32 is before


def test_the_sample_shows_every_tissue():
    """Air, water, brain, blood and bone are all in the made-up slice, and it is the same every time."""
    shares = [float((np.abs(SAMPLE - grey) < 0.2).mean()) for grey in (-1.0, -0.8, -0.1, 0.7, 1.0)]
    assert min(shares) > 0.01
    assert (head_slice_sample(64) == SAMPLE).all()
