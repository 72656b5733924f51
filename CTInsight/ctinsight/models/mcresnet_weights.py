"""Weights of McResNet: a torch state dictionary with the original's names, with or without ``module.``."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ctinsight.models.importers.architecture import Architecture, other_network
from ctinsight.models.importers.weights_file import load_weights

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from ctinsight.models.card import ModelCard
    from ctinsight.models.importers.architecture import Tensors
    from ctinsight.nets.mcresnet import McResNet

MCRESNET_NAME = "lvo-mcresnet"
#: The published width is 64; outside these bounds a file is damaged or not meant.
_WIDTHS = range(2, 257)
_FIRST = "conv1.weight"


def load_mcresnet(path: Path, *, expected_sha256: str | None = None) -> tuple[McResNet, ModelCard]:
    """Load McResNet from a torch or safetensors file; its width is inferred.

    Parameters and errors as :func:`ctinsight.models.importers.weights_file.load_weights`.
    """
    net, card = load_weights(path, MCRESNET, expected_sha256=expected_sha256)
    return cast("McResNet", net), card


def _width(tensors: Tensors) -> int:
    first = tensors.get(_FIRST)
    if first is None or first.ndim != 5 or first.shape[1] != 4 or first.shape[0] not in _WIDTHS:
        found = f"no {_FIRST}" if first is None else f"{_FIRST} of shape {first.shape}"
        raise other_network(
            found=found, expected="McResNet's first convolution, (width, 4, 7, 7, 7) with a width of 2 to 256"
        )
    return int(first.shape[0])


def _build(width: int) -> nn.Module:
    from ctinsight.nets.mcresnet import McResNet

    return McResNet(width)


MCRESNET = Architecture(name=MCRESNET_NAME, slots=(), depth_order=(), width_of=_width, build=_build)
