"""Lung-RADS v2022 row by row and edge by edge, its growth rule, and what it refuses."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from ctinsight.errors import NotApplicableError, UnansweredError, WrongUseError
from ctinsight.scores.guideline import Applicability, CancerHistory, PriorCt, SizeBy
from ctinsight.scores.lung_rads import (
    Airway,
    Change,
    Incomplete,
    LungRadsNodule,
    ReaderStatements,
    change_by_diameter,
    lung_rads,
    lung_rads_table,
    open_questions,
)
from ctinsight.scores.nodule_inputs import NoduleType

BASELINE = Applicability(
    screening=True, age_years=62, cancer=CancerHistory.NONE, immunosuppressed=False, prior_ct=PriorCt.NONE
)
COMPARED = replace(BASELINE, prior_ct=PriorCt.COMPARED)
SOLID, PART_SOLID, NON_SOLID = NoduleType
UNVERIFIED = {
    "solid-from-15",
    "solid-new-or-growing-from-8",
    "category-2-unchanged",
    "category-3-unchanged",
    "category-4A-unchanged",
    "4X",
}


def looked_up(kind, mm, change=Change.BASELINE, **stated):
    """Look up a nodule by its mean diameter; an earlier CT was compared unless this is the baseline."""
    context = BASELINE if change is Change.BASELINE else COMPARED
    return lung_rads(context, LungRadsNodule(kind, change, diameter_mm=mm, **stated))


@pytest.mark.parametrize(
    ("mm", "category"),
    [
        (5.9, "2"), (5.94, "2"), (5.95, "3"), (6.0, "3"), (7.9, "3"), (8.0, "4A"), (14.9, "4A"), (15.0, "4B"),
    ],
)  # fmt: skip
def test_solid_nodules_at_baseline(mm, category):
    """Borders at 6, 8 and 15 mm, to one decimal and not to the whole mm."""
    assert looked_up(SOLID, mm).result == category


@pytest.mark.parametrize(
    ("mm", "category"),
    [(3.9, "2"), (4.0, "3"), (5.9, "3"), (6.0, "4A"), (7.9, "4A"), (8.0, "4B"), (15.0, "4B")],
)
def test_new_solid_nodules(mm, category):
    """Borders at 4, 6 and 8 mm."""
    assert looked_up(SOLID, mm, Change.NEW).result == category


@pytest.mark.parametrize(
    ("mm", "category"), [(5.9, "4A"), (7.9, "4A"), (8.0, "4B"), (14.9, "4B"), (15.0, "4B")]
)
def test_growing_solid_nodules(mm, category):
    """One border, at 8 mm."""
    assert looked_up(SOLID, mm, Change.GROWING).result == category


@pytest.mark.parametrize(
    ("mm3", "change", "category"),
    [
        (112, "baseline", "2"), (113, "baseline", "3"), (267, "baseline", "3"), (268, "baseline", "4A"),
        (1766, "baseline", "4A"), (1767, "baseline", "4B"), (33, "new", "2"), (34, "new", "3"),
        (112, "new", "3"),
        (113, "new", "4A"), (267, "growing", "4A"), (268, "growing", "4B"), (112.5, "baseline", "3"),
    ],
)  # fmt: skip
def test_solid_nodules_by_volume(mm3, change, category):
    """The table's own volumes, to the whole mm3."""
    nodule = LungRadsNodule(SOLID, Change(change), volume_mm3=mm3, size_by=SizeBy.VOLUME)
    assert lung_rads(BASELINE if change == "baseline" else COMPARED, nodule).result == category


@pytest.mark.parametrize(
    ("mm", "solid_mm", "category"),
    [(5.9, 3.0, "2"), (6.0, 5.9, "3"), (12.0, 5.9, "3"), (12.0, 6.0, "4A"), (12.0, 7.9, "4A"),
     (12.0, 8.0, "4B"),
     (20.0, 15.0, "4B"), (6.0, 0.0, "3")],
)  # fmt: skip
def test_part_solid_nodules_at_baseline(mm, solid_mm, category):
    """Total 6 mm first, then the solid component at 6 and 8 mm."""
    assert looked_up(PART_SOLID, mm, solid_diameter_mm=solid_mm).result == category


