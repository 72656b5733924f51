"""Weights of DR-UNet: where each layer of the original goes in ours, and how to load and store them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from ctinsight.models.importers.architecture import Architecture, Slot, other_network
from ctinsight.models.importers.weights_file import load_weights, save_weights

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from torch import nn

    from ctinsight.models.card import ModelCard
    from ctinsight.models.importers.architecture import Tensors
    from ctinsight.nets.drunet import DRUNet

DRUNET_NAME = "hematoma-drunet"
_STAGES = 5
#: The published width is 32; outside these bounds a file is damaged or not meant.
_WIDTHS = range(4, 257)
#: In the order in which the original creates the layers of a unit.
_UNIT = ("reduce", "spread", "expand", "side")


def load_drunet(path: Path, *, expected_sha256: str | None = None) -> tuple[DRUNet, ModelCard]:
    """Load DR-UNet from any file it is found in; its width is inferred.

    Parameters and errors as :func:`ctinsight.models.importers.weights_file.load_weights`.
    """
    net, card = load_weights(path, DRUNET, expected_sha256=expected_sha256)
    return cast("DRUNet", net), card


def save_drunet(net: DRUNet, card: ModelCard, path: Path) -> ModelCard:
    """Store DR-UNet as safetensors and JSON card; see :func:`save_weights` of the importers."""
    return save_weights(net, card, path)


def _units(stage: str) -> list[str]:
    return [f"{stage}.0", f"{stage}.1"]


def _creation_order() -> Iterable[tuple[str, str]]:
    yield from (("conv2d", "stem.conv"), ("batch_normalization", "stem.norm"))
    for unit in [u for s in range(_STAGES) for u in _units(f"encoder.{s}")] + _units("bottom"):
        yield from _unit(unit, _UNIT)
    for stage in range(_STAGES):
        yield "conv2d_transpose", f"decoder.{stage}.up"
        yield "batch_normalization", f"decoder.{stage}.norm"
        for unit in _units(f"decoder.{stage}.units"):
            yield from _unit(unit, _UNIT)
    yield "conv2d", "head"


def _unit(unit: str, order: Iterable[str]) -> Iterable[tuple[str, str]]:
    for part in order:
        yield "conv2d", f"{unit}.{part}.conv"
        yield "batch_normalization", f"{unit}.{part}.norm"


def _slots() -> tuple[Slot, ...]:
    seen: Counter[str] = Counter()
    slots = []
    for kind, module in _creation_order():
        slots.append(Slot(kind, seen[kind], module))
        seen[kind] += 1
    return tuple(slots)


def _depth_order(slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
    """Sort as Keras sorts by depth: in a unit the side branch comes before the third main convolution.

    Per unit: reduce, spread (convolution and normalisation each), then side convolution, expand
    convolution, side normalisation, expand normalisation.
    """
    tail = {"expand.conv": 1, "side.conv": 0, "expand.norm": 3, "side.norm": 2}
    ordered = list(slots)
    for start in (i for i, slot in enumerate(slots) if slot.module.endswith("expand.conv")):
        four = slots[start : start + len(tail)]
        ordered[start : start + len(tail)] = sorted(
            four, key=lambda slot: tail[slot.module.split(".", slot.module.count(".") - 1)[-1]]
        )
    return tuple(ordered)


def _width(tensors: Tensors) -> int:
    head = tensors.get("head.weight")
    if head is None or head.ndim != 4 or head.shape[1] not in _WIDTHS:
        found = "no head.weight" if head is None else f"head.weight of shape {head.shape}"
        raise other_network(
            found=found, expected="DR-UNet's last convolution, (1, width, 1, 1) with a width of 4 to 256"
        )
    return int(head.shape[1])


def _build(width: int) -> nn.Module:
    from ctinsight.nets.drunet import DRUNet

    return DRUNet(width)


_SLOTS = _slots()
DRUNET = Architecture(
    name=DRUNET_NAME, slots=_SLOTS, depth_order=_depth_order(_SLOTS), width_of=_width, build=_build
)
