"""Fleischner 2017 row by row and edge by edge, and what it refuses."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest

from ctinsight.errors import NotApplicableError, UnansweredError, WrongUseError
from ctinsight.scores.fleischner import FleischnerNodule, Risk, fleischner, fleischner_table, open_questions
from ctinsight.scores.guideline import Applicability, CancerHistory, PriorCt, SizeBy
from ctinsight.scores.nodule_inputs import NoduleType

INCIDENTAL = Applicability(
    screening=False, age_years=60, cancer=CancerHistory.NONE, immunosuppressed=False, prior_ct=PriorCt.NONE
)
SOLID, PART_SOLID, GROUND_GLASS = NoduleType


def found(kind, mm, **stated):
    """Return the key of the row for a single low-risk nodule, or as stated."""
    given = {"multiple": False, "risk": Risk.LOW if kind is SOLID else None} | stated
    return fleischner(INCIDENTAL, FleischnerNodule(kind, diameter_mm=mm, **given)).row.key


@pytest.mark.parametrize(
    ("mm", "row"),
    [
        (5.4, "solid-single-below-6-low-risk"),
        (5.5, "solid-single-6-8-low-risk"),
        (5.9, "solid-single-6-8-low-risk"),
        (6.0, "solid-single-6-8-low-risk"),
        (7.9, "solid-single-6-8-low-risk"),
        (8.0, "solid-single-6-8-low-risk"),
        (8.4, "solid-single-6-8-low-risk"),
        (8.5, "solid-single-above-8"),
        (14.9, "solid-single-above-8"),
        (15.0, "solid-single-above-8"),
        (30.0, "solid-single-above-8"),
    ],
)
def test_single_solid_nodules_by_diameter(mm, row):
    """The diameter is rounded to the whole mm first: 5.9 is read as 6, 8.4 as 8, 8.5 as 9."""
    assert found(SOLID, mm) == row


@pytest.mark.parametrize(
    ("mm3", "row"),
    [
        (99.4, "solid-single-below-6-low-risk"),
        (99.5, "solid-single-6-8-low-risk"),
        (100, "solid-single-6-8-low-risk"),
        (250, "solid-single-6-8-low-risk"),
        (251, "solid-single-above-8"),
    ],
)
def test_single_solid_nodules_by_volume(mm3, row):
    """The guideline's own 100 and 250 mm3, not the 113 and 268 mm3 of spheres."""
    assert found(SOLID, None, volume_mm3=mm3, size_by=SizeBy.VOLUME) == row


@pytest.mark.parametrize(
    ("mm", "multiple", "risk", "result"),
    [
        (5, False, "low", "No routine follow-up"),
        (5, False, "high", "Optional CT at 12 months"),
        (7, False, "low", "CT at 6-12 months, then consider CT at 18-24 months"),
        (7, False, "high", "CT at 6-12 months, then CT at 18-24 months"),
        (9, False, "low", "Consider CT at 3 months, PET/CT, or tissue sampling"),
        (9, False, "high", "Consider CT at 3 months, PET/CT, or tissue sampling"),
        (5, True, "low", "No routine follow-up"),
        (5, True, "high", "Optional CT at 12 months"),
        (7, True, "low", "CT at 3-6 months, then consider CT at 18-24 months"),
        (7, True, "high", "CT at 3-6 months, then CT at 18-24 months"),
        (9, True, "low", "CT at 3-6 months, then consider CT at 18-24 months"),
        (9, True, "high", "CT at 3-6 months, then CT at 18-24 months"),
    ],
)
def test_every_cell_of_the_solid_table(mm, multiple, risk, result):
    """Size, number and risk give the recommendation of their cell."""
    nodule = FleischnerNodule(SOLID, multiple=multiple, risk=Risk(risk), diameter_mm=mm)
    assert fleischner(INCIDENTAL, nodule).result == result


@pytest.mark.parametrize(
    ("mm", "row"),
    [
        (5.4, "ground-glass-single-below-6"),
        (5.9, "ground-glass-single-from-6"),
        (6.0, "ground-glass-single-from-6"),
        (29.9, "ground-glass-single-from-6"),
        (30.0, "ground-glass-single-from-6"),
    ],
)
def test_single_ground_glass_nodules(mm, row):
    """One border, at 6 mm after rounding."""
    assert found(GROUND_GLASS, mm) == row


@pytest.mark.parametrize(
    ("solid_mm", "suspicious", "row"),
    [
        (5.4, None, "part-solid-single-from-6-solid-below-6"),
        (5.9, False, "part-solid-single-from-6-solid-6-8"),
        (6.0, False, "part-solid-single-from-6-solid-6-8"),
        (7.9, False, "part-solid-single-from-6-solid-6-8"),
        (8.0, False, "part-solid-single-from-6-solid-6-8"),
        (8.0, True, "part-solid-single-suspicious"),
        (8.5, None, "part-solid-single-solid-above-8"),
    ],
)
def test_the_solid_component_of_a_single_part_solid_nodule(solid_mm, suspicious, row):
    """A nodule of 12 mm by its component, rounded like the nodule."""
    assert found(PART_SOLID, 12.0, solid_diameter_mm=solid_mm, suspicious=suspicious) == row


