"""How much the scores hang on the click and on the order of slices: neither is a fact of the nodule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ctinsight.nets.emv_networks import EmvTask
    from ctinsight.tasks.nodule.emv_tree import Answer, Tree

    Point = tuple[float, float, float]
    #: From centres in RAS (mm) to one tree each, in the same order.
    TreeScorer = Callable[[Sequence[Point]], Sequence[Tree]]

#: Two observers mark the centre of a nodule within a few mm of each other; 1-3 mm is this project's choice.
CLICK_RADII_MM = (1.0, 2.0, 3.0)
_DIRECTIONS = ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))


@dataclass(frozen=True)
class ScoreRange:
    """What moving the centre does to the answer of one question.

    Parameters
    ----------
    name
        The class whose score is followed: "malignant", "invasive", or the grade chosen at the centre.
    at_center, low, high
        Its mean score at the centre itself, and its extremes over all centres.
    changes_at_mm
        The smallest move that leads to another answer, or to the question not being reached any more (or
        being reached now); None when none does.
    """

    task: EmvTask
    name: str
    at_center: float
    low: float
    high: float
    changes_at_mm: float | None


@dataclass(frozen=True)
class ClickSensitivity:
    """Scores over moved centres: how far they were moved (mm), how many centres, one range a question."""

    radii_mm: tuple[float, ...]
    centers: int
    ranges: tuple[ScoreRange, ...]


@dataclass(frozen=True)
class OrderChange:
    """One question's followed score with slices in both orders, and whether the answer is another."""

    task: EmvTask
    name: str
    score: float
    score_other_order: float
    changes_answer: bool


def moved_centers(
    center_ras: Point, radii_mm: Sequence[float] = CLICK_RADII_MM
) -> tuple[tuple[Point, float], ...]:
    """Return the centre itself, then six neighbours (along R, A and S) at each distance.

    Examples
    --------
    >>> [point for point, _ in moved_centers((0.0, 0.0, 5.0), (1.0,))][:3]
    [(0.0, 0.0, 5.0), (1.0, 0.0, 5.0), (-1.0, 0.0, 5.0)]
    """
    r, a, s = center_ras
    moved = [
        ((r + radius * dr, a + radius * da, s + radius * ds), float(radius))
        for radius in radii_mm
        for dr, da, ds in _DIRECTIONS
    ]
    return ((center_ras, 0.0), *moved)


def click_sensitivity(
    score: TreeScorer, center_ras: Point, radii_mm: Sequence[float] = CLICK_RADII_MM
) -> ClickSensitivity:
    """Move the centre and see what becomes of the answers.

    Parameters
    ----------
    score
        Called once with all centres, so that they run as one batch of work.
    center_ras
        The nodule's centre in RAS, mm.
    radii_mm
        Distances of the moves; 1, 2 and 3 mm, so 19 centres in all.

    Raises
    ------
    WrongUseError
        A distance is not positive, or none is given.
    """
    if not radii_mm or min(radii_mm) <= 0:
        raise WrongUseError(
            found=f"moves of {list(radii_mm)} mm",
            expected="at least one distance above 0 mm",
            remedy="Use 1, 2 and 3 mm.",
        )
    centers = moved_centers(center_ras, radii_mm)
    trees = score([point for point, _ in centers])
    moves = [radius for _, radius in centers]
    ranges = tuple(_range(answer, trees, moves) for answer in trees[0].answers)
    return ClickSensitivity(tuple(float(radius) for radius in radii_mm), len(centers), ranges)


def compare_orders(tree: Tree, other_order: Tree) -> tuple[OrderChange, ...]:
    """Compare the answers with slices from superior to inferior to those with the opposite order."""
    changes = []
    for answer in tree.answers:
        other = _same_question(other_order, answer)
        index = followed_class(answer)
        changes.append(
            OrderChange(
                answer.task,
                answer.task.classes[index],
                answer.scores[index],
                other.scores[index],
                changes_answer=_verdict(other) != _verdict(answer),
            )
        )
    return tuple(changes)


def followed_class(answer: Answer) -> int:
    """Return the class whose score speaks for the answer: "yes", or the chosen grade."""
    return answer.chosen if answer.cut_off is None else 1


def _range(answer: Answer, trees: Sequence[Tree], moves: Sequence[float]) -> ScoreRange:
    index = followed_class(answer)
    others = [_same_question(tree, answer) for tree in trees]
    scores = [other.scores[index] for other in others]
    changed = [move for other, move in zip(others, moves, strict=True) if _verdict(other) != _verdict(answer)]
    return ScoreRange(
        answer.task,
        answer.task.classes[index],
        answer.scores[index],
        min(scores),
        max(scores),
        min(changed, default=None),
    )


def _same_question(tree: Tree, answer: Answer) -> Answer:
    return next(other for other in tree.answers if other.task is answer.task)


def _verdict(answer: Answer) -> tuple[bool, int | None]:
    """Reached or not, and what was chosen if so; what-if scores have no verdict."""
    return answer.reached, answer.chosen if answer.reached else None
