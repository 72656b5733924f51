"""Scores of a measured nodule: given whole or named as missing, by origin, with what contradicts them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ctinsight.cli.nodule_words import _lines
from ctinsight.errors import WrongUseError
from ctinsight.scores.guideline import PriorCt
from ctinsight.scores.lung_rads import Change
from ctinsight.tasks.nodule.disagreement import Way, disagree, disagreement_sentence, pointers
from ctinsight.tasks.nodule.inputs import NODULE_QUESTIONS, PATIENT_QUESTIONS, NoduleInputs, PatientInputs
from ctinsight.tasks.nodule.score_case import (
    MeasuredChange,
    Origin,
    check_count,
    check_stated_age,
    contradictions,
    facts_of,
    flag_of,
)
from ctinsight.tasks.nodule.scores_answer import Status, all_scores
from ctinsight.tasks.nodule.scores_findings import score_findings, score_statements, score_tables
from made_nodules import PATIENT, SCREENED, STATED, case_of, measured

NAMES = ("brock_2a", "brock_2b", "mayo", "lung_rads", "fleischner")


def scores_of(case):
    """Return the scores by their keys."""
    return {answer.key: answer for answer in all_scores(case)}


@pytest.mark.parametrize(("key", "percent"), [("brock_2b", 17.849), ("brock_2a", 21.687)])
def test_a_measured_nodule_gives_the_published_vectors(key, percent):
    """65 years, male, emphysema, 12 mm part-solid, upper lobe, one nodule: 17.849 % and 21.687 %."""
    answer = scores_of(case_of(measured(12.0, "part-solid", solid_mm=5.0)))[key]
    assert answer.value == pytest.approx(percent, abs=0.001)
    assert "12.0 mm" in answer.basis


def test_the_mayo_vector():
    """62 years, smoker, 20 mm, spiculated, upper lobe: 68.16 %."""
    case = case_of(measured(20.0), PATIENT | {"age_years": 62}, {"upper_lobe": True, "spiculation": True})
    assert scores_of(case)["mayo"].value == pytest.approx(68.16, abs=0.01)


@pytest.mark.parametrize("item", ["age_years", "sex", "family_history", "emphysema", "nodule_count"])
def test_no_brock_without_every_item(item):
    """An item that is not stated is named by its option and never taken for 0 or no."""
    patient = {name: value for name, value in PATIENT.items() if name != item}
    answer = scores_of(case_of(measured(12.0), patient))["brock_2b"]
    assert (answer.status, answer.value) == (Status.MISSING, None)
    assert answer.reason == f"missing {PATIENT_QUESTIONS[item].flag}"


def test_nothing_stated_gives_no_score_at_all():
    """Each of the five says what is missing."""
    answers = scores_of(case_of(measured(9.0), {}, {}))
    assert tuple(answers) == NAMES
    assert {answer.value for answer in answers.values()} == {None}
    assert all(answer.reason.startswith("missing --") for answer in answers.values())


def test_every_missing_item_has_an_option():
    """What guidelines and models ask for is answered by an option that exists."""
    flags = {q.flag for q in (*PATIENT_QUESTIONS.values(), *NODULE_QUESTIONS.values())}
    for nodule in (measured(9.0), measured(9.0, "part-solid", solid_mm=6.5), measured(9.0, "ground-glass")):
        for answer in scores_of(case_of(nodule, {}, {})).values():
            assert set(answer.reason.removeprefix("missing ").split(", ")) <= flags
    assert flag_of("extrathoracic_cancer_over_5_years_ago") == "--old-cancer"


@pytest.mark.parametrize(
    ("diameter", "category"), [(5.9, "2"), (6.0, "3"), (7.9, "3"), (8.0, "4A"), (14.9, "4A"), (15.0, "4B")]
)
def test_lung_rads_edges_by_the_measured_diameter(diameter, category):
    """A solid baseline nodule; the row is quoted, and an unverified one says so."""
    case = case_of(measured(diameter), SCREENED)
    answer = scores_of(case)["lung_rads"]
    assert answer.value == category
    (row,) = [row for row in score_tables({1: case}, {1: all_scores(case)})[0].rows if row[4] == category]
    assert ("NOT VERIFIED" in row[8]) == (category == "4B")
    assert "mm" in row[7]


def test_screening_and_incidental_exclude_each_other():
    """Exactly one of both guidelines applies; the other says why not."""
    screened, incidental = (scores_of(case_of(measured(9.0), p)) for p in (SCREENED, PATIENT))
    assert screened["lung_rads"].value
    assert incidental["fleischner"].value == "Consider CT at 3 months, PET/CT, or tissue sampling"
    for answer in (screened["fleischner"], incidental["lung_rads"]):
        assert answer.status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("more", "words"),
    [({"age_years": 34}, "34 years"), ({"cancer": "lung"}, "lung"), ({"immunosuppressed": True}, "immuno")],
)
def test_fleischner_refuses_outside_its_range(more, words):
    """Below 35 years, with known cancer, immunosuppressed."""
    answer = scores_of(case_of(measured(9.0), PATIENT | more))["fleischner"]
    assert answer.status is Status.NOT_APPLICABLE
    assert words in answer.reason


def test_mayo_and_brock_refuse_outside_theirs():
    """31 mm and a recent cancer are outside Mayo; a minor is outside Brock; 2a knows no ground glass."""
    assert scores_of(case_of(measured(31.0)))["mayo"].status is Status.NOT_APPLICABLE
    recent = case_of(measured(9.0), PATIENT | {"cancer_within_5_years": True, "cancer": "other"})
    assert scores_of(recent)["mayo"].status is Status.NOT_APPLICABLE
    minor = case_of(measured(9.0), PATIENT | {"age_years": 15})
    assert scores_of(minor)["brock_2b"].status is Status.NOT_APPLICABLE
    glass = scores_of(case_of(measured(9.0, "ground-glass")))
    assert (glass["brock_2a"].status, glass["brock_2b"].status) == (Status.NOT_APPLICABLE, Status.COMPUTED)


def test_a_stated_type_overrules_and_the_difference_is_shown():
    """Stated solid, measured part-solid: the check says both, and what the measured type would give."""
    case = case_of(measured(12.0, "part-solid", solid_mm=5.0), PATIENT, STATED | {"nodule_type": "solid"})
    answer = scores_of(case)["brock_2b"]
    (check,) = contradictions(case)
    assert "solid; measured: part-solid" in check.measured
    assert any(note == "With the measured type, part-solid: 17.8 %." for note in answer.notes)
    (fact,) = [fact for fact in facts_of(case) if fact.key == "nodule_type"]
    assert fact.origin is Origin.OVERRULED


def test_fewer_nodules_stated_than_measured_is_no_score():
    """One stated, three measured: models that count are not computed."""
    case = case_of(measured(9.0), measured_count=3)
    answers = scores_of(case)
    assert answers["brock_2b"].status is answers["fleischner"].status is Status.CONTRADICTION
    assert check_count(case.patient, 3)[0].measured.endswith("request: 3")


def test_the_age_of_another_patient_is_said():
    """Stated 65, in the file 48; a year's difference passes."""
    patient = PatientInputs(**PATIENT)
    assert "48" in check_stated_age(patient, 48.0)[0].measured
    assert check_stated_age(patient, 64.0) == check_stated_age(patient, None) == ()


