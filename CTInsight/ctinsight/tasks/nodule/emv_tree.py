"""The three answers of EMV-3D-CNN as a gated tree: malignant, then invasive, then the grade.

The second question was trained on nodules that are not benign and the third on graded invasive ones. Their
scores are therefore conditional: they say nothing about a nodule for which the question before is answered
"no". Everything here is called a score, because no calibration of the published networks is known.

References
----------
https://doi.org/10.1038/s41746-023-00866-z
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.errors import WrongUseError
from ctinsight.nets.emv_networks import EmvKind, EmvNetwork, EmvTask, networks_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    #: Scores of one nodule: (classes,) of each network, rows sum to 1.
    NetworkRows = Mapping[EmvNetwork, NDArray[np.float64]]

#: Scores of one network must sum to 1 within rounding of 32-bit numbers.
_SUM_TOLERANCE = 1e-4


class Rule(StrEnum):
    """How a score on the cut-off itself counts."""

    AT_LEAST = ">="
    ABOVE = ">"

    def holds(self, score: float, cut_off: float) -> bool:
        """Whether the score counts as "yes"."""
        return score >= cut_off if self is Rule.AT_LEAST else score > cut_off


@dataclass(frozen=True)
class CutOff:
    """A score from which a question counts as answered "yes", with its source."""

    value: float
    source: str
    rule: Rule = Rule.AT_LEAST

    def __post_init__(self) -> None:
        if not 0.0 < self.value < 1.0:
            raise WrongUseError(
                found=f"a cut-off of {self.value:g}",
                expected="a number between 0 and 1",
                remedy="Correct the cut-off.",
            )

    def holds(self, score: float) -> bool:
        """Whether the score counts as "yes"."""
        return self.rule.holds(score, self.value)


@dataclass(frozen=True)
class CutOffs:
    """Cut-offs of the first two questions; the third takes the grade of the highest score."""

    malignant: CutOff
    invasive: CutOff

    def of(self, task: EmvTask) -> CutOff | None:
        """Return the cut-off of a question, None for the grade."""
        return {EmvTask.MALIGNANT: self.malignant, EmvTask.INVASIVE: self.invasive}.get(task)


_ON_TEST_SET = "chosen by Youden's index on the authors' own test set, so it flatters"
#: Every pair that the authors show. The first is used unless another is chosen.
CUT_OFFS: dict[str, CutOffs] = {
    "web": CutOffs(
        CutOff(0.747, "the authors' web page (platform.png in their repository)"),
        CutOff(0.562, "the authors' web page (platform.png in their repository)"),
    ),
    "notebook": CutOffs(
        CutOff(0.8207, f"the authors' evaluation notebook 3-1, {_ON_TEST_SET}", Rule.ABOVE),
        CutOff(0.5624, f"the authors' evaluation notebook 3-1, {_ON_TEST_SET}", Rule.ABOVE),
    ),
    "notebook-3-2": CutOffs(
        CutOff(0.6022, f"the authors' withdrawn notebook 3-2, {_ON_TEST_SET}"),
        CutOff(0.5624, f"the authors' withdrawn notebook 3-2, {_ON_TEST_SET}"),
    ),
}
DEFAULT_CUT_OFFS = CUT_OFFS["web"]


@dataclass(frozen=True)
class Spread:
    """Lowest and highest of the networks' scores; a range of opinions, not a confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Answer:
    """What the networks say to one question.

    Parameters
    ----------
    scores
        Mean over the networks, one score a class; they sum to 1.
    by_network
        The same for each network.
    chosen
        Index of the class: by the cut-off, for the grade by the highest score.
    agreed
        Whether every network alone would choose the same class.
    reached
        Whether the questions before were answered "yes". If not, the scores are a what-if.
    cut_off
        None for the grade.
    """

    task: EmvTask
    scores: tuple[float, ...]
    by_network: Mapping[EmvKind, tuple[float, ...]]
    chosen: int
    agreed: bool
    reached: bool
    cut_off: CutOff | None = None

    @property
    def word(self) -> str:
        """Name of the chosen class."""
        return self.task.classes[self.chosen]

    def spread(self, index: int) -> Spread:
        """Lowest and highest score of one class among the networks."""
        scores = [rows[index] for rows in self.by_network.values()]
        return Spread(min(scores), max(scores))


@dataclass(frozen=True)
class Leaf:
    """An end of the tree with its joint score: the product of the scores along the way.

    ``spread`` runs from the product of the lowest to that of the highest scores along the way.
    """

    name: str
    score: float
    spread: Spread


