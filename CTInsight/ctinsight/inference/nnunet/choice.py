"""Which way of running a network is taken on this machine: decided by a test, never by hope."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.device import require_torch
from ctinsight.errors import WrongUseError
from ctinsight.inference.nnunet.runners import (
    GroupNormRunner,
    OpenVinoRunner,
    TorchRunner,
    has_amx,
    has_openvino,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor, nn

    from ctinsight.inference.nnunet.runners import Runner

#: Least part of voxels that must keep their class against plain single precision.
LEAST_AGREEMENT = 0.999
#: Voxels of the window on which ways are compared: a twentieth of a usual one, about a second in torch.
_TEST_VOXELS = 150_000
_REPEATS = 2
PLAIN = "torch f32"


@dataclass(frozen=True)
class Shapes:
    """What the network sees: channels, its whole window, and a smaller one that its strides divide."""

    channels: int
    window: tuple[int, ...]
    small: tuple[int, ...]

    @classmethod
    def of(cls, channels: int, window: Sequence[int], strides: Sequence[Sequence[int]]) -> Shapes:
        """Halve the window's longest sides until it is small, keeping multiples of all strides together."""
        least = [1] * len(window)
        for stride in strides:
            least = [a * b for a, b in zip(least, stride, strict=True)]
        # Twice the least size, or instance normalisation would see a single voxel.
        floor = [min(side, 2 * unit) for side, unit in zip(window, least, strict=True)]
        small = list(window)
        while int(np.prod(small)) > _TEST_VOXELS:
            axis = max(range(len(small)), key=lambda a: small[a] / floor[a])
            halved = small[axis] // 2 // least[axis] * least[axis]
            if halved < floor[axis]:
                break
            small[axis] = halved
        return cls(channels, tuple(window), tuple(small))

    def batch(self, window: tuple[int, ...]) -> tuple[int, ...]:
        """Return (1, channels, *window)."""
        return (1, self.channels, *window)


@dataclass(frozen=True)
class Choice:
    """Which way was taken, and why: for the result's manifest.

    Parameters
    ----------
    name
        ``torch f32``, ``torch f32, channels last``, ``OpenVINO f32``, or with ``bf16``.
    agreement
        Part of voxels with the class that plain single precision gives, on the test window.
    seconds
        By way, on the test window.
    refused
        Ways that were tried and not taken for their answers, with their agreement.
    """

    name: str
    agreement: float = 1.0
    seconds: Mapping[str, float] | None = None
    refused: Mapping[str, float] | None = None


def choose_runner(
    net: nn.Module, shapes: Shapes, device: str, wanted: str = "auto"
) -> tuple[Callable[[nn.Module], Runner], Choice]:
    """Compare the ways that this machine offers and take the fastest one with the same answers.

    Parameters
    ----------
    net
        In eval mode, with weights.
    shapes
        What it sees.
    device
        ``cpu``, ``cuda`` or ``mps``; only on the processor there is a choice.
    wanted
        ``auto``, or the name of a way.

    Returns
    -------
    tuple
        What makes a runner of a network (one for each fold), and the choice.

    Raises
    ------
    WrongUseError
        A way that this machine does not offer.
    """
    ways = _ways(shapes, shapes.window, device)
    if wanted != "auto":
        if wanted not in ways:
            raise WrongUseError(
                found=f"engine {wanted!r}", expected=f"auto, {', '.join(ways)}", remedy="Choose one of these."
            )
        return ways[wanted], Choice(wanted)
    if len(ways) == 1:
        return next(iter(ways.items()))[1], Choice(next(iter(ways)))
    small = _ways(shapes, shapes.small, device)
    x = _test_window(shapes)
    truth, spent = _timed(small[PLAIN](net), x)
    seconds, agreements = {PLAIN: spent}, {PLAIN: 1.0}
    for name, make in small.items():
        if name != PLAIN:
            answer, seconds[name] = _timed(make(net), x)
            agreements[name] = float((answer.argmax(dim=1) == truth.argmax(dim=1)).float().mean())
    good = [name for name in small if agreements[name] >= LEAST_AGREEMENT]
    best = min(good, key=seconds.__getitem__)
    refused = {name: agreements[name] for name in small if name not in good}
    return ways[best], Choice(best, agreements[best], seconds, refused)


def _ways(shapes: Shapes, window: tuple[int, ...], device: str) -> dict[str, Callable[[nn.Module], Runner]]:
    if device != "cpu":
        return {f"torch on {device}": lambda net: TorchRunner(net, device)}
    shape, example = shapes.batch(window), shapes.batch(shapes.small)
    ways: dict[str, Callable[[nn.Module], Runner]] = {
        PLAIN: lambda net: TorchRunner(net, "cpu"),
        "torch f32, channels last": GroupNormRunner,
    }
    if has_openvino():
        ways["OpenVINO f32"] = lambda net: OpenVinoRunner(net, shape, example)
    if has_amx():
        ways["torch bf16, channels last"] = lambda net: GroupNormRunner(net, half=True)
        if has_openvino():
            ways["OpenVINO bf16"] = lambda net: OpenVinoRunner(net, shape, example, "bf16")
    return ways


def _test_window(shapes: Shapes) -> Tensor:
    """Draw smooth noise of mean 0 and standard deviation 1, as a normalised image has."""
    noise = np.random.default_rng(0).standard_normal(shapes.batch(shapes.small))
    smooth = ndimage.gaussian_filter(noise, [0, 0, *[2.0] * len(shapes.small)])
    window: Tensor = require_torch().from_numpy((smooth / smooth.std()).astype(np.float32))
    return window


def _timed(run: Runner, x: Tensor) -> tuple[Tensor, float]:
    """Return the answer and the least of some times, after a run that warms up."""
    answer = run(x)
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        run(x)
        times.append(time.perf_counter() - started)
    return answer, min(times)
