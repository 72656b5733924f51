"""Growth between two CTs: doubling time of volume, diameter and mass, the Lung-RADS rule, and when to refuse.

Doubling time = ln 2 · days / ln(V2 / V1); for diameters ln(V2 / V1) = 3 ln(d2 / d1).

References
----------
Mass: de Hoop et al., Radiology 2010;255:199-206, https://doi.org/10.1148/radiol.09090571
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from ctinsight.errors import NotApplicableError, WrongUseError
from ctinsight.finding import Check, Outcome
from ctinsight.scores.nodule_inputs import round_half_up

#: Lung-RADS v2022: growth is an increase of more than this within 12 months.
GROWTH_MM, GROWTH_DAYS = 1.5, 366.0

#: Doubling times in days between which a cited calculator (onlycalculators.com) calls a nodule indeterminate;
#: shorter is called suspicious there, longer likely benign.
SUSPICIOUS_BELOW_DAYS, LIKELY_BENIGN_ABOVE_DAYS = 400.0, 600.0

#: Changes of volume below this share are within the spread of repeated measurements (British Thoracic
#: Society 2015 as cited in https://doi.org/10.1007/s00330-021-08302-0).
MEASUREMENT_SPREAD_PERCENT = 25.0

# Proposals of this project, to be tuned on data: 3 mm as in the input checks, and a ratio that keeps 1.25 and
# 5 mm apart (features differ, PMC4000020) as well as 1.25 and 2.5 mm (doubling times become very wide,
# PMC5989730). That another way of outlining or other contrast refuses, and another kernel warns, is one too.
_THICKEST_MM, _LARGEST_RATIO = 3.0, 1.5


class Growth(StrEnum):
    """Whether the Lung-RADS growth rule is met; an interval over 12 months can leave it undecided."""

    MET = "met"
    NOT_MET = "not met"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class DoublingTime:
    """How fast something doubled between two CTs.

    Parameters
    ----------
    quantity
        "volume", "diameter" or "mass".
    days
        Doubling time; ``None`` when it did not get larger.
    change_percent
        Change of the volume (for diameters: of the sphere) or mass in % of the first.
    interval_days
        Days between the CTs.
    statement
        How to read the number, quoted, or why there is none.
    """

    quantity: str
    days: float | None
    change_percent: float
    interval_days: float
    statement: str


@dataclass(frozen=True)
class ScanProtocol:
    """How a CT was made, as far as it changes a measured volume; ``None`` is "not known".

    ``method`` is how the nodule was outlined ("threshold 0.2", "by hand").
    """

    thickness_mm: float | None = None
    kernel: str | None = None
    contrast: bool | None = None
    method: str | None = None

    def __post_init__(self) -> None:
        if self.thickness_mm is not None:
            _refuse_unless_positive(self.thickness_mm)


def sphere_volume_mm3(diameter_mm: float) -> float:
    """Return the volume of a sphere in mm³.

    Examples
    --------
    >>> round(sphere_volume_mm3(6.0), 1)
    113.1
    """
    _refuse_unless_positive(diameter_mm)
    return math.pi / 6.0 * diameter_mm**3


def sphere_diameter_mm(volume_mm3: float) -> float:
    """Return the diameter of the sphere that has a volume."""
    _refuse_unless_positive(volume_mm3)
    return float((6.0 * volume_mm3 / math.pi) ** (1.0 / 3.0))


def nodule_mass_mg(volume_mm3: float, mean_hu: float) -> float:
    """Return the mass in mg: volume times density, where 0 HU is 1 mg/mm³ and -1000 HU none.

    Examples
    --------
    >>> nodule_mass_mg(500.0, -600.0)
    200.0
    """
    _refuse_unless_positive(volume_mm3)
    if not (math.isfinite(mean_hu) and mean_hu > -1000.0):
        raise WrongUseError(
            found=f"a mean of {mean_hu} HU", expected="more than -1000 HU", remedy="Check the segmentation."
        )
    return volume_mm3 * (1000.0 + mean_hu) / 1000.0


def doubling_by_volume(first_mm3: float, second_mm3: float, interval_days: float) -> DoublingTime:
    """Return the volume doubling time from two volumes.

    Raises
    ------
    WrongUseError
        A volume or interval that is not positive.
    """
    return _doubling("volume", first_mm3, second_mm3, interval_days)


def doubling_by_diameter(first_mm: float, second_mm: float, interval_days: float) -> DoublingTime:
    """Return the volume doubling time from two diameters, as if the nodule were a sphere.

    Examples
    --------
    >>> round(doubling_by_diameter(6.0, 8.0, 90).days, 2)
    72.28
    """
    _refuse_unless_positive(first_mm, second_mm)
    return _doubling("diameter", first_mm**3, second_mm**3, interval_days)


def doubling_by_mass(first_mg: float, second_mg: float, interval_days: float) -> DoublingTime:
    """Return the mass doubling time from two masses (see :func:`nodule_mass_mg`)."""
    return _doubling("mass", first_mg, second_mg, interval_days)


def growth_by_diameter(prior_mm: float, current_mm: float, interval_days: float) -> Growth:
    """Apply the rule "more than 1.5 mm within 12 months" to mean diameters read to 0.1 mm.

    Over a longer interval the rule is certainly met when the increase exceeds 1.5 mm for every 12 months
    begun, certainly not met when it does not exceed 1.5 mm in all, and otherwise undecided.

    Examples
    --------
    >>> growth_by_diameter(6.0, 7.5, 365).value, growth_by_diameter(6.0, 7.6, 365).value
    ('not met', 'met')
    """
    _refuse_unless_positive(prior_mm, current_mm, interval_days)
    increase = round_half_up(round_half_up(current_mm, 1) - round_half_up(prior_mm, 1), 1)
    if increase <= GROWTH_MM:
        return Growth.NOT_MET
    years_begun = math.ceil(interval_days / GROWTH_DAYS)
    return Growth.MET if increase > GROWTH_MM * years_begun else Growth.UNDECIDED


def compare_protocols(first: ScanProtocol, second: ScanProtocol) -> tuple[Check, ...]:
    """Check whether volumes of two CTs may be compared; what is not known is a warning, never a pass."""
    return (
        _thickness_check(first.thickness_mm, second.thickness_mm),
        _same("method", "way the nodule was outlined", (first.method, second.method), Outcome.REFUSE),
        _same(
            "contrast", "contrast medium", (_given(first.contrast), _given(second.contrast)), Outcome.REFUSE
        ),
        _same("kernel", "reconstruction kernel", (first.kernel, second.kernel), Outcome.WARN),
    )


def refuse_different_protocols(first: ScanProtocol, second: ScanProtocol) -> tuple[Check, ...]:
    """Return the checks, or refuse when two CTs differ too much for a doubling time.

    Raises
    ------
    NotApplicableError
        A check refuses; every one is named with what was found.
    """
    checks = compare_protocols(first, second)
    bad = [check for check in checks if check.outcome is Outcome.REFUSE]
    if bad:
        raise NotApplicableError(
            found="; ".join(f"{check.name}: {check.measured}" for check in bad),
            expected="; ".join(check.expected for check in bad),
            remedy="Compare two CTs of like protocol, measured the same way.",
        )
    return checks


def _doubling(quantity: str, first: float, second: float, interval_days: float) -> DoublingTime:
    _refuse_unless_positive(first, second, interval_days)
    change = 100.0 * (second / first - 1.0)
    days = math.log(2.0) * interval_days / math.log(second / first) if second > first else None
    return DoublingTime(quantity, days, change, float(interval_days), _reading(days, change, quantity))


def _reading(days: float | None, change_percent: float, quantity: str) -> str:
    if days is None:
        return (
            "unchanged: no doubling time" if change_percent == 0 else "smaller than before: no doubling time"
        )
    if quantity == "mass":
        return "no cut-offs for mass were read"
    if days < SUSPICIOUS_BELOW_DAYS:
        text = "below 400 days, called suspicious in the cited calculator"
    elif days <= LIKELY_BENIGN_ABOVE_DAYS:
        text = "400 to 600 days, called indeterminate in the cited calculator"
    else:
        text = "above 600 days, called likely benign in the cited calculator"
    if change_percent < MEASUREMENT_SPREAD_PERCENT:
        text += "; the volume changed by less than 25 %, which repeated measurements differ by"
    return text


def _thickness_check(first: float | None, second: float | None) -> Check:
    name, expected = (
        "slice thickness",
        f"at most {_THICKEST_MM:g} mm each, and within a factor of {_LARGEST_RATIO:g}",
    )
    outcome = Outcome.WARN
    if first is not None and second is not None:
        alike = (
            max(first, second) <= _LARGEST_RATIO * min(first, second) and max(first, second) <= _THICKEST_MM
        )
        outcome = Outcome.PASS if alike else Outcome.REFUSE
    elif max(first or 0.0, second or 0.0) > _THICKEST_MM:
        outcome = Outcome.REFUSE
    measured = " and ".join("not known" if t is None else f"{t:g} mm" for t in (first, second))
    return Check(
        "protocol_thickness", name, outcome, measured, expected, "Compare reconstructions of like thickness."
    )


def _same(key: str, name: str, pair: tuple[str | None, str | None], when_different: Outcome) -> Check:
    first, second = pair
    measured = f"{first or 'not known'} and {second or 'not known'}"
    outcome = Outcome.WARN if None in pair else Outcome.PASS if first == second else when_different
    return Check(
        f"protocol_{key}", name, outcome, measured, "the same in both CTs", "Compare like with like."
    )


def _given(contrast: bool | None) -> str | None:
    return None if contrast is None else "given" if contrast else "none"


def _refuse_unless_positive(*values: float) -> None:
    wrong = [value for value in values if not (math.isfinite(value) and value > 0.0)]
    if wrong:
        raise WrongUseError(
            found=f"a size or interval of {wrong[0]}",
            expected="a finite number above 0",
            remedy="Correct the measurement.",
        )