@dataclass(frozen=True)
class Tree:
    """The answers to one nodule, in order of the questions; questions without networks are left out."""

    answers: tuple[Answer, ...]
    leaves: tuple[Leaf, ...]
    cut_offs: CutOffs = field(default=DEFAULT_CUT_OFFS)

    def answer(self, task: EmvTask) -> Answer | None:
        """Return the answer to one question, None when it was not asked."""
        return next((answer for answer in self.answers if answer.task is task), None)

    @property
    def end(self) -> Answer:
        """The last question that was reached."""
        return [answer for answer in self.answers if answer.reached][-1]


def mean_score(by_network: NetworkRows, task: EmvTask) -> NDArray[np.float64]:
    """Average the three networks of one question with equal weights: their sum divided by three.

    Returns
    -------
    ndarray
        (classes,) for rows (classes,); (nodules, classes) for rows of several nodules.

    Raises
    ------
    WrongUseError
        One of the three is missing.
    """
    networks = networks_of(task)
    missing = [network.name for network in networks if network not in by_network]
    if missing:
        raise WrongUseError(
            found=f"no scores of {', '.join(missing)}",
            expected="all three networks of a question",
            remedy="Import the missing weights; one network alone is not the published method.",
        )
    total = sum((by_network[network] for network in networks), start=np.zeros(1))
    return np.asarray(total / len(networks), dtype=np.float64)


def grow_tree(by_network: NetworkRows, cut_offs: CutOffs = DEFAULT_CUT_OFFS) -> Tree:
    """Answer the questions about one nodule in their order.

    Parameters
    ----------
    by_network
        (classes,) scores of each network. Questions must be complete, and asked from the first on.

    Raises
    ------
    WrongUseError
        A question lacks one of its networks or comes without the question before; scores that do not sum
        to 1.
    """
    tasks = [task for task in EmvTask if any(network.task is task for network in by_network)]
    if tasks != list(EmvTask)[: len(tasks)] or not tasks:
        raise WrongUseError(
            found=f"scores for questions {[int(task) for task in tasks]}",
            expected="question 1 first, then 2, then 3: later ones are conditional on earlier ones",
            remedy="Import the weights of the earlier question as well.",
        )
    _refuse_odd_rows(by_network)
    answers: list[Answer] = []
    for task in tasks:
        reached = all(before.reached and before.chosen == 1 for before in answers)
        answers.append(_answer(by_network, task, cut_offs, reached=reached))
    return Tree(tuple(answers), _leaves(answers), cut_offs)


def _answer(by_network: NetworkRows, task: EmvTask, cut_offs: CutOffs, *, reached: bool) -> Answer:
    cut_off = cut_offs.of(task)
    mean = mean_score(by_network, task)
    rows = {network.kind: by_network[network] for network in networks_of(task)}
    chosen = _choose(mean, cut_off)
    return Answer(
        task=task,
        scores=tuple(float(value) for value in mean),
        by_network={kind: tuple(float(value) for value in row) for kind, row in rows.items()},
        chosen=chosen,
        agreed=all(_choose(row, cut_off) == chosen for row in rows.values()),
        reached=reached,
        cut_off=cut_off,
    )


def _choose(scores: NDArray[np.float64], cut_off: CutOff | None) -> int:
    return int(np.argmax(scores)) if cut_off is None else int(cut_off.holds(float(scores[1])))


def _leaves(answers: list[Answer]) -> tuple[Leaf, ...]:
    """Multiply along the way; where a question was not asked, the way ends before it."""
    leaves: list[Leaf] = []
    way, low, high = 1.0, 1.0, 1.0
    for place, answer in enumerate(answers):
        last = place == len(answers) - 1
        ends = range(len(answer.scores)) if last else (0,)
        for index in ends:
            spread = answer.spread(index)
            leaves.append(
                Leaf(
                    answer.task.classes[index],
                    way * answer.scores[index],
                    Spread(low * spread.low, high * spread.high),
                )
            )
        onward = answer.spread(1)
        way, low, high = way * answer.scores[1], low * onward.low, high * onward.high
    return tuple(leaves)


def _refuse_odd_rows(by_network: NetworkRows) -> None:
    for network, row in by_network.items():
        fits = row.shape == (network.classes,) and bool(np.isfinite(row).all())
        if not fits or abs(float(row.sum()) - 1.0) > _SUM_TOLERANCE or float(row.min()) < 0.0:
            raise WrongUseError(
                found=f"scores {np.round(row, 4).tolist()} of {network.name}",
                expected=f"{network.classes} numbers from 0 to 1 that sum to 1",
                remedy="Score the nodule again; import the weights again if it persists.",
            )


def complete_tasks(networks: tuple[EmvNetwork, ...]) -> tuple[EmvTask, ...]:
    """Return the questions that can be answered with these networks, from the first on.

    A question counts only when all its three networks are here, and the question before counts too.
    """
    found: list[EmvTask] = []
    for task in EmvTask:
        if not set(networks_of(task)) <= set(networks):
            break
        found.append(task)
    return tuple(found)
