"""Cut a mask down to what it holds, so that a small lesion in a large CT is measured fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import GeometryError, WrongUseError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.volume import Grid

#: Slices along k, j and i.
Box = tuple[slice, slice, slice]


def bounding_box(mask_kji: NDArray[np.bool_]) -> Box | None:
    """Return the smallest box that holds every True voxel, or None for an empty mask."""
    box = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        hit = np.flatnonzero(np.any(mask_kji, axis=others))
        if hit.size == 0:
            return None
        box.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return box[0], box[1], box[2]


def padded_crop(
    mask_kji: NDArray[np.bool_], margin_kji: tuple[int, int, int]
) -> tuple[NDArray[np.bool_], tuple[int, int, int]]:
    """Cut out the mask with a rim of voxels around it; beyond the image the rim is False.

    Returns
    -------
    tuple
        The cut, and the (k, j, i) in the image of its first voxel (negative beyond the image). An empty
        mask gives its rim alone.
    """
    box = bounding_box(mask_kji) or (slice(0, 0), slice(0, 0), slice(0, 0))
    starts = [s.start - m for s, m in zip(box, margin_kji, strict=True)]
    padded = np.zeros(
        [s.stop - s.start + 2 * m for s, m in zip(box, margin_kji, strict=True)], dtype=np.bool_
    )
    inner = tuple(slice(m, m + s.stop - s.start) for s, m in zip(box, margin_kji, strict=True))
    padded[inner] = mask_kji[box]
    return padded, (starts[0], starts[1], starts[2])


def paste(
    part: NDArray[np.bool_], start_kji: tuple[int, int, int], shape_kji: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Put a cut back into an image of False; what lies beyond the image is dropped."""
    image = np.zeros(shape_kji, dtype=np.bool_)
    into, taken = [], []
    for start, length, size in zip(start_kji, part.shape, shape_kji, strict=True):
        low, high = max(start, 0), max(min(start + length, size), start, 0)
        into.append(slice(low, high))
        taken.append(slice(low - start, high - start))
    image[tuple(into)] = part[tuple(taken)]
    return image


def six_neighbours(padded: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say for every voxel whether any, and whether all, of its six face neighbours are True.

    The outermost layer of ``padded`` must be False; it is not judged.
    """
    any_true = np.zeros_like(padded)
    all_true = np.zeros_like(padded)
    inner = (slice(1, -1),) * 3
    views = [_shifted(padded, axis, step) for axis in range(3) for step in (-1, 1)]
    any_true[inner] = np.logical_or.reduce(views)
    all_true[inner] = np.logical_and.reduce(views)
    return any_true, all_true


def _shifted(padded: NDArray[np.bool_], axis: int, step: int) -> NDArray[np.bool_]:
    index = [slice(1, -1)] * 3
    index[axis] = slice(1 + step, padded.shape[axis] - 1 + step)
    return padded[tuple(index)]


def check_mask(mask_kji: NDArray[Any], grid: Grid) -> None:
    """Refuse a mask that is not boolean or does not fit its grid."""
    if np.shape(mask_kji) != grid.shape_kji:
        raise GeometryError(
            found=f"a mask of shape {np.shape(mask_kji)} on a grid of {grid.shape_kji}",
            expected="the same shape",
            remedy="Resample the mask to the grid first.",
        )
    if np.asarray(mask_kji).dtype != np.bool_:
        raise WrongUseError(
            found=f"a mask of type {np.asarray(mask_kji).dtype}",
            expected="True and False (numpy bool)",
            remedy="Threshold a probability, or compare a labelmap with one label, first.",
        )


def check_not_empty(box: Box | None) -> Box:
    """Refuse to measure what is not there."""
    if box is None:
        raise WrongUseError(
            found="an empty mask",
            expected="at least one voxel to measure",
            remedy="Report that nothing was found instead of measuring it.",
        )
    return box