def test_a_small_part_solid_nodule_needs_no_component():
    """Below 6 mm a component cannot be told, so it is not asked for."""
    assert found(PART_SOLID, 5.4) == "part-solid-single-below-6"


@pytest.mark.parametrize("kind", [PART_SOLID, GROUND_GLASS])
def test_multiple_subsolid_nodules(kind):
    """One border, at 6 mm, whatever the component."""
    assert found(kind, 5.4, multiple=True) == "subsolid-multiple-below-6"
    assert found(kind, 6.0, multiple=True) == "subsolid-multiple-from-6"


def test_every_row_is_reached_and_no_two_rows_fit():
    """A sweep over types, sizes, numbers, risks and answers visits each row of the table, one at a time."""
    seen = set()
    answers = itertools.product(NoduleType, (5, 7, 12), (4, 7, 9), (True, False), Risk, (True, False))
    for kind, mm, solid, multiple, risk, suspicious in answers:
        part = min(solid, mm)
        nodule = FleischnerNodule(
            kind, multiple, risk, diameter_mm=mm, solid_diameter_mm=part, suspicious=suspicious
        )
        seen.add(fleischner(INCIDENTAL, nodule).row.key)
    assert seen == {row.key for row in fleischner_table().rows}


def test_open_questions_are_listed_and_nothing_is_guessed():
    """Without answers all five questions of the patient and three of the nodule are open."""
    asked = open_questions(Applicability(), FleischnerNodule())
    assert asked[:5] == ("screening", "age_years", "cancer", "immunosuppressed", "prior_ct")
    assert asked[5:] == ("nodule_type", "multiple", "diameter_mm")
    with pytest.raises(UnansweredError, match="How old is the patient"):
        fleischner(Applicability(), FleischnerNodule())
    with pytest.raises(UnansweredError, match="risk"):
        fleischner(INCIDENTAL, FleischnerNodule(SOLID, multiple=False, diameter_mm=7))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"screening": True}, "screening"),
        ({"age_years": 34}, "34 years"),
        ({"cancer": CancerHistory.LUNG}, "cancer"),
        ({"cancer": CancerHistory.OTHER}, "cancer"),
        ({"immunosuppressed": True}, "immunosuppression"),
    ],
)
def test_patients_the_guideline_does_not_cover_are_refused(answer, reason):
    """Screening, under 35 years, cancer and immunosuppression, each by its reason."""
    nodule = FleischnerNodule(SOLID, False, Risk.LOW, diameter_mm=7)
    with pytest.raises(NotApplicableError, match=reason):
        fleischner(replace(INCIDENTAL, **answer), nodule)
    with pytest.raises(NotApplicableError, match=reason):
        fleischner(Applicability(**answer), nodule)


def test_thirty_five_years_is_covered_and_a_mass_is_not():
    """35 years belongs to it; 31 mm is no nodule."""
    nodule = FleischnerNodule(SOLID, False, Risk.LOW, diameter_mm=7)
    assert fleischner(replace(INCIDENTAL, age_years=35), nodule).row.key == "solid-single-6-8-low-risk"
    with pytest.raises(NotApplicableError, match="31 mm"):
        found(SOLID, 31)


@pytest.mark.parametrize(
    "wrong", [{"diameter_mm": 0}, {"diameter_mm": math.inf}, {"risk": "medium"}, {"multiple": 2},
              {"diameter_mm": 6, "solid_diameter_mm": 7}],
)  # fmt: skip
def test_nonsense_is_refused(wrong):
    """Sizes of 0, unknown words, numbers for a yes or no, and a component larger than its nodule."""
    with pytest.raises(WrongUseError):
        FleischnerNodule(PART_SOLID, **wrong)


def test_the_row_is_quoted_with_its_document_and_what_it_was_verified_against():
    """Name, citation, rounded size, provenance, and "research use only"."""
    lookup = fleischner(INCIDENTAL, FleischnerNodule(SOLID, False, Risk.LOW, diameter_mm=5.9))
    assert lookup.guideline == "Fleischner 2017"
    assert "10.1148/radiol.2017161659" in lookup.document
    assert lookup.basis.startswith("6 mm")
    assert lookup.verified
    said = " ".join(lookup.all_statements)
    assert "verified against Radiopaedia" in said
    assert "Research use only" in said


def test_an_earlier_ct_is_said():
    """The rows are for first detection; a comparison is not part of them."""
    nodule = FleischnerNodule(SOLID, True, Risk.LOW, diameter_mm=7)
    lookup = fleischner(replace(INCIDENTAL, prior_ct=PriorCt.COMPARED), nodule)
    assert "first detection" in " ".join(lookup.statements)
    assert "most suspicious" in " ".join(lookup.statements)
