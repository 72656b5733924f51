"""Hematoma expansion between two CTs, by a named definition, with the measurement error carried along.

Standard: parenchymal growth of at least 6 mL or at least 33 %. The revised definitions add new blood in the
ventricles, or its growth by at least 1 mL. Some studies ask for 12.5 mL.

References
----------
Yogendrakumar et al., "Redefining hematoma expansion with the inclusion of intraventricular hemorrhage
growth", https://merit.url.edu/en/publications/redefining-hematoma-expansion-with-the-inclusion-of-intraventricu-2
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.errors import UnansweredError, WrongUseError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Growth from which a definition is met: mL, % of the first volume, mL in the ventricles, mL alone.
GROWTH_ML, GROWTH_PERCENT, VENTRICULAR_ML, ABSOLUTE_ML = 6.0, 33.0, 1.0, 12.5

#: Slack in comparing, so that 10.0 -> 13.3 mL is 33 %.
_TIE = 1e-9


class ExpansionDefinition(StrEnum):
    """The definitions to choose from."""

    STANDARD = "at least 6 mL or 33 %"
    REVISED_NEW_IVH = "at least 6 mL or 33 %, or new intraventricular blood"
    REVISED_IVH_1_ML = "at least 6 mL or 33 %, or intraventricular growth of at least 1 mL"
    ABSOLUTE_12_5_ML = "at least 12.5 mL"


class Expansion(StrEnum):
    """The call; ``UNCERTAIN`` when the stated measurement error leaves it open."""

    YES = "yes"
    NO = "no"
    UNCERTAIN = "uncertain"


#: What a definition was found to do, quoted.
QUOTED: Mapping[ExpansionDefinition, str] = MappingProxyType(
    {
        ExpansionDefinition.STANDARD: (
            "PREDICT, 256 patients, poor outcome at 90 days: sensitivity 45.7 % (95 % CI 36.8-54.7), "
            "specificity 82.9 % (75.3-88.9)"
        ),
        ExpansionDefinition.REVISED_NEW_IVH: (
            "PREDICT, 256 patients, poor outcome at 90 days, with any intraventricular blood that is new or "
            "grew: sensitivity 63.8 % (95 % CI 54.8-72.1), specificity 75.2 % (66.8-82.4)"
        ),
        ExpansionDefinition.REVISED_IVH_1_ML: "figures of this definition were not read",
        ExpansionDefinition.ABSOLUTE_12_5_ML: "used in some studies; no figures were read",
    }
)

_ASKS_VENTRICLES = (ExpansionDefinition.REVISED_NEW_IVH, ExpansionDefinition.REVISED_IVH_1_ML)


@dataclass(frozen=True)
class BleedVolumes:
    """Volumes of one bleed in one CT.

    Parameters
    ----------
    parenchymal_ml
        Blood in the brain tissue.
    ventricular_ml
        Blood in the ventricles; ``None`` is "not measured", 0 is "measured, none".
    error_ml
        Half-width of the interval around ``parenchymal_ml`` that the measurement leaves open.
    """

    parenchymal_ml: float
    ventricular_ml: float | None = None
    error_ml: float = 0.0

    def __post_init__(self) -> None:
        for value in (self.parenchymal_ml, self.ventricular_ml, self.error_ml):
            if value is not None and not (math.isfinite(value) and value >= 0.0):
                raise WrongUseError(
                    found=f"a volume of {value} mL", expected="0 mL or more", remedy="Correct the value."
                )


@dataclass(frozen=True)
class ExpansionCall:
    """Whether a bleed grew by a definition, with the numbers behind it.

    ``change_percent`` is ``None`` when the first volume is 0. ``lowest_ml`` and ``highest_ml`` bound the
    change by the stated errors.
    """

    definition: ExpansionDefinition
    expansion: Expansion
    change_ml: float
    change_percent: float | None
    ventricular_change_ml: float | None
    lowest_ml: float
    highest_ml: float
    met: tuple[str, ...]
    statements: tuple[str, ...]


def hematoma_expansion(
    first: BleedVolumes,
    second: BleedVolumes,
    definition: ExpansionDefinition = ExpansionDefinition.STANDARD,
    *,
    hours_between: float | None = None,
) -> ExpansionCall:
    """Compare two CTs of one bleed.

    Raises
    ------
    UnansweredError
        A revised definition without both ventricular volumes.
    WrongUseError
        No bleed in the first CT, or an interval that is not positive.

    Examples
    --------
    >>> hematoma_expansion(BleedVolumes(30.0), BleedVolumes(36.0)).expansion.value
    'yes'
    """
    definition = ExpansionDefinition(definition)
    _refuse_unfit(first, second, definition, hours_between)
    change = second.parenchymal_ml - first.parenchymal_ml
    error = first.error_ml + second.error_ml
    met = _met(first, second, definition)
    return ExpansionCall(
        definition=definition,
        expansion=_call(first, second, definition),
        change_ml=change,
        change_percent=100.0 * change / first.parenchymal_ml,
        ventricular_change_ml=_ventricular_change(first, second),
        lowest_ml=change - error,
        highest_ml=change + error,
        met=met,
        statements=_statements(definition, hours_between),
    )


def _refuse_unfit(
    first: BleedVolumes, second: BleedVolumes, definition: ExpansionDefinition, hours: float | None
) -> None:
    if first.parenchymal_ml <= 0.0:
        raise WrongUseError(
            found="no parenchymal bleed in the first CT",
            expected="a bleed that can grow",
            remedy="A bleed that is new in the second CT is no expansion; report it as new.",
        )
    if hours is not None and not (math.isfinite(hours) and hours > 0.0):
        raise WrongUseError(
            found=f"{hours} hours between the CTs", expected="more than 0", remedy="Put the earlier CT first."
        )
    if definition in _ASKS_VENTRICLES and None in (first.ventricular_ml, second.ventricular_ml):
        raise UnansweredError(
            found=f"no ventricular volume in one of the CTs for: {definition}",
            expected="the blood in the ventricles of both CTs, 0 mL where there is none",
            remedy="Measure it, or choose a definition without it.",
        )


def _ventricular_change(first: BleedVolumes, second: BleedVolumes) -> float | None:
    if first.ventricular_ml is None or second.ventricular_ml is None:
        return None
    return second.ventricular_ml - first.ventricular_ml


def _met(first: BleedVolumes, second: BleedVolumes, definition: ExpansionDefinition) -> tuple[str, ...]:
    change = second.parenchymal_ml - first.parenchymal_ml
    if definition is ExpansionDefinition.ABSOLUTE_12_5_ML:
        criteria = {"12.5 mL": change >= ABSOLUTE_ML - _TIE}
    else:
        share = 100.0 * change / first.parenchymal_ml if first.parenchymal_ml > 0 else math.inf
        criteria = {"6 mL": change >= GROWTH_ML - _TIE, "33 %": share >= GROWTH_PERCENT - _TIE}
    ventricular = _ventricular_change(first, second)
    if definition is ExpansionDefinition.REVISED_NEW_IVH:
        new = first.ventricular_ml == 0.0 and ventricular is not None and ventricular > 0.0
        criteria["new intraventricular blood"] = new
    if definition is ExpansionDefinition.REVISED_IVH_1_ML and ventricular is not None:
        criteria["1 mL in the ventricles"] = ventricular >= VENTRICULAR_ML - _TIE
    return tuple(name for name, is_met in criteria.items() if is_met)


def _call(first: BleedVolumes, second: BleedVolumes, definition: ExpansionDefinition) -> Expansion:
    least = _met(_moved(first, +1), _moved(second, -1), definition)
    most = _met(_moved(first, -1), _moved(second, +1), definition)
    if bool(least) != bool(most):
        return Expansion.UNCERTAIN
    return Expansion.YES if least else Expansion.NO


def _moved(volumes: BleedVolumes, sign: int) -> BleedVolumes:
    parenchymal = max(volumes.parenchymal_ml + sign * volumes.error_ml, 0.0)
    return BleedVolumes(parenchymal, volumes.ventricular_ml)


def _statements(definition: ExpansionDefinition, hours: float | None) -> tuple[str, ...]:
    interval = "hours between the CTs not stated" if hours is None else f"{hours:g} hours between the CTs"
    return (
        f"Definition: {definition}",
        f"Quoted: {QUOTED[definition]}",
        interval,
        "A different slice thickness or kernel changes volumes by itself.",
        RESEARCH_USE_ONLY,
    )
