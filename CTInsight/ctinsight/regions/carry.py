"""Bring what is known in template space to the voxels of a patient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from ctinsight.measure import bounding_box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.regions.registration import Alignment
    from ctinsight.volume import Grid


def carried(
    known_kji: NDArray[Any],
    known_grid: Grid,
    alignment: Alignment,
    *,
    within_kji: NDArray[np.bool_],
    grid: Grid,
) -> NDArray[Any]:
    """Sample an array of template space at the voxels of a patient.

    Parameters
    ----------
    known_kji, known_grid
        Labels (integers, the nearest is taken) or values (floats, interpolated linearly).
    alignment
        Of the patient.
    within_kji, grid
        Where values are wanted (slices, rows, columns), and the patient's grid; elsewhere is 0.
    """
    out = np.zeros(within_kji.shape, dtype=known_kji.dtype)
    box = bounding_box(within_kji)
    if box is None:
        return out
    order = 0 if known_kji.dtype.kind in "iu" else 1
    if alignment.shift_mm is None:
        matrix = known_grid.ras_to_ijk @ alignment.template_from_patient @ grid.ijk_to_ras
        swapped = matrix[:3, :3][::-1, ::-1]
        offset = matrix[:3, 3][::-1] + swapped @ [part.start for part in box]
        shape = tuple(part.stop - part.start for part in box)
        sampled = ndimage.affine_transform(
            known_kji, swapped, offset, output_shape=shape, order=order, output=known_kji.dtype
        )
        out[box] = np.where(within_kji[box], sampled, 0)
        return out
    for k in range(box[0].start, box[0].stop):
        j, i = np.nonzero(within_kji[k])
        ras = grid.ras_from_ijk(np.stack([i, j, np.full_like(i, k)], axis=-1))
        places = known_grid.ijk_from_ras(alignment.to_template(ras))[:, ::-1].T
        out[k, j, i] = ndimage.map_coordinates(known_kji, places, order=order, output=known_kji.dtype)
    return out