@pytest.mark.parametrize(
    ("mm", "solid_mm", "category"), [(5.9, 4.5, "3"), (6.0, 3.9, "4A"), (6.0, 4.0, "4B"), (12.0, 9.0, "4B")]
)
def test_new_part_solid_nodules(mm, solid_mm, category):
    """New below 6 mm is 3; from 6 mm on the component is new too, with a border at 4 mm."""
    assert looked_up(PART_SOLID, mm, Change.NEW, solid_diameter_mm=solid_mm).result == category


@pytest.mark.parametrize("component", [Change.NEW, Change.GROWING])
@pytest.mark.parametrize(("solid_mm", "category"), [(3.9, "4A"), (4.0, "4B"), (8.0, "4B")])
def test_a_new_or_growing_solid_component(component, solid_mm, category):
    """A part-solid nodule of 12 mm that has not changed as a whole: border at 4 mm."""
    found = looked_up(PART_SOLID, 12.0, Change.STABLE, solid_diameter_mm=solid_mm, solid_change=component)
    assert found.result == category


@pytest.mark.parametrize(
    ("mm", "change", "category"),
    [(29.9, "baseline", "2"), (30.0, "baseline", "3"), (29.9, "new", "2"), (30.0, "new", "3"),
     (30.0, "stable", "2"), (30.0, "slowly growing", "2"), (29.9, "growing", "2"), (30.0, "crossed", "3")],
)  # fmt: skip
def test_non_solid_nodules(mm, change, category):
    """One border, at 30 mm, above which an unchanged or slowly growing nodule stays 2."""
    assert looked_up(NON_SOLID, mm, Change(change)).result == category


def test_non_solid_nodules_by_volume():
    """14137 mm3 is the sphere of 30 mm."""
    for mm3, category in ((14136, "2"), (14137, "3")):
        nodule = LungRadsNodule(NON_SOLID, volume_mm3=mm3, size_by=SizeBy.VOLUME)
        assert lung_rads(BASELINE, nodule).result == category


@pytest.mark.parametrize(
    ("mm", "change", "category"),
    [(9.9, "baseline", "2"), (10.0, "baseline", "4A"), (9.9, "new", "2"), (9.9, "growing", "4B")],
)
def test_juxtapleural_nodules_below_ten_millimetres(mm, change, category):
    """Smooth, solid, oval, below 10 mm and not growing is 2; 10.0 mm is looked up by its size."""
    found = looked_up(SOLID, mm, Change(change), juxtapleural_benign_shape=True)
    assert found.result == category
    assert "< 10 mm is used" in " ".join(found.statements)


def test_the_juxtapleural_row_is_for_solid_nodules():
    """A part-solid one of 8 mm with a component of 7 mm is 4A whatever its shape."""
    found = looked_up(PART_SOLID, 8.0, solid_diameter_mm=7.0, juxtapleural_benign_shape=True)
    assert found.result == "4A"


@pytest.mark.parametrize(
    ("place", "change", "category"),
    [(Airway.SUBSEGMENTAL, "baseline", "2"), (Airway.SEGMENTAL, "baseline", "4A"),
     (Airway.SEGMENTAL, "new", "4A"),
     (Airway.SEGMENTAL, "stable", "4B"), (Airway.SEGMENTAL, "growing", "4B")],
)  # fmt: skip
def test_airway_nodules(place, change, category):
    """Segmental or more proximal is 4A, and 4B when it persists; subsegmental is 2."""
    assert looked_up(SOLID, 7.0, Change(change), airway=place).result == category


