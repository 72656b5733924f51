"""Nine networks on one CT as one piece of work: batches, gaps, sensitivity, tables."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ctinsight.errors import Cancelled, ProcessingFailedError, WeightsMissingError, WrongUseError
from ctinsight.finding import Outcome
from ctinsight.inference.nodulewise import NoduleEngine, NoduleOptions
from ctinsight.models.emv_weights import emv_architecture
from ctinsight.nets.emv_networks import EMV_NETWORKS, EmvTask, networks_of
from ctinsight.progress import Progress
from ctinsight.tasks.nodule.emv import EmvSettings, NoduleScorer
from ctinsight.tasks.nodule.emv_input import BorderRule, CubeRules, cut_all_views
from ctinsight.tasks.nodule.emv_wording import answer_table, check_cube, check_training_range, leaf_table
from ctinsight.volume import Volume

CENTERS = ((-36.0, -36.0, -40.0), (-40.0, -34.0, -38.0), (-34.0, -38.0, -42.0))


class Brightness(nn.Module):
    """Scores "yes" by the mean of the middle view's upper half: it knows up from down."""

    def __init__(self, network, slope=4.0):
        super().__init__()
        self.classes, self.slope, self.batches = network.classes, slope, []

    def forward(self, x):
        """Score (batch, 3, side, side, side)."""
        self.batches.append(len(x))
        half = x.shape[2] // 2
        value = self.slope * (x[:, 1, :half].mean(dim=(1, 2, 3)) + 0.2)
        return torch.softmax(torch.stack([torch.zeros_like(value)] * (self.classes - 1) + [value], 1), 1)


@pytest.fixture(scope="module")
def chest():
    """Return a CT of 0.8 x 0.8 x 1 mm with noise and one dense ball; slices run downwards."""
    rng = np.random.default_rng(5)
    k, j, i = np.ogrid[:80, :90, :90]
    ball = (k - 38) ** 2 + (0.8 * (j - 40)) ** 2 + (0.8 * (i - 40)) ** 2 < 8**2
    array = np.where(ball, 40.0, -850.0) + rng.normal(0, 15, ball.shape)
    return Volume(array.astype(np.float32), np.diag([-0.8, -0.8, -1.0, 1.0]))


def engine_of(networks=EMV_NETWORKS, **options):
    """Return an engine of readable networks."""
    return NoduleEngine({n: Brightness(n) for n in networks}, NoduleOptions(device="cpu", **options))


def some_views(count, networks=EMV_NETWORKS):
    """Return every view set of random cubes."""
    cubes = np.random.default_rng(1).random((count, 100, 100, 100), dtype=np.float32) - 0.25
    return cut_all_views(cubes, [network.views for network in networks])


def test_batches_do_not_change_scores():
    """Real (narrow) networks score three nodules alike, together or one by one."""
    small = [network for network in EMV_NETWORKS if network.views.side == 40]
    nets = {n: emv_architecture(n).build(2) for n in small[:3]}
    views = some_views(3, tuple(nets))
    together, alone = (
        NoduleEngine(nets, NoduleOptions("cpu", size)).score(views).scores for size in (None, 1)
    )
    for network in nets:
        np.testing.assert_allclose(together[network], alone[network], atol=1e-5)


def test_batches_fit_the_side():
    """Five nodules go in batches of four at sides 40 and 60, of two at side 80."""
    nets = {n: Brightness(n) for n in networks_of(EmvTask.GRADE)}
    NoduleEngine(nets, NoduleOptions("cpu")).score(some_views(5, tuple(nets)))
    assert {n.views.side: net.batches for n, net in nets.items()} == {60: [4, 1], 80: [2, 2, 1], 40: [4, 1]}


def test_too_little_memory_halves_the_batch():
    """A network that only bears one nodule at a time still finishes, and the result says so."""
    network = EMV_NETWORKS[1]

    class Small(Brightness):
        def forward(self, x):
            if len(x) > 1:
                raise MemoryError
            return super().forward(x)

    found = NoduleEngine({network: Small(network)}, NoduleOptions("cpu")).score(some_views(3, (network,)))
    assert found.scores[network].shape == (3, 2)
    assert found.notes[-1].endswith("batches of 1")


def test_broken_weights_are_not_passed_on():
    """Scores that are not finite stop the run with the network's name."""
    engine = NoduleEngine({n: Brightness(n, slope=float("nan")) for n in EMV_NETWORKS[:1]})
    with pytest.raises(ProcessingFailedError, match="task1-inception"):
        engine.score(some_views(1, EMV_NETWORKS[:1]))


