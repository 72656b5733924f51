"""The Inception-like network of EMV-3D-CNN, in three dimensions.

Re-implemented from facts about the published method, not a translation of the authors' program.

References
----------
https://doi.org/10.1038/s41746-023-00866-z
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ctinsight.nets.emv_layers import (
    CHANNELS_IN,
    PUBLISHED_WIDTH,
    EmvNet,
    SameConv3d,
    SameMaxPool3d,
    batch_norm,
    relu,
    scaled,
)

#: Inception modules, each followed by a maximum pool of stride 2.
MODULES = 9


class _ConvNorm(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = SameConv3d(channels_in, channels_out, kernel, stride)
        self.norm = batch_norm(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return cast("Tensor", self.norm(relu(self.conv(x))))


class InceptionModule(nn.Module):
    """Four branches side by side: 1³; 1³ to 3³; 1³ to 5³; maximum of 3³ to 1³.

    Parameters
    ----------
    channels_in
        Channels of the input.
    width
        Of the network; the module has 4 times as many outputs.
    """

    def __init__(self, channels_in: int, width: int) -> None:
        super().__init__()
        self.single = _ConvNorm(channels_in, scaled(64, width), 1)
        self.middle_reduce = _ConvNorm(channels_in, scaled(96, width), 1)
        self.middle = _ConvNorm(scaled(96, width), scaled(128, width), 3)
        self.large_reduce = _ConvNorm(channels_in, scaled(16, width), 1)
        self.large = _ConvNorm(scaled(16, width), scaled(32, width), 5)
        self.pool = SameMaxPool3d(stride=1)
        self.pooled = _ConvNorm(channels_in, scaled(32, width), 1)

    @staticmethod
    def channels_out(width: int) -> int:
        """Channels of the output: 256 at width 64."""
        return sum(scaled(filters, width) for filters in (64, 128, 32, 32))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels_in, n, n, n) to (batch, channels_out, n, n, n)."""
        branches = (
            self.single(x),
            self.middle(self.middle_reduce(x)),
            self.large(self.large_reduce(x)),
            self.pooled(self.pool(x)),
        )
        return torch.cat(branches, dim=1)


class EmvInception(EmvNet):
    """Answer one question about a nodule from its three views.

    Input (batch, 3, side, side, side), a side of 40 or 60 as published: windowed HU in
    -0.25..0.75, channels wide, middle, narrow. Output (batch, classes): softmax scores, calibrated for no
    population. 4,443,890 values with 2 classes, 4,444,147 with 3 (moving statistics counted).

    A pool of stride 2 follows *every* module, so at side 60 the last six modules see a single voxel (or
    two): that is how the published networks were trained, and it is kept.

    Parameters
    ----------
    width
        Filters of the first convolution; 64 as published.
    classes
        2 or 3.
    """

    def __init__(self, width: int = PUBLISHED_WIDTH, classes: int = 2) -> None:
        outputs = InceptionModule.channels_out(width)
        super().__init__(width, classes, outputs)
        second = scaled(192, width)
        self.stem = _ConvNorm(CHANNELS_IN, width, 7, stride=2)
        self.second = _ConvNorm(width, second, 3)
        self.pool = SameMaxPool3d(stride=2)
        self.blocks = nn.ModuleList(
            InceptionModule(second if index == 0 else outputs, width) for index in range(MODULES)
        )

    def features(self, x: Tensor) -> Tensor:
        """Map views to (batch, 4 x width)."""
        x = self.pool(self.second(self.pool(self.stem(x))))
        for block in self.blocks:
            x = self.pool(block(x))
        return x.flatten(1)
