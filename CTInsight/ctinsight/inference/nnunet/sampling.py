"""How nnU-Net changes spacing: splines within slices, the nearest slice across thick ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Above this ratio of spacings nnU-Net treats the coarsest axis apart (its ``ANISO_THRESHOLD``).
ANISOTROPY = 3.0


def new_shape(
    shape: Sequence[int], spacing_mm: Sequence[float], new_spacing_mm: Sequence[float]
) -> tuple[int, ...]:
    """Return how many voxels an array has at another spacing.

    Examples
    --------
    >>> new_shape((60, 512, 512), (5.0, 0.45, 0.45), (1.0, 1.0, 1.0))
    (300, 230, 230)
    """
    return tuple(round(old / new * n) for old, new, n in zip(spacing_mm, new_spacing_mm, shape, strict=True))


def separate_axis(
    spacing_mm: Sequence[float], new_spacing_mm: Sequence[float], forced: bool | None
) -> int | None:
    """Return the axis across which slices are chosen instead of interpolated, or None.

    It is the coarsest axis, where it is more than three times as coarse as the finest one before or, failing
    that, after. Two or three axes that are equally coarse are no slices: all is interpolated.

    Parameters
    ----------
    forced
        ``force_separate_z`` of the plans: None decides by the spacing.
    """
    if forced is False:
        return None
    candidates = [spacing_mm, new_spacing_mm]
    if forced is None:
        candidates = [s for s in candidates if max(s) / min(s) > ANISOTROPY]
    if not candidates:
        return None
    coarsest = np.flatnonzero(max(candidates[0]) / np.asarray(candidates[0]) == 1)
    return int(coarsest[0]) if coarsest.size == 1 else None


def nearest_slices(count: int, new_count: int) -> NDArray[np.intp]:
    """Return for each new slice the old one it is taken from.

    Examples
    --------
    >>> nearest_slices(2, 5).tolist()
    [0, 0, 1, 1, 1]
    """
    if count == new_count:
        return np.arange(count)
    # scipy's spline of order 0, which nnU-Net uses here, rounds halves up.
    positions = np.floor(_positions(count, new_count) + 0.5)
    return np.clip(positions, 0, count - 1).astype(np.intp)


def linear_slices(
    count: int, new_count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Return for each new slice the two old ones it lies between, and the weight of the second."""
    positions = np.clip(_positions(count, new_count), 0, count - 1)
    low = np.floor(positions).astype(np.intp)
    high = np.minimum(low + 1, count - 1)
    return low, high, positions - low


def resize(array: NDArray[Any], shape: Sequence[int], order: int) -> NDArray[np.float64]:
    """Resize by a spline, edges continued, never beyond the range of the input.

    The same numbers as ``skimage.transform.resize(mode="edge", anti_aliasing=False)``, which nnU-Net calls.
    """
    plain = np.asarray(array, dtype=np.float64)
    if plain.shape == tuple(shape):
        return plain
    factors = [1 / f for f in np.divide(plain.shape, tuple(shape))]
    resized = ndimage.zoom(plain, factors, order=order, mode="nearest", grid_mode=True)
    return np.asarray(np.clip(resized, plain.min(), plain.max()), dtype=np.float64)


def resample_image(
    array: NDArray[np.float32], shape: Sequence[int], axis: int | None, order: int
) -> NDArray[np.float32]:
    """Bring one channel to another shape.

    Parameters
    ----------
    array
        Three axes.
    shape
        The shape wanted.
    axis
        Where slices are chosen, not interpolated: see :func:`separate_axis`.
    order
        Of the spline.
    """
    if array.shape == tuple(shape):
        return array
    if axis is None:
        return resize(array, shape, order).astype(np.float32)
    slices = np.moveaxis(array, axis, 0)
    in_plane = [n for a, n in enumerate(shape) if a != axis]
    chosen = nearest_slices(len(slices), shape[axis])
    needed, place = np.unique(chosen, return_inverse=True)
    resized = np.stack([resize(slices[k], in_plane, order).astype(np.float32) for k in needed])
    return np.moveaxis(resized[place], 0, axis)


def _positions(count: int, new_count: int) -> NDArray[np.float64]:
    scale = float(count) / new_count
    return np.asarray(scale * (np.arange(new_count) + 0.5) - 0.5, dtype=np.float64)
