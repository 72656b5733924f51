"""The tree of answers in words and tables: score, condition, spread, cut-off and its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctinsight.finding import Check, Column, Outcome, Table
from ctinsight.nets.emv_networks import EmvKind, EmvTask
from ctinsight.tasks.nodule.emv_sensitivity import followed_class

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctinsight.tasks.nodule.emv import NoduleAnswer
    from ctinsight.tasks.nodule.emv_sensitivity import ClickSensitivity, OrderChange
    from ctinsight.tasks.nodule.emv_tree import Answer, Tree
    from ctinsight.volume import Volume

#: Range of the paper's nodules; outside it nobody measured the networks.
DIAMETER_MM = (4.0, 30.0)
#: Voxel sizes that the authors' own outputs show.
SLICE_SPACING_MM = (0.6, 1.25)
IN_PLANE_SPACING_MM = (0.64, 0.93)

_UNCALIBRATED = (
    "EMV-3D-CNN gives uncalibrated scores, not probabilities of cancer. Who trained the weights, on whom, "
    "stands in the model card of this result; weights from another training answer the question of their own "
    "labels."
)
_TRAINING = (
    "The published networks learned from 1,075 resected nodules of one hospital, 73 % of them malignant, "
    "4-30 mm, on thin slices: not from screening, and not from nodules that were only followed. No external "
    "validation was found."
)
_CONDITIONAL = (
    "Each question is conditional on the one before: 'invasive' was trained without benign nodules, grades "
    "without benign, pre-invasive and 'other malignant' ones, and no grade describes those."
)
_JOINT = (
    "A joint score is the product of the scores along the way; a range of networks is a range of opinions, "
    "not a confidence interval."
)
_ORDER = (
    "The direction in which the authors' slices ran is not known; superior to inferior is assumed unless "
    "chosen otherwise."
)
#: Limits that must be read with the scores.
STATEMENTS = (_UNCALIBRATED, _TRAINING, _CONDITIONAL, _JOINT, _ORDER)

#: What a question presupposes.
CONDITION = {
    EmvTask.MALIGNANT: "",
    EmvTask.INVASIVE: "if malignant",
    EmvTask.GRADE: "if malignant and invasive",
}
_NOT_REACHED = {
    EmvTask.INVASIVE: "not asked, as the score for malignant does not reach its cut-off",
    EmvTask.GRADE: "not asked, as the nodule does not count as malignant and invasive",
}

_COLUMNS = (
    Column("nodule", "Nodule", "", "number of the point, from 1"),
    Column("question", "Question", "", "what the score speaks for"),
    Column("condition", "Condition", "", "what the question presupposes"),
    Column("score", "Score", "1", "mean of three networks; uncalibrated"),
    Column("lowest_score", "Lowest", "1", "of the three networks"),
    Column("highest_score", "Highest", "1", "of the three networks"),
    *(
        Column(
            f"{kind}_score",
            {"inception": "Inception", "vgg": "VGG", "resnet": "ResNet"}[kind],
            "1",
            "score of this network",
        )
        for kind in EmvKind
    ),
    Column("cut_off", "Cut-off", "1", "score from which the answer is yes"),
    Column("cut_off_source", "Source of cut-off"),
    Column("answer", "Answer", "", "yes, no, chosen, not asked; networks that disagree are said"),
)
_LEAF_COLUMNS = (
    Column("nodule", "Nodule", "", "number of the point, from 1"),
    Column("end", "End of the tree"),
    Column("joint_score", "Joint score", "1", "product of the scores along the way; uncalibrated"),
    Column("lowest_score", "Lowest", "1", "product of the lowest scores along the way"),
    Column("highest_score", "Highest", "1", "product of the highest scores along the way"),
)


def answer_sentences(tree: Tree) -> tuple[str, ...]:
    """Say each answer in a sentence, with its condition, range, cut-off and any disagreement."""
    return tuple(_sentence(answer) for answer in tree.answers)


def _sentence(answer: Answer) -> str:
    condition = CONDITION[answer.task]
    start = f"{condition}, " if condition else ""
    if not answer.reached:
        return f"{start}{_subject(answer)}: {_NOT_REACHED[answer.task]}"
    index = followed_class(answer)
    spread = answer.spread(index)
    text = (
        f"{start}{answer.task.classes[index]}: score {answer.scores[index]:.2f} "
        f"(networks {spread.low:.2f}-{spread.high:.2f}), {_verdict(answer)}"
    )
    return text if answer.agreed else f"{text}; the three networks do not agree"


def _subject(answer: Answer) -> str:
    return "grade" if answer.cut_off is None else answer.task.classes[1]


def _verdict(answer: Answer) -> str:
    if answer.cut_off is None:
        return "the highest of the three grades"
    sign = {">=": ("at or above", "below"), ">": ("above", "not above")}[answer.cut_off.rule]
    return f"{sign[0] if answer.chosen == 1 else sign[1]} the cut-off {answer.cut_off.value:g}"


def answer_table(answers: Sequence[NoduleAnswer]) -> Table:
    """List every question of every nodule, the grade with one row each; what-if rows say "not asked"."""
    rows = [
        _row(number, answer, index)
        for number, nodule in enumerate(answers, start=1)
        for answer in nodule.tree.answers
        for index in ((1,) if answer.cut_off else range(len(answer.scores)))
    ]
    return Table("emv_answers", "EMV-3D-CNN: uncalibrated scores", _COLUMNS, tuple(rows))


def _row(number: int, answer: Answer, index: int) -> tuple[float | int | str | None, ...]:
    spread = answer.spread(index)
    cut_off = answer.cut_off
    return (
        number,
        answer.task.classes[index],
        CONDITION[answer.task],
        answer.scores[index],
        spread.low,
        spread.high,
        *(answer.by_network[kind][index] for kind in EmvKind),
        cut_off.value if cut_off else None,
        f"{cut_off.source}; yes when {cut_off.rule} cut-off" if cut_off else "highest score",
        _word(answer, index),
    )


def _word(answer: Answer, index: int) -> str:
    if not answer.reached:
        return "not asked"
    if answer.cut_off is None:
        word = "chosen" if index == answer.chosen else ""
    else:
        word = "yes" if answer.chosen == 1 else "no"
    return word if answer.agreed or not word else f"{word}, but the networks do not agree"


def leaf_table(answers: Sequence[NoduleAnswer]) -> Table:
    """List the ends of the tree with their joint scores, which sum to 1 for each nodule."""
    rows = [
        (number, leaf.name, leaf.score, leaf.spread.low, leaf.spread.high)
        for number, nodule in enumerate(answers, start=1)
        for leaf in nodule.tree.leaves
    ]
    return Table("emv_joint_scores", "EMV-3D-CNN: joint scores", _LEAF_COLUMNS, tuple(rows))


def click_sentences(sensitivity: ClickSensitivity) -> tuple[str, ...]:
    """Say what moving the click does to each score, and from which move on the answer changes."""
    most = max(sensitivity.radii_mm)
    sentences = []
    for found in sensitivity.ranges:
        change = (
            "the answer stays"
            if found.changes_at_mm is None
            else (f"the answer changes from a move of {found.changes_at_mm:g} mm on")
        )
        sentences.append(
            f"{found.name}: score {found.low:.2f}-{found.high:.2f} when the click moves up to {most:g} mm, "
            f"{change}"
        )
    return tuple(sentences)


def order_check(changes: Sequence[OrderChange]) -> Check:
    """Warn when slices in the opposite order lead to another answer."""
    worst = max(changes, key=lambda change: abs(change.score - change.score_other_order))
    moved = abs(worst.score - worst.score_other_order)
    changed = [change.name for change in changes if change.changes_answer]
    measured = f"largest change of a score {moved:.2f} ({worst.name})"
    return Check(
        "emv_slice_order",
        "Networks, slices in the opposite order",
        Outcome.WARN if changed else Outcome.PASS,
        f"{measured}; another answer: {', '.join(changed)}" if changed else measured,
        "the same answers",
        "Do not rely on these answers: the order of the authors' slices is not known." if changed else "",
    )


def check_training_range(volume: Volume, diameter_mm: float | None = None) -> tuple[Check, ...]:
    """Compare voxel sizes and the nodule's mean diameter (mm) with those that the networks learned from."""
    column_mm, row_mm, slice_mm = _spacing_ras_order(volume)
    checks = [
        _range_check("emv_slice_spacing", "Networks, slice spacing", (slice_mm, slice_mm), SLICE_SPACING_MM),
        _range_check(
            "emv_pixel_size",
            "Networks, pixel size",
            (min(column_mm, row_mm), max(column_mm, row_mm)),
            IN_PLANE_SPACING_MM,
        ),
    ]
    if diameter_mm is not None:
        checks.append(
            _range_check("emv_diameter", "Networks, mean diameter", (diameter_mm, diameter_mm), DIAMETER_MM)
        )
    return tuple(checks)


def check_cube(answer: NoduleAnswer) -> Check:
    """Warn when the cube around a nodule leaves the image."""
    notes = "; ".join(answer.cube.notes)
    return Check(
        "emv_cube",
        "Networks, surroundings of the nodule",
        Outcome.WARN if notes else Outcome.PASS,
        notes or "the whole cube lies inside the image",
        "62.5 mm around the nodule inside the image",
        "Use a scan that reaches farther." if notes else "",
    )


def _spacing_ras_order(volume: Volume) -> tuple[float, float, float]:
    grid = volume.grid
    r, a, s = (grid.spacing_kji_mm[grid.array_axis(axis)[0]] for axis in range(3))
    return r, a, s


def _range_check(key: str, name: str, measured: tuple[float, float], limits: tuple[float, float]) -> Check:
    low, high = limits
    inside = low - 0.005 <= measured[0] and measured[1] <= high + 0.005
    shown = sorted({f"{value:.2f}" for value in measured})
    return Check(
        key,
        name,
        Outcome.PASS if inside else Outcome.WARN,
        f"{' x '.join(shown)} mm",
        f"{low:g}-{high:g} mm, as in the training set",
        ""
        if inside
        else "Read the scores with doubt: the networks were not trained on such nodules or scans.",
    )
