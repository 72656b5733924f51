"""The Mayo model (Swensen): probability that a solitary nodule of 4 to 30 mm is malignant.

Log odds = -6.8272 + 0.0391 age + 0.7917 ever-smoker + 1.3388 cancer outside the chest more than five years
ago + 0.1274 mm + 1.0407 spiculation + 0.7838 upper lobe. Two other constants circulate, -6.872 and
-6.8238; both are wrong.

References
----------
Swensen et al., "The probability of malignancy in solitary pulmonary nodules: application to small
radiologically indeterminate nodules", Archives of Internal Medicine 1997;157:849-855,
https://doi.org/10.1001/archinte.1997.00440290031002
"""

from __future__ import annotations

from dataclasses import dataclass

from ctinsight.errors import NotApplicableError
from ctinsight.scores.logistic import LogisticEstimate, Term, constant, yes_no
from ctinsight.scores.nodule_inputs import (
    LARGEST_MM,
    OLDEST_YEARS,
    YOUNGEST_YEARS,
    refuse_outside,
    refuse_unless_yes_or_no,
    refuse_unstated,
    stated,
    unstated,
)

#: Sizes of the nodules the model was made from, both ends included.
SMALLEST_MM, LARGEST_NODULE_MM = 4.0, 30.0

# Coefficients read in https://www.medicalalgorithms.com/probability-of-malignancy-in-a-solitary-pulmonary-
# nodule-using-the-equation-of-swensen-et-al
CONSTANT = -6.8272
_AGE, _EVER_SMOKED, _OLD_CANCER, _SIZE, _SPICULATION, _UPPER_LOBE = (
    0.0391,
    0.7917,
    1.3388,
    0.1274,
    1.0407,
    0.7838,
)

_COHORT = (
    "Mayo Clinic, 1984 to 1986: 629 patients (419 to make the model, 210 to test it) with a new, "
    "indeterminate solitary nodule of 4 to 30 mm on a chest radiograph; 65 % benign, 23 % malignant, "
    "12 % never settled"
)
_SOURCE = "Swensen et al. 1997, https://doi.org/10.1001/archinte.1997.00440290031002"
_ITEMS = (
    "age_years",
    "ever_smoked",
    "cancer_within_5_years",
    "extrathoracic_cancer_over_5_years_ago",
    "diameter_mm",
    "spiculation",
    "upper_lobe",
)


@dataclass(frozen=True)
class MayoItems:
    """What the Mayo model asks for; ``None`` is "not stated", and no estimate is made then.

    Parameters
    ----------
    age_years
        Age of the patient, 18 to 120.
    ever_smoked
        Whether the patient smokes or ever did.
    cancer_within_5_years
        Whether any cancer was found within the five years before the nodule; the model excludes that.
    extrathoracic_cancer_over_5_years_ago
        Whether a cancer outside the chest was found more than five years ago.
    diameter_mm
        Diameter of the nodule.
    spiculation
        Whether the nodule is spiculated.
    upper_lobe
        Whether the nodule lies in an upper lobe.

    Raises
    ------
    WrongUseError
        A value outside its range, or an answer that is neither yes nor no.
    """

    age_years: float | None = None
    ever_smoked: bool | None = None
    cancer_within_5_years: bool | None = None
    extrathoracic_cancer_over_5_years_ago: bool | None = None
    diameter_mm: float | None = None
    spiculation: bool | None = None
    upper_lobe: bool | None = None

    def __post_init__(self) -> None:
        refuse_outside("age", self.age_years, (YOUNGEST_YEARS, OLDEST_YEARS), "years")
        refuse_outside("nodule diameter", self.diameter_mm, (1.0, LARGEST_MM), "mm")
        answers = ("ever_smoked", "cancer_within_5_years", "extrathoracic_cancer_over_5_years_ago")
        refuse_unless_yes_or_no(self, (*answers, "spiculation", "upper_lobe"))


def missing_items(items: MayoItems) -> tuple[str, ...]:
    """Return the names of the items that are not stated."""
    return unstated(items, _ITEMS)


def mayo(items: MayoItems) -> LogisticEstimate:
    """Estimate the probability of malignancy with the Mayo model.

    Raises
    ------
    UnansweredError
        An item is not stated; all missing ones are named.
    NotApplicableError
        A diameter outside 4 to 30 mm, or a cancer within five years.

    Examples
    --------
    >>> items = MayoItems(62, True, False, False, 20.0, True, True)
    >>> round(mayo(items).probability_percent, 2)
    68.16
    """
    refuse_unstated("Mayo", missing_items(items))
    age, size = stated(items.age_years), stated(items.diameter_mm)
    _refuse_outside_cohort(items, size)
    old_cancer = stated(items.extrathoracic_cancer_over_5_years_ago)
    terms = (
        constant(CONSTANT),
        Term("age", "age", f"{age:g} years", _AGE, age),
        yes_no("ever_smoked", "ever smoked", stated(items.ever_smoked), _EVER_SMOKED),
        yes_no("old_cancer", "cancer outside the chest more than 5 years ago", old_cancer, _OLD_CANCER),
        Term("size", "diameter", f"{size:g} mm", _SIZE, size),
        yes_no("spiculation", "spiculation", stated(items.spiculation), _SPICULATION),
        yes_no("upper_lobe", "upper lobe", stated(items.upper_lobe), _UPPER_LOBE),
    )
    statements = ("Made for a solitary nodule seen on a chest radiograph.",)
    return LogisticEstimate("Mayo", terms, _COHORT, _SOURCE, statements)


def _refuse_outside_cohort(items: MayoItems, size_mm: float) -> None:
    if items.cancer_within_5_years:
        raise NotApplicableError(
            found="a cancer within the last five years",
            expected="none: such patients were not in the Mayo model's cohort",
            remedy="Go on without the Mayo model.",
        )
    if not SMALLEST_MM <= size_mm <= LARGEST_NODULE_MM:
        raise NotApplicableError(
            found=f"a nodule of {size_mm:g} mm",
            expected=f"{SMALLEST_MM:g} to {LARGEST_NODULE_MM:g} mm, the sizes the Mayo model was made from",
            remedy="Go on without the Mayo model.",
        )
