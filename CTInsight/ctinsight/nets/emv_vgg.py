"""The VGG-like network of EMV-3D-CNN, in three dimensions.

Re-implemented from facts about the published method, not a translation of the authors' program.

References
----------
https://doi.org/10.1038/s41746-023-00866-z
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from ctinsight.nets.emv_layers import (
    CHANNELS_IN,
    PUBLISHED_WIDTH,
    EmvNet,
    SameConv3d,
    batch_norm,
    relu,
    scaled,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Filters as published, one tuple a block.
BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class VggBlock(nn.Module):
    """One normalisation *before* the convolutions, 3³ convolutions, and the largest of 2³ voxels."""

    def __init__(self, channels_in: int, filters: tuple[int, ...]) -> None:
        super().__init__()
        self.norm = batch_norm(channels_in)
        before = (channels_in, *filters[:-1])
        self.convs = nn.ModuleList(SameConv3d(a, b, 3) for a, b in zip(before, filters, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels_in, n, n, n) to (batch, filters, n // 2, n // 2, n // 2)."""
        x = self.norm(x)
        for conv in self.convs:
            x = relu(conv(x))
        return functional.max_pool3d(x, 2)


def _blocks(width: int) -> Iterator[VggBlock]:
    channels = CHANNELS_IN
    for published in BLOCKS:
        filters = tuple(scaled(count, width) for count in published)
        yield VggBlock(channels, filters)
        channels = filters[-1]


class EmvVgg(EmvNet):
    """Answer one question about a nodule from its three views.

    Input (batch, 3, side, side, side) with a side of at least 32 (40, 60 or 80 as published): windowed HU
    in -0.25..0.75, channels wide, middle, narrow. Output (batch, classes): softmax scores, calibrated for
    no population. 44,140,494 values with 2 classes, 44,141,007 with 3 (moving statistics counted).

    The first normalisation works on the three views themselves.

    Parameters
    ----------
    width
        Filters of the first convolution; 64 as published.
    classes
        2 or 3.
    """

    def __init__(self, width: int = PUBLISHED_WIDTH, classes: int = 2) -> None:
        super().__init__(width, classes, scaled(BLOCKS[-1][-1], width))
        self.blocks = nn.ModuleList(_blocks(width))

    def features(self, x: Tensor) -> Tensor:
        """Map views to (batch, 8 x width)."""
        for block in self.blocks:
            x = block(x)
        return x.mean(dim=(2, 3, 4))
