"""Do model, scores, guidelines and growth point the same way? Each keeps its own answer; nothing is averaged.

Every source that gave an answer points low, middle or high by the rule in :data:`RULE`. A disagreement is one
source that points low beside one that points high.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ctinsight.finding import Column, Finding, Table
from ctinsight.nets.emv_networks import EmvTask
from ctinsight.scores.growth import (
    LIKELY_BENIGN_ABOVE_DAYS,
    MEASUREMENT_SPREAD_PERCENT,
    SUSPICIOUS_BELOW_DAYS,
    Growth,
)
from ctinsight.tasks.nodule.scores_answer import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctinsight.tasks.nodule.emv_tree import Tree
    from ctinsight.tasks.nodule.growth import Compared
    from ctinsight.tasks.nodule.scores_answer import ScoreAnswer

#: Below the first % a model points low, from the second on high: the probabilities that Lung-RADS gives its
#: categories (2: below 1 %, 3: 1 to 2 %, 4A: from 5 % on; read in summaries of v2022).
LOW_BELOW_PERCENT, HIGH_FROM_PERCENT = 1.0, 5.0

RULE = (
    "Disagreement (a rule of this project, no guideline): Brock and Mayo point low below"
    f" {LOW_BELOW_PERCENT:g} % and high from {HIGH_FROM_PERCENT:g} % on, as Lung-RADS grades its categories;"
    " Lung-RADS points low at 1 and 2, high from 4A on; Fleischner low without follow-up, high with PET/CT,"
    " sampling or resection; EMV-3D-CNN high at its cut-off, low below, middle when its networks do not"
    " agree; growth high when the Lung-RADS rule is met or the volume doubles within"
    f" {SUSPICIOUS_BELOW_DAYS:.0f} days, low when the nodule shrank or doubles in over"
    f" {LIKELY_BENIGN_ABOVE_DAYS:.0f} days, middle when the volume changed by less than"
    f" {MEASUREMENT_SPREAD_PERCENT:.0f} %. Sources disagree when one points low and another high."
)


class Way(StrEnum):
    """Where a source points."""

    LOW = "low"
    MIDDLE = "middle"
    HIGH = "high"


@dataclass(frozen=True)
class Pointer:
    """One source, where it points, and its own words."""

    source: str
    way: Way
    because: str


def pointers(
    scores: tuple[ScoreAnswer, ...], tree: Tree | None, compared: Compared | None
) -> tuple[Pointer, ...]:
    """Gather where every source points that gave an answer."""
    found = [] if tree is None else [_network(tree)]
    found += [_score(answer) for answer in scores if answer.status is Status.COMPUTED]
    growth = None if compared is None else _growth(compared)
    return (*found, growth) if growth else tuple(found)


def disagree(found: tuple[Pointer, ...]) -> bool:
    """Whether one source points low and another high."""
    return {Way.LOW, Way.HIGH} <= {p.way for p in found}


def agreement_finding(number: int, found: tuple[Pointer, ...]) -> Finding | None:
    """Put agreement or disagreement in words; ``None`` with fewer than two sources."""
    if len(found) < 2:
        return None
    ways = {way: [f"{p.source} ({p.because})" for p in found if p.way is way] for way in Way}
    note = "; ".join(f"{way}: {', '.join(names)}" for way, names in ways.items() if names)
    value = "DISAGREEMENT" if disagree(found) else "no disagreement"
    return Finding(
        f"nodule_{number}_agreement", f"Nodule {number}: model, scores, guidelines, growth", value, note=note
    )


def disagreement_sentence(number: int, found: tuple[Pointer, ...]) -> str | None:
    """Say a disagreement in a sentence; ``None`` when there is none."""
    if not disagree(found):
        return None
    low, high = ([f"{p.source} ({p.because})" for p in found if p.way is way] for way in (Way.LOW, Way.HIGH))
    return f"DISAGREEMENT, nodule {number}: low by {', '.join(low)}; high by {', '.join(high)}."


def pointer_table(found: Mapping[int, tuple[Pointer, ...]]) -> Table:
    """One row for each source of each nodule."""
    columns = (
        Column("nodule", "Nodule", "1", "number of the point"),
        Column("source", "Source"),
        Column("points", "Points", "", "low, middle or high by this project's rule"),
        Column("because", "Because"),
    )
    rows = tuple((n, p.source, str(p.way), p.because) for n, several in found.items() for p in several)
    return Table("agreement", "Where model, scores, guidelines and growth point", columns, rows)


def _score(answer: ScoreAnswer) -> Pointer:
    if isinstance(answer.value, float):
        percent = answer.value
        way = (
            Way.LOW
            if percent < LOW_BELOW_PERCENT
            else Way.HIGH
            if percent >= HIGH_FROM_PERCENT
            else Way.MIDDLE
        )
        return Pointer(answer.name, way, f"{percent:.1f} %")
    result = str(answer.value)
    way = _lung_rads(result) if answer.key == "lung_rads" else _fleischner(result)
    return Pointer(answer.name, way, result)


def _lung_rads(category: str) -> Way:
    plain = category.removesuffix("S")
    return {"1": Way.LOW, "2": Way.LOW, "0": Way.MIDDLE, "3": Way.MIDDLE}.get(plain, Way.HIGH)


def _fleischner(recommendation: str) -> Way:
    words = recommendation.lower()
    if any(word in words for word in ("pet", "biopsy", "sampling", "resection", "highly suspicious")):
        return Way.HIGH
    return Way.LOW if words.startswith("no routine") else Way.MIDDLE


def _network(tree: Tree) -> Pointer:
    answer = tree.answer(EmvTask.MALIGNANT)
    if answer is None:
        msg = "a tree without its first question"
        raise ValueError(msg)
    sure = Way.HIGH if answer.chosen == 1 else Way.LOW
    spread = answer.spread(1)
    because = f"score {answer.scores[1]:.2f}, networks {spread.low:.2f}-{spread.high:.2f}, uncalibrated"
    return Pointer("EMV-3D-CNN", sure if answer.agreed else Way.MIDDLE, because)


def _growth(one: Compared) -> Pointer | None:
    if one.interval_days is None:
        return None
    change, rule = one.change_percent, one.rule
    days = one.doubling[0].days
    because = f"volume {round(change) + 0:+d} % in {one.interval_days:.0f} days"
    because += f", doubling in {days:.0f} days" if days is not None else ""
    small = abs(change) < MEASUREMENT_SPREAD_PERCENT
    if rule is Growth.MET or (not small and days is not None and days < SUSPICIOUS_BELOW_DAYS):
        return Pointer("growth", Way.HIGH, because)
    if small:
        return Pointer("growth", Way.MIDDLE, because)
    low = days is None or days > LIKELY_BENIGN_ABOVE_DAYS
    return Pointer("growth", Way.LOW if low else Way.MIDDLE, because)