def test_a_measured_change_answers_lung_rads():
    """Growing from an earlier CT, 9 mm, is 4B; a stated change overrules it and is shown."""
    change = MeasuredChange(Change.GROWING, None, 180.0)
    compared = {"change": change, "prior_compared": True}
    patient = {name: value for name, value in SCREENED.items() if name != "prior_ct"}
    case = case_of(measured(9.0), patient, **compared)
    assert case.context.prior_ct is PriorCt.COMPARED
    assert scores_of(case)["lung_rads"].value == "4B"
    stable = case_of(
        measured(9.0), patient, STATED | {"change": "stable", "prior_category": "4A"}, **compared
    )
    assert scores_of(stable)["lung_rads"].value == "3"
    assert "stable; measured: growing" in contradictions(stable)[0].measured


def test_findings_tables_and_statements_hold_every_score():
    """Five findings; inputs by origin; what is not implemented is listed; nothing is averaged."""
    case = case_of(measured(9.0))
    scores = {1: all_scores(case)}
    assert [f.key for f in score_findings(scores)] == [
        "nodule_1_brock_2a_percent",
        "nodule_1_brock_2b_percent",
        "nodule_1_mayo_percent",
        "nodule_1_lung_rads",
        "nodule_1_fleischner",
    ]
    inputs = score_tables({1: case}, scores)[1]
    assert (1, "mean diameter, mm", "9", "measured", "") in inputs.rows
    assert (None, "sex of the patient", "male", "stated by the user", "--sex") in inputs.rows
    said = " ".join(score_statements(scores))
    assert all(words in said for words in ("Brock 1a and 1b", "nothing is averaged", "not calibrated"))


