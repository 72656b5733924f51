"""Long axis and perpendicular short axis on axial, coronal and sagittal planes.

In-plane lines are measured by :func:`~ctinsight.measure.diameters.in_plane_diameters`, which reads slices
that lie across S; the other two planes are read by naming the patient axes in another order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.finding import MeasuredLine
from ctinsight.measure.box import bounding_box, check_mask, check_not_empty
from ctinsight.measure.diameters import in_plane_diameters
from ctinsight.measure.volumes import slice_areas_cm2
from ctinsight.volume import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Slices with less than this share of the plane's largest area are not measured: a section of a compact body
#: with three quarters of the area has on average 87 % of the diameter.
_LEAST_AREA = 0.75


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
    candidates = [
        in_plane_diameters(part, turned, slice_index=int(index))
        for index in np.flatnonzero(areas >= _LEAST_AREA * areas.max())
    ]
    best = max(candidates, key=lambda d: round(d.a.length_mm + d.b.length_mm, 6))
    return PlaneDiameters(
        plane,
        _turned_back(best.a, order, f"{plane.value}_long_axis", f"Long axis ({plane.value})"),
        _turned_back(best.b, order, f"{plane.value}_short_axis", f"Short axis ({plane.value})"),
    )


def _turned_back(line: MeasuredLine, order: list[int], key: str, name: str) -> MeasuredLine:
    def back(point: tuple[float, float, float]) -> tuple[float, float, float]:
        ras = np.empty(3)
        ras[order] = point
        return float(ras[0]), float(ras[1]), float(ras[2])

    return MeasuredLine(key, name, back(line.start_ras), back(line.end_ras))
