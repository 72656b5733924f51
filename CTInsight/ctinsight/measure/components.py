"""Separate pieces of a mask: label, list, filter, fill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from ctinsight.errors import WrongUseError
from ctinsight.measure.box import bounding_box, check_mask, padded_crop, paste
from ctinsight.measure.diameters import max_diameter
from ctinsight.measure.volumes import centroid_ras, mean_hu, slice_axis
from ctinsight.volume import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.finding import MeasuredLine

#: scipy's rank of a neighbourhood (how many axes may step at once) by its number of neighbours.
_RANK = {6: 1, 18: 2, 26: 3}


@dataclass(frozen=True)
class Component:
    """One piece of a mask and its measures; ``mean_hu`` is None when no image was given."""

    label: int
    voxels: int
    volume_ml: float
    centroid_ras: tuple[float, float, float]
    diameter: MeasuredLine
    mean_hu: float | None


def label_components(mask_kji: NDArray[np.bool_], *, connectivity: int = 26) -> tuple[NDArray[np.int32], int]:
    """Label the pieces of a mask from the largest (1) to the smallest.

    Parameters
    ----------
    mask_kji
        (slices, rows, columns).
    connectivity
        6: voxels hold together by faces; 18: also by edges; 26: also by corners.

    Returns
    -------
    tuple
        Labels of the same shape (0 is background), and how many pieces there are. Pieces of equal size
        keep array order.
    """
    structure = _structure(connectivity)
    box = bounding_box(mask_kji)
    labels = np.zeros(mask_kji.shape, dtype=np.int32)
    if box is None:
        return labels, 0
    part = np.empty(mask_kji[box].shape, dtype=np.int32)
    count = int(ndimage.label(mask_kji[box], structure=structure, output=part))
    sizes = np.bincount(part.ravel(), minlength=count + 1)[1:]
    rank = np.zeros(count + 1, dtype=np.int32)
    rank[1 + np.argsort(-sizes, kind="stable")] = np.arange(1, count + 1)
    labels[box] = rank[part]
    return labels, count


def measure_components(
    labels_kji: NDArray[np.integer[Any]], grid: Grid, *, array_hu: NDArray[Any] | None = None
) -> tuple[Component, ...]:
    """Measure every piece of a labelled mask, in the order of its labels.

    Each piece takes about half a millisecond: drop specks first (:func:`remove_small`).

    Parameters
    ----------
    labels_kji
        From :func:`label_components`.
    grid
        The grid of the labels.
    array_hu
        The image on the same grid, for the mean attenuation.
    """
    found = []
    for number, box in enumerate(ndimage.find_objects(labels_kji), start=1):
        if box is None:
            continue
        piece = np.asarray(labels_kji[box] == number)
        piece_grid = _grid_of_box(grid, box)
        voxels = int(np.count_nonzero(piece))
        found.append(
            Component(
                label=number,
                voxels=voxels,
                volume_ml=voxels * grid.voxel_volume_ml,
                centroid_ras=centroid_ras(piece, piece_grid),
                diameter=max_diameter(piece, piece_grid),
                mean_hu=None if array_hu is None else mean_hu(array_hu[box], piece),
            )
        )
    return tuple(found)


def keep_largest(mask_kji: NDArray[np.bool_], *, connectivity: int = 26) -> NDArray[np.bool_]:
    """Keep the largest piece only; an empty mask stays empty."""
    labels, _ = label_components(mask_kji, connectivity=connectivity)
    return np.asarray(labels == 1)


def remove_small(
    mask_kji: NDArray[np.bool_], grid: Grid, *, min_volume_ml: float, connectivity: int = 26
) -> NDArray[np.bool_]:
    """Drop every piece smaller than ``min_volume_ml``; one of exactly that volume stays."""
    check_mask(mask_kji, grid)
    labels, count = label_components(mask_kji, connectivity=connectivity)
    sizes = np.bincount(labels.ravel(), minlength=count + 1) * grid.voxel_volume_ml
    stays = sizes >= min_volume_ml * (1.0 - 1e-9)
    stays[0] = False
    return np.asarray(stays[labels])


def fill_holes(mask_kji: NDArray[np.bool_], grid: Grid, *, per_slice: bool = False) -> NDArray[np.bool_]:
    """Fill what is enclosed.

    Background is connected by faces only (6 neighbours in 3-D, 4 in a slice), the counterpart of a mask
    that holds together by corners: a diagonal leak does not open a hole. The edge of the image is open.

    Parameters
    ----------
    mask_kji
        (slices, rows, columns).
    grid
        Says which axis is the slice axis (the one closest to superior).
    per_slice
        True fills what is enclosed within each slice; False only what is enclosed in all directions.
    """
    check_mask(mask_kji, grid)
    padded, start = padded_crop(mask_kji, (1, 1, 1))
    structure = ndimage.generate_binary_structure(3, 1)
    axis = slice_axis(grid)[0] if per_slice else None
    if axis is not None:
        structure[tuple(slice(None) if a != axis else [0, 2] for a in range(3))] = False
    background, _ = ndimage.label(~padded, structure=structure)
    outside = np.zeros(int(background.max()) + 1, dtype=np.bool_)
    for rim_axis in range(3):
        if rim_axis != axis:
            outside[background.take([0, -1], axis=rim_axis)] = True
    return paste(~outside[background] | padded, start, mask_kji.shape)


def _structure(connectivity: int) -> NDArray[np.bool_]:
    if connectivity not in _RANK:
        raise WrongUseError(
            found=f"connectivity {connectivity}",
            expected="6, 18 or 26 neighbours",
            remedy="Correct the call.",
        )
    return np.asarray(ndimage.generate_binary_structure(3, _RANK[connectivity]))


def _grid_of_box(grid: Grid, box: tuple[slice, ...]) -> Grid:
    k, j, i = box
    matrix = np.array(grid.ijk_to_ras)
    matrix[:3, 3] = grid.ras_from_ijk([i.start, j.start, k.start])
    return Grid((k.stop - k.start, j.stop - j.start, i.stop - i.start), matrix)
