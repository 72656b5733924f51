"""Hematoma expansion by each definition, at its edges and with measurement error."""

from __future__ import annotations

import pytest

from ctinsight.errors import UnansweredError, WrongUseError
from ctinsight.scores.expansion import BleedVolumes, Expansion, ExpansionDefinition, hematoma_expansion

STANDARD, NEW_IVH = ExpansionDefinition.STANDARD, ExpansionDefinition.REVISED_NEW_IVH
IVH_1_ML, ABSOLUTE = ExpansionDefinition.REVISED_IVH_1_ML, ExpansionDefinition.ABSOLUTE_12_5_ML


@pytest.mark.parametrize(
    ("first", "second", "met"),
    [
        (30.0, 35.9, ()),
        (30.0, 36.0, ("6 mL",)),
        (10.0, 13.2, ()),
        (10.0, 13.3, ("33 %",)),
        (10.0, 16.0, ("6 mL", "33 %")),
        (30.0, 20.0, ()),
    ],
)
def test_the_standard_definition_at_its_edges(first, second, met):
    """6 mL and 33 % belong to it, 5.9 mL and 32 % do not."""
    call = hematoma_expansion(BleedVolumes(first), BleedVolumes(second), STANDARD)
    assert call.met == met
    assert call.expansion is (Expansion.YES if met else Expansion.NO)
    assert call.change_ml == pytest.approx(second - first)


@pytest.mark.parametrize(
    ("definition", "before", "after", "expands"),
    [
        (NEW_IVH, 0.0, 0.4, True),
        (NEW_IVH, 2.0, 2.4, False),
        (NEW_IVH, 0.0, 0.0, False),
        (IVH_1_ML, 0.0, 0.9, False),
        (IVH_1_ML, 0.0, 1.0, True),
        (IVH_1_ML, 2.0, 3.0, True),
        (STANDARD, 0.0, 5.0, False),
    ],
)
def test_blood_in_the_ventricles_counts_in_the_revised_definitions(definition, before, after, expands):
    """New blood in one, growth by 1 mL in the other; never in the standard definition."""
    call = hematoma_expansion(BleedVolumes(30.0, before), BleedVolumes(31.0, after), definition)
    assert (call.expansion is Expansion.YES) is expands


def test_the_absolute_definition_asks_for_twelve_and_a_half():
    """12.5 mL is met, 12.4 mL is not, and a doubling of a small bleed is not."""
    assert hematoma_expansion(BleedVolumes(20), BleedVolumes(32.5), ABSOLUTE).expansion is Expansion.YES
    assert hematoma_expansion(BleedVolumes(20), BleedVolumes(32.4), ABSOLUTE).expansion is Expansion.NO
    assert hematoma_expansion(BleedVolumes(5), BleedVolumes(10), ABSOLUTE).expansion is Expansion.NO


@pytest.mark.parametrize(
    ("second", "expansion"),
    [(33.9, Expansion.NO), (34.0, Expansion.UNCERTAIN), (37.9, Expansion.UNCERTAIN), (38.0, Expansion.YES)],
)
def test_measurement_error_can_leave_the_call_open(second, expansion):
    """30 mL, both volumes within 1 mL: the change is known within 2 mL, so only 34.0 to 37.9 mL is open."""
    call = hematoma_expansion(BleedVolumes(30.0, error_ml=1.0), BleedVolumes(second, error_ml=1.0))
    assert (call.lowest_ml, call.highest_ml) == pytest.approx((second - 32, second - 28))
    assert call.expansion is expansion


def test_a_ventricular_volume_that_was_not_measured_is_asked_for():
    """Not measured is not 0 mL."""
    with pytest.raises(UnansweredError, match="ventricular"):
        hematoma_expansion(BleedVolumes(30.0, 0.0), BleedVolumes(31.0), IVH_1_ML)


def test_a_new_bleed_is_no_expansion():
    """There must be a bleed in the first CT, volumes are not negative, and the earlier CT comes first."""
    with pytest.raises(WrongUseError, match="no parenchymal bleed"):
        hematoma_expansion(BleedVolumes(0.0), BleedVolumes(10.0))
    with pytest.raises(WrongUseError, match="hours"):
        hematoma_expansion(BleedVolumes(5.0), BleedVolumes(10.0), hours_between=-3)
    with pytest.raises(WrongUseError, match="-1"):
        BleedVolumes(-1.0)


def test_the_call_says_its_definition_and_figures():
    """The sensitivity of the standard definition is quoted, and that this is for research."""
    said = " ".join(hematoma_expansion(BleedVolumes(30), BleedVolumes(36), hours_between=6).statements)
    assert "at least 6 mL or 33 %" in said
    assert "45.7 %" in said
    assert "6 hours" in said
    assert "Research use only" in said
