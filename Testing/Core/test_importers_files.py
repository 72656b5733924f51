"""Keras .h5, torch and safetensors files: right ones load, wrong ones are told what differs."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from ctinsight.errors import WeightsMissingError, WrongWeightsError
from ctinsight.models.card import ModelCard, combined_sha256, file_records
from ctinsight.models.drunet_weights import DRUNET, load_drunet, save_drunet
from ctinsight.models.importers.architecture import split_keras_name

WEIGHTS = Path(__file__).parent / "fixtures" / "drunet" / "drunet_dims8_weights.h5"


@pytest.fixture(scope="module")
def a_model():
    """Return the network with the random reference weights, and its card."""
    return load_drunet(WEIGHTS)


@pytest.fixture
def a_copy(tmp_path):
    """Return a writable copy of the reference weights."""
    copy = tmp_path / "weights é.h5"
    copy.write_bytes(WEIGHTS.read_bytes())
    return copy


@pytest.fixture
def a_stored_model(a_model, tmp_path):
    """Return the path of the network in our own format."""
    save_drunet(*a_model, tmp_path / "ours.safetensors")
    return tmp_path / "ours.safetensors"


def same(net, other):
    """Say whether two networks hold the same numbers."""
    return all(
        torch.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True)
    )


def found_in(path):
    """Return what the importer says it found."""
    with pytest.raises(WrongWeightsError) as caught:
        load_drunet(path)
    return caught.value.found


def test_card_of_a_users_file(a_model) -> None:
    """The card states width, size and checksum, and that nobody told us where the weights come from."""
    manifest = a_model[1].as_manifest()
    assert (manifest["width"], manifest["parameters"], manifest["n"]) == (8, 697_833, None)
    assert manifest["sha256"].startswith("ccddc71c61f31659")
    assert manifest["version"] == "user-supplied"


def test_the_trap(a_model) -> None:
    """The file lists conv2d_4 before conv2d_3; the number, not the place, makes conv2d_3 a main one."""
    net, _ = a_model
    with h5py.File(WEIGHTS) as file:
        kernel = file["conv2d_3/conv2d_3/kernel:0"][()]
        gamma = file["batch_normalization_3/batch_normalization_3/gamma:0"][()]
    unit = net.encoder[0][0]
    np.testing.assert_array_equal(unit.expand.conv.weight.detach(), kernel.transpose(3, 2, 0, 1))
    np.testing.assert_array_equal(unit.expand.norm.weight.detach(), gamma)


def test_numbers_with_an_offset(a_model, a_copy) -> None:
    """A process that built another model first numbers its layers from 90 on; ranks stay the same."""
    with h5py.File(a_copy, "a") as file:
        for name in [n for n in file if n.startswith(("conv2d", "batch_normalization"))]:
            kind, number = split_keras_name(name)
            file.move(f"{name}/{name}", f"other/{kind}_{number + 90}")
    assert same(load_drunet(a_copy)[0], a_model[0])


def test_whole_model_file(shared, a_model) -> None:
    """A whole-model .h5 holds the same numbers; its configuration is not needed."""
    net, card = load_drunet(shared / "reference" / "drunet" / "drunet_dims8_model.h5")
    assert same(net, a_model[0])
    assert card.format == "Keras .h5, whole model"


def test_missing_layer(a_copy) -> None:
    """A file without one layer says how many there are."""
    with h5py.File(a_copy, "a") as file:
        del file["conv2d_17"]
    assert found_in(a_copy) == "89 layers of class conv2d"


def test_extra_layer(a_copy) -> None:
    """A file with a dense layer says so."""
    with h5py.File(a_copy, "a") as file:
        file["dense/dense/kernel:0"] = np.ones((2, 2), np.float32)
    assert found_in(a_copy) == "1 layers of class dense"


def test_wrong_shape(a_copy) -> None:
    """A tensor of another shape is named with both shapes."""
    with h5py.File(a_copy, "a") as file:
        del file["conv2d_5/conv2d_5/bias:0"]
        file["conv2d_5/conv2d_5/bias:0"] = np.ones(5, np.float32)
    assert found_in(a_copy) == "encoder.0.1.reduce.conv.bias of shape (5,)"


def test_values_that_are_not_finite(a_copy) -> None:
    """NaN among the weights is refused with the tensor's name."""
    with h5py.File(a_copy, "a") as file:
        file["conv2d/conv2d/bias:0"][3] = np.nan
    assert "stem.conv.bias" in found_in(a_copy)


def test_links_are_not_followed(a_copy) -> None:
    """A layer that is a link to another file is refused."""
    with h5py.File(a_copy, "a") as file:
        del file["conv2d_3"]
        file["conv2d_3"] = h5py.ExternalLink("elsewhere.h5", "/conv2d_3")
    assert "conv2d_3 is a link" in found_in(a_copy)


def test_claims_more_than_it_holds(a_copy) -> None:
    """A data set that claims a terabyte is refused before any of it is read."""
    with h5py.File(a_copy, "a") as file:
        del file["conv2d_3/conv2d_3/bias:0"]
        file.create_dataset("conv2d_3/conv2d_3/bias:0", (2**38,), np.float32)
    assert "larger than the file" in found_in(a_copy)


def test_keras_3_layout(tmp_path) -> None:
    """The numbered layout of Keras 3 is refused, as its numbers are in another order."""
    path = tmp_path / "x.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/conv2d/vars/0"] = np.ones((1, 1, 1, 16), np.float32)
    assert "Keras 3" in found_in(path)


