"""Long axis and perpendicular short axis on axial, coronal and sagittal planes.

In-plane lines are measured by :func:`~ctinsight.measure.diameters.in_plane_diameters`, which reads slices
that lie across S; the other two planes are read by naming the patient axes in another order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.finding import MeasuredLine
from ctinsight.measure.box import bounding_box, check_mask, check_not_empty
from ctinsight.measure.diameters import InPlaneDiameters, in_plane_diameters
from ctinsight.measure.volumes import slice_areas_cm2
from ctinsight.volume import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Slices with less than this share of the plane's largest area are not measured: a section of a compact body
#: with three quarters of the area has on average 87 % of the diameter.
_LEAST_AREA = 0.75

#: So many slices are measured first; the diameter of a compact body changes slowly from slice to slice.
_FIRST_SLICES = 14

#: Blur of a border before its diameters are measured, as a share of the body's radius.
_BLUR_SHARE = 0.08


class Plane(StrEnum):
    """A plane of the patient."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


#: Plane -> which patient axes take the places of R, A and S, so that the normal comes last.
_ORDERS = {Plane.AXIAL: (0, 1, 2), Plane.CORONAL: (2, 0, 1), Plane.SAGITTAL: (1, 2, 0)}


@dataclass(frozen=True)
class PlaneDiameters:
    """Longest line on the best slice of a plane, and the longest line perpendicular to it on that slice."""

    plane: Plane
    long_axis: MeasuredLine
    short_axis: MeasuredLine

    @property
    def mean_mm(self) -> float:
        """Mean of long and short axis in mm, not rounded."""
        return (self.long_axis.length_mm + self.short_axis.length_mm) / 2


def smooth_outline(mask_kji: NDArray[np.bool_], grid: Grid) -> tuple[NDArray[np.bool_], Grid]:
    """Smooth the border of a compact body and draw it on voxels half as large, to measure its diameters.

    The longest of many lines through a rough border is too long: by half a voxel from the voxels, by more
    from noise. The blur is 8 % of the radius of the ball of the same volume; it moves the border of that ball
    inwards by 0.3 % of its radius.

    Parameters
    ----------
    mask_kji
        (slices, rows, columns), one component on cubic voxels.
    grid
        Its grid.
    """
    box = check_not_empty(bounding_box(mask_kji))
    spacing = min(grid.spacing_ijk_mm)
    radius = float((3 * np.count_nonzero(mask_kji) * grid.voxel_volume_mm3 / (4 * np.pi)) ** (1 / 3))
    sigma = _BLUR_SHARE * radius / spacing
    margin = int(np.ceil(3 * sigma)) + 2
    start = [s.start - margin for s in box]
    soft = ndimage.gaussian_filter(np.pad(mask_kji[box], margin).astype(np.float32), sigma)
    shape = tuple(2 * n - 1 for n in soft.shape)
    fine = ndimage.affine_transform(soft, np.full(3, 0.5), output_shape=shape, order=1)
    matrix = grid.ijk_to_ras.copy()
    matrix[:3, 3] = grid.ras_from_ijk(start[::-1])
    matrix[:3, :3] /= 2
    return np.asarray(fine >= 0.5), Grid((shape[0], shape[1], shape[2]), matrix)


def plane_diameters(mask_kji: NDArray[np.bool_], grid: Grid, plane: Plane) -> PlaneDiameters:
    """Measure the slice of a plane with the greatest mean of long and short axis.

    Parameters
    ----------
    mask_kji
        (slices, rows, columns), one component.
    grid
        Its array axes should follow the patient's: the slices measured are the grid's own, those nearest to
        the plane.
    plane
        Which.

    Raises
    ------
    WrongUseError
        The mask is empty.
    """
    check_mask(mask_kji, grid)
    box = check_not_empty(bounding_box(mask_kji))
    part = mask_kji[box]
    order = list(_ORDERS[plane])
    matrix = grid.ijk_to_ras.copy()
    matrix[:3, 3] = grid.ras_from_ijk([s.start for s in box[::-1]])
    matrix[:3] = matrix[order]
    turned = Grid((part.shape[0], part.shape[1], part.shape[2]), matrix)
    areas = slice_areas_cm2(part, turned)
    best = _best_slice(part, turned, np.flatnonzero(areas >= _LEAST_AREA * areas.max()))
    return PlaneDiameters(
        plane,
        _turned_back(best.a, order, f"{plane.value}_long_axis", f"Long axis ({plane.value})"),
        _turned_back(best.b, order, f"{plane.value}_short_axis", f"Short axis ({plane.value})"),
    )


def _best_slice(part: NDArray[np.bool_], grid: Grid, slices: NDArray[np.intp]) -> InPlaneDiameters:
    """Measure some slices, then the neighbours of the best of them."""
    step = -(-len(slices) // _FIRST_SLICES)
    tried: dict[int, InPlaneDiameters] = {}

    def size(index: int) -> float:
        if index not in tried:
            tried[index] = in_plane_diameters(part, grid, slice_index=index)
        return round(tried[index].a.length_mm + tried[index].b.length_mm, 6)

    order = [int(index) for index in slices]
    best = max(order[::step], key=size)
    place = order.index(best)
    return tried[max(order[max(0, place - step + 1) : place + step], key=size)]


def three_plane_diameters(mask_kji: NDArray[np.bool_], grid: Grid) -> tuple[PlaneDiameters, ...]:
    """Measure a compact body with a smoothed border on the axial, coronal and sagittal plane, in this order.

    Raises
    ------
    WrongUseError
        The mask is empty.
    """
    smooth, fine = smooth_outline(mask_kji, grid)
    if not smooth.any():
        smooth, fine = mask_kji, grid
    return tuple(plane_diameters(smooth, fine, plane) for plane in Plane)


def _turned_back(line: MeasuredLine, order: list[int], key: str, name: str) -> MeasuredLine:
    def back(point: tuple[float, float, float]) -> tuple[float, float, float]:
        ras = np.empty(3)
        ras[order] = point
        return float(ras[0]), float(ras[1]), float(ras[2])

    return MeasuredLine(key, name, back(line.start_ras), back(line.end_ras))
