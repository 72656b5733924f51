"""The network that the plans describe, with weights from safetensors."""

from __future__ import annotations

import pydoc
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ctinsight.device import require_torch
from ctinsight.errors import DependencyMissingError, WrongWeightsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

    from ctinsight.inference.nnunet.plans import NNUNetPlans

_PACKAGE = "dynamic_network_architectures"
#: Networks whose arithmetic this engine is tested for; others need nnU-Net itself.
ARCHITECTURES = ("PlainConvUNet", "ResidualEncoderUNet")
#: The only names that plans may have imported: layers of torch, and the blocks of the package above.
_ALLOWED = ("torch.nn.", f"{_PACKAGE}.")


def require_architectures() -> None:
    """See that the package with nnU-Net's networks is there.

    Raises
    ------
    DependencyMissingError
        It is not; the remedy says how to install it without what it would bring along.
    """
    if find_spec(_PACKAGE) is None:
        raise DependencyMissingError(
            found="no Python package dynamic-network-architectures",
            expected="it, because it holds the networks that nnU-Net's plans name",
            remedy='pip install --no-deps "dynamic-network-architectures==0.4.4" (1 MB). '
            "With --no-deps neither torch nor another package is replaced.",
        )


def build_network(plans: NNUNetPlans) -> nn.Module:
    """Build the network without weights, in eval mode, giving its finest output only.

    Raises
    ------
    DependencyMissingError
        The package with the networks is not installed.
    WrongWeightsError
        The plans name another architecture, or arguments that it does not take.
    """
    require_architectures()
    from dynamic_network_architectures.architectures import unet

    name, arguments = _described(plans)
    if name not in ARCHITECTURES:
        raise _unknown(found=f"architecture {name}", expected=f"one of {', '.join(ARCHITECTURES)}")
    try:
        net: nn.Module = getattr(unet, name)(
            input_channels=len(plans.channels),
            num_classes=plans.outputs,
            **arguments,
            deep_supervision=False,
        )
    except (TypeError, ValueError, AssertionError) as error:
        raise _unknown(
            found=f"arguments that {name} does not take ({error})", expected="plans as nnU-Net writes them"
        ) from error
    return net.eval()


def load_weights(net: nn.Module, path: Path) -> None:
    """Fill a network from safetensors in which every tensor stands once.

    Raises
    ------
    WrongWeightsError
        The first tensor that is missing, superfluous or of another shape is named.
    """
    from safetensors.torch import load_file

    tensors = load_file(path)
    by_identity: dict[int, set[str]] = {}
    state = net.state_dict(keep_vars=True)
    for name, tensor in state.items():
        by_identity.setdefault(id(tensor), set()).add(name)
    for name in tensors:
        if name not in state and not _left_over(name):
            raise _unknown(found=f"{path.name}: a tensor {name}", expected="no tensor but the network's")
    torch = require_torch()
    with torch.no_grad():
        for names in by_identity.values():
            found = next((n for n in sorted(names) if n in tensors), None)
            if found is None:
                raise _unknown(
                    found=f"{path.name} without {min(names)}", expected="every tensor of the network"
                )
            if tensors[found].shape != state[found].shape:
                shapes = f"{tuple(tensors[found].shape)}, not {tuple(state[found].shape)}"
                raise _unknown(
                    found=f"{path.name}: {found} of shape {shapes}", expected="the shapes that the plans make"
                )
            state[found].copy_(tensors[found])


def _left_over(name: str) -> bool:
    """Whether a tensor belongs to outputs of coarser stages, which exist in training only."""
    return name.startswith("decoder.seg_layers.")


def _described(plans: NNUNetPlans) -> tuple[str, dict[str, Any]]:
    settings = plans.settings
    if "architecture" not in settings:
        return _described_before(settings)
    stated = settings["architecture"]
    arguments = dict(stated["arch_kwargs"])
    for key in stated.get("_kw_requires_import", ()):
        arguments[key] = _imported(arguments.get(key))
    return str(stated["network_class_name"]).rsplit(".", 1)[-1], arguments


def _described_before(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Read the description that nnU-Net wrote before version 2.5."""
    torch = require_torch()
    name, stages = str(settings["UNet_class_name"]), len(settings["pool_op_kernel_sizes"])
    base, most = settings["UNet_base_num_features"], settings["unet_max_num_features"]
    flat = len(settings["patch_size"]) == 2
    blocks = "n_blocks_per_stage" if name == "ResidualEncoderUNet" else "n_conv_per_stage"
    return name, {
        "n_stages": stages,
        "features_per_stage": [min(base * 2**stage, most) for stage in range(stages)],
        "conv_op": torch.nn.Conv2d if flat else torch.nn.Conv3d,
        "kernel_sizes": settings["conv_kernel_sizes"],
        "strides": settings["pool_op_kernel_sizes"],
        blocks: settings["n_conv_per_stage_encoder"],
        "n_conv_per_stage_decoder": settings["n_conv_per_stage_decoder"],
        "conv_bias": True,
        "norm_op": torch.nn.InstanceNorm2d if flat else torch.nn.InstanceNorm3d,
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": torch.nn.LeakyReLU,
        "nonlin_kwargs": {"inplace": True},
    }


def _imported(name: str | None) -> Any:
    if name is None:
        return None
    found = pydoc.locate(name) if name.startswith(_ALLOWED) else None
    if found is None:
        raise _unknown(found=f"a part named {name!r}", expected="layers of torch.nn")
    return found


def _unknown(*, found: str, expected: str) -> WrongWeightsError:
    return WrongWeightsError(
        found=f"plans or weights of nnU-Net with {found}",
        expected=expected,
        remedy="Run this model with nnU-Net itself (package nnunetv2), or import its own folder again.",
    )
