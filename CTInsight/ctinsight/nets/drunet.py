"""DR-UNet, the dimension-reduction U-Net for hematoma on axial head CT slices.

A re-implementation from the published facts, not a translation of the authors' program.

References
----------
Yu N, Yu H, Li H, Ma N, Hu C, Wang J. A Robust Deep Learning Segmentation Method for Hematoma Volumetric
Detection in Intracerebral Hemorrhage. Stroke 2022;53:167-176. https://doi.org/10.1161/STROKEAHA.120.032243
"""

from __future__ import annotations

import copy
from enum import StrEnum
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Keras defaults, which the original keeps: BatchNormalization(epsilon=1e-3, momentum=0.99).
BATCH_NORM_EPS = 1e-3
BATCH_NORM_MOMENTUM = 0.01
#: The first 1 x 1 convolution has 16 filters whatever the width is.
STEM_CHANNELS = 16
#: Five times halved and doubled again, so each side must be a multiple of 2**5.
LEVELS = 5
SIDE_MULTIPLE = 2**LEVELS


class Statistics(StrEnum):
    """Which mean and variance batch normalisation uses at inference.

    ``MOVING`` is the usual eval mode and the default. The original program calls its network in training
    mode at inference as well, so that a slice is normalised by itself (``SLICE``, fed one by one) or
    by whatever other slices share its batch (``BATCH``, which makes a result depend on its neighbours).

    The last two exist to reproduce the original, so on a processor their statistics round as TensorFlow's
    do, which adds pixel after pixel in single precision. That is the less exact way: in double precision
    throughout, this network and the original's stored scores differ by up to 0.022 with the random reference
    weights, while with exactly summed statistics single precision stays within 7e-5 of double. Convolutions
    are summed in double here, so that scores depend on no number of threads. All twelve reference pictures
    are met below 1e-4; on another one, a last digit of one scale factor that falls otherwise can move
    single pixels by up to 7e-4. In ``MOVING`` nothing of this matters: 1e-5.
    """

    MOVING = "moving"
    SLICE = "slice"
    BATCH = "batch"


class _Norm(nn.BatchNorm2d):
    """Batch normalisation that can use the input's own statistics without touching the stored ones."""

    statistics: Statistics = Statistics.MOVING

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=BATCH_NORM_EPS, momentum=BATCH_NORM_MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        if self.training or self.statistics is Statistics.MOVING:
            return super().forward(x)
        if self.statistics is Statistics.BATCH:
            return self._by_own_statistics(x)
        return torch.cat([self._by_own_statistics(one) for one in x.unsqueeze(1)])

    def _by_own_statistics(self, x: Tensor) -> Tensor:
        if _rounds_as_the_original(x):
            mean, variance = _tensorflow_statistics(x)
        else:
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        scale = 1 / torch.sqrt(variance + self.eps) * self.weight
        centered = (
            (x - mean[:, None, None]).double() if _rounds_as_the_original(x) else x - mean[:, None, None]
        )
        return (centered * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)


