"""Head CT that a narrow display window has clipped: which voxels are bone and air, as far as can be told.

Slices exported as pictures hold white where anything was brighter than the window, and black where anything
was darker. A skull is then one thick white shell and the air one large black region, so both can be told from
bright blood and dark CSF by their extent, though no longer by their attenuation. That is an assumption, not a
measurement: clotted blood that is white throughout and touches the skull is taken for bone. Measured on
phantoms clipped to 0 to 80 HU: bleeds in the tissue keep their volume, a subdural bleed of 77 mL at 75 HU
shrinks from 70 to 32 mL, at 85 HU it is missed wholly. The input checks warn of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.volume import Volume

    Mask = NDArray[np.bool_]

_DARKEST_HU = -200.0  # with less, fat and air are told apart as in any CT
_BRIGHTEST_HU = 300.0  # with more, so is bone
_LEAST_SHARE = 0.005  # of the voxels at either end of the window; an unclipped range has single ones
_END_SHARE = 0.03  # of the window: JPG blurs white and black by a few of 255 grey levels
_THICK_MM = 2.0  # white thinner than this is noise in blood, or an edge
_AIR_CM2 = 1.0  # a smaller black patch is CSF or noise
_BONE_HU, _AIR_HU = 1000.0, -1000.0


def is_windowed(volume: Volume) -> bool:
    """Whether both bone and air were clipped by a display window."""
    array = volume.array_kji
    low, high = float(array.min()), float(array.max())
    if low <= _DARKEST_HU or high >= _BRIGHTEST_HU or high <= low:
        return False
    white, black = _ends(volume)
    return bool(min(white.mean(), black.mean()) >= _LEAST_SHARE)


def with_bone_and_air(volume: Volume) -> Volume:
    """Give the white shell 1000 HU and the large black regions -1000 HU; the rest keeps its attenuation.

    The result serves to find the outline of the brain, never to measure attenuation.

    Parameters
    ----------
    volume
        A head CT for which :func:`is_windowed` holds.
    """
    axis = int(np.argmax(volume.grid.spacing_kji_mm))
    spacing = [mm for n, mm in enumerate(volume.grid.spacing_kji_mm) if n != axis]
    white, black = _ends(volume)
    array = volume.array_kji.astype(np.float32)
    planes, whites, blacks = (np.moveaxis(part, axis, 0) for part in (array, white, black))
    size = tuple(max(2, round(_THICK_MM / mm)) for mm in spacing)
    least = 100.0 * _AIR_CM2 / (spacing[0] * spacing[1])
    for plane, white_here, black_here in zip(planes, whites, blacks, strict=True):
        plane[ndimage.binary_opening(white_here, np.ones(size))] = _BONE_HU
        plane[_large(ndimage.binary_opening(black_here, np.ones(size)), least)] = _AIR_HU
    return volume.with_array(array)


def _ends(volume: Volume) -> tuple[Mask, Mask]:
    array = volume.array_kji
    low, high = float(array.min()), float(array.max())
    margin = _END_SHARE * (high - low)
    return np.asarray(array >= high - margin), np.asarray(array <= low + margin)


def _large(mask: Mask, least: float) -> Mask:
    labels, _ = ndimage.label(mask)
    keep = np.bincount(labels.ravel()) >= least
    keep[0] = False
    return np.asarray(keep[labels])
