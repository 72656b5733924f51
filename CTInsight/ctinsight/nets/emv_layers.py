"""Layers that the three EMV-3D-CNN networks share: TensorFlow's "same" padding, and their common width.

TensorFlow pads so that the output has ceil(size / stride) voxels, and puts an odd voxel of padding *after*
the image; torch's own symmetric padding would shift every strided layer by one voxel.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Keras defaults that the original keeps: BatchNormalization(epsilon=1e-3, momentum=0.99).
BATCH_NORM_EPS = 1e-3
BATCH_NORM_MOMENTUM = 0.01
#: Filters of the first convolution as published; all other filter counts scale with it.
PUBLISHED_WIDTH = 64
#: Narrow test networks keep at least this many filters in every convolution.
FEWEST_FILTERS = 2
#: Wide, middle and narrow view.
CHANNELS_IN = 3


def scaled(filters: int, width: int) -> int:
    """Scale a published filter count to a network of another width.

    Examples
    --------
    >>> scaled(192, 64), scaled(192, 8), scaled(16, 4)
    (192, 24, 2)
    """
    return max(FEWEST_FILTERS, filters * width // PUBLISHED_WIDTH)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return TensorFlow's "same" padding before and after one axis.

    Examples
    --------
    >>> same_padding(60, 7, 2), same_padding(30, 3, 2), same_padding(15, 3, 2), same_padding(10, 1, 2)
    ((2, 3), (0, 1), (1, 1), (0, 0))
    """
    out = -(-size // stride)
    total = max((out - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _pad_same(x: Tensor, kernel: int, stride: int, value: float) -> Tensor:
    axes = [same_padding(size, kernel, stride) for size in x.shape[:1:-1]]
    amounts = [amount for axis in axes for amount in axis]
    return functional.pad(x, amounts, value=value) if any(amounts) else x


class SameConv3d(nn.Conv3d):
    """A three-dimensional convolution with bias and TensorFlow's "same" padding."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> None:
        # Without stride and with an odd kernel both paddings agree, and torch pads without a copy.
        symmetric = kernel // 2 if stride == 1 and kernel % 2 else 0
        super().__init__(channels_in, channels_out, kernel, stride=stride, padding=symmetric)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels_in, n, n, n) to (batch, channels_out, m, m, m), m = ceil(n / stride)."""
        if self.padding[0] == 0:
            x = _pad_same(x, self.kernel_size[0], self.stride[0], 0.0)
        return super().forward(x)


class SameMaxPool3d(nn.Module):
    """Largest value in cubes of three voxels, with TensorFlow's "same" padding (which never wins)."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, n, n, n) to (batch, channels, m, m, m), m = ceil(n / stride)."""
        return functional.max_pool3d(_pad_same(x, 3, self.stride, float("-inf")), 3, self.stride)


def batch_norm(channels: int) -> nn.BatchNorm3d:
    """Make a batch normalisation with Keras's defaults."""
    return nn.BatchNorm3d(channels, eps=BATCH_NORM_EPS, momentum=BATCH_NORM_MOMENTUM)


def relu(x: Tensor) -> Tensor:
    """Rectify, in place at inference: the argument is always a fresh tensor that nothing else reads."""
    return functional.relu(x, inplace=not torch.is_grad_enabled())


class EmvNet(nn.Module):
    """What the three networks have in common: views in, features, a dense layer, softmax scores.

    Parameters
    ----------
    width
        Filters of the first convolution; 64 as published. At least 2.
    classes
        2 or 3.
    features
        Numbers that reach the dense layer.
    """

    def __init__(self, width: int, classes: int, features: int) -> None:
        super().__init__()
        if width < FEWEST_FILTERS or classes not in {2, 3}:
            msg = f"width must be at least {FEWEST_FILTERS} and classes 2 or 3, not {width} and {classes}"
            raise ValueError(msg)
        self.width, self.classes = width, classes
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(features, classes)

    def features(self, x: Tensor) -> Tensor:
        """Map views to (batch, features)."""
        raise NotImplementedError

    def logits(self, x: Tensor) -> Tensor:
        """Return (batch, classes) before the softmax."""
        if x.ndim != 5 or x.shape[1] != CHANNELS_IN or len(set(x.shape[2:])) != 1:
            msg = f"input must be (batch, 3, side, side, side), not {tuple(x.shape)}"
            raise ValueError(msg)
        return cast("Tensor", self.dense(self.dropout(self.features(x))))

    def forward(self, x: Tensor) -> Tensor:
        """Map views (batch, 3, side, side, side) in -0.25..0.75 to scores (batch, classes), sum 1."""
        return torch.softmax(self.logits(x), dim=1)
