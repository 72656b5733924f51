"""The Mayo model against numbers worked by hand, its traps, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ctinsight.errors import NotApplicableError, UnansweredError, WrongUseError
from ctinsight.scores.logistic import probability_percent
from ctinsight.scores.mayo import CONSTANT, MayoItems, mayo, missing_items


def some_items(age, smoker, old_cancer, mm, spiculated, upper):
    """Return the items of a patient without a recent cancer."""
    return MayoItems(age, bool(smoker), False, bool(old_cancer), mm, bool(spiculated), bool(upper))


@pytest.mark.parametrize(
    ("case", "x", "percent"),
    [
        ((62, 0, 0, 10, 0, 0), -3.1290, 4.19),
        ((62, 1, 0, 10, 0, 0), -2.3373, 8.81),
        ((62, 1, 0, 20, 1, 1), 0.7612, 68.16),
        ((70, 1, 1, 25, 1, 1), 3.0498, 95.48),
        ((50, 0, 0, 8, 0, 0), -3.8530, 2.08),
    ],
)
def test_mayo_gives_the_worked_numbers(case, x, percent):
    """Five worked cases, to the last digit given."""
    estimate = mayo(some_items(*case))
    assert round(estimate.linear_predictor, 4) == x
    assert round(estimate.probability_percent, 2) == percent


@pytest.mark.parametrize(("wrong", "percent"), [(-6.872, 4.02), (-6.8238, 4.21)])
def test_the_constants_that_circulate_give_other_numbers(wrong, percent):
    """62 years, never smoked, 10 mm: 4.19 % with -6.8272; -6.872 and -6.8238 give 4.02 and 4.21 %."""
    right = mayo(some_items(62, 0, 0, 10, 0, 0))
    trapped = probability_percent(right.linear_predictor - CONSTANT + wrong)
    assert right.terms[0].contribution == CONSTANT == -6.8272
    assert round(trapped, 2) == percent != round(right.probability_percent, 2)


def test_the_same_form_gives_the_published_example_of_the_va_model():
    """62 years, never smoked, 10 mm: 62 x 0.0779 + 10 x 0.112 - 8.404 = -2.454, 7.9 %."""
    assert round(probability_percent(62 * 0.0779 + 10 * 0.112 - 8.404), 1) == 7.9


@pytest.mark.parametrize("mm", [4.0, 30.0])
def test_both_ends_of_the_range_belong_to_it(mm):
    """4 and 30 mm are estimated."""
    assert mayo(some_items(62, 0, 0, mm, 0, 0)).probability_percent > 0


@pytest.mark.parametrize("mm", [3.9, 30.1])
def test_other_sizes_are_refused(mm):
    """3.9 and 30.1 mm are outside the cohort; the refusal says which sizes are not."""
    with pytest.raises(NotApplicableError) as refusal:
        mayo(some_items(62, 0, 0, mm, 0, 0))
    assert "4 to 30 mm" in refusal.value.expected


def test_a_recent_cancer_is_refused():
    """Patients with a cancer within five years were not in the cohort."""
    with pytest.raises(NotApplicableError, match="five years"):
        mayo(replace(some_items(62, 0, 0, 10, 0, 0), cancer_within_5_years=True))


@pytest.mark.parametrize("missing", list(MayoItems.__dataclass_fields__))
def test_an_item_that_is_not_stated_is_asked_for(missing):
    """Leaving one out names it and gives no number."""
    items = replace(some_items(62, 0, 0, 10, 0, 0), **{missing: None})
    assert missing_items(items) == (missing,)
    with pytest.raises(UnansweredError, match=missing.replace("_", " ")):
        mayo(items)


@pytest.mark.parametrize("wrong", [{"age_years": 5}, {"diameter_mm": -1}, {"ever_smoked": "never"}])
def test_nonsense_is_refused(wrong):
    """A child's age, a negative size, and a word for a yes or no are typing errors."""
    with pytest.raises(WrongUseError):
        replace(some_items(62, 0, 0, 10, 0, 0), **wrong)


def test_the_estimate_says_whose_it_is():
    """Cohort, chest radiograph, and that it is not calibrated for the user's population."""
    estimate = mayo(some_items(62, 0, 0, 10, 0, 0))
    assert "629 patients" in estimate.cohort
    assert "not calibrated for the user's population" in " ".join(estimate.all_statements)
    assert [term.key for term in estimate.terms][:3] == ["constant", "age", "ever_smoked"]
