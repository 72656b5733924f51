"""The gated tree, its cut-offs, prevalence, sensitivity and words, on scores worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctinsight.errors import WrongUseError
from ctinsight.finding import Outcome
from ctinsight.nets.emv_networks import EMV_NETWORKS, EmvTask, networks_of
from ctinsight.tasks.nodule.emv_prevalence import TRAINING_PREVALENCE, Prevalence, rebase
from ctinsight.tasks.nodule.emv_sensitivity import click_sensitivity, compare_orders
from ctinsight.tasks.nodule.emv_tree import CUT_OFFS, CutOff, Rule, complete_tasks, grow_tree, mean_score
from ctinsight.tasks.nodule.emv_wording import STATEMENTS, answer_sentences, click_sentences, order_check


def scores(malignant, invasive=(0.5, 0.5, 0.5), grades=((0.2, 0.5, 0.3),) * 3):
    """Return rows of all nine networks from three "yes" scores each for the first two questions."""
    rows = {}
    for place, network in enumerate(networks_of(EmvTask.MALIGNANT)):
        rows[network] = np.array([1 - malignant[place], malignant[place]])
    for place, network in enumerate(networks_of(EmvTask.INVASIVE)):
        rows[network] = np.array([1 - invasive[place], invasive[place]])
    for place, network in enumerate(networks_of(EmvTask.GRADE)):
        rows[network] = np.array(grades[place], dtype=float)
    return rows


def test_ensemble_is_the_sum_over_three(shared):
    """The mean of the three networks equals the original's ensemble."""
    reference = np.load(shared / "reference" / "emv" / "w8_task1_ensemble.npz")
    rows = dict(zip(networks_of(EmvTask.MALIGNANT), reference["per_net"].astype(float), strict=True))
    np.testing.assert_allclose(mean_score(rows, EmvTask.MALIGNANT), reference["ensemble"], atol=1e-7)


def test_joint_scores_are_products():
    """0.8 malignant, 0.75 invasive and grades 0.2/0.5/0.3 make 0.2, 0.2, 0.12, 0.3 and 0.18."""
    tree = grow_tree(scores((0.8, 0.7, 0.9), (0.75, 0.75, 0.75)))
    assert [leaf.name for leaf in tree.leaves] == ["benign", "pre-invasive", "grade 1", "grade 2", "grade 3"]
    assert [leaf.score for leaf in tree.leaves] == pytest.approx([0.2, 0.2, 0.12, 0.3, 0.18])
    # Lowest and highest of grade 2: 0.7 x 0.75 x 0.5 and 0.9 x 0.75 x 0.5.
    spread = tree.leaves[3].spread
    assert (spread.low, spread.high) == pytest.approx((0.2625, 0.3375))


@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_joint_scores_sum_to_one(values):
    """Whatever the networks say, the ends of the tree share one, and each lies within its own range."""
    tree = grow_tree(scores(values[:3], values[3:]))
    assert sum(leaf.score for leaf in tree.leaves) == pytest.approx(1.0)
    assert all(leaf.spread.low - 1e-9 <= leaf.score <= leaf.spread.high + 1e-9 for leaf in tree.leaves)


def test_later_questions_are_gated():
    """Below the first cut-off nothing further is asked, though its what-if scores remain."""
    tree = grow_tree(scores((0.7, 0.7, 0.7), (0.9, 0.9, 0.9)))
    assert [answer.reached for answer in tree.answers] == [True, False, False]
    assert tree.end.word == "benign"
    assert tree.answer(EmvTask.INVASIVE).scores[1] == pytest.approx(0.9)
    assert "not asked" in answer_sentences(tree)[1]


def test_invasive_opens_the_grade():
    """Above both cut-offs the grade of the highest score is the end of the tree."""
    tree = grow_tree(scores((0.9, 0.9, 0.9), (0.6, 0.6, 0.6)))
    assert tree.end.word == "grade 2"
    assert answer_sentences(tree)[2].startswith("if malignant and invasive, grade 2: score 0.50")


@pytest.mark.parametrize(("rule", "yes"), [(Rule.AT_LEAST, True), (Rule.ABOVE, False)])
def test_a_score_on_the_cut_off_follows_its_rule(rule, yes):
    """The authors use >= in one place and > in another; a score of exactly the cut-off tells them apart."""
    assert CutOff(0.75, "test", rule).holds(0.75) is yes


def test_every_cut_off_names_its_source():
    """The three published pairs hold the published numbers, and each says where it comes from."""
    values = {name: (pair.malignant.value, pair.invasive.value) for name, pair in CUT_OFFS.items()}
    assert values == {"web": (0.747, 0.562), "notebook": (0.8207, 0.5624), "notebook-3-2": (0.6022, 0.5624)}
    assert all(pair.malignant.source and pair.invasive.source for pair in CUT_OFFS.values())