@pytest.mark.parametrize("kind", [SOLID, PART_SOLID])
def test_slow_growth_is_4b(kind):
    """Growth over several examinations that never meets the rule, in solid and part-solid nodules."""
    assert looked_up(kind, 6.5, Change.SLOWLY_GROWING, solid_diameter_mm=3.0).result == "4B"


@pytest.mark.parametrize(
    ("prior", "months", "category"), [("2", 12, "2"), ("3", 6, "2"), ("3", 5.5, "2"), ("4A", 3, "3")]
)
def test_unchanged_nodules_step_down(prior, months, category):
    """3 at six months is 2, 4A at three months is 3; months are rounded to the whole month."""
    found = looked_up(SOLID, 7.0, Change.STABLE, prior_category=prior, months_since_prior=months)
    assert found.result == category
    assert not found.verified


@pytest.mark.parametrize(("prior", "months"), [("3", 5.4), ("4A", 2.0), ("4B", 12.0)])
def test_no_row_is_stretched_for_an_unchanged_nodule(prior, months):
    """Too early, or a category that has no step: refused."""
    with pytest.raises(NotApplicableError, match="stable"):
        looked_up(SOLID, 7.0, Change.STABLE, prior_category=prior, months_since_prior=months)


def test_an_unchanged_nodule_asks_for_its_category():
    """Without the earlier category and the months it is not classified; below 6 mm it does not matter."""
    with pytest.raises(UnansweredError, match="prior category, months since prior"):
        looked_up(SOLID, 7.0, Change.STABLE)
    assert looked_up(SOLID, 5.9, Change.STABLE).result == "2"


def test_a_fast_growing_large_ground_glass_nodule_has_no_row():
    """From 30 mm on the table knows baseline, new, unchanged and slowly growing only."""
    with pytest.raises(NotApplicableError, match="growing"):
        looked_up(NON_SOLID, 31.0, Change.GROWING)


@pytest.mark.parametrize(
    ("kind", "prior", "current", "change"),
    [
        (SOLID, 6.0, 7.5, Change.STABLE),
        (SOLID, 6.0, 7.6, Change.GROWING),
        (SOLID, 5.5, 6.0, Change.CROSSED),
        (SOLID, 7.9, 8.0, Change.CROSSED),
        (SOLID, 8.0, 6.0, Change.STABLE),
        (PART_SOLID, 5.0, 6.2, Change.CROSSED),
        (NON_SOLID, 29.9, 30.0, Change.CROSSED),
        (NON_SOLID, 7.9, 8.0, Change.STABLE),
    ],
)
def test_the_change_is_derived_from_two_diameters(kind, prior, current, change):
    """1.6 mm in a year is growth, 1.5 mm is not; reaching a threshold without it is "crossed"."""
    assert change_by_diameter(kind, prior, current, 365) is change


def test_an_interval_that_leaves_the_rule_open_is_refused():
    """2 mm in two years may or may not have been more than 1.5 mm within twelve months."""
    with pytest.raises(NotApplicableError, match="730 days"):
        change_by_diameter(SOLID, 6.0, 8.0, 730)


def test_a_nodule_that_crosses_a_threshold_is_classified_by_size():
    """5.5 to 6.0 mm without growth is 3; the rule is quoted, the 2 mm3 only beside the diameter."""
    found = looked_up(SOLID, 6.0, Change.CROSSED)
    said = " ".join(found.statements)
    assert found.result == "3"
    assert "crosses a size threshold" in said
    assert "(> 2 mm³)" in said
    assert "never used alone" in said


@pytest.mark.parametrize(
    ("nodule", "row"),
    [
        (None, "no-nodule"),
        (LungRadsNodule(benign_calcification=True), "benign-calcification"),
        (LungRadsNodule(fat=True), "fat"),
    ],
)
def test_category_1(nodule, row):
    """No nodule, or one with benign calcification or fat, whatever its size."""
    found = lung_rads(BASELINE, nodule)
    assert (found.result, found.row.key) == ("1", row)


