"""Which windows of an image the network sees, and how their answers are weighed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: A window's answer counts most in its middle: a Gaussian of this part of its side as standard deviation.
_SIGMA = 1.0 / 8
#: The middle's weight; nnU-Net keeps the sums in half precision and stays away from its small numbers so.
_PEAK = 10.0

Box = tuple[slice, ...]


def window_starts(size: int, window: int, step: float) -> tuple[int, ...]:
    """Return where windows begin along one axis, evenly spread, at most ``step`` of a window apart.

    Examples
    --------
    >>> window_starts(110, 64, 0.5)
    (0, 23, 46)
    >>> window_starts(64, 64, 0.5)
    (0,)
    """
    count = ceil((size - window) / (window * step)) + 1
    if count <= 1:
        return (0,)
    stride = (size - window) / (count - 1)
    return tuple(int(np.round(stride * i)) for i in range(count))


@dataclass(frozen=True)
class Padding:
    """How an image smaller than the window is filled up with zeros: its shape then, and where it lies."""

    shape: tuple[int, ...]
    inside: Box

    @classmethod
    def of(cls, shape: Sequence[int], window: Sequence[int]) -> Padding:
        """Pad the last axes to the window; an odd voxel goes behind."""
        least = (*shape[: len(shape) - len(window)], *window)
        padded = tuple(max(have, need) for have, need in zip(shape, least, strict=True))
        before = [(full - have) // 2 for full, have in zip(padded, shape, strict=True)]
        return cls(padded, tuple(slice(b, b + n) for b, n in zip(before, shape, strict=True)))


def windows_of(shape: Sequence[int], window: Sequence[int], step: float, wanted: Box | None) -> list[Box]:
    """List the windows of a padded image, in nnU-Net's order.

    Parameters
    ----------
    shape
        (z, y, x) of the padded image.
    window
        The network's patch: three numbers, or two for a network that sees slices.
    step
        Of a window, from 0 to 1.
    wanted
        Where answers are needed; windows that do not touch it are left out, which changes nothing inside it.
    """
    flat = len(shape) - len(window)
    starts = [tuple((k, k + 1) for k in range(n)) for n in shape[:flat]]
    for size, side in zip(shape[flat:], window, strict=True):
        starts.append(tuple((s, s + side) for s in window_starts(size, side, step)))
    boxes = [tuple(slice(a, b) for a, b in box) for box in product(*starts)]
    if wanted is None:
        return boxes
    return [box for box in boxes if _touch(box, wanted)]


def mirrorings(axes: Sequence[int]) -> list[tuple[int, ...]]:
    """List the combinations of axes to mirror along, the empty one first."""
    return [c for count in range(len(axes) + 1) for c in combinations(axes, count)]


@lru_cache(maxsize=4)
def window_weights(window: tuple[int, ...]) -> NDArray[np.float16]:
    """Return the weight of each voxel of a window, half precision, nowhere 0."""
    point = np.zeros(window)
    point[tuple(n // 2 for n in window)] = 1
    weights = ndimage.gaussian_filter(point, [n * _SIGMA for n in window], 0, mode="constant", cval=0)
    weights /= weights.max() / _PEAK
    half: NDArray[np.float16] = weights.astype(np.float16)
    half[half == 0] = half[half > 0].min()
    half.setflags(write=False)
    return half


def _touch(box: Box, other: Box) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(box, other, strict=True))