def _rounds_as_the_original(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32


def _tensorflow_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel, rounded as TensorFlow 2.12 does on a processor with two threads."""
    batch, channels = x.shape[:2]
    rows = np.ascontiguousarray(x.permute(0, 2, 3, 1).numpy()).reshape(-1, channels)
    # Two threads take one half each; a single slice of very few channels is not worth a second one.
    # Found by comparing with the original's scores, which other divisions miss by a hundred times as much.
    parts = 1 if batch == 1 and channels < 4 else 2
    share = np.float32(1.0 / len(rows))
    mean = _added_in_turn(rows, parts) * share
    variance = _added_in_turn((rows - mean) ** 2, parts) * share
    return torch.from_numpy(mean), torch.from_numpy(variance)


def _added_in_turn(rows: NDArray[np.float32], parts: int) -> NDArray[np.float32]:
    # Along the first axis numpy adds row after row, with no pairwise tree that would be more exact.
    sums = [np.add.reduce(part, axis=0, dtype=np.float32) for part in np.array_split(rows, parts)]
    return np.asarray(np.add.reduce(np.stack(sums), axis=0, dtype=np.float32), dtype=np.float32)


class _ExactlySummed(nn.Module):
    """A convolution whose products are added in double precision, then rounded once."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        if not _rounds_as_the_original(x):
            return cast("Tensor", self.layer(x))
        weights = {name: tensor.double() for name, tensor in self.layer.named_parameters()}
        return cast("Tensor", functional_call(self.layer, weights, (x.double(),))).to(x.dtype)


class _ConvNorm(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2)
        self.norm = _Norm(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return cast("Tensor", self.norm(self.conv(x)))


class ReducedUnit(nn.Module):
    """Reduced-dimension residual convolution unit (RDRCU): 1 x 1, 3 x 3, 3 x 3 beside a 1 x 1 branch.

    The side branch is activated before the sum and the sum once more, unlike a usual residual block.

    Parameters
    ----------
    channels_in, reduced, channels_out
        Width of the input, inside the unit, and of the output.
    """

    def __init__(self, channels_in: int, reduced: int, channels_out: int) -> None:
        super().__init__()
        self.reduce = _ConvNorm(channels_in, reduced, 1)
        self.spread = _ConvNorm(reduced, reduced, 3)
        self.expand = _ConvNorm(reduced, channels_out, 3)
        self.side = _ConvNorm(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels_in, rows, columns) to (batch, channels_out, rows, columns)."""
        main = _elu(self.spread(_elu(self.reduce(x))))
        return _elu(_elu(self.side(x)) + self.expand(main))


def _elu(x: Tensor) -> Tensor:
    # In place at inference: the argument is always a fresh tensor that nothing else reads.
    return functional.elu(x, inplace=not torch.is_grad_enabled())


def _pair(channels_in: int, channels: int) -> nn.Sequential:
    reduced = channels // 4
    return nn.Sequential(ReducedUnit(channels_in, reduced, reduced), ReducedUnit(reduced, reduced, channels))


class _UpStage(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
        self.norm = _Norm(2 * channels)
        self.units = _pair(2 * channels, channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        joined = torch.cat([self.up(x), skip], dim=1)
        return cast("Tensor", self.units(_elu(self.norm(joined))))


class DRUNet(nn.Module):
    """Score each pixel of an axial head CT slice for hematoma.

    Input (batch, 1, rows, columns): the windowed slice scaled to -1..1, anterior up, patient right on the
    left, both sides multiples of 32 (256 x 256 in the paper). Output of the same shape in 0..1: a sigmoid
    score, calibrated for no population. 10,978,305 values at ``dims`` 32 (25,056 of them moving
    statistics), 2,760,113 at 16, 697,833 at 8.

    Departures from the paper, all following the authors' published program: the first unit of a decoder
    stage equals that of an encoder stage but for its input width (figure legend and program disagree);
    no dropout and no weight decay. Our own: moving statistics at inference by default, where the
    original normalises by the current batch (see :class:`Statistics`).

    Parameters
    ----------
    dims
        Channels of the first stage; doubled at each of the five further ones. At least 4.

    References
    ----------
    https://doi.org/10.1161/STROKEAHA.120.032243
    """

    def __init__(self, dims: int = 32) -> None:
        super().__init__()
        if dims < 4:
            msg = f"dims must be at least 4, not {dims}"
            raise ValueError(msg)
        self.dims = dims
        widths = [dims * 2**level for level in range(LEVELS)]
        self.stem = _ConvNorm(1, STEM_CHANNELS, 1)
        self.encoder = nn.ModuleList(
            _pair(before, width) for before, width in zip([STEM_CHANNELS, *widths[:-1]], widths, strict=True)
        )
        self.bottom = _pair(widths[-1], 2 * widths[-1])
        self.decoder = nn.ModuleList(_UpStage(width) for width in reversed(widths))
        self.head = nn.Conv2d(dims, 1, 1)

    def logits(self, x: Tensor) -> Tensor:
        """Return the scores before the sigmoid, (batch, 1, rows, columns)."""
        _refuse_side(x)
        x = _elu(self.stem(x))
        skips = []
        for stage in self.encoder:
            x = stage(x)
            skips.append(x)
            x = functional.max_pool2d(x, 2)
        x = self.bottom(x)
        for stage, skip in zip(self.decoder, reversed(skips), strict=True):
            x = stage(x, skip)
        return cast("Tensor", self.head(x))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, 1, rows, columns) in -1..1 to scores in 0..1 of the same shape."""
        return torch.sigmoid(self.logits(x))

    def for_inference(self, statistics: Statistics = Statistics.MOVING) -> DRUNet:
        """Return a copy in eval mode, made for speed; this network stays as it is.

        With moving statistics each normalisation that follows a convolution is folded into it, and the
        tensors lie channels last: 1.5 times as fast on a processor, scores equal to about 1e-6.

        Parameters
        ----------
        statistics
            ``SLICE`` or ``BATCH`` reproduce the original program; the stored statistics are not used then.
        """
        net = copy.deepcopy(self).eval().requires_grad_(requires_grad=False)
        for module in list(net.modules()):
            if isinstance(module, _Norm):
                module.statistics = Statistics(statistics)
            for name, child in list(module.named_children()):
                if isinstance(child, _ConvNorm) and statistics is Statistics.MOVING:
                    setattr(module, name, fuse_conv_bn_eval(child.conv, child.norm))
                elif (
                    isinstance(child, (nn.Conv2d, nn.ConvTranspose2d)) and statistics is not Statistics.MOVING
                ):
                    setattr(module, name, _ExactlySummed(child))
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        return net


def _refuse_side(x: Tensor) -> None:
    if x.ndim != 4 or x.shape[1] != 1 or x.shape[2] % SIDE_MULTIPLE or x.shape[3] % SIDE_MULTIPLE:
        wanted = f"(batch, 1, rows, columns) with sides that are multiples of {SIDE_MULTIPLE}"
        msg = f"input must be {wanted}, not {tuple(x.shape)}"
        raise ValueError(msg)


def parameter_count(net: nn.Module) -> int:
    """Count every stored number as Keras does: weights and moving statistics, no counters."""
    return sum(t.numel() for name, t in net.state_dict().items() if not name.endswith("num_batches_tracked"))
