"""Weights of EMV-3D-CNN: where each layer of the nine originals goes in ours, and how to load and store them.

The files are under terms that the user accepts first (see the catalogue); nothing of them is shipped here.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

from ctinsight.models.importers.architecture import Architecture, Slot, other_network
from ctinsight.models.importers.keras_h5 import SIGNATURE
from ctinsight.models.importers.weights_file import load_weights, save_weights
from ctinsight.nets.emv_networks import EMV_NETWORKS, EmvKind, EmvNetwork

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from torch import nn

    from ctinsight.models.card import ModelCard
    from ctinsight.models.importers.architecture import Tensors
    from ctinsight.nets.emv_layers import EmvNet

#: The published width is 64; outside these bounds a file is damaged or not meant.
_WIDTHS = range(2, 257)
_CONV, _NORM = "conv3d", "batch_normalization"
_INCEPTION_MODULES, _RESIDUAL_BLOCKS = 9, 8
_VGG_CONVS = (2, 2, 3, 3, 3)
#: In the order in which the original creates the branches of a module.
_BRANCHES = ("single", "middle_reduce", "middle", "large_reduce", "large", "pooled")
#: In the order in which the original creates the layers of a residual block.
_BLOCK = (
    (_NORM, "norm1"),
    (_CONV, "conv1"),
    (_NORM, "norm2"),
    (_CONV, "conv2"),
    (_NORM, "norm3"),
    (_NORM, "side_norm1"),
    (_CONV, "side_conv"),
    (_NORM, "side_norm2"),
)
#: Positions in the lists above, in the order in which Keras sorts them by depth.
_MODULE_BY_DEPTH = (2, 6, 3, 7, 0, 4, 8, 10, 1, 5, 9, 11)
_BLOCK_BY_DEPTH = (0, 1, 2, 5, 3, 6, 4, 7)


def load_emv(
    path: Path, network: EmvNetwork, *, expected_sha256: str | None = None
) -> tuple[EmvNet, ModelCard]:
    """Load one of the nine networks from any file it is found in; its width is inferred.

    A Keras whole-model file states the side of its input. That is compared too: the files of questions 1 and
    2 hold tensors of equal shapes, and only the side of the views tells them apart.

    Parameters and errors as :func:`ctinsight.models.importers.weights_file.load_weights`.
    """
    net, card = load_weights(path, emv_architecture(network), expected_sha256=expected_sha256)
    _refuse_other_side(path, network)
    return cast("EmvNet", net), card


def save_emv(net: EmvNet, card: ModelCard, path: Path) -> ModelCard:
    """Store a network as safetensors and JSON card; see :func:`save_weights` of the importers."""
    return save_weights(net, card, path)


@cache
def emv_architecture(network: EmvNetwork) -> Architecture:
    """Describe one of the nine networks to the importers."""
    kind = network.kind
    slots = _ranked(_CREATION[kind]())
    return Architecture(
        name=network.name,
        slots=slots,
        depth_order=_depth_order(kind, slots),
        width_of=partial(_width, _FIRST_CONV[kind], network),
        build=partial(_build, network),
    )


def _ranked(creation: Iterable[tuple[str, str]]) -> tuple[Slot, ...]:
    seen: Counter[str] = Counter()
    slots = []
    for kind, module in creation:
        slots.append(Slot(kind, seen[kind], module))
        seen[kind] += 1
    return tuple(slots)


def _conv_norm(unit: str) -> Iterator[tuple[str, str]]:
    yield _CONV, f"{unit}.conv"
    yield _NORM, f"{unit}.norm"


def _inception() -> Iterator[tuple[str, str]]:
    for unit in ("stem", "second"):
        yield from _conv_norm(unit)
    for index in range(_INCEPTION_MODULES):
        for branch in _BRANCHES:
            yield from _conv_norm(f"blocks.{index}.{branch}")
    yield "dense", "dense"


def _vgg() -> Iterator[tuple[str, str]]:
    for index, convs in enumerate(_VGG_CONVS):
        yield _NORM, f"blocks.{index}.norm"
        for conv in range(convs):
            yield _CONV, f"blocks.{index}.convs.{conv}"
    yield "dense", "dense"


def _resnet() -> Iterator[tuple[str, str]]:
    # The original numbers one more normalisation, before the stem; it is connected to nothing and in no file.
    yield _CONV, "stem"
    for index in range(_RESIDUAL_BLOCKS):
        for kind, layer in _BLOCK:
            yield kind, f"blocks.{index}.{layer}"
    yield "dense", "dense"


_CREATION = {EmvKind.INCEPTION: _inception, EmvKind.VGG: _vgg, EmvKind.RESNET: _resnet}
_FIRST_CONV = {
    EmvKind.INCEPTION: "stem.conv.weight",
    EmvKind.VGG: "blocks.0.convs.0.weight",
    EmvKind.RESNET: "stem.weight",
}


def _depth_order(kind: EmvKind, slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
    """Sort as Keras sorts by depth, which matters for branches that run side by side."""
    if kind is EmvKind.VGG:
        return slots
    stem, order = (4, _MODULE_BY_DEPTH) if kind is EmvKind.INCEPTION else (1, _BLOCK_BY_DEPTH)
    ordered = list(slots)
    for start in range(stem, len(slots) - 1, len(order)):
        ordered[start : start + len(order)] = [slots[start + place] for place in order]
    return tuple(ordered)


def _width(first: str, network: EmvNetwork, tensors: Tensors) -> int:
    kernel = tensors.get(first)
    if kernel is None or kernel.ndim != 5 or kernel.shape[0] not in _WIDTHS:
        found = f"no {first}" if kernel is None else f"{first} of shape {kernel.shape}"
        raise other_network(
            found=found,
            expected=f"the first convolution of {network.name}, (width, 3, k, k, k) with a width of 2 to 256",
        )
    return int(kernel.shape[0])


def _build(network: EmvNetwork, width: int) -> nn.Module:
    from ctinsight.nets.emv_inception import EmvInception
    from ctinsight.nets.emv_resnet import EmvResNet
    from ctinsight.nets.emv_vgg import EmvVgg

    classes = {EmvKind.INCEPTION: EmvInception, EmvKind.VGG: EmvVgg, EmvKind.RESNET: EmvResNet}
    return classes[network.kind](width, network.classes)


def _refuse_other_side(path: Path, network: EmvNetwork) -> None:
    side = _stated_side(path)
    if side is not None and side != network.views.side:
        raise other_network(
            found=f"{path.name}: a model for views of {side} voxels a side",
            expected=f"{network.views.side} voxels a side, as {network.name} has; "
            "the file may answer another of the three questions",
        )


def _stated_side(path: Path) -> int | None:
    """Read the input's side from the model that a Keras file describes; None where it describes none."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        if file.read(len(SIGNATURE)) != SIGNATURE:
            return None
    import h5py

    with h5py.File(path, "r") as file:
        text = file.attrs.get("model_config")
    try:
        layers = json.loads(text)["config"]["layers"]
        return _side_of(layers[0]["config"])
    except (TypeError, KeyError, IndexError, ValueError, RecursionError):
        return None


def _side_of(config: dict[str, Any]) -> int | None:
    shape = config.get("batch_input_shape") or config.get("batch_shape")
    return int(shape[-1]) if shape and shape[-1] is not None else None


EMV_ARCHITECTURES = {network.name: emv_architecture(network) for network in EMV_NETWORKS}
