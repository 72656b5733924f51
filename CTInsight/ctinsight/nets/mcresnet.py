"""McResNet: occlusion of a large vessel, yes or no, from four channels of a plain head CT.

Re-implemented from facts about the published method (github.com/zsunAI/Diagnosis-LVO-on-non-contrast-CT at
e829198), not a translation of the authors' program. A ResNet-18 in three dimensions whose blocks attend to
channels and places *after* the sum and before the last rectification, with average pooling alone.

References
----------
He K et al. Deep residual learning for image recognition. 2015. doi:10.48550/arXiv.1512.03385
Woo S et al. CBAM: convolutional block attention module. 2018. doi:10.48550/arXiv.1807.06521
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS_IN = 4
PUBLISHED_WIDTH = 64
#: Of the channel attention.
REDUCTION = 16
_BLOCKS, _STRIDES, _FACTORS = 2, (1, 2, 2, 2), (1, 2, 4, 8)


class ChannelAttention(nn.Module):
    """Weigh channels by their global average; (n, c, z, y, x) in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        reduced = max(1, channels // REDUCTION)
        self.fc1 = nn.Linear(channels, reduced, bias=False)
        self.fc2 = nn.Linear(reduced, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply every channel with its weight."""
        weight = torch.sigmoid(self.fc2(functional.relu(self.fc1(x.mean(dim=(2, 3, 4))))))
        return x * weight[:, :, None, None, None]


class SpatialAttention(nn.Module):
    """Weigh places by a 7³ convolution of the mean and the maximum over channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(2, 1, 7, padding=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply every place with its weight."""
        both = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.conv(both))


class Cbam(nn.Module):
    """Channel attention, then spatial attention."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channel_attention = ChannelAttention(channels)
        self.spatial_attention = SpatialAttention()

    def forward(self, x: Tensor) -> Tensor:
        """Attend to channels, then to places."""
        return cast("Tensor", self.spatial_attention(self.channel_attention(x)))


class BasicBlock(nn.Module):
    """Two 3³ convolutions beside a short cut; attention on the sum, then rectification."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm3d(channels_out)
        self.conv2 = nn.Conv3d(channels_out, channels_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(channels_out)
        self.cbam = Cbam(channels_out)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels_in != channels_out:
            self.downsample = nn.Sequential(
                nn.Conv3d(channels_in, channels_out, 1, stride=stride, bias=False),
                nn.BatchNorm3d(channels_out),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Run the block; the place grid is halved where its stride is 2."""
        side = x if self.downsample is None else self.downsample(x)
        main = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(self.cbam(main + side))


class McResNet(nn.Module):
    """The network; 33,351,281 parameters at the published width.

    Parameters
    ----------
    width
        Channels of the first stage, and of the hidden layer of the head; 64 is published.

    Notes
    -----
    Input (n, 4, i, j, k): CT, CT in the vessels, MCA prior, hemispheric difference, in the array order of the
    original (first axis along the rows of the patient, i to the side). Output (n, 1): a logit. The published
    figure shows maximum pooling and two outputs; the published program, followed here, has neither.
    """

    def __init__(self, width: int = PUBLISHED_WIDTH) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(CHANNELS_IN, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        channels = [width * factor for factor in _FACTORS]
        for stage, (before, after, stride) in enumerate(
            zip([width, *channels], channels, _STRIDES, strict=False), start=1
        ):
            blocks = [BasicBlock(before, after, stride)]
            blocks += [BasicBlock(after, after, 1) for _ in range(_BLOCKS - 1)]
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.fc = nn.Sequential(
            nn.Linear(channels[-1], width), nn.ReLU(), nn.Dropout(0.5), nn.Linear(width, 1)
        )

    def features(self, x: Tensor) -> Tensor:
        """Return what the last stage gives, (n, 8 * width, i, j, k), at a 32nd of the size."""
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.max_pool3d(x, 3, stride=2, padding=1)
        for stage in range(1, len(_FACTORS) + 1):
            x = self.get_submodule(f"layer{stage}")(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, 1)."""
        return cast("Tensor", self.fc(self.features(x).mean(dim=(2, 3, 4))))
