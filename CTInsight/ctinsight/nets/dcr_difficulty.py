"""DeepDCR v0's difficulty network: a frozen encoder, pooling weighted by the label map, clinical variables.

Re-implemented from facts about the published method (github.com/Kerui-Wang/DeepDCR at 6f0c135). Names of the
state dictionary are those of the published files, without the second names that nnU-Net gives each layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

#: Channels and strides of the encoder's stages, of the published plans (3d_fullres, PlainConvUNet).
FEATURES = (32, 64, 128, 256, 320, 320)
STRIDES = ((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2), (1, 2, 2))
#: Slices, rows and columns that one place of the bottleneck stands for.
TOTAL_STRIDE = (8, 32, 32)
_CONVOLUTIONS = 2
_SLOPE, _EPS_NORM, _EPS_POOL = 0.01, 1e-5, 1e-8
#: Width and dropout of the head's layers.
_HEAD = ((512, 0.7), (256, 0.6), (128, 0.5))


class ConvBlock(nn.Module):
    """A 3 x 3 x 3 convolution, instance norm and leaky rectifier."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, 3, stride, padding=1)
        self.norm = nn.InstanceNorm3d(outputs, eps=_EPS_NORM, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, D, H, W) -> (N, outputs, D / stride ...)."""
        return functional.leaky_relu(cast("Tensor", self.norm(self.conv(x))), _SLOPE)


class StackedBlocks(nn.Module):
    """The convolutions of one stage; the first one strides."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int, int]) -> None:
        super().__init__()
        blocks = [ConvBlock(inputs, outputs, stride)]
        blocks += [ConvBlock(outputs, outputs, (1, 1, 1)) for _ in range(_CONVOLUTIONS - 1)]
        self.convs = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Run the convolutions."""
        return cast("Tensor", self.convs(x))


class Encoder(nn.Module):
    """The encoder of nnU-Net's PlainConvUNet: (N, 1, D, H, W) -> (N, 320, D / 8, H / 32, W / 32)."""

    def __init__(self) -> None:
        super().__init__()
        inputs = (1, *FEATURES[:-1])
        self.stages = nn.Sequential(
            *(nn.Sequential(StackedBlocks(*shape)) for shape in zip(inputs, FEATURES, STRIDES, strict=True))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the bottleneck."""
        return cast("Tensor", self.stages(x))


class DifficultyNet(nn.Module):
    """From a CT, its label map and clinical variables to one logit.

    Parameters
    ----------
    clinical
        Length of the clinical vector; 11 with four variables of two categories and three numbers.
    binary_mask
        Weigh every label alike. The published network weighs by the label's number: nasal cavity three times,
        maxilla twice as much as the sac.

    Notes
    -----
    14,425,132 parameters with 11 clinical inputs, of which the encoder's are frozen in training. The head has
    the rectifier before batch norm, as published.
    """

    def __init__(self, clinical: int = 11, *, binary_mask: bool = False) -> None:
        super().__init__()
        self.binary_mask = binary_mask
        self.encoder = Encoder()
        pooled = FEATURES[-1]
        self.feature_interaction = nn.Sequential(
            nn.Linear(pooled, 128),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(128, 64),
            nn.ReLU(),
            nn.Linear(64, clinical),
        )
        layers: list[nn.Module] = []
        inputs = pooled + 2 * clinical
        for width, dropout in _HEAD:
            layers += [nn.Linear(inputs, width), nn.ReLU(), nn.BatchNorm1d(width), nn.Dropout(dropout)]
            inputs = width
        self.classifier = nn.Sequential(*layers, nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, ct: Tensor, labels: Tensor, clinical: Tensor) -> Tensor:
        """Answer cases.

        Parameters
        ----------
        ct
            (N, 1, D, H, W), HU from -1000 to 1000 mapped to 0 to 1 and clipped.
        labels
            (N, 1, D, H, W): 0 background, 1 sac, 2 maxilla, 3 nasal cavity, as numbers.
        clinical
            (N, clinical).

        Returns
        -------
        Tensor
            (N, 1) logits.
        """
        pooled = self.pool(self.encoder(ct), labels)
        weighted = clinical * self.feature_interaction(pooled)
        return cast("Tensor", self.classifier(torch.cat([pooled, clinical, weighted], dim=1)))

    def pool(self, features: Tensor, labels: Tensor) -> Tensor:
        """Average the bottleneck with the resized label map as weights; zeros where the map is empty."""
        weights = (labels > 0).to(features.dtype) if self.binary_mask else labels.to(features.dtype)
        size = list(features.shape[2:])
        weights = functional.interpolate(weights, size, mode="trilinear", align_corners=False)
        total = (features * weights).sum(dim=(2, 3, 4))
        return total / (weights.sum(dim=(2, 3, 4)) + _EPS_POOL)
