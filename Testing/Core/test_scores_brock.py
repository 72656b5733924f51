"""The Brock models against numbers worked by hand, and what they refuse."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ctinsight.errors import NotApplicableError, UnansweredError, WrongUseError
from ctinsight.scores.brock import NOT_IMPLEMENTED, BrockItems, BrockModel, brock, missing_items, size_term
from ctinsight.scores.logistic import probability_percent
from ctinsight.scores.nodule_inputs import NoduleType, Sex

FULL, FULL_SPICULATION = BrockModel.FULL_WITHOUT_SPICULATION, BrockModel.FULL_WITH_SPICULATION
COMPLETE = BrockItems(62, Sex.MALE, False, False, 10.0, NoduleType.SOLID, False, 1, False)


def some_items(age, female, family, emphysema, mm, kind, upper, count, spiculated=None):
    """Return the items of one worked case, given as the guide writes it."""
    return BrockItems(
        age_years=age,
        sex=Sex.FEMALE if female else Sex.MALE,
        family_history=bool(family),
        emphysema=bool(emphysema),
        diameter_mm=mm,
        nodule_type=NoduleType(kind),
        upper_lobe=bool(upper),
        nodule_count=count,
        spiculation=None if spiculated is None else bool(spiculated),
    )


@pytest.mark.parametrize(
    ("case", "x", "percent"),
    [
        ((62, 0, 0, 0, 4, "solid", 0, 4, 0), -6.7892, 0.112),
        ((62, 0, 0, 0, 10, "solid", 0, 1, 0), -3.4123, 3.191),
        ((62, 1, 0, 0, 10, "solid", 1, 1, 0), -2.1531, 10.404),
        ((65, 0, 0, 1, 12, "part-solid", 1, 1, 0), -1.5266, 17.849),
        ((55, 0, 0, 0, 8, "non-solid", 0, 3, 0), -4.5413, 1.055),
        ((72, 0, 1, 1, 18, "solid", 1, 1, 1), 0.2684, 56.671),
        ((70, 1, 1, 1, 20, "part-solid", 1, 1, 1), 1.3951, 80.141),
    ],
)
def test_2b_gives_the_worked_numbers(case, x, percent):
    """Seven worked cases of the full model with spiculation, to the last digit given."""
    estimate = brock(some_items(*case), FULL_SPICULATION)
    assert round(estimate.linear_predictor, 4) == x
    assert round(estimate.probability_percent, 3) == percent


@pytest.mark.parametrize(
    ("case", "x", "percent"),
    [
        ((62, 0, 0, 0, 4, "solid", 0, 4), -6.8071, 0.110),
        ((62, 0, 0, 0, 10, "solid", 0, 1), -3.2715, 3.656),
        ((62, 1, 0, 0, 10, "solid", 1, 1), -1.9964, 11.958),
        ((65, 0, 0, 1, 12, "part-solid", 1, 1), -1.2840, 21.687),
    ],
)
def test_2a_gives_the_worked_numbers(case, x, percent):
    """Four worked cases of the full model without spiculation, which does not ask for it."""
    estimate = brock(some_items(*case), FULL)
    assert round(estimate.linear_predictor, 4) == x
    assert round(estimate.probability_percent, 3) == percent


def test_the_trap_of_the_size_gives_another_number():
    """10 mm: 1 - 1.5811 = -0.5811; "subtract 4 mm, then transform" gives -0.2901, 0.7 % instead of 3.2 %."""
    wrong = ((10.0 - 4.0) / 10.0) ** -0.5 - 1.58113883
    assert round(size_term(10.0), 4) == -0.5811
    assert round(wrong, 4) == -0.2901
    trapped = brock(COMPLETE).linear_predictor + 5.3854 * (size_term(10.0) - wrong)
    assert round(probability_percent(trapped), 1) == 0.7
    assert round(brock(COMPLETE).probability_percent, 1) == 3.2


def test_the_constant_of_2b_is_the_uncentred_one_centred():
    """0.2761 + 62 x 0.0287 - 4 x 0.0824 - 5.3854 x 1.58113883 = -6.7892."""
    centred = 0.2761 + 62 * 0.0287 - 4 * 0.0824 - 5.3854 * 1.58113883
    assert round(centred, 4) == brock(COMPLETE).terms[0].contribution == -6.7892


def test_the_terms_add_up_and_are_named():
    """The contributions of all terms sum to the log odds; the size term of 10 mm is 0.58113883 x 5.3854."""
    estimate = brock(COMPLETE)
    assert math.fsum(t.contribution for t in estimate.terms) == estimate.linear_predictor
    shares = {term.key: term.contribution for term in estimate.terms}
    assert shares["size"] == pytest.approx(0.58113883 * 5.3854)
    assert shares["count"] == pytest.approx(3 * 0.0824)
    assert all(term.name for term in estimate.terms)


def test_the_estimate_says_whose_it_is():
    """Cohort, source, "not calibrated for the user's population" and "research use only" come with it."""
    estimate = brock(COMPLETE)
    assert "PanCan" in estimate.cohort
    assert "10.1056/NEJMoa1214726" in estimate.source
    said = " ".join(estimate.all_statements)
    assert "not calibrated for the user's population" in said
    assert "Research use only" in said


@pytest.mark.parametrize(
    "missing", [name for name in BrockItems.__dataclass_fields__ if name != "spiculation"]
)
def test_an_item_that_is_not_stated_is_asked_for(missing):
    """No item has a default that counts: leaving one out names it and gives no number."""
    stated = {name: getattr(COMPLETE, name) for name in BrockItems.__dataclass_fields__} | {missing: None}
    assert missing_items(BrockItems(**stated)) == (missing,)
    with pytest.raises(UnansweredError, match=missing.replace("_", " ")):
        brock(BrockItems(**stated))


def test_only_2b_asks_for_spiculation():
    """Without an answer on spiculation 2a estimates and 2b asks."""
    items = some_items(62, 0, 0, 0, 10, "solid", 0, 1)
    assert missing_items(items, FULL) == ()
    with pytest.raises(UnansweredError, match="spiculation"):
        brock(items, FULL_SPICULATION)


@pytest.mark.parametrize("model", NOT_IMPLEMENTED)
def test_the_parsimonious_models_are_listed_and_refused(model):
    """1a and 1b say why they are not there."""
    assert model in ("1a", "1b")
    with pytest.raises(NotApplicableError, match="could not be read"):
        brock(COMPLETE, model)


def test_2a_refuses_a_non_solid_nodule():
    """Its coefficient has one source only; 2b has its own."""
    items = some_items(55, 0, 0, 0, 8, "non-solid", 0, 3, 0)
    with pytest.raises(NotApplicableError, match="non-solid"):
        brock(items, FULL)
    assert brock(items, FULL_SPICULATION).probability_percent > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"age_years": 17},
        {"age_years": 130},
        {"age_years": math.nan},
        {"sex": "f"},
        {"diameter_mm": 0.0},
        {"diameter_mm": -5.0},
        {"nodule_count": 0},
        {"nodule_count": 1.5},
        {"family_history": "no"},
        {"emphysema": 1},
        {"nodule_type": "ground glass"},
    ],
)
def test_nonsense_is_refused(wrong):
    """Ages of children, sizes of 0, half nodules, and words that would count as yes are typing errors."""
    stated = {name: getattr(COMPLETE, name) for name in BrockItems.__dataclass_fields__}
    with pytest.raises(WrongUseError):
        BrockItems(**(stated | wrong))


def test_numbers_of_numpy_are_numbers():
    """A measured size and count may come from an array."""
    items = replace(COMPLETE, diameter_mm=np.float32(10.0), nodule_count=np.int64(1))
    assert brock(items).probability_percent == pytest.approx(brock(COMPLETE).probability_percent)


def test_extrapolation_is_said():
    """45 years and 35 mm are outside the cohort: the estimate says so."""
    said = " ".join(brock(some_items(45, 0, 0, 0, 35, "solid", 0, 1, 0)).all_statements)
    assert "45 years is outside" in said
    assert "35 mm is a mass" in said
