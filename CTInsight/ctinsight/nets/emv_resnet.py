"""The ResNet-like network of EMV-3D-CNN, in three dimensions.

Re-implemented from facts about the published method, not a translation of the authors' program.

References
----------
https://doi.org/10.1038/s41746-023-00866-z
"""

from __future__ import annotations

from typing import cast

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

#: Filters as published, one number a block.
BLOCKS = (64, 64, 128, 128, 256, 256, 512, 512)
#: The only block that halves the image. Blocks 2 and 4 were meant to as well, but the precedence of
#: operators in the original leaves them at stride 1; its weights were trained that way.
HALVING_BLOCK = 6


class ResidualBlock(nn.Module):
    """Two convolutions between three normalisations, beside a 1³ convolution in *every* block.

    The side branch is rectified and normalised before the sum, and the sum is rectified again.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.norm1 = batch_norm(channels_in)
        self.conv1 = SameConv3d(channels_in, channels_out, 3, stride)
        self.norm2 = batch_norm(channels_out)
        self.conv2 = SameConv3d(channels_out, channels_out, 3)
        self.norm3 = batch_norm(channels_out)
        self.side_norm1 = batch_norm(channels_in)
        self.side_conv = SameConv3d(channels_in, channels_out, 1, stride)
        self.side_norm2 = batch_norm(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels_in, n, n, n) to (batch, channels_out, m, m, m), m = ceil(n / stride)."""
        main = self.norm3(self.conv2(self.norm2(relu(self.conv1(self.norm1(x))))))
        side = self.side_norm2(relu(self.side_conv(self.side_norm1(x))))
        return relu(cast("Tensor", main + side))


class EmvResNet(EmvNet):
    """Answer one question about a nodule from its three views.

    Input (batch, 3, side, side, side), a side of 40 or 60 as published: windowed HU in -0.25..0.75,
    channels wide, middle, narrow. Output (batch, classes): softmax scores, calibrated for no population.
    33,588,226 values with 2 classes, 33,588,739 with 3 (moving statistics counted).

    Three oddities of the original are kept, as its weights were trained with them: only one block halves
    the image; the stem convolution sees the views as they are (a normalisation was made before it and never
    connected); the average pool of 512 voxels before the global mean changes nothing, and is left out.

    Parameters
    ----------
    width
        Filters of the first convolution; 64 as published.
    classes
        2 or 3.
    """

    def __init__(self, width: int = PUBLISHED_WIDTH, classes: int = 2) -> None:
        filters = [scaled(count, width) for count in BLOCKS]
        super().__init__(width, classes, filters[-1])
        self.stem = SameConv3d(CHANNELS_IN, width, 7, stride=2)
        self.pool = SameMaxPool3d(stride=2)
        before = [width, *filters[:-1]]
        self.blocks = nn.ModuleList(
            ResidualBlock(a, b, stride=2 if index == HALVING_BLOCK else 1)
            for index, (a, b) in enumerate(zip(before, filters, strict=True))
        )

    def features(self, x: Tensor) -> Tensor:
        """Map views to (batch, 8 x width)."""
        x = self.pool(relu(self.stem(x)))
        for block in self.blocks:
            x = block(x)
        return x.mean(dim=(2, 3, 4))