def test_what_must_be_read_with_a_score_is_printed_beside_it():
    """One of three nodules, an earlier CT compared: limits of the row are printed, the cohort is not."""
    case = case_of(measured(4.0), PATIENT | {"nodule_count": 3, "prior_ct": "compared"})
    tables = {table.key: table for table in score_tables({1: case}, {1: all_scores(case)})}
    printed = "\n".join(_lines(SimpleNamespace(findings=()), tables, 1))
    assert "Several nodules: the sizes are taken to be those of the most suspicious one." in printed
    assert "The rows are for a nodule at first detection" in printed
    assert "There are several nodules; the model knows solitary ones." in printed
    assert "Cohort: " not in printed


def test_sources_that_point_low_and_high_are_a_disagreement():
    """20 mm of ground glass: Lung-RADS 2 beside a Brock over 5 %; both stand in the sentence, unchanged."""
    found = pointers(all_scores(case_of(measured(20.0, "ground-glass"), SCREENED)), None, None)
    ways = {p.source: p.way for p in found}
    assert (ways["Lung-RADS v2022"], ways["Brock 2b"]) == (Way.LOW, Way.HIGH)
    assert disagree(found)
    sentence = disagreement_sentence(1, found)
    assert sentence.startswith("DISAGREEMENT, nodule 1: low by Lung-RADS v2022 (2); high by Brock 2b (")


def test_middle_is_no_disagreement():
    """7 mm solid, multiple: Fleischner asks for CT (middle), Brock lies below 5 %."""
    patient = PATIENT | {"age_years": 40, "emphysema": False, "nodule_count": 12}
    case = case_of(measured(7.0), patient, {"upper_lobe": False, "spiculation": False})
    found = pointers(all_scores(case), None, None)
    assert not disagree(found)
    assert disagreement_sentence(1, found) is None


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (PatientInputs, {"age_years": 300}),
        (PatientInputs, {"age_years": float("nan")}),
        (PatientInputs, {"age_years": "64"}),
        (PatientInputs, {"sex": "f"}),
        (PatientInputs, {"family_history": "no"}),
        (PatientInputs, {"nodule_count": 2.5}),
        (PatientInputs, {"nodule_count": 0}),
        (PatientInputs, {"cancer": "none", "cancer_within_5_years": True}),
        (NoduleInputs, {"upper_lobe": 1}),
        (NoduleInputs, {"nodule_type": "hazy"}),
        (NoduleInputs, {"suspicious_features": "spiculation"}),
        (NoduleInputs, {"suspicious_features": ["x" * 500]}),
        (NoduleInputs, {"suspicious_features": ["a\x1b[2J"]}),
    ],
)
def test_nonsense_is_no_input(kind, values):
    """Typing errors, the word "no" for a yes-or-no item, half nodules, control characters."""
    with pytest.raises(WrongUseError):
        kind(**values)


@pytest.mark.parametrize(
    ("kind", "values", "found", "expected"),
    [
        (PatientInputs, {"sex": "f"}, "--sex 'f'", "female, male"),
        (NoduleInputs, {"nodule_type": "hazy"}, "--type 'hazy'", "solid, part-solid, ground-glass"),
    ],
)
def test_a_wrong_word_is_refused_in_the_words_of_its_option(kind, values, found, expected):
    """The message names the option and the words that its help names."""
    with pytest.raises(WrongUseError) as caught:
        kind(**values)
    assert (caught.value.found, caught.value.expected) == (found, expected)
