"""TensorFlow checkpoints read without TensorFlow: checksums, names, order, damage."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from ctinsight.errors import WrongWeightsError
from ctinsight.models.drunet_weights import DRUNET, load_drunet
from ctinsight.models.importers.crc32c import crc32c
from ctinsight.models.importers.protobuf import Message
from ctinsight.models.importers.tensor_bundle import TensorBundle
from ctinsight.models.importers.tf_checkpoint import checkpoint_prefix
from ctinsight.nets.drunet import DRUNet
from makers.tensor_bundle import SUFFIX, write_bundle


def keras_tensors(net, prefix="seg_model/"):
    """Return a network's tensors under checkpoint keys, numbered as Keras does, and their full names."""
    places = {
        "kernel": "weight",
        "bias": "bias",
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    }
    state, tensors, names = net.state_dict(), {}, {}
    for index, slot in enumerate(DRUNET.depth_order):
        keys = ("kernel", "bias") if slot.kind.startswith("conv") else tuple(places)[2:]
        for key in keys:
            value = state[f"{slot.module}.{places[key]}"].numpy()
            name = f"{prefix}layer_with_weights-{index}/{key}{SUFFIX}"
            tensors[name] = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value
            names[name] = f"{slot.kind}_{slot.rank + 7}/{key}"
    return tensors, names


@pytest.fixture(scope="module")
def a_net():
    """Return a small network whose every tensor differs from every other."""
    torch.manual_seed(3)
    net = DRUNet(4).eval()
    for tensor in net.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) + 0.1)
    return net


@pytest.fixture
def a_checkpoint(a_net, tmp_path):
    """Return the prefix of a checkpoint of that network, with names (another model was built before)."""
    tensors, names = keras_tensors(a_net)
    tensors[f"seg_model/layer_with_weights-0/kernel/.OPTIMIZER_SLOT/model_optimizer/m{SUFFIX}"] = np.ones(3)
    tensors[f"train_steps{SUFFIX}"] = np.ones(())
    write_bundle(tmp_path / "ckpt-40", tensors, names)
    return tmp_path / "ckpt-40"


def same(net, other):
    """Say whether two networks hold the same numbers."""
    return all(
        torch.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"\x00" * 32, 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E)],
)
def test_crc32c_vectors(data, expected) -> None:
    """The checksum gives the values of RFC 3720, B.4."""
    assert crc32c(data) == expected


@pytest.mark.parametrize("length", [511, 512, 513, 4097, 70_001])
def test_crc32c_in_lanes(length) -> None:
    """Cut into lanes, a long buffer has the checksum that it has byte by byte."""
    data = np.random.default_rng(length).integers(0, 256, length, dtype=np.uint8).tobytes()
    slow = 0
    for start in range(0, length, 100):
        slow = crc32c(data[start : start + 100], slow)
    assert crc32c(data) == slow


def test_names_decide(a_net, a_checkpoint) -> None:
    """Every tensor of a checkpoint comes to its place by its layer's name, optimizer slots left out."""
    net, card = load_drunet(a_checkpoint)
    assert same(net, a_net)
    assert (card.format, card.width, len(card.files)) == ("TensorFlow checkpoint", 4, 2)


def test_order_decides_without_names(a_net, tmp_path) -> None:
    """Without an object graph the order of Keras puts each tensor where the names would."""
    write_bundle(tmp_path / "ckpt-1", keras_tensors(a_net, prefix="")[0])
    net, card = load_drunet(tmp_path / "ckpt-1.index")
    assert same(net, a_net)
    assert "without layer names" in card.format