@pytest.mark.parametrize("reason", Incomplete)
def test_category_0_is_stated_by_the_reader(reason):
    """Lungs that cannot be evaluated, or likely infection, come before any size."""
    nodule = LungRadsNodule(SOLID, diameter_mm=20.0)
    assert lung_rads(BASELINE, nodule, ReaderStatements(incomplete=reason)).result == "0"


def test_an_earlier_ct_that_is_being_located_is_category_0():
    """The comparison is waited for."""
    waiting = replace(BASELINE, prior_ct=PriorCt.BEING_LOCATED)
    assert lung_rads(waiting, LungRadsNodule(SOLID, diameter_mm=20.0)).row.key == "incomplete-prior"


@pytest.mark.parametrize(
    ("mm", "result", "base"),
    [(5.9, "2", None), (6.0, "4X", "solid-6-8"), (8.0, "4X", "solid-8-15"), (15.0, "4X", "solid-from-15")],
)
def test_suspicious_features_turn_3_and_4_into_4x(mm, result, base):
    """The row by size is kept beside it; a category 2 is not raised, and that is said."""
    reader = ReaderStatements(suspicious_features=("spiculation",))
    found = lung_rads(BASELINE, LungRadsNodule(SOLID, diameter_mm=mm), reader)
    assert found.result == result
    assert (found.base_row.key if found.base_row else None) == base
    assert ("4X is for 3 and 4" in " ".join(found.statements)) is (result == "2")


def test_the_modifier_s_is_added():
    """4X and 2 become 4XS and 2S."""
    reader = ReaderStatements(suspicious_features=("spiculation",), significant_other_finding=True)
    assert lung_rads(BASELINE, LungRadsNodule(SOLID, diameter_mm=9.0), reader).result == "4XS"
    assert lung_rads(BASELINE, LungRadsNodule(SOLID, diameter_mm=5.0), reader).result == "2S"


def test_every_row_is_reached_and_no_two_rows_fit():
    """A sweep over types, changes, sizes and places visits each row of the table, one at a time."""
    seen = {"incomplete-lungs", "incomplete-prior", "incomplete-infection", "no-nodule", "4X"}
    seen |= {"benign-calcification", "fat"}
    places = (Airway.NONE, Airway.SUBSEGMENTAL, Airway.SEGMENTAL)
    sweep = itertools.product(
        NoduleType,
        Change,
        (3.0, 5.0, 7.0, 9.0, 20.0, 31.0),
        (3.0, 5.0, 7.0, 9.0),
        Change,
        places,
        (True, False),
    )
    for kind, change, mm, solid, component, place, pleural in sweep:
        for prior in ("2", "3", "4A") if change is Change.STABLE else (None,):
            nodule = LungRadsNodule(
                kind, change, mm, None, min(solid, mm), None, component, pleural, place, None, None, prior, 6
            )
            try:
                seen.add(lung_rads(BASELINE if change is Change.BASELINE else COMPARED, nodule).row.key)
            except NotApplicableError:
                continue
    assert seen == {row.key for row in lung_rads_table().rows}


def test_rows_that_were_not_verified_are_shown_as_such():
    """Each row names its documents; those without one are exactly these, and the result says so."""
    rows = lung_rads_table().rows
    assert {row.key for row in rows if not row.verified_against} == UNVERIFIED
    unverified, verified = looked_up(SOLID, 15.0), looked_up(SOLID, 7.0)
    assert not unverified.verified
    assert "NOT VERIFIED" in " ".join(unverified.statements)
    assert verified.verified
    assert "verified against Lung-RADS v1.1" in " ".join(verified.statements)


def test_the_row_is_quoted_with_its_document():
    """Category, management with the version it was read in, and that v2022 itself was not read."""
    found = looked_up(SOLID, 7.0)
    said = " ".join(found.all_statements)
    assert "10.1016/j.jacr.2023.09.009" in found.document
    assert found.basis == "7.0 mm mean diameter"
    assert "3: Probably benign. Management: 6-month LDCT (v1.1)" in said
    assert "not verified against the ACR's v2022 document" in said
    assert "Research use only" in said


