"""DR-UNet gives the numbers of the original program, in every batch-norm mode."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ctinsight.models.drunet_weights import load_drunet
from ctinsight.nets.drunet import DRUNet, Statistics, parameter_count

FIXTURES = Path(__file__).parent / "fixtures" / "drunet"


@pytest.fixture(scope="module")
def a_net():
    """Return the network with the random reference weights."""
    return load_drunet(FIXTURES / "drunet_dims8_weights.h5")[0]


@pytest.fixture(scope="module")
def reference():
    """Return two pictures and the original's scores at every fourth pixel."""
    with np.load(FIXTURES / "drunet_dims8_cases.npz") as file:
        return dict(file)


def scores(net, pictures):
    """Return a network's scores (slices, rows, columns) for pictures of that shape."""
    with torch.inference_mode():
        return net(torch.from_numpy(pictures)[:, None])[:, 0].numpy()


@pytest.mark.parametrize(("dims", "count"), [(32, 10_978_305), (16, 2_760_113), (8, 697_833), (4, 178_397)])
def test_parameter_count(dims, count) -> None:
    """The network has as many numbers as the original at each width."""
    with torch.device("meta"):
        assert parameter_count(DRUNet(dims)) == count


def test_moving_statistics(a_net, reference) -> None:
    """With moving statistics the scores are the original's to 1e-5."""
    ours = scores(a_net, reference["x"])[:, ::4, ::4]
    np.testing.assert_allclose(ours, reference["y_eval"], rtol=0, atol=1e-5)


def test_double_precision(reference) -> None:
    """In double precision the scores are the original's to 1e-12: it is the same function."""
    net = load_drunet(FIXTURES / "drunet_dims8_weights.h5")[0].double()
    ours = scores(net, reference["x"].astype(np.float64))[:, ::4, ::4]
    np.testing.assert_allclose(ours, reference["y_eval_float64"], rtol=0, atol=1e-12)


def test_made_for_inference(a_net, reference) -> None:
    """Folding the normalisations into the convolutions changes no score by more than 2e-5."""
    ours = scores(a_net.for_inference(), reference["x"])
    np.testing.assert_allclose(ours, scores(a_net, reference["x"]), rtol=0, atol=2e-5)


def test_statistics_of_each_slice(a_net, reference) -> None:
    """Normalised slice by slice, every score is the original's to 1e-4."""
    ours = scores(a_net.for_inference(Statistics.SLICE), reference["x"])[:, ::4, ::4]
    np.testing.assert_allclose(ours, reference["y_train_single"], rtol=0, atol=1e-4)


def test_what_of_the_original_is_rounding(a_net, reference, monkeypatch) -> None:
    """The original's scores by slice lie 100 times as far from double precision as single precision must."""
    pictures = reference["x"][:1]
    by_slice = load_drunet(FIXTURES / "drunet_dims8_weights.h5")[0].double().for_inference(Statistics.SLICE)
    exact = scores(by_slice, pictures.astype(np.float64))[:, ::4, ::4]
    monkeypatch.setattr("ctinsight.nets.drunet._rounds_as_the_original", lambda _: False)
    ours = scores(a_net.for_inference(Statistics.SLICE), pictures)[:, ::4, ::4]
    assert np.abs(ours - exact).max() < 1e-4
    assert np.abs(reference["y_train_single"][:1] - exact).max() > 1e-2


def test_slice_mode_ignores_neighbours(a_net, reference) -> None:
    """By slice, a score does not depend on what else is in the batch; by batch, it does."""
    pictures = reference["x"][:, :128, :128].copy()
    by_slice, by_batch = (a_net.for_inference(s) for s in (Statistics.SLICE, Statistics.BATCH))
    alone = scores(by_slice, pictures[:1])
    np.testing.assert_allclose(scores(by_slice, pictures)[:1], alone, rtol=0, atol=1e-3)
    np.testing.assert_allclose(scores(by_batch, pictures[:1]), alone, rtol=0, atol=1e-3)
    assert np.abs(scores(by_batch, pictures)[:1] - alone).max() > 0.01


def test_stored_statistics_stay(a_net, reference) -> None:
    """Inference by a slice's own statistics leaves the network and its stored statistics as they were."""
    before = {name: tensor.clone() for name, tensor in a_net.state_dict().items()}
    scores(a_net.for_inference(Statistics.SLICE), reference["x"][:, :64, :64].copy())
    assert all(torch.equal(before[name], tensor) for name, tensor in a_net.state_dict().items())


def test_it_learns() -> None:
    """A training step moves every weight and the stored statistics."""
    torch.manual_seed(0)
    net = DRUNet(4).train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    net(torch.randn(2, 1, 64, 64)).square().mean().backward()
    optimiser.step()
    assert [name for name, tensor in net.state_dict().items() if torch.equal(before[name], tensor)] == []


@pytest.mark.parametrize("shape", [(1, 1, 250, 256), (1, 2, 64, 64), (1, 64, 64)])
def test_other_shapes(a_net, shape) -> None:
    """An input of another shape is refused by name, not by a crash deep inside."""
    with pytest.raises(ValueError, match="multiples of 32"):
        a_net(torch.zeros(shape))


def test_too_narrow() -> None:
    """A width below four leaves no channel to a quarter of it."""
    with pytest.raises(ValueError, match="at least 4"):
        DRUNet(3)


def test_all_reference_cases(shared, a_net) -> None:
    """All six reference pictures agree: moving statistics to 1e-5, by slice and as a batch of six to 1e-4."""
    with np.load(shared / "reference" / "drunet" / "drunet_dims8_io.npz") as file:
        pictures, moving, single, batch = (
            file[k][..., 0] for k in ("x", "y_eval", "y_train_single", "y_train_batch6")
        )
    np.testing.assert_allclose(scores(a_net, pictures), moving, rtol=0, atol=1e-5)
    for statistics, expected in ((Statistics.SLICE, single), (Statistics.BATCH, batch)):
        ours = scores(a_net.for_inference(statistics), pictures)
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)
