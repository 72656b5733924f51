"""Scores of EMV-3D-CNN as findings, checks, tables and statements; a score is never called a probability."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ctinsight.finding import Column, Finding, Interval, Table
from ctinsight.nets.emv_networks import EmvTask
from ctinsight.tasks.nodule.emv_answer import calibration_of
from ctinsight.tasks.nodule.emv_prevalence import FORMULA, TRAINING_PREVALENCE, Prevalence, rebase
from ctinsight.tasks.nodule.emv_sensitivity import followed_class
from ctinsight.tasks.nodule.emv_wording import (
    STATEMENTS,
    answer_sentences,
    answer_table,
    check_cube,
    check_training_range,
    click_sentences,
    leaf_table,
    order_check,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctinsight.finding import Check
    from ctinsight.models.card import ModelCard
    from ctinsight.nets.emv_networks import EmvNetwork
    from ctinsight.tasks.nodule.emv_answer import NetworkAnswers, Networks
    from ctinsight.tasks.nodule.emv_options import NetworkOptions
    from ctinsight.tasks.nodule.emv_tree import Answer, Tree
    from ctinsight.tasks.nodule.measures import NoduleMeasures
    from ctinsight.volume import Volume

NETWORK_RANGE = "lowest and highest of the three networks; not a confidence interval"
CLICK_RANGE = "when the centre moves by up to {most:g} mm; not a confidence interval"
CENTRE = "Networks see the nodule about the centre of its outline, not about the point that was clicked."
WHAT_IF = (
    f"Prevalence: a what-if and never the headline; {FORMULA}. The prevalence in training is that of the"
    " authors' own weights unless the table names a calibration set."
)
_KEYS = {EmvTask.MALIGNANT: "malignant", EmvTask.INVASIVE: "invasive", EmvTask.GRADE: "grade"}

_CLICK_COLUMNS = (
    Column("nodule", "Nodule", "1", "number of the point"),
    Column("question", "Question"),
    Column("score", "Score", "1", "at the centre; uncalibrated"),
    Column("lowest_score", "Lowest", "1", "over the moved centres"),
    Column("highest_score", "Highest", "1", "over the moved centres"),
    Column("centers", "Centres", "1"),
    Column("changes_at_mm", "Answer changes at", "mm", "the smallest move that does; empty when none does"),
)
_PREVALENCE_COLUMNS = (
    Column("nodule", "Nodule", "1", "number of the point"),
    Column("question", "Question"),
    Column("score", "Score", "1", "of the networks"),
    Column("prevalence", "Your prevalence", "1"),
    Column("value", "Re-based", "1", "see what it is in the next column"),
    Column("label", "What it is"),
)


def network_findings(found: NetworkAnswers) -> tuple[Finding, ...]:
    """One finding for each question of each nodule; a question that was not reached has no value."""
    findings: list[Finding] = []
    for n, nodule in found.answers.items():
        sentences = answer_sentences(nodule.tree)
        for answer, sentence in zip(nodule.tree.answers, sentences, strict=True):
            findings.append(_finding(n, answer, sentence))
        findings += _click_findings(n, found)
    return tuple(findings)


def _finding(number: int, answer: Answer, sentence: str) -> Finding:
    key, index = _KEYS[answer.task], followed_class(answer)
    name = f"Nodule {number}: EMV-3D-CNN score, {answer.task.classes[index]} (uncalibrated)"
    if answer.task is EmvTask.GRADE:
        name = f"Nodule {number}: EMV-3D-CNN grade (uncalibrated)"
    if not answer.reached:
        return Finding(f"nodule_{number}_emv_{key}", name, None, note=f"EMV-3D-CNN, {sentence}")
    if answer.task is EmvTask.GRADE:
        return Finding(f"nodule_{number}_emv_{key}", name, answer.word, note=sentence)
    spread = answer.spread(index)
    interval = Interval(spread.low, spread.high, NETWORK_RANGE)
    return Finding(
        f"nodule_{number}_emv_{key}_score", name, answer.scores[index], "1", interval=interval, note=sentence
    )


def _click_findings(number: int, found: NetworkAnswers) -> list[Finding]:
    clicks = found.clicks.get(number)
    if clicks is None:
        return []
    meaning = CLICK_RANGE.format(most=max(clicks.radii_mm))
    return [
        Finding(
            f"nodule_{number}_emv_{_KEYS[one.task]}_click",
            f"Nodule {number}: EMV-3D-CNN score, {one.name}, and the click",
            one.at_center,
            "1",
            interval=Interval(one.low, one.high, meaning),
            note=sentence,
        )
        for one, sentence in zip(clicks.ranges, click_sentences(clicks), strict=True)
    ]


def network_checks(
    found: NetworkAnswers, volume: Volume, measures: Mapping[int, NoduleMeasures]
) -> tuple[Check, ...]:
    """Compare scan and nodules with the training range; check surroundings and slice order."""
    checks: list[Check] = []
    for n, answer in found.answers.items():
        spacing = check_training_range(volume, measures[n].mean_diameter_mm)
        own = [*spacing[-1:], check_cube(answer)]
        own += [order_check(found.orders[n])] if n in found.orders else []
        if not checks:
            checks += spacing[:-1]
        checks += [replace(c, key=f"nodule_{n}_{c.key}", name=f"Nodule {n}: {c.name}") for c in own]
    return tuple(checks)


def network_tables(found: NetworkAnswers, networks: Networks, options: NetworkOptions) -> tuple[Table, ...]:
    """Tables of answers, joint scores, moved clicks and re-based scores; rows bear the points' numbers."""
    if not found.answers:
        return ()
    answers = list(found.answers.values())
    tables = [_numbered(t, tuple(found.answers)) for t in (answer_table(answers), leaf_table(answers))]
    if found.clicks:
        tables.append(Table("emv_clicks", "EMV-3D-CNN: moved clicks", _CLICK_COLUMNS, _click_rows(found)))
    if options.prevalences:
        rows = tuple(
            row
            for n, a in found.answers.items()
            for row in _prevalence_rows(n, a.tree, networks.cards, options)
        )
        tables.append(Table("emv_prevalence", "EMV-3D-CNN: what if", _PREVALENCE_COLUMNS, rows))
    return tuple(tables)


