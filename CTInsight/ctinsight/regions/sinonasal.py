"""First masks of the lacrimal sac, the bone and the nasal air from one click and a box, by attenuation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.errors import ProcessingFailedError, WrongUseError
from ctinsight.measure import keep_largest, opened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.volume import Grid, Volume

    Mask = NDArray[np.bool_]
    Vector = tuple[float, float, float]

#: A sac lies within this distance of the click, mm; contrast is looked for this near to it.
_SAC_REACH_MM, _CLICK_MM = 11.0, 1.5
#: Tissue about a sac, and the least contrast that parts a sac from it, HU.
_TISSUE_HU, _LEAST_CONTRAST_HU = 50.0, 150.0
#: Largest sac that is believed; more has leaked into bone or into the canaliculi of another structure.
_LARGEST_SAC_MM3 = 1500.0
#: Threads thinner than twice this do not belong to a sac, mm.
_OPENING_MM = 0.8
#: Specks of bone smaller than this are noise, mm³.
_LEAST_BONE_MM3 = 20.0


@dataclass(frozen=True)
class Box:
    """A box along the patient's axes: middle and full extent in RAS, mm."""

    center_ras: Vector
    size_mm: Vector

    def mask(self, grid: Grid) -> Mask:
        """Return the voxels whose centres lie in the box."""
        half = np.array(self.size_mm) / 2
        inside = np.ones(grid.shape_kji, dtype=np.bool_)
        indices = np.ogrid[tuple(slice(0, n) for n in grid.shape_kji)]
        for axis in range(3):
            row = grid.ijk_to_ras[axis]
            place = row[2] * indices[0] + row[1] * indices[1] + row[0] * indices[2] + row[3]
            inside &= np.abs(place - self.center_ras[axis]) <= half[axis]
        return inside


def sac_from_click(volume: Volume, point_ras: Vector) -> Mask:
    """Outline a sac that is filled with contrast medium.

    The threshold lies half-way between soft tissue and the contrast at the click; what is connected to the
    click within 11 mm and is no thread counts.

    Raises
    ------
    WrongUseError
        The point lies outside the image, or on nothing that is as dense as contrast medium.
    ProcessingFailedError
        What is connected to the click is larger than a sac can be.
    """
    grid = volume.grid
    ijk = grid.ijk_from_ras(point_ras)
    if not grid.contains_ijk(ijk):
        raise WrongUseError(
            found=f"the point {point_ras} outside the image",
            expected="a point in the lacrimal sac, RAS in mm",
            remedy="Click on the contrast medium in the sac.",
        )
    near = Box(point_ras, (2 * _CLICK_MM,) * 3).mask(grid)
    i, j, k = np.rint(ijk).astype(int)
    near[k, j, i] = True
    contrast = float(np.percentile(volume.array_kji[near], 80))
    if contrast < _LEAST_CONTRAST_HU:
        raise WrongUseError(
            found=f"{contrast:.0f} HU at the point",
            expected=f"contrast medium of {_LEAST_CONTRAST_HU:.0f} HU or more in the sac",
            remedy="Click into the bright sac; on a plain CT the sac must be drawn by hand.",
        )
    reach = Box(point_ras, (2 * _SAC_REACH_MM,) * 3).mask(grid)
    dense = reach & (volume.array_kji >= (contrast + _TISSUE_HU) / 2)
    return _at_click(dense, grid, near)


def _at_click(dense: Mask, grid: Grid, near: Mask) -> Mask:
    core = opened(dense, grid, _OPENING_MM)
    core = core if (core & near).any() else dense
    labels, _ = ndimage.label(core)
    hit = labels[near & core]
    sac = np.asarray(labels == np.bincount(hit).argmax()) if hit.size else np.zeros_like(dense)
    # The opening rounds corners off; a step back into what is dense gives them again.
    sac = keep_largest(ndimage.binary_dilation(sac) & dense, connectivity=6)
    volume = float(sac.sum()) * grid.voxel_volume_mm3
    if not sac.any() or volume > _LARGEST_SAC_MM3:
        raise ProcessingFailedError(
            found=f"{volume:.0f} mm³ connected to the click",
            expected=f"a sac of up to {_LARGEST_SAC_MM3:.0f} mm³",
            remedy="The sac touches bone or is not filled: draw it by hand.",
        )
    return sac


def bone_in_box(volume: Volume, box: Box, sac_kji: Mask, least_hu: float) -> Mask:
    """Take what is as dense as bone in a box, without the sac and its blurred rim, and without specks."""
    rim = ndimage.binary_dilation(sac_kji, iterations=2)
    dense = box.mask(volume.grid) & (volume.array_kji >= least_hu) & ~rim
    labels, count = ndimage.label(dense)
    sizes = np.bincount(labels.ravel(), minlength=count + 1) * volume.grid.voxel_volume_mm3
    large = sizes >= _LEAST_BONE_MM3
    large[0] = False
    return np.asarray(large[labels])


def nasal_air_in_box(volume: Volume, box: Box, most_hu: float) -> Mask:
    """Take the air in a box that is not the air around the face: the piece that lies deepest in tissue.

    Air that is connected to the border of the image, within slices, surrounds the face.
    """
    air = volume.array_kji <= most_hu
    labels, _ = ndimage.label(air, structure=_within_slices(volume.grid))
    outside = np.zeros(int(labels.max()) + 1, dtype=np.bool_)
    axis, _ = volume.grid.array_axis(2)
    for other in range(3):
        if other != axis:
            outside[labels.take([0, -1], axis=other)] = True
    outside[0] = True
    return keep_largest(~outside[labels] & box.mask(volume.grid), connectivity=6)


def _within_slices(grid: Grid) -> NDArray[np.bool_]:
    structure = ndimage.generate_binary_structure(3, 1)
    axis, _ = grid.array_axis(2)
    structure[tuple(slice(None) if a != axis else [0, 2] for a in range(3))] = False
    return np.asarray(structure)