def test_missing_views_are_named():
    """An engine of nine networks asks for the view set that was not cut."""
    with pytest.raises(WrongUseError, match=r"100, 80, 60"):
        engine_of().score(some_views(1, EMV_NETWORKS[:6]))


def test_several_nodules_are_one_request(chest):
    """Three centres give three trees in their order; each equals that of its own request."""
    scorer = NoduleScorer(engine_of())
    answers = scorer.answer(chest, CENTERS)
    alone = [scorer.answer(chest, [center])[0] for center in CENTERS]
    assert [a.tree.answers[0].scores for a in answers] == [a.tree.answers[0].scores for a in alone]
    assert len({a.tree.answers[0].scores for a in answers}) == 3


def test_progress_runs_to_its_end_and_can_stop(chest):
    """Fractions never fall, end at 1, and a listener's Cancelled leaves the run."""
    seen = []
    NoduleScorer(engine_of()).answer(chest, CENTERS, progress=Progress(lambda e: seen.append(e.fraction)))
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)

    def stop(_event):
        raise Cancelled(found="stop", expected="", remedy="")

    with pytest.raises(Cancelled):
        NoduleScorer(engine_of()).answer(chest, CENTERS, progress=Progress(stop))


def test_three_networks_answer_one_question(chest):
    """With the first question's networks alone the tree has one answer; the rest is said to be missing."""
    (answer,) = NoduleScorer(engine_of(EMV_NETWORKS[:3])).answer(chest, CENTERS[:1])
    assert [a.task for a in answer.tree.answers] == [EmvTask.MALIGNANT]
    assert [leaf.name for leaf in answer.tree.leaves] == ["benign", "malignant"]
    assert answer.notes == (
        "whether invasive, and its grade, were not asked: not all three networks are installed",
    )


def test_without_the_first_question_there_is_no_scorer():
    """The missing networks are named with the way to get them."""
    with pytest.raises(WeightsMissingError, match="task1-vgg"):
        NoduleScorer(engine_of((EMV_NETWORKS[0], *EMV_NETWORKS[2:])))


def test_upside_down_is_noticed(chest):
    """A network that knows up from down scores the other slice order differently, away from the centre."""
    scorer = NoduleScorer(engine_of())
    (answer,) = scorer.answer(chest, [(-36.0, -36.0, -34.0)])
    changes = scorer.order_sensitivity(chest, answer)
    assert abs(changes[0].score - changes[0].score_other_order) > 0.01


def test_click_range_holds_the_center(chest):
    """Nineteen centres are scored, and the range holds the score at the click."""
    found = NoduleScorer(engine_of(EMV_NETWORKS[:3])).click_sensitivity(chest, CENTERS[0])
    (malignant,) = found.ranges
    assert found.centers == 19
    assert malignant.low < malignant.at_center < malignant.high


def test_tables_list_every_question_and_end(chest):
    """Two nodules give five rows each (two questions, three grades) and five ends that sum to 1."""
    answers = NoduleScorer(engine_of()).answer(chest, CENTERS[:2])
    rows = answer_table(answers).rows
    assert [row[:3] for row in rows[:3]] == [
        (1, "malignant", ""),
        (1, "invasive", "if malignant"),
        (1, "grade 1", "if malignant and invasive"),
    ]
    assert len(rows) == 10
    assert sum(row[2] for row in leaf_table(answers).rows if row[0] == 2) == pytest.approx(1.0)


def test_a_cube_beyond_the_image_warns(chest):
    """A nodule at the border is answered with a warning, or refused when the settings say so."""
    (answer,) = NoduleScorer(engine_of()).answer(chest, [(-30.0, -32.0, -10.0)])
    assert check_cube(answer).outcome is Outcome.WARN
    strict = EmvSettings(CubeRules(border=BorderRule.REFUSE))
    with pytest.raises(Exception, match="leaves the image"):
        NoduleScorer(engine_of(), strict).answer(chest, [(-30.0, -32.0, -10.0)])


def test_scans_and_sizes_outside_training_warn(chest):
    """0.8 x 0.8 x 1 mm lies inside the authors' range; 3 mm slices and a 35 mm nodule do not."""
    assert {c.outcome for c in check_training_range(chest, 12.0)} == {Outcome.PASS}
    thick = Volume(chest.array_kji, np.diag([0.8, 0.8, 3.0, 1.0]))
    found = {c.key: c.outcome for c in check_training_range(thick, 35.0)}
    assert found["emv_slice_spacing"] is Outcome.WARN
    assert found["emv_diameter"] is Outcome.WARN
    assert found["emv_pixel_size"] is Outcome.PASS
