"""Ways to run one network on one window: plain torch, a faster form of it, OpenVINO.

All compute the same function. They differ by rounding, and in speed by the machine: see
:mod:`ctinsight.inference.nnunet.choice` for which one is taken.
"""

from __future__ import annotations

import copy
import os
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from ctinsight.device import require_torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn


class Runner(Protocol):
    """(1, channels, *window) float32 to (1, classes, *window) float32, both on the processor."""

    def __call__(self, x: Tensor, /) -> Tensor:
        """Score a window."""


class TorchRunner:
    """The network as nnU-Net runs it: single precision, on a graphics card mixed precision.

    Parameters
    ----------
    net
        In eval mode.
    device
        ``cpu``, ``cuda`` or ``mps``.
    """

    def __init__(self, net: nn.Module, device: str) -> None:
        self._torch = require_torch()
        self._net, self._device = net.to(device), device

    def __call__(self, x: Tensor, /) -> Tensor:
        """Score a window."""
        torch = self._torch
        with torch.inference_mode(), torch.autocast("cuda", enabled=self._device == "cuda"):
            answer: Tensor = self._net(x.to(self._device)).float().cpu()
        return answer


class GroupNormRunner:
    """The network on the processor with channels as the last axis in memory.

    Instance normalisation of torch copies such tensors; group normalisation with one channel in each group
    is the same formula and does not. Weights are the same, nothing is trained again.

    Parameters
    ----------
    net
        In eval mode; it is copied.
    half
        Compute in bfloat16: only on processors with AMX, elsewhere it is several times slower.
    """

    def __init__(self, net: nn.Module, *, half: bool = False) -> None:
        self._torch = torch = require_torch()
        own = with_group_norm(copy.deepcopy(net))
        flat = any(isinstance(module, torch.nn.Conv2d) for module in own.modules())
        self._format = torch.channels_last if flat else torch.channels_last_3d
        self._kind = torch.bfloat16 if half else torch.float32
        # torch's annotations leave this form of "to" out.
        move: Any = own.to
        self._net: nn.Module = move(dtype=self._kind, memory_format=self._format)

    def __call__(self, x: Tensor, /) -> Tensor:
        """Score a window."""
        with self._torch.inference_mode():
            answer: Tensor = self._net(x.to(dtype=self._kind, memory_format=self._format))
            return answer.float().contiguous()


class OpenVinoRunner:
    """The network compiled by OpenVINO for this processor.

    Parameters
    ----------
    net
        In eval mode.
    shape
        (1, channels, *window) of what it will see.
    example
        The same for a smaller window, with which the network is traced: tracing a whole one takes minutes.
    precision
        ``f32`` or ``bf16``, always stated: left alone, OpenVINO takes bfloat16 where a processor has it.
    """

    def __init__(
        self, net: nn.Module, shape: Sequence[int], example: Sequence[int], precision: str = "f32"
    ) -> None:
        self._torch = torch = require_torch()
        openvino = _openvino()
        with torch.inference_mode(), warnings.catch_warnings():
            # Of tracing: deprecated in newer torch, and checks of sizes that are written into the model.
            warnings.simplefilter("ignore")
            model = openvino.convert_model(net, example_input=torch.zeros(tuple(example)))
        model.reshape(list(shape))
        settings = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        self._model = openvino.Core().compile_model(model, "CPU", settings)

    def __call__(self, x: Tensor, /) -> Tensor:
        """Score a window."""
        answer: Tensor = self._torch.from_numpy(self._model(x.contiguous().numpy())[0].copy())
        return answer


def has_openvino() -> bool:
    """Tell whether the package openvino is installed."""
    return find_spec("openvino") is not None


def has_amx() -> bool:
    """Tell whether this processor multiplies matrices of bfloat16 in hardware (Intel AMX)."""
    probe = getattr(require_torch().cpu, "_is_amx_tile_supported", None)
    return bool(probe and probe())


def with_group_norm(net: nn.Module) -> nn.Module:
    """Replace instance normalisation by group normalisation with one channel in each group, in place."""
    torch = require_torch()
    kinds = (torch.nn.InstanceNorm2d, torch.nn.InstanceNorm3d)
    # nnU-Net registers its layers twice: one replacement for each layer, not for each name.
    made: dict[int, nn.Module] = {}
    for parent in net.modules():
        for name, child in parent.named_children():
            if isinstance(child, kinds) and not child.track_running_stats:
                if id(child) not in made:
                    made[id(child)] = _group_norm(child)
                setattr(parent, name, made[id(child)])
    for module in net.modules():
        if getattr(module, "norm", None) is not None and id(module.norm) in made:
            module.norm = made[id(module.norm)]
    return net


def _group_norm(layer: Any) -> nn.Module:
    torch = require_torch()
    made: nn.Module = torch.nn.GroupNorm(
        layer.num_features, layer.num_features, eps=layer.eps, affine=layer.affine
    )
    if layer.affine:
        made.weight, made.bias = layer.weight, layer.bias
    return made.eval()


def _openvino() -> Any:
    # Its package of usage statistics is not installed with ours; should it be there, it must stay silent.
    os.environ.setdefault("OPENVINO_TELEMETRY", "0")
    import openvino

    return openvino
