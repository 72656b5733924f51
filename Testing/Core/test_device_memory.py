"""Memory of a graphics card runs out: smaller batches, then the processor, and the result says so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ctinsight.device import choose_device
from ctinsight.inference.nodulewise import NoduleEngine, NoduleOptions
from ctinsight.inference.slicewise import SliceEngine, SliceOptions, segment_slices
from ctinsight.models.emv_weights import emv_architecture
from ctinsight.nets.drunet import DRUNet
from ctinsight.nets.emv_networks import EMV_NETWORKS
from ctinsight.volume import Volume
from fake_card import NAME, Carried, FakeCard

ON_CARD = SliceOptions(side=64, device="cuda", precision="float32")
PLENTY = 2**34


@pytest.fixture(scope="module")
def head():
    """Return sixteen slices of noise, 64 x 64 of 4 mm."""
    noise = np.random.default_rng(3).normal(40.0, 20.0, (16, 64, 64)).astype(np.float32)
    return Volume(noise, np.diag([-4.0, -4.0, 4.0, 1.0]))


@pytest.fixture(scope="module")
def net():
    """Return a narrow DR-UNet with random weights."""
    torch.manual_seed(5)
    return DRUNet(4).eval().for_inference()


def peak_of(monkeypatch, net, head, batch_size):
    """Return what a batch of that size takes at most."""
    with monkeypatch.context() as patch:
        card = FakeCard(patch, PLENTY)
        options = SliceOptions(side=64, device="cuda", precision="float32", batch_size=batch_size)
        segment_slices(head, Carried(net), options)
        return card.peak_bytes


def test_batches_halve_until_they_fit(monkeypatch, net, head):
    """On a card with room for four slices, batches go from 16 to 4; the scores are those of the processor."""
    room = peak_of(monkeypatch, net, head, 4)
    expected = segment_slices(head, net, SliceOptions(side=64, device="cpu")).probability_kji
    FakeCard(monkeypatch, int(1.05 * room))
    found = segment_slices(head, Carried(net), ON_CARD)
    assert (found.device.kind, found.batch_size) == ("cuda", 4)
    assert found.notes == tuple(f"memory did not suffice on {NAME}: batches of {n}" for n in (8, 4))
    np.testing.assert_allclose(found.probability_kji, expected, atol=1e-5)


def test_the_processor_takes_over(monkeypatch, net, head):
    """Without room for one slice the network and the rest of the case move to the processor."""
    expected = segment_slices(head, net, SliceOptions(side=64, device="cpu")).probability_kji
    FakeCard(monkeypatch, peak_of(monkeypatch, net, head, 1) // 2)
    carried = Carried(net)
    found = segment_slices(head, carried, ON_CARD)
    assert (found.device.kind, carried.places) == ("cpu", ["cuda", "cpu"])
    assert found.notes[-1] == f"memory did not suffice on {NAME}: the processor was used"
    np.testing.assert_allclose(found.probability_kji, expected, atol=1e-5)


def test_memory_that_another_program_takes_meanwhile(monkeypatch, net, head):
    """A card that was free for the first case and is full for the second still gives a second result."""
    card = FakeCard(monkeypatch, PLENTY)
    engine = SliceEngine(Carried(net), ON_CARD)
    first = engine.segment(head)
    card.free_bytes = 1000
    second = engine.segment(head)
    assert (first.device.kind, second.device.kind) == ("cuda", "cpu")
    np.testing.assert_allclose(first.probability_kji, second.probability_kji, atol=1e-5)


def test_free_memory_is_looked_at_for_every_case(monkeypatch, net):
    """The same card is taken while 4 GiB are free, and left alone, with the reason, when 1 GiB is."""
    card = FakeCard(monkeypatch, 4 * 2**30)
    assert choose_device().kind == "cuda"
    card.free_bytes = 2**30
    assert SliceEngine(Carried(net))._runner.notes == [f"{NAME} has only 1.0 GiB free; the processor is used"]


def test_nodules_step_down_too(monkeypatch):
    """Four nodules on a card with room for one: batches of 2, then 1, the same scores."""
    network = next(n for n in EMV_NETWORKS if n.views.side == 40)
    net = emv_architecture(network).build(2).eval()
    views = {network.views: np.random.default_rng(1).random((4, 3, 40, 40, 40), dtype=np.float32)}
    expected = NoduleEngine({network: net}, NoduleOptions("cpu")).score(views).scores[network]
    with monkeypatch.context() as patch:
        card = FakeCard(patch, PLENTY)
        NoduleEngine({network: Carried(net)}, NoduleOptions("cuda", 1)).score(views)
    FakeCard(monkeypatch, int(1.05 * card.peak_bytes))
    found = NoduleEngine({network: Carried(net)}, NoduleOptions("cuda", 4)).score(views)
    assert [note.split(": ")[1] for note in found.notes] == ["batches of 2", "batches of 1"]
    np.testing.assert_allclose(found.scores[network], expected, atol=1e-5)
