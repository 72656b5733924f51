"""Growth of one nodule between two CTs: doubling times with their range, and the rules of the guidelines.

The range comes from both outlines: the largest earlier volume against the smallest present one, and the
other way round. Both borders are moved by a tenth of the contrast for it, so it is wide, and no confidence
interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ctinsight.errors import NotApplicableError
from ctinsight.finding import Interval
from ctinsight.scores.growth import (
    DoublingTime,
    Growth,
    doubling_by_diameter,
    doubling_by_mass,
    doubling_by_volume,
    growth_by_diameter,
)
from ctinsight.scores.lung_rads import Change, change_by_diameter
from ctinsight.scores.nodule_inputs import NoduleType
from ctinsight.tasks.nodule.score_case import MeasuredChange
from ctinsight.tasks.nodule.type import NoduleType as MeasuredType

if TYPE_CHECKING:
    from ctinsight.tasks.nodule.measures import NoduleMeasures
    from ctinsight.tasks.nodule.prior_match import Match

RANGE_MEANING = "both borders moved by a tenth of the contrast against each other; not a confidence interval"
_TYPES = {
    MeasuredType.SOLID: NoduleType.SOLID,
    MeasuredType.PART_SOLID: NoduleType.PART_SOLID,
    MeasuredType.GROUND_GLASS: NoduleType.NON_SOLID,
}


@dataclass(frozen=True)
class Compared:
    """One nodule in two CTs.

    Parameters
    ----------
    prior, current
        What was measured in each.
    match
        Of the surroundings.
    interval_days
        ``None`` when it is not known: sizes are compared then, and nothing is said of time.
    """

    prior: NoduleMeasures
    current: NoduleMeasures
    match: Match
    interval_days: float | None = None

    @property
    def change_percent(self) -> float:
        """Change of the volume in % of the earlier one."""
        return 100.0 * (self.current.volume_mm3 / self.prior.volume_mm3 - 1.0)

    @property
    def change_range(self) -> Interval:
        """Range of :attr:`change_percent` by both outlines."""
        low, high = _ratio_range(self.prior, self.current)
        return Interval(100.0 * (low - 1.0), 100.0 * (high - 1.0), RANGE_MEANING)

    @property
    def diameter_change_mm(self) -> float:
        """Change of the mean diameter, both read to 0.1 mm."""
        return round(self.current.mean_diameter_mm - self.prior.mean_diameter_mm, 1)

    @property
    def doubling(self) -> tuple[DoublingTime, ...]:
        """Doubling times by volume, diameter and mass; empty when the interval is not known."""
        days = self.interval_days
        if days is None:
            return ()
        before, now = self.prior, self.current
        found = [
            doubling_by_volume(before.volume_mm3, now.volume_mm3, days),
            doubling_by_diameter(before.mean_diameter_mm, now.mean_diameter_mm, days),
        ]
        if before.density.mass_mg > 0 and now.density.mass_mg > 0:
            found.append(doubling_by_mass(before.density.mass_mg, now.density.mass_mg, days))
        return tuple(found)

    @property
    def doubling_range_days(self) -> tuple[float, float | None] | None:
        """Shortest and longest volume doubling time; the longest is ``None`` when growth is not certain.

        ``None`` as a whole when even the largest growth is none, or the interval is not known.
        """
        low, high = _ratio_range(self.prior, self.current)
        if self.interval_days is None or high <= 1.0:
            return None
        days = math.log(2.0) * self.interval_days
        return days / math.log(high), days / math.log(low) if low > 1.0 else None

    @property
    def rule(self) -> Growth | None:
        """The Lung-RADS rule; ``None`` when the interval is not known."""
        if self.interval_days is None:
            return None
        return growth_by_diameter(
            self.prior.mean_diameter_mm, self.current.mean_diameter_mm, self.interval_days
        )

    @property
    def change(self) -> MeasuredChange | None:
        """The change in the words of Lung-RADS; ``None`` when the interval is not known."""
        days = self.interval_days
        if days is None:
            return None
        whole = _change(
            _TYPES[self.current.kind],
            (self.prior.mean_diameter_mm, self.current.mean_diameter_mm),
            days,
        )
        return MeasuredChange(whole, self._solid_change(days), days)

    def _solid_change(self, days: float) -> Change | None:
        if self.current.solid is None:
            return None
        if self.prior.kind is MeasuredType.GROUND_GLASS:
            return Change.NEW
        if self.prior.solid is None:
            return None
        # The solid part's thresholds, 6 and 8 mm, are those of solid nodules.
        return _change(NoduleType.SOLID, (self.prior.solid.diameter_mm, self.current.solid.diameter_mm), days)


def _change(kind: NoduleType, diameters_mm: tuple[float, float], days: float) -> Change | None:
    before, now = diameters_mm
    if min(before, now) <= 0:
        return None
    try:
        return change_by_diameter(kind, before, now, days)
    except NotApplicableError:
        return None


def _ratio_range(prior: NoduleMeasures, current: NoduleMeasures) -> tuple[float, float]:
    """Smallest and largest ratio of the volumes by both outlines' intervals."""
    before, now = _ends(prior), _ends(current)
    return now[0] / before[1], now[1] / before[0]


def _ends(measures: NoduleMeasures) -> tuple[float, float]:
    volume, interval = measures.volume_mm3, measures.interval_mm3
    if interval is None:
        return volume, volume
    return min(max(interval.low, 0.01 * volume), volume), max(interval.high, volume)
