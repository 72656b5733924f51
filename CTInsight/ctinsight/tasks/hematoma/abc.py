"""ABC/2 and its relatives for one component, under both rules for C, with the lines to draw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ctinsight.scores.abc2 import SliceRule, measure_abc

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ctinsight.finding import MeasuredLine
    from ctinsight.scores.abc2 import AbcReading
    from ctinsight.volume import Grid

#: Key (without unit) and name of each formula, in the order in which they are shown.
FORMULAS = (
    ("abc2_simple", "ABC/2, every slice counted"),
    ("abc2_weighted", "ABC/2, slices weighted 75/25 %"),
    ("abc3", "ABC/3 (irregular), every slice counted"),
    ("two_thirds_sh", "2/3·S·h, h over every slice"),
)


@dataclass(frozen=True)
class ComponentAbc:
    """One component read under both rules for C (Kothari 1996, doi 10.1161/01.STR.27.8.1304)."""

    simple: AbcReading
    weighted: AbcReading

    @property
    def lines(self) -> tuple[MeasuredLine, ...]:
        """A, B and both C, each with its own key, ready for the result."""
        return (
            replace(self.simple.a, key="abc_a", name="A"),
            replace(self.simple.b, key="abc_b", name="B"),
            replace(self.simple.c, key="abc_c_simple", name="C"),
            replace(self.weighted.c, key="abc_c_weighted", name="C, weighted"),
        )

    def volume_ml(self, formula: str) -> float:
        """Return one formula's volume in mL, by its key in ``FORMULAS``."""
        return {
            "abc2_simple": self.simple.abc2_ml,
            "abc2_weighted": self.weighted.abc2_ml,
            "abc3": self.simple.abc3_ml,
            "two_thirds_sh": self.simple.two_thirds_sh_ml,
        }[formula]


def read_abc(mask_kji: NDArray[np.bool_], grid: Grid) -> ComponentAbc:
    """Read A, B and C off one component, (slices, rows, columns) bool, not empty.

    Slices are those of the scan itself: the array axis closest to superior. C counts them by their spacing.
    """
    return ComponentAbc(
        measure_abc(mask_kji, grid, SliceRule.SIMPLE), measure_abc(mask_kji, grid, SliceRule.WEIGHTED)
    )