def test_disagreement_of_diameter_and_volume_is_shown():
    """5.9 mm is 2, 113 mm3 would be 3: both are said, nothing is averaged; 7.0 mm and 180 mm3 agree."""
    nodule = LungRadsNodule(SOLID, diameter_mm=5.9, volume_mm3=113)
    assert "by volume (113 mm³) the table gives 3" in " ".join(lung_rads(BASELINE, nodule).statements)
    agreeing = lung_rads(BASELINE, LungRadsNodule(SOLID, diameter_mm=7.0, volume_mm3=180))
    assert "DISAGREEMENT" not in " ".join(agreeing.statements)


def test_open_questions_are_listed_and_nothing_is_guessed():
    """Five questions of the person, then those of the nodule; part-solid ones add the component."""
    asked = open_questions(Applicability(), LungRadsNodule())
    assert asked[:5] == ("screening", "age_years", "cancer", "immunosuppressed", "prior_ct")
    assert asked[5:] == ("nodule_type", "diameter_mm")
    part_solid = LungRadsNodule(PART_SOLID, Change.STABLE, diameter_mm=12.0)
    assert open_questions(COMPARED, part_solid) == ("solid_change", "solid_diameter_mm")
    with pytest.raises(UnansweredError, match="screening CT"):
        lung_rads(Applicability(), LungRadsNodule(SOLID, diameter_mm=7.0))
    with pytest.raises(UnansweredError, match="change"):
        lung_rads(COMPARED, LungRadsNodule(SOLID, diameter_mm=7.0))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"screening": False}, "incidentally"),
        ({"age_years": 17}, "17 years"),
        ({"cancer": CancerHistory.LUNG}, "lung cancer"),
    ],
)
def test_people_the_guideline_does_not_cover_are_refused(answer, reason):
    """Incidental nodules, children and known lung cancer, each by its reason."""
    with pytest.raises(NotApplicableError, match=reason):
        lung_rads(replace(BASELINE, **answer), LungRadsNodule(SOLID, diameter_mm=7.0))


def test_what_bears_on_the_row_is_said():
    """Age outside 50 to 80, another cancer, immunosuppression with a new nodule, and what was not stated."""
    context = replace(COMPARED, age_years=45, cancer=CancerHistory.OTHER, immunosuppressed=True)
    said = " ".join(lung_rads(context, LungRadsNodule(SOLID, Change.NEW, diameter_mm=7.0)).statements)
    assert "45 years is outside" in said
    assert "other than lung cancer" in said
    assert "immunocompromised" in said
    assert "Not stated, so rows for it were not used: juxtapleural benign shape, airway" in said


@pytest.mark.parametrize(("context", "change"), [(BASELINE, Change.NEW), (COMPARED, Change.BASELINE)])
def test_contradictions_are_refused(context, change):
    """A new nodule without an earlier CT, or a baseline with one."""
    with pytest.raises(WrongUseError, match="earlier CT"):
        lung_rads(context, LungRadsNodule(SOLID, change, diameter_mm=7.0))


@pytest.mark.parametrize(
    "wrong",
    [{"diameter_mm": -1}, {"diameter_mm": 6, "solid_diameter_mm": 7}, {"change": "bigger"}, {"fat": "no"},
     {"volume_mm3": 50, "solid_volume_mm3": 60}, {"prior_category": "5"}],
)  # fmt: skip
def test_nonsense_is_refused(wrong):
    """Negative sizes, components larger than their nodule, unknown words, and words for a yes or no."""
    with pytest.raises(WrongUseError):
        LungRadsNodule(SOLID, **wrong)
    with pytest.raises(WrongUseError):
        ReaderStatements(suspicious_features="spiculation")
