"""The ICH score: five items, 0 to 6 points, 30-day mortality.

References
----------
Hemphill et al., "The ICH score", Stroke 2001;32:891-897, https://doi.org/10.1161/01.STR.32.4.891
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Volume in mL and age in years from which on a point is given.
VOLUME_ML, AGE_YEARS = 30.0, 80.0

#: 30-day mortality in % by score, of 152 patients; nobody had 6 points, whose value is an estimate.
MORTALITY_30_DAYS_PERCENT: Mapping[int, int] = MappingProxyType(
    {0: 0, 1: 13, 2: 26, 3: 72, 4: 97, 5: 100, 6: 100}
)


@dataclass(frozen=True)
class IchItems:
    """What the ICH score asks for.

    Parameters
    ----------
    gcs
        Glasgow Coma Scale, 3 to 15; typed by the user.
    volume_ml
        Volume of the intracerebral bleed.
    intraventricular
        Whether there is blood in the ventricles.
    infratentorial
        Whether the bleed arises below the tentorium.
    age_years
        Age of the patient.

    Raises
    ------
    WrongUseError
        A value outside its range.
    """

    gcs: int
    volume_ml: float
    intraventricular: bool
    infratentorial: bool
    age_years: float

    def __post_init__(self) -> None:
        if self.gcs not in range(3, 16):
            _refuse(f"a Glasgow Coma Scale of {self.gcs}", "a whole number from 3 to 15")
        if not (math.isfinite(self.volume_ml) and self.volume_ml >= 0):
            _refuse(f"a volume of {self.volume_ml} mL", "0 mL or more")
        if not 0 <= self.age_years <= 130:
            _refuse(f"an age of {self.age_years} years", "0 to 130 years")


@dataclass(frozen=True)
class IchScore:
    """Points by item, and their sum."""

    gcs_points: int
    volume_points: int
    intraventricular_points: int
    infratentorial_points: int
    age_points: int

    @property
    def total(self) -> int:
        """Sum of the points, 0 to 6."""
        return (
            self.gcs_points
            + self.volume_points
            + self.intraventricular_points
            + self.infratentorial_points
            + self.age_points
        )

    @property
    def mortality_30_days_percent(self) -> int:
        """30-day mortality of the original cohort in %; for 6 points an estimate."""
        return MORTALITY_30_DAYS_PERCENT[self.total]


def ich_score(items: IchItems) -> IchScore:
    """Give the points of every item.

    Examples
    --------
    >>> ich_score(IchItems(10, 30.0, True, False, 80)).total
    4
    """
    return IchScore(
        gcs_points=2 if items.gcs <= 4 else 1 if items.gcs <= 12 else 0,
        volume_points=int(items.volume_ml >= VOLUME_ML),
        intraventricular_points=int(items.intraventricular),
        infratentorial_points=int(items.infratentorial),
        age_points=int(items.age_years >= AGE_YEARS),
    )


def _refuse(found: str, expected: str) -> None:
    raise WrongUseError(found=found, expected=expected, remedy="Correct the value.")
