"""The Brock (PanCan) models 2a and 2b: probability that a nodule on a first screening CT is cancer.

Log odds = constant + b_age (age - 62) + b_size ((d / 10)^-0.5 - 1.58113883) + b_count (count - 4) + the
yes-or-no items; d is the nodule's size in mm. The size is transformed first and the constant subtracted
afterwards; 1.58113883 is the transformed size of 4 mm. A calculator on the web subtracts 4 mm before it
transforms, which is wrong.

References
----------
McWilliams et al., "Probability of cancer in pulmonary nodules detected on first screening CT", New England
Journal of Medicine 2013;369:910-919, https://doi.org/10.1056/NEJMoa1214726
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from ctinsight.errors import NotApplicableError, WrongUseError
from ctinsight.scores.logistic import LogisticEstimate, Term, constant, yes_no
from ctinsight.scores.nodule_inputs import (
    LARGEST_MM,
    OLDEST_YEARS,
    YOUNGEST_YEARS,
    NoduleType,
    Sex,
    refuse_outside,
    refuse_unless_member,
    refuse_unless_yes_or_no,
    refuse_unstated,
    stated,
    unstated,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What is subtracted from age, transformed size and count, as the publication centres them.
AGE_CENTRE_YEARS, SIZE_CENTRE, COUNT_CENTRE = 62.0, 1.58113883, 4.0

#: Ages at which people could enter the PanCan study; outside the model extrapolates.
COHORT_AGES_YEARS = (50.0, 75.0)

#: Above this a lesion is a mass and no nodule (Hansell et al. 2008, https://doi.org/10.1148/radiol.2462070712).
NODULE_LARGEST_MM = 30.0

_COHORT = (
    "PanCan, Canada: 1871 current or former smokers with 7008 nodules on a first low-dose screening CT, 102 "
    "of them cancer; validated in 1090 persons of the British Columbia Cancer Agency"
)
_PAPER = "McWilliams et al. 2013, https://doi.org/10.1056/NEJMoa1214726"


class BrockModel(StrEnum):
    """The four published variants: 1 parsimonious, 2 full; a without, b with spiculation."""

    PARSIMONIOUS_WITHOUT_SPICULATION = "1a"
    PARSIMONIOUS_WITH_SPICULATION = "1b"
    FULL_WITHOUT_SPICULATION = "2a"
    FULL_WITH_SPICULATION = "2b"


_NO_SOURCE = (
    "not implemented: its coefficients could not be read in the publication or in two independent sources"
)

#: Variants that are known and left out, with the reason.
NOT_IMPLEMENTED: Mapping[BrockModel, str] = MappingProxyType(
    {
        BrockModel.PARSIMONIOUS_WITHOUT_SPICULATION: _NO_SOURCE,
        BrockModel.PARSIMONIOUS_WITH_SPICULATION: _NO_SOURCE,
    }
)


@dataclass(frozen=True)
class _Coefficients:
    constant: float
    age: float
    female: float
    family_history: float
    emphysema: float
    size: float
    part_solid: float
    non_solid: float | None
    upper_lobe: float
    count: float
    spiculation: float | None
    read_in: str


# 2b is tabulated uncentred (constant 0.2761); centring gives -6.7892. For 2a the non-solid coefficient was
# found in one source only (-0.3055), so it is left out until the publication confirms it.
_COEFFICIENTS: Mapping[BrockModel, _Coefficients] = MappingProxyType(
    {
        BrockModel.FULL_WITHOUT_SPICULATION: _Coefficients(
            constant=-6.8071,
            age=0.0321,
            female=0.5635,
            family_history=0.3013,
            emphysema=0.3462,
            size=-5.6693,
            part_solid=0.3395,
            non_solid=None,
            upper_lobe=0.7116,
            count=-0.0803,
            spiculation=None,
            read_in="https://www.medicalalgorithms.com/pulmonary-nodule-cancer",
        ),
        BrockModel.FULL_WITH_SPICULATION: _Coefficients(
            constant=-6.7892,
            age=0.0287,
            female=0.6011,
            family_history=0.2961,
            emphysema=0.2953,
            size=-5.3854,
            part_solid=0.3770,
            non_solid=-0.1276,
            upper_lobe=0.6581,
            count=-0.0824,
            spiculation=0.7729,
            read_in="https://pmc.ncbi.nlm.nih.gov/articles/PMC6717521/table/T2",
        ),
    }
)

_ALWAYS_ASKED = (
    "age_years",
    "sex",
    "family_history",
    "emphysema",
    "diameter_mm",
    "nodule_type",
    "upper_lobe",
    "nodule_count",
)


@dataclass(frozen=True)
class BrockItems:
    """What the Brock models ask for; ``None`` is "not stated", and no estimate is made then.

    Parameters
    ----------
    age_years
        Age of the patient, 18 to 120.
    sex
        Sex of the patient.
    family_history
        Whether lung cancer runs in the family.
    emphysema
        Whether the CT shows emphysema.
    diameter_mm
        Size of the nodule, 1 to 200 mm.
    nodule_type
        Solid, part-solid or non-solid.
    upper_lobe
        Whether the nodule lies in an upper lobe.
    nodule_count
        Nodules in this CT, 1 or more.
    spiculation
        Whether the nodule is spiculated; asked for by 2b.

    Raises
    ------
    WrongUseError
        A value outside its range, or an answer that is neither yes nor no.
    """

    age_years: float | None = None
    sex: Sex | None = None
    family_history: bool | None = None
    emphysema: bool | None = None
    diameter_mm: float | None = None
    nodule_type: NoduleType | None = None
    upper_lobe: bool | None = None
    nodule_count: int | None = None
    spiculation: bool | None = None

    def __post_init__(self) -> None:
        refuse_outside("age", self.age_years, (YOUNGEST_YEARS, OLDEST_YEARS), "years")
        refuse_outside("nodule size", self.diameter_mm, (1.0, LARGEST_MM), "mm")
        refuse_outside("number of nodules", self.nodule_count, (1, 1000), "")
        if self.nodule_count is not None and self.nodule_count != int(self.nodule_count):
            raise WrongUseError(
                found=f"{self.nodule_count} nodules", expected="a whole number", remedy="Correct the value."
            )
        refuse_unless_member(self, "sex", Sex)
        refuse_unless_member(self, "nodule_type", NoduleType)
        refuse_unless_yes_or_no(self, ("family_history", "emphysema", "upper_lobe", "spiculation"))


def size_term(diameter_mm: float) -> float:
    """Return (d / 10)^-0.5 - 1.58113883: transformed first, centred afterwards.

    Examples
    --------
    >>> round(size_term(10.0), 8), round(size_term(4.0), 8)
    (-0.58113883, 0.0)
    """
    return float((diameter_mm / 10.0) ** -0.5) - SIZE_CENTRE


def missing_items(items: BrockItems, model: BrockModel = BrockModel.FULL_WITH_SPICULATION) -> tuple[str, ...]:
    """Return the names of the items that a model still asks for."""
    asks_spiculation = model in _COEFFICIENTS and _COEFFICIENTS[model].spiculation is not None
    return unstated(items, (*_ALWAYS_ASKED, "spiculation") if asks_spiculation else _ALWAYS_ASKED)


def brock(items: BrockItems, model: BrockModel = BrockModel.FULL_WITH_SPICULATION) -> LogisticEstimate:
    """Estimate the probability of cancer with one of the full models.

    Raises
    ------
    UnansweredError
        An item is not stated; all missing ones are named.
    NotApplicableError
        A parsimonious model, or a non-solid nodule in 2a: coefficients that are not confirmed.

    Examples
    --------
    >>> items = BrockItems(62, Sex.MALE, False, False, 10.0, NoduleType.SOLID, False, 1, False)
    >>> round(brock(items).probability_percent, 3)
    3.191
    """
    model = BrockModel(model)
    if model in NOT_IMPLEMENTED:
        raise NotApplicableError(
            found=f"Brock {model}, {NOT_IMPLEMENTED[model]}",
            expected="Brock 2a or 2b",
            remedy="Choose 2b, or 2a when spiculation is not to be judged.",
        )
    refuse_unstated(f"Brock {model}", missing_items(items, model))
    read_in = _COEFFICIENTS[model].read_in
    return LogisticEstimate(
        model=f"Brock {model}",
        terms=_terms(items, _COEFFICIENTS[model]),
        cohort=_COHORT,
        source=f"{_PAPER}; coefficients read in {read_in}",
        statements=tuple(_statements(items)),
    )


def _terms(items: BrockItems, b: _Coefficients) -> tuple[Term, ...]:
    age, size = stated(items.age_years), stated(items.diameter_mm)
    count = stated(items.nodule_count)
    terms = [
        constant(b.constant),
        Term("age", "age - 62", f"{age:g} years", b.age, age - AGE_CENTRE_YEARS),
        Term("sex", "female sex", str(items.sex), b.female, float(items.sex is Sex.FEMALE)),
        yes_no(
            "family_history", "family history of lung cancer", stated(items.family_history), b.family_history
        ),
        yes_no("emphysema", "emphysema", stated(items.emphysema), b.emphysema),
        Term("size", "(size / 10 mm)^-0.5 - 1.58113883", f"{size:g} mm", b.size, size_term(size)),
        _type_term(stated(items.nodule_type), b),
        yes_no("upper_lobe", "upper lobe", stated(items.upper_lobe), b.upper_lobe),
        Term("count", "number of nodules - 4", f"{count:g}", b.count, count - COUNT_CENTRE),
    ]
    if b.spiculation is not None:
        terms.append(yes_no("spiculation", "spiculation", stated(items.spiculation), b.spiculation))
    return tuple(terms)


def _type_term(nodule_type: NoduleType, b: _Coefficients) -> Term:
    weights = {NoduleType.SOLID: 0.0, NoduleType.PART_SOLID: b.part_solid, NoduleType.NON_SOLID: b.non_solid}
    weight = weights[nodule_type]
    if weight is None:
        raise NotApplicableError(
            found="a non-solid nodule for Brock 2a",
            expected="a solid or part-solid one: the non-solid coefficient was found in one source only",
            remedy="Use Brock 2b, or wait until the coefficient is confirmed.",
        )
    return Term("type", "nodule type", str(nodule_type), weight, 1.0)


def _statements(items: BrockItems) -> list[str]:
    said = [
        "Whether the model's size is the longest or the mean diameter was not verified in the publication."
    ]
    youngest, oldest = COHORT_AGES_YEARS
    if items.age_years is not None and not youngest <= items.age_years <= oldest:
        said.append(
            f"{items.age_years:g} years is outside the ages of the cohort ({youngest:g} to {oldest:g}): "
            "the model extrapolates."
        )
    if items.diameter_mm is not None and items.diameter_mm > NODULE_LARGEST_MM:
        said.append(f"{items.diameter_mm:g} mm is a mass, no nodule: the model extrapolates.")
    return said
