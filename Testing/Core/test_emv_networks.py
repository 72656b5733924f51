"""The nine networks of EMV-3D-CNN against the original's numbers; their importer against other files."""

from __future__ import annotations

import json
import re
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from ctinsight.errors import WrongWeightsError
from ctinsight.models.card import ModelCard
from ctinsight.models.emv_weights import EMV_ARCHITECTURES, emv_architecture, load_emv, save_emv
from ctinsight.nets.drunet import parameter_count
from ctinsight.nets.emv_layers import SameConv3d, SameMaxPool3d
from ctinsight.nets.emv_networks import EMV_NETWORKS, EmvKind, EmvNetwork, EmvTask
from ctinsight.nets.emv_resnet import EmvResNet, ResidualBlock

#: File, tolerance and the layers whose channel means the reference holds.
REFERENCES = {
    EmvKind.INCEPTION: ("Inception_60", 5e-4),
    EmvKind.VGG: ("Vgg_40", 1e-4),
    EmvKind.RESNET: ("Resnet_60", 1e-4),
}
#: From the published specification: stored numbers with 2 and with 3 classes.
PARAMETERS = {
    EmvKind.INCEPTION: (4_443_890, 4_444_147),
    EmvKind.VGG: (44_140_494, 44_141_007),
    EmvKind.RESNET: (33_588_226, 33_588_739),
}


@pytest.fixture(scope="module")
def reference(shared):
    """Return a function from a kind to (path of its .h5, its input, its output); it reads once."""
    pytest.importorskip("h5py")
    folder = shared / "reference" / "emv"

    @cache
    def read(kind):
        name = f"w8_task1_{REFERENCES[kind][0]}"
        numbers = np.load(folder / f"{name}_io.npz")
        return folder / f"{name}.h5", np.load(folder / str(numbers["views_file"]))["x"], numbers

    return read


@pytest.fixture(scope="module")
def loaded(reference):
    """Return a function from a kind to (network, card) of its file; it loads once."""
    return cache(lambda kind: load_emv(reference(kind)[0], question_1(kind)))


def question_1(kind):
    """Return the network of the first question of a kind."""
    return EmvNetwork(EmvTask.MALIGNANT, kind)


@pytest.mark.parametrize("kind", EmvKind)
def test_reproduces_the_original(reference, loaded, kind):
    """A Keras file gives the original's scores of five nodules; width 8 is read from its tensors."""
    _, views, numbers = reference(kind)
    net, card = loaded(kind)
    with torch.inference_mode():
        scores = net(torch.from_numpy(views)).numpy()
    assert (card.width, card.name) == (8, f"nodule-emv-task1-{kind}")
    np.testing.assert_allclose(scores, numbers["y"], atol=REFERENCES[kind][1])


