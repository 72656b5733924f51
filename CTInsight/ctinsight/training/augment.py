"""Changes of training slices that a scanner or a patient could have made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Generator, Tensor

_TURN_DEGREES, _SCALE, _SHIFT = 20.0, 0.15, 0.06
_GAIN, _OFFSET, _NOISE = 0.15, 0.10, 0.06


def augmented(images: Tensor, masks: Tensor, numbers: Generator) -> tuple[Tensor, Tensor]:
    """Mirror, turn, scale and shift slices with their masks; change window and noise of the images.

    Parameters
    ----------
    images
        (batch, 1, rows, columns) from -1 to 1.
    masks
        The same shape, 0 to 1.
    numbers
        Source of chance: the same state gives the same slices.
    """
    count = len(images)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=numbers) * (high - low) + low

    turn = torch.deg2rad(uniform(-_TURN_DEGREES, _TURN_DEGREES))
    scale = 1 + uniform(-_SCALE, _SCALE)
    mirror = torch.where(torch.rand(count, generator=numbers) < 0.5, -1.0, 1.0)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = turn.cos() * scale * mirror, -turn.sin() * scale
    matrix[:, 1, 0], matrix[:, 1, 1] = turn.sin() * scale * mirror, turn.cos() * scale
    matrix[:, 0, 2], matrix[:, 1, 2] = uniform(-_SHIFT, _SHIFT), uniform(-_SHIFT, _SHIFT)
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    # Air is -1: what comes in from outside is air.
    moved = functional.grid_sample(images + 1, grid, align_corners=False) - 1
    blood = functional.grid_sample(masks, grid, align_corners=False)
    gain = 1 + uniform(-_GAIN, _GAIN)[:, None, None, None]
    offset = uniform(-_OFFSET, _OFFSET)[:, None, None, None]
    strength = uniform(0.0, _NOISE)[:, None, None, None]
    noise = torch.randn(images.shape, generator=numbers) * strength
    # Windowed grey stays within the window.
    return (moved * gain + offset + noise).clamp(-1, 1), blood
