"""EMV-3D-CNN on one CT: any number of centres, cut, scored as one batch of work, and answered as trees."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from ctinsight.errors import WeightsMissingError
from ctinsight.nets.emv_networks import EMV_NETWORKS, networks_of
from ctinsight.progress import Progress
from ctinsight.tasks.nodule.emv_input import CubeRules, cut_all_views, cut_cube
from ctinsight.tasks.nodule.emv_sensitivity import click_sensitivity, compare_orders
from ctinsight.tasks.nodule.emv_tree import DEFAULT_CUT_OFFS, complete_tasks, grow_tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ctinsight.inference.nodulewise import NetworkScores
    from ctinsight.nets.emv_networks import EmvNetwork, EmvTask, ViewSet
    from ctinsight.tasks.nodule.emv_input import NoduleCube
    from ctinsight.tasks.nodule.emv_sensitivity import ClickSensitivity, OrderChange
    from ctinsight.tasks.nodule.emv_tree import CutOffs, Tree
    from ctinsight.volume import Volume

    Point = tuple[float, float, float]

#: Nodules whose views are in memory together: 10 MB each.
_GROUP = 16
#: Share of a group's time that cutting cubes and views takes; the networks take the rest.
_CUTTING = 0.1


class Engine(Protocol):
    """What scores views: :class:`ctinsight.inference.nodulewise.NoduleEngine`."""

    @property
    def networks(self) -> tuple[EmvNetwork, ...]:
        """The networks that are here."""

    def score(
        self,
        views: Mapping[ViewSet, NDArray[np.float32]],
        *,
        progress: Progress | None = None,
        span: tuple[float, float] = (0.0, 1.0),
    ) -> NetworkScores:
        """Score nodules with every network."""


@dataclass(frozen=True)
class EmvSettings:
    """How cubes are cut, and from which scores a question counts as answered "yes"."""

    cube: CubeRules = field(default_factory=CubeRules)
    cut_offs: CutOffs = DEFAULT_CUT_OFFS


@dataclass(frozen=True, eq=False)
class NoduleAnswer:
    """One nodule: its cube as the networks saw it, and the tree of answers."""

    cube: NoduleCube
    tree: Tree
    notes: tuple[str, ...] = ()


class NoduleScorer:
    """The engine with its settings, ready for one CT after another.

    Parameters
    ----------
    engine
        Holds all networks of the first question at least.

    Raises
    ------
    WeightsMissingError
        Networks of the first question are missing; they are named.
    """

    def __init__(self, engine: Engine, settings: EmvSettings | None = None) -> None:
        self.settings = settings or EmvSettings()
        self.tasks = complete_tasks(engine.networks)
        if not self.tasks:
            missing = [n.name for n in EMV_NETWORKS[:3] if n not in engine.networks]
            raise WeightsMissingError(
                found=f"no weights of {', '.join(missing)}",
                expected="the three networks of the first question",
                remedy="Ask the authors for the weights, then: ctinsight models import FILE --model NAME "
                "--accept-terms. Measures and published scores need no weights.",
            )
        self._engine = engine

    def answer(
        self,
        volume: Volume,
        centers_ras: Sequence[Point],
        *,
        progress: Progress | None = None,
        span: tuple[float, float] = (0.0, 1.0),
    ) -> tuple[NoduleAnswer, ...]:
        """Answer for every centre (RAS, mm), in their order.

        Raises
        ------
        InputRefusedError
            A centre lies outside the image, or its cube does where that is refused.
        ProcessingFailedError
            The networks could not finish.
        """
        progress = progress or Progress()
        start, end = span
        answers: list[NoduleAnswer] = []
        for first in range(0, len(centers_ras), _GROUP):
            group = centers_ras[first : first + _GROUP]
            low = start + (end - start) * first / len(centers_ras)
            high = start + (end - start) * (first + len(group)) / len(centers_ras)
            progress.report("cutting cubes around the nodules", low)
            cubes = [cut_cube(volume, center, self.settings.cube) for center in group]
            views = cut_all_views([cube.array for cube in cubes], self._view_sets())
            scores = self._engine.score(views, progress=progress, span=(low + _CUTTING * (high - low), high))
            answers += [self._answer_one(cube, scores, row) for row, cube in enumerate(cubes)]
        return tuple(answers)

    def click_sensitivity(
        self, volume: Volume, center_ras: Point, *, progress: Progress | None = None
    ) -> ClickSensitivity:
        """Move the centre by 1 to 3 mm and score again; 19 centres, so about twelve times one nodule."""
        return click_sensitivity(partial(self._trees, volume, progress), center_ras)

    def order_sensitivity(
        self, volume: Volume, answer: NoduleAnswer, *, progress: Progress | None = None
    ) -> tuple[OrderChange, ...]:
        """Score a nodule once more with its slices in the opposite order."""
        rules = replace(self.settings.cube, slice_order=self.settings.cube.slice_order.other)
        turned = NoduleScorer(self._engine, replace(self.settings, cube=rules))
        (other,) = turned.answer(volume, [answer.cube.center_ras], progress=progress)
        return compare_orders(answer.tree, other.tree)

    def _trees(
        self, volume: Volume, progress: Progress | None, centers_ras: Sequence[Point]
    ) -> tuple[Tree, ...]:
        return tuple(answer.tree for answer in self.answer(volume, centers_ras, progress=progress))

    def _view_sets(self) -> list[ViewSet]:
        return [network.views for network in self._engine.networks]

    def _answer_one(self, cube: NoduleCube, scores: NetworkScores, row: int) -> NoduleAnswer:
        wanted = [network for task in self.tasks for network in networks_of(task)]
        tree = grow_tree({n: scores.scores[n][row] for n in wanted}, self.settings.cut_offs)
        return NoduleAnswer(cube, tree, (*cube.notes, *scores.notes, *_left_out(self.tasks)))


def _left_out(tasks: tuple[EmvTask, ...]) -> tuple[str, ...]:
    later = {1: "whether invasive, and its grade, were", 2: "the grade was"}.get(len(tasks))
    return (f"{later} not asked: not all three networks are installed",) if later else ()
