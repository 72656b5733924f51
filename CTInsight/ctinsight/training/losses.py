"""Losses: the published one of DR-UNet, and a corrected one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Loss = Callable[[Tensor, Tensor], Tensor]

#: Keras keeps probabilities this far from 0 and 1 before it takes logarithms.
_KERAS_EPSILON = 1e-7
#: In the Dice term of the program, added to means over all pixels.
_SMOOTH = 1.0
#: In ours, in pixels.
_SMOOTH_PIXELS = 1.0


def published_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Return binary cross-entropy and Dice as the program of DR-UNet adds them, mean over pixels.

    The Dice term is one number for the whole batch, from means over all its pixels plus 1, and is added to
    the cross-entropy of each pixel. With means far below 1 it hardly moves: cross-entropy decides. The
    program differentiates the sum over pixels; Adam does not notice the factor.

    Parameters
    ----------
    logits, truth
        (batch, 1, rows, columns); truth from 0 to 1, grey edges included.
    """
    scores = logits.sigmoid().clamp(_KERAS_EPSILON, 1 - _KERAS_EPSILON)
    entropy = functional.binary_cross_entropy(scores, truth)
    plain = logits.sigmoid()
    overlap = (2 * (truth * plain).mean() + _SMOOTH) / (truth.mean() + plain.mean() + _SMOOTH)
    return entropy + 1 - overlap


def corrected_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Return binary cross-entropy plus soft Dice of each slice, so that small bleeds count.

    The Dice term is averaged over the slices with blood; slices without it are left to the cross-entropy.

    Parameters
    ----------
    logits, truth
        (batch, 1, rows, columns).
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, truth)
    scores = logits.sigmoid()
    axes = (1, 2, 3)
    overlap = 2 * (scores * truth).sum(axes) + _SMOOTH_PIXELS
    dice = overlap / (scores.sum(axes) + truth.sum(axes) + _SMOOTH_PIXELS)
    with_blood = (truth.amax(axes) > 0).to(dice.dtype)
    term = ((1 - dice) * with_blood).sum() / with_blood.sum().clamp(min=1)
    return entropy + term