def test_any_path_to_it(a_checkpoint) -> None:
    """Prefix, .index, .data and the folder mean the same checkpoint, also after the folder was moved."""
    (a_checkpoint.parent / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/ckpt-40"\n')
    names = ("ckpt-40", "ckpt-40.index", "ckpt-40.data-00000-of-00001", "")
    assert {checkpoint_prefix(a_checkpoint.parent / name) for name in names} == {a_checkpoint}


def test_two_saves_without_a_latest(a_net, tmp_path) -> None:
    """A folder with two saves and no word on which is the latest is not guessed at."""
    for name in ("a", "b"):
        write_bundle(tmp_path / name, keras_tensors(a_net)[0])
    with pytest.raises(WrongWeightsError, match="without one checkpoint"):
        load_drunet(tmp_path)


def test_a_flipped_bit_is_found(a_checkpoint) -> None:
    """One changed bit among the values fails the checksum of its tensor, which is named."""
    data = a_checkpoint.with_name("ckpt-40.data-00000-of-00001")
    content = bytearray(data.read_bytes())
    content[5000] ^= 1
    data.write_bytes(content)
    with pytest.raises(WrongWeightsError, match=r"layer_with_weights-\d+/\w+.*checksum"):
        load_drunet(a_checkpoint)


@pytest.mark.parametrize("kept", [0, 10, 47, 100, 5000, 20_000])
def test_truncated_index(a_checkpoint, kept) -> None:
    """An index cut short anywhere is refused with its name."""
    index = a_checkpoint.with_name("ckpt-40.index")
    index.write_bytes(index.read_bytes()[:kept])
    with pytest.raises(WrongWeightsError, match=r"ckpt-40\.index"):
        load_drunet(a_checkpoint)


def entries_or_none(prefix):
    """Return what an index says, or None when it is refused."""
    try:
        return TensorBundle.open(prefix).entries
    except WrongWeightsError:
        return None


def test_every_index_byte_matters(a_checkpoint) -> None:
    """A changed byte anywhere in the index is refused or harmless; it never gives other weights."""
    index = a_checkpoint.with_name("ckpt-40.index")
    good, entries = index.read_bytes(), entries_or_none(a_checkpoint)
    for at in np.random.default_rng(0).integers(0, len(good), 60):
        index.write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :])
        assert entries_or_none(a_checkpoint) in (entries, None)


def test_truncated_or_missing_data(a_checkpoint) -> None:
    """A data file cut short, then gone, is refused."""
    data = a_checkpoint.with_name("ckpt-40.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(WrongWeightsError, match="ends beyond"):
        load_drunet(a_checkpoint)
    data.unlink()
    with pytest.raises(WrongWeightsError, match="missing"):
        load_drunet(a_checkpoint)


def test_another_network(tmp_path) -> None:
    """A checkpoint of one convolution is told by its number of layers."""
    key = f"net/layer_with_weights-0/kernel{SUFFIX}"
    write_bundle(tmp_path / "x", {key: np.ones((3, 3, 1, 8))}, {key: "conv2d/kernel"})
    with pytest.raises(WrongWeightsError) as caught:
        load_drunet(tmp_path / "x")
    assert caught.value.found == "1 layers of class conv2d"
    assert caught.value.expected.startswith("90 of them")


def test_missing_tensor(a_net, tmp_path) -> None:
    """A checkpoint without one bias names the layer."""
    tensors, names = keras_tensors(a_net)
    del tensors[f"seg_model/layer_with_weights-2/bias{SUFFIX}"]
    write_bundle(tmp_path / "x", tensors, names)
    with pytest.raises(WrongWeightsError, match="conv2d_8 with"):
        load_drunet(tmp_path / "x")


@pytest.mark.parametrize("data", [b"\x08", b"\x0a\x05ab", b"\x0f\x01", b"\x80" * 12, b"\x0d\x00"])
def test_damaged_messages(data) -> None:
    """A protocol-buffer message cut short or with unknown types is refused, never misread."""
    with pytest.raises(ValueError, match="damaged"):
        Message(data)


def test_real_checkpoint(shared) -> None:
    """The original program's checkpoint holds the very numbers of its .h5, all 566 tensors."""
    folder = shared / "reference" / "drunet"
    from_h5, _ = load_drunet(folder / "drunet_dims8_weights.h5")
    from_checkpoint, card = load_drunet(folder / "drunet_dims8_ckpt")
    assert same(from_h5, from_checkpoint)
    assert card.parameters == 697_833


def test_real_order(shared) -> None:
    """The order stated for checkpoints without names is that of the original program, layer by layer."""
    table = json.loads((shared / "reference" / "drunet" / "drunet_dims8_layers.json").read_text())
    ours = [f"{slot.kind}_{slot.rank}".removesuffix("_0") for slot in DRUNET.depth_order]
    order = table["ckpt_index_to_layer"]
    assert ours == [order[f"layer_with_weights-{index}"] for index in range(189)]