def _numbered(table: Table, numbers: tuple[int, ...]) -> Table:
    """Put the points' numbers in place of 1, 2, 3: a point that hit no nodule leaves a hole."""
    rows = tuple((numbers[int(row[0] or 1) - 1], *row[1:]) for row in table.rows)
    return replace(table, rows=rows)


def _click_rows(found: NetworkAnswers) -> tuple[tuple[float | int | str | None, ...], ...]:
    return tuple(
        (n, one.name, one.at_center, one.low, one.high, clicks.centers, one.changes_at_mm)
        for n, clicks in found.clicks.items()
        for one in clicks.ranges
    )


def _prevalence_rows(
    number: int, tree: Tree, cards: Mapping[EmvNetwork, ModelCard], options: NetworkOptions
) -> list[tuple[float | int | str | None, ...]]:
    rows: list[tuple[float | int | str | None, ...]] = []
    for task, wanted in options.prevalences.items():
        answer = tree.answer(task)
        if answer is None or not answer.reached:
            continue
        named = calibration_of(cards, task)
        trained = TRAINING_PREVALENCE[task] if named is None else Prevalence(named[1], named[0])
        based = rebase(answer.scores[1], trained, wanted, calibration_set=None if named is None else named[0])
        rows.append((number, task.classes[1], answer.scores[1], wanted.value, based.value, based.label))
    return rows


def network_statements(found: NetworkAnswers, networks: Networks, options: NetworkOptions) -> tuple[str, ...]:
    """Return what must be read with the scores, or why there are none."""
    if not found.answers:
        return (networks.note,) if networks.note else ()
    data = "; ".join(dict.fromkeys(card.training_data for card in networks.cards.values()))
    said = [*STATEMENTS, CENTRE, f"The cards of the weights used say of their training: {data}."]
    # What happened at a cube's border is said by its check.
    said += dict.fromkeys(
        note for answer in found.answers.values() for note in answer.notes if note not in answer.cube.notes
    )
    unmoved = [str(n) for n in found.answers if options.click_sensitivity and n not in found.clicks]
    if unmoved:
        said.append(f"Clicks were not moved in nodule {', '.join(unmoved)}: the image ends within 3 mm.")
    return (*said, WHAT_IF) if options.prevalences else tuple(said)