def test_disagreement_is_said():
    """A mean of 0.76 above the cut-off with one network at 0.50 below it is not unanimous."""
    tree = grow_tree(scores((0.9, 0.88, 0.5)))
    assert tree.answers[0].chosen == 1
    assert not tree.answers[0].agreed
    assert answer_sentences(tree)[0] == (
        "malignant: score 0.76 (networks 0.50-0.90), at or above the cut-off 0.747; "
        "the three networks do not agree"
    )


def test_one_network_alone_is_not_the_method():
    """Scores with a network missing are refused, and the network is named."""
    rows = scores((0.5, 0.5, 0.5))
    del rows[EMV_NETWORKS[4]]
    with pytest.raises(WrongUseError, match="nodule-emv-task2-vgg"):
        grow_tree(rows)


def test_the_second_question_needs_the_first():
    """Scores for "invasive" alone are refused, because they are conditional."""
    rows = {n: row for n, row in scores((0.5, 0.5, 0.5)).items() if n.task is EmvTask.INVASIVE}
    with pytest.raises(WrongUseError, match="question 1 first"):
        grow_tree(rows)


def test_complete_tasks_stop_at_the_first_gap():
    """Eight networks without the second question's VGG answer the first question only."""
    assert complete_tasks(EMV_NETWORKS) == tuple(EmvTask)
    assert complete_tasks(EMV_NETWORKS[:4] + EMV_NETWORKS[5:]) == (EmvTask.MALIGNANT,)


def test_scores_that_do_not_sum_to_one_are_refused():
    """Logits in place of scores are refused with the network's name."""
    rows = scores((0.5, 0.5, 0.5))
    rows[EMV_NETWORKS[0]] = np.array([1.2, -0.7])
    with pytest.raises(WrongUseError, match=r"1\.2, -0\.7"):
        grow_tree(rows)


def test_prevalence_is_a_what_if_unless_calibrated():
    """Without a named calibration set the number is "as if calibrated"; with one it may be a probability."""
    trained, mine = Prevalence(0.5, "made up"), Prevalence(0.1, "clinic")
    what_if = rebase(0.9, trained, mine)
    assert what_if.value == pytest.approx(0.5)  # odds 9 x (1/9) = 1
    assert (what_if.is_probability, "as if calibrated" in what_if.label) == (False, True)
    assert "probability" not in what_if.label
    assert rebase(0.9, trained, mine, calibration_set="set A").is_probability


@given(st.floats(0, 1), st.floats(0.01, 0.99))
def test_the_same_prevalence_changes_nothing(score, share):
    """A score at the prevalence of its training stays what it is, 0 and 1 included."""
    same = Prevalence(share, "made up")
    assert rebase(score, same, same).value == pytest.approx(score)


def test_training_prevalence_is_counted():
    """781 of 1,075 nodules were not benign, and 417 of those invasive (153 + 142 + 93 + 29)."""
    assert TRAINING_PREVALENCE[EmvTask.MALIGNANT].value == pytest.approx((1075 - 294) / 1075)
    assert TRAINING_PREVALENCE[EmvTask.INVASIVE].value == pytest.approx((153 + 142 + 93 + 29) / 781)


def test_click_sensitivity_finds_the_range_and_the_change():
    """A score that falls by 0.05 a mm to the patient's right spans 0.65-0.95 and changes from 2 mm on."""

    def score(points):
        return [grow_tree(scores((0.8 - 0.05 * r,) * 3)) for r, _, _ in points]

    found = click_sensitivity(score, (0.0, 10.0, 20.0))
    malignant = found.ranges[0]
    assert found.centers == 19
    assert (malignant.low, malignant.at_center, malignant.high) == pytest.approx((0.65, 0.8, 0.95))
    assert malignant.changes_at_mm == 2.0  # 0.75 still reaches 0.747, 0.70 does not
    assert "changes from a move of 2 mm on" in click_sentences(found)[0]


def test_a_steady_answer_is_said_to_stay():
    """Where no move changes anything the sentence says so."""
    found = click_sensitivity(lambda points: [grow_tree(scores((0.9,) * 3))] * len(points), (0, 0, 0))
    assert found.ranges[0].changes_at_mm is None
    assert click_sentences(found)[0] == (
        "malignant: score 0.90-0.90 when the click moves up to 3 mm, the answer stays"
    )


@pytest.mark.parametrize(("other", "outcome"), [(0.8, Outcome.PASS), (0.6, Outcome.WARN)])
def test_slice_order_warns_when_the_answer_turns(other, outcome):
    """Scores 0.9 and 0.8 are both "yes"; 0.9 and 0.6 are not, and the check warns with the change."""
    changes = compare_orders(grow_tree(scores((0.9,) * 3)), grow_tree(scores((other,) * 3)))
    check = order_check(changes)
    assert check.outcome is outcome
    assert f"{0.9 - other:.2f}" in check.measured


def test_nothing_claims_a_probability():
    """Sentences speak of scores; the only mention of probability denies it."""
    tree = grow_tree(scores((0.9, 0.8, 0.9), (0.9, 0.9, 0.2)))
    text = " ".join((*answer_sentences(tree), *STATEMENTS)).lower()
    assert text.count("probabilit") == text.count("not probabilities") == 1
    assert "diagnos" not in text
