"""Bedside estimates of the volume of a bleed: ABC/2, ABC/3 and 2/3·S·h, with both ways to count C.

A is the longest diameter on the slice with the largest bleed, B the longest diameter at 90 degrees to A
on the same slice, C the number of slices times their distance; all in cm, the result in mL. A perfect
ellipsoid holds ABC·π/6, so ABC/2 reads 4.5 % low on it.

References
----------
ABC/2: Kothari et al., "The ABCs of measuring intracerebral hemorrhage volumes", Stroke
1996;27:1304-1305, https://doi.org/10.1161/01.STR.27.8.1304, PMID 8711791.
2/3·S·h: Yang et al., PLOS One 2013;8:e62286, https://doi.org/10.1371/journal.pone.0062286, PMID 23638025.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.errors import WrongUseError
from ctinsight.finding import MeasuredLine
from ctinsight.measure import in_plane_diameters, slice_areas_cm2, slice_axis, slice_spacing_mm

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from ctinsight.volume import Grid

#: Share of the largest slice's area above which a slice counts fully, and below which it does not count.
FULL_ABOVE, NONE_BELOW = 0.75, 0.25

#: Slack in comparing shares, so that 0.75 computed from areas is still 75 %.
_TIE = 1e-9


class SliceRule(StrEnum):
    """How the slices that make up C are counted.

    ``SIMPLE``: every slice with blood counts 1. ``WEIGHTED``: by its area as a share of the largest, more
    than 75 % counts 1, 25 to 75 % counts 0.5, less than 25 % does not count. The publication leaves the
    ties open; here exactly 75 % and exactly 25 % count 0.5.
    """

    SIMPLE = "simple"
    WEIGHTED = "weighted"


@dataclass(frozen=True)
class AbcReading:
    """A, B and C of one bleed as lines in the patient, for one way to count the slices.

    ``c`` stands on the middle of A along the slice normal; its length is the C of the formula, and its
    middle is the middle of the blood's extent along the normal.
    """

    rule: SliceRule
    slice_index: int
    a: MeasuredLine
    b: MeasuredLine
    c: MeasuredLine
    weights: tuple[float, ...]
    slice_areas_cm2: tuple[float, ...]

    @property
    def a_cm(self) -> float:
        """Length of A in cm."""
        return self.a.length_mm / 10.0

    @property
    def b_cm(self) -> float:
        """Length of B in cm."""
        return self.b.length_mm / 10.0

    @property
    def c_cm(self) -> float:
        """Length of C in cm."""
        return self.c.length_mm / 10.0

    @property
    def largest_area_cm2(self) -> float:
        """Area of the largest slice in cm²."""
        return max(self.slice_areas_cm2)

    @property
    def abc2_ml(self) -> float:
        """ABC/2 in mL."""
        return abc2_ml(self.a_cm, self.b_cm, self.c_cm)

    @property
    def abc3_ml(self) -> float:
        """ABC/3 in mL."""
        return abc3_ml(self.a_cm, self.b_cm, self.c_cm)

    @property
    def two_thirds_sh_ml(self) -> float:
        """2/3·S·h in mL; h is the C of this rule."""
        return two_thirds_sh_ml(self.largest_area_cm2, self.c_cm)


def abc2_ml(a_cm: float, b_cm: float, c_cm: float) -> float:
    """Return A x B x C / 2 in mL from lengths in cm.

    Examples
    --------
    >>> abc2_ml(5, 5, 3)
    37.5
    """
    _refuse_negative(a_cm, b_cm, c_cm)
    return a_cm * b_cm * c_cm / 2.0


def abc3_ml(a_cm: float, b_cm: float, c_cm: float) -> float:
    """Return A x B x C / 3 in mL from lengths in cm, the variant for irregular bleeds.

    Examples
    --------
    >>> abc3_ml(5, 4, 1.5)
    10.0
    """
    _refuse_negative(a_cm, b_cm, c_cm)
    return a_cm * b_cm * c_cm / 3.0


def two_thirds_sh_ml(area_cm2: float, height_cm: float) -> float:
    """Return 2/3 x S x h in mL: S is the largest area of the bleed on a slice, h its height.

    Examples
    --------
    >>> two_thirds_sh_ml(12, 3)
    24.0
    """
    _refuse_negative(area_cm2, height_cm)
    return area_cm2 * height_cm * 2.0 / 3.0


def slice_weights(areas: ArrayLike, rule: SliceRule = SliceRule.WEIGHTED) -> NDArray[np.float64]:
    """Weight every slice by a counting rule (see :class:`SliceRule`).

    Parameters
    ----------
    areas
        (slices,), in any unit; 0 where there is no blood.
    rule
        How to count.

    Returns
    -------
    array
        One of 0, 0.5 and 1 per slice.

    Examples
    --------
    >>> slice_weights([100, 80, 60, 30, 20]).tolist()
    [1.0, 1.0, 0.5, 0.5, 0.0]
    """
    area = np.asarray(areas, dtype=np.float64)
    _refuse_negative(*area.tolist())
    if area.size == 0 or area.max() == 0.0:
        return np.zeros(area.shape)
    if SliceRule(rule) is SliceRule.SIMPLE:
        return np.where(area > 0.0, 1.0, 0.0)
    share = area / area.max()
    return np.where(share > FULL_ABOVE + _TIE, 1.0, np.where(share < NONE_BELOW - _TIE, 0.0, 0.5))


def c_cm(weights: Sequence[float] | NDArray[np.float64], slice_spacing_mm: float) -> float:
    """Return C in cm: the sum of the slice weights times the distance of neighbouring slices.

    Examples
    --------
    >>> c_cm([1, 1, 0.5, 0.5, 0], 5.0)
    1.5
    """
    _refuse_negative(slice_spacing_mm)
    return float(np.sum(weights)) * slice_spacing_mm / 10.0


def measure_abc(mask_kji: NDArray[np.bool_], grid: Grid, rule: SliceRule = SliceRule.WEIGHTED) -> AbcReading:
    """Read A, B and C off a mask.

    C uses the distance of the slices, not the nominal slice thickness. One bleed is one component of the
    mask; A bridges separate pieces when they are given together.

    Parameters
    ----------
    mask_kji
        (slices, rows, columns), one bleed.
    grid
        The grid of the mask; slices are along its axis closest to superior.
    rule
        How slices are counted for C.

    Raises
    ------
    WrongUseError
        The mask is empty.
    """
    in_plane = in_plane_diameters(mask_kji, grid)
    areas = slice_areas_cm2(mask_kji, grid)
    weights = slice_weights(areas, rule)
    length_mm = 10.0 * c_cm(weights, slice_spacing_mm(grid))
    return AbcReading(
        rule=SliceRule(rule),
        slice_index=in_plane.slice_index,
        a=in_plane.a,
        b=in_plane.b,
        c=_c_line(in_plane.a, np.flatnonzero(areas), length_mm, grid),
        weights=tuple(weights.tolist()),
        slice_areas_cm2=tuple(areas.tolist()),
    )


def _c_line(a: MeasuredLine, slices: NDArray[np.intp], length_mm: float, grid: Grid) -> MeasuredLine:
    axis, sign = slice_axis(grid)
    up = grid.directions[:, 2 - axis] * sign
    point_ijk = grid.ijk_from_ras((np.array(a.start_ras) + np.array(a.end_ras)) / 2.0)
    point_ijk[2 - axis] = (slices[0] + slices[-1]) / 2.0
    middle = grid.ras_from_ijk(point_ijk)
    return MeasuredLine(
        "c",
        "C, slices times their distance",
        _point(middle - up * length_mm / 2.0),
        _point(middle + up * length_mm / 2.0),
    )


def _point(ras: Iterable[float]) -> tuple[float, float, float]:
    r, a, s = (float(x) for x in ras)
    return r, a, s


def _refuse_negative(*values: float) -> None:
    wrong = [value for value in values if not (np.isfinite(value) and value >= 0.0)]
    if wrong:
        raise WrongUseError(
            found=f"a length or area of {wrong[0]}",
            expected="a finite number, 0 or more",
            remedy="Correct the measurement.",
        )
