"""DeepDCR v0's difficulty network against the numbers of the published program."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ctinsight.nets.dcr_difficulty import DifficultyNet  # noqa: E402 - torch is optional


def recipe(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Make the weights that the reference was computed with; norm scales lie between 0.5 and 1.5."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, dtype=np.int64)
    if name.endswith("running_mean"):
        return (0.1 * rng.standard_normal(shape)).astype(np.float32)
    if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if len(shape) == 1:
        return (0.05 * rng.standard_normal(shape)).astype(np.float32)
    return (rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)


@pytest.fixture(scope="module")
def net():
    """Return the network with the reference's weights, in eval mode."""
    made = DifficultyNet(11)
    state = {name: torch.from_numpy(recipe(name, tuple(t.shape))) for name, t in made.state_dict().items()}
    made.load_state_dict(state)
    return made.eval()


@pytest.fixture(scope="module")
def reference(shared):
    """Return inputs and outputs of the published program."""
    return dict(np.load(shared / "reference" / "dcr" / "v0_classifier_reference.npz"))


def _tensors(reference) -> tuple:
    return tuple(torch.from_numpy(reference[key].astype(np.float32)) for key in ("ct", "seg", "clinical"))


def test_names_and_counts(net, shared):
    """The names are those of the published state dictionary, each tensor once; 400,012 are trained."""
    known = json.loads((shared / "reference" / "dcr" / "v0_classifier_state_dict_keys.json").read_text())
    shapes = {name: tuple(shape) for name, shape, _ in known["state_dict_keys"]}
    own = {name: tuple(t.shape) for name, t in net.state_dict().items()}
    trained = sum(p.numel() for name, p in net.named_parameters() if not name.startswith("encoder"))
    assert set(own) == set(known["names_used_by_recipe"])
    assert all(shapes[name] == shape for name, shape in own.items())
    assert sum(p.numel() for p in net.parameters()) == known["n_params_total"]
    assert trained == known["n_params_trainable"]


@torch.inference_mode()
def test_parity_of_every_step(net, reference):
    """Bottleneck, pooling, interaction, logits and probabilities agree to 1e-4."""
    ct, labels, clinical = _tensors(reference)
    bottleneck = net.encoder(ct)
    pooled = net.pool(bottleneck, labels)
    logits = net(ct, labels, clinical)
    found = {
        "bottleneck": bottleneck,
        "pooled": pooled,
        "interaction": clinical * net.feature_interaction(pooled),
        "logits": logits.reshape(reference["logits"].shape),
        "prob": torch.sigmoid(logits).reshape(reference["prob"].shape),
    }
    for name, value in found.items():
        assert np.abs(value.numpy() - reference[name]).max() < 1e-4, name


@torch.inference_mode()
def test_parity_of_an_empty_label_map(net, reference):
    """Without labels the pooled vector is 0, as published."""
    ct, labels, clinical = _tensors(reference)
    logits = net(ct, torch.zeros_like(labels), clinical).reshape(reference["logits_empty_mask"].shape)
    assert np.abs(logits.numpy() - reference["logits_empty_mask"]).max() < 1e-4


@torch.inference_mode()
def test_a_binary_mask_weighs_labels_alike():
    """With the switch, labels 1 and 3 have the same weight; without it the 3 counts three times."""
    features = torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 1, 2)
    labels = torch.tensor([1.0, 3.0]).reshape(1, 1, 1, 1, 2)
    assert DifficultyNet(binary_mask=True).pool(features, labels).item() == pytest.approx(1 / 2)
    assert DifficultyNet().pool(features, labels).item() == pytest.approx(1 / 4)