@pytest.mark.parametrize(
    ("kind", "tap", "module"),
    [
        (EmvKind.INCEPTION, "tap_concatenate", "blocks.0"),
        (EmvKind.INCEPTION, "tap_concatenate_8", "blocks.8"),
        (EmvKind.VGG, "tap_max_pooling3d_2", "blocks.2"),
        (EmvKind.RESNET, "tap_activation_4", "blocks.4"),
        (EmvKind.RESNET, "tap_activation_6", "blocks.6"),
    ],
)
def test_reproduces_the_layers_between(reference, loaded, kind, tap, module):
    """Channel means inside the networks are the original's, not only the final scores."""
    _, views, numbers = reference(kind)
    net, _ = loaded(kind)
    seen = []
    layer = net.get_submodule(module)
    hook = layer.register_forward_hook(lambda _m, _i, out: seen.append(out.mean(dim=(2, 3, 4))))
    with torch.inference_mode():
        net(torch.from_numpy(views[:1]))
    hook.remove()
    np.testing.assert_allclose(seen[0][0].numpy(), numbers[tap], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", EmvKind)
def test_depth_order_is_keras_own(shared, kind):
    """Layers sorted by depth, as a checkpoint without names needs them, follow the original's list."""
    text = (shared / "reference" / "emv" / f"w8_task1_{REFERENCES[kind][0]}_layers.json").read_text()
    rank = {}
    order = []
    names = [row[0] for row in json.loads(text)]
    for name in sorted(names, key=lambda n: int((re.findall(r"_(\d+)$", n) or [0])[0])):
        stem = re.sub(r"_\d+$", "", name)
        rank[name] = (stem, sum(1 for other in rank if re.sub(r"_\d+$", "", other) == stem))
    order = [rank[name] for name in names]
    assert [(slot.kind, slot.rank) for slot in emv_architecture(question_1(kind)).depth_order] == order


@pytest.mark.parametrize("network", EMV_NETWORKS, ids=lambda n: n.name)
def test_full_width_has_the_published_size(network):
    """Every network at width 64 holds as many numbers as the original, for 2 and for 3 classes."""
    with torch.device("meta"):
        net = EMV_ARCHITECTURES[network.name].build(64)
    assert parameter_count(net) == PARAMETERS[network.kind][network.classes - 2]


@pytest.mark.parametrize(
    ("file_of", "asked", "difference"),
    [
        (EmvKind.VGG, (EmvTask.MALIGNANT, EmvKind.RESNET), "13 layers of class conv3d"),
        (EmvKind.RESNET, (EmvTask.MALIGNANT, EmvKind.INCEPTION), "25 layers of class conv3d"),
        (EmvKind.VGG, (EmvTask.GRADE, EmvKind.VGG), r"dense\.weight of shape \(2, 64\)"),
        (EmvKind.VGG, (EmvTask.INVASIVE, EmvKind.VGG), "views of 40 voxels"),
        (EmvKind.INCEPTION, (EmvTask.INVASIVE, EmvKind.INCEPTION), "views of 60 voxels"),
    ],
)
def test_names_the_first_difference_of_another_file(reference, file_of, asked, difference):
    """A file of another architecture or question is refused, though questions 1 and 2 share all shapes."""
    path, _, _ = reference(file_of)
    with pytest.raises(WrongWeightsError, match=difference):
        load_emv(path, EmvNetwork(*asked))


def test_stored_weights_come_back(tmp_path):
    """Safetensors and card bring back every tensor, the width and the name."""
    pytest.importorskip("safetensors")
    network = EmvNetwork(EmvTask.GRADE, EmvKind.RESNET)
    net = emv_architecture(network).build(2)
    card = ModelCard(network.name, "made up", "0" * 64, (), 2, 0)
    save_emv(net, card, tmp_path / "net.safetensors")
    again, found = load_emv(tmp_path / "net.safetensors", network)
    assert found.name == network.name
    assert all(torch.equal(again.state_dict()[name], value) for name, value in net.state_dict().items())


def test_a_stored_file_of_another_question_is_refused(tmp_path):
    """A card says which question the weights answer; another one is not loaded from them."""
    pytest.importorskip("safetensors")
    network = EmvNetwork(EmvTask.MALIGNANT, EmvKind.INCEPTION)
    card = ModelCard(network.name, "made up", "0" * 64, (), 2, 0)
    save_emv(emv_architecture(network).build(2), card, tmp_path / "net.safetensors")
    with pytest.raises(WrongWeightsError, match="weights of nodule-emv-task1-inception"):
        load_emv(tmp_path / "net.safetensors", EmvNetwork(EmvTask.INVASIVE, EmvKind.INCEPTION))


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "first_seen"),
    [(60, 7, 2, (-2, 4)), (15, 7, 2, (-3, 3)), (30, 3, 2, (0, 2)), (15, 3, 2, (-1, 1)), (10, 1, 2, (0, 0))],
)
def test_same_padding_puts_the_odd_voxel_behind(size, kernel, stride, first_seen):
    """The first output voxel sees exactly the input that TensorFlow shows it."""
    conv = SameConv3d(1, 1, kernel, stride)
    nn.init.ones_(conv.weight), nn.init.zeros_(conv.bias)
    ramp = torch.arange(1.0, size + 1).view(1, 1, size, 1, 1).expand(1, 1, size, size, size)
    first, last = first_seen
    seen = sum(range(max(first, 0) + 1, last + 2))  # ramp values inside the image, once per line
    lines = len(range(max(first, 0), last + 1)) ** 2
    with torch.inference_mode():
        assert conv(ramp)[0, 0, 0, 0, 0].item() == pytest.approx(seen * lines)


def test_padding_never_wins_a_maximum():
    """A maximum over negative values stays negative at the border, where zeros would win."""
    pooled = SameMaxPool3d(stride=2)(torch.full((1, 1, 5, 5, 5), -3.0))
    assert pooled.shape == (1, 1, 3, 3, 3)
    assert (pooled == -3.0).all()


def test_only_one_residual_block_halves_the_image():
    """The stem brings 40 to 10, blocks 0-5 keep 10, block 6 makes 5: the strides of the published weights."""
    net, sides = EmvResNet(2).eval(), []
    for block in net.modules():
        if isinstance(block, ResidualBlock):
            block.register_forward_hook(lambda _m, _i, out: sides.append(out.shape[2]))
    with torch.inference_mode():
        net(torch.zeros(1, 3, 40, 40, 40))
    assert sides == [10] * 6 + [5, 5]


def test_the_pool_of_512_would_change_nothing():
    """An average over 512 voxels around each voxel, padding left out, has the mean of the global mean."""
    x = torch.rand(1, 2, 5, 5, 5, dtype=torch.float64)
    padded, inside = (functional.pad(t, [255, 256]) for t in (x[..., 0, 0, :], torch.ones(1, 2, 5)))
    pooled = functional.avg_pool1d(padded, 512, 1) / functional.avg_pool1d(inside, 512, 1)
    assert torch.allclose(pooled.mean(-1), x[..., 0, 0, :].mean(-1))


def test_refuses_two_views():
    """A batch without its third view is refused with its shape."""
    with pytest.raises(ValueError, match=r"\(1, 2, 40, 40, 40\)"):
        EmvResNet(2)(torch.zeros(1, 2, 40, 40, 40))