@pytest.mark.parametrize("kept", [7, 100, 60_000, 3_000_000])
def test_truncated_h5(a_copy, kept) -> None:
    """An .h5 cut short anywhere is refused."""
    a_copy.write_bytes(a_copy.read_bytes()[:kept])
    assert found_in(a_copy).startswith("weights é.h5")


@pytest.mark.parametrize("content", [b"", b"\0", b"hello, world" * 9, struct.pack("<Q", 40) + b"x" * 40])
def test_unknown_bytes(tmp_path, content) -> None:
    """What is no weight file at all is called that."""
    (tmp_path / "weights.h5").write_bytes(content)
    assert "unknown bytes" in found_in(tmp_path / "weights.h5")


def test_no_such_file(tmp_path) -> None:
    """A path that leads nowhere is a missing file, not a wrong one."""
    with pytest.raises(WeightsMissingError):
        load_drunet(tmp_path / "nothing")


def test_stored_and_loaded(a_model, a_stored_model) -> None:
    """Our own format gives back the same numbers, and remembers the checksum of the file it came from."""
    net, card = load_drunet(a_stored_model)
    assert same(net, a_model[0])
    assert card.origin_sha256 == a_model[1].sha256
    assert sorted(p.name for p in a_stored_model.parent.iterdir()) == ["ours.json", "ours.safetensors"]


def test_checksum_of_the_card(a_stored_model) -> None:
    """Weights that no longer fit their card's checksum are not loaded."""
    content = bytearray(a_stored_model.read_bytes())
    content[-1] ^= 1
    a_stored_model.write_bytes(content)
    assert found_in(a_stored_model).startswith("SHA-256")


def test_checksum_of_the_caller() -> None:
    """A checksum that the caller states is compared before the file is read."""
    with pytest.raises(WrongWeightsError, match="SHA-256"):
        load_drunet(WEIGHTS, expected_sha256="0" * 64)


def test_card_of_another_network(a_stored_model) -> None:
    """A card that names another model is refused, though a trained variant of this one is not."""
    card = a_stored_model.with_suffix(".json")
    text = json.loads(card.read_text())
    card.write_text(json.dumps({**text, "name": "hematoma-drunet-ours"}))
    load_drunet(a_stored_model)
    card.write_text(json.dumps({**text, "name": "lvo-mip"}))
    assert "lvo-mip" in found_in(a_stored_model)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"card_version": 9}', '{"card_version": 1, "name": "x"}'])
def test_damaged_card(a_stored_model, text) -> None:
    """A card that cannot be read stops the import."""
    a_stored_model.with_suffix(".json").write_text(text)
    assert "card" in found_in(a_stored_model)


def test_safetensors_without_card(a_model, a_stored_model) -> None:
    """A bare safetensors file with our names loads as the user's own."""
    a_stored_model.with_suffix(".json").unlink()
    net, card = load_drunet(a_stored_model)
    assert same(net, a_model[0])
    assert card.version == "user-supplied"


def test_first_difference(a_stored_model) -> None:
    """A further tensor, then a missing one, is named."""
    tensors = load_file(a_stored_model)
    bare = a_stored_model.with_name("bare.safetensors")
    save_file({**tensors, "extra": np.ones(1, np.float32)}, bare)
    assert "extra" in found_in(bare)
    del tensors["bottom.0.side.norm.bias"]
    save_file(tensors, bare)
    assert found_in(bare) == "no tensor bottom.0.side.norm.bias"


def test_torch_state_dictionary(a_model, tmp_path) -> None:
    """A torch checkpoint that wraps the state of a DataParallel network loads."""
    state = {f"module.{name}": tensor for name, tensor in a_model[0].state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "x.pt")
    net, card = load_drunet(tmp_path / "x.pt")
    assert same(net, a_model[0])
    assert card.format == "torch state dictionary"


def test_pickled_code_does_not_run(a_model, tmp_path) -> None:
    """A pickled model object is refused unread: it could run code."""
    torch.save(a_model[0], tmp_path / "x.pt")
    assert "not loadable as plain tensors" in found_in(tmp_path / "x.pt")


def test_torch_file_without_tensors(tmp_path) -> None:
    """A torch file that holds something else is told what it is."""
    torch.save([1, 2], tmp_path / "x.pt")
    assert "list" in found_in(tmp_path / "x.pt")


def test_checksum_of_two_files(tmp_path) -> None:
    """Several files have one checksum that does not depend on their order, and the shell can reproduce it."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
    records = file_records([tmp_path / "a", tmp_path / "b"])
    # printf a>a; printf b>b; sha256sum a b | sha256sum
    assert combined_sha256(records).startswith("cb13f400dcb618e4")
    assert combined_sha256(records) == combined_sha256(records[::-1])


def test_card_round_trip(a_model) -> None:
    """A card survives its JSON text."""
    assert ModelCard.from_json(a_model[1].to_json()) == a_model[1]


def test_layers_of_the_architecture() -> None:
    """90 convolutions, 94 normalisations and 5 transposed convolutions each have one place."""
    kinds = [slot.kind for slot in DRUNET.slots]
    assert [kinds.count(k) for k in ("conv2d", "batch_normalization", "conv2d_transpose")] == [90, 94, 5]
    assert len({slot.module for slot in DRUNET.slots}) == 189
    assert set(DRUNET.slots) == set(DRUNET.depth_order)
