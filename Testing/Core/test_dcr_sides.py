"""The operated side: the patient's own, in every storage, and never swapped."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from ctinsight.errors import WrongUseError
from ctinsight.finding import Outcome, Side
from ctinsight.tasks.dcr import Parameters, measure_segmentation
from ctinsight.tasks.dcr.anatomy import anatomy_of, operated_side, r_mm, sac_sides
from ctinsight.volume import Scan, Volume
from midfaces import USUAL, midface, scan_of

FLIPS = list(product((True, False), repeat=3))


def _one_sided(case, side: Side) -> np.ndarray:
    right = np.broadcast_to(r_mm(case.volume.grid) > 0, case.labels_kji.shape)
    return np.where(right if side is Side.RIGHT else ~right, case.labels_kji, 0)


@pytest.mark.parametrize("side", [Side.LEFT, Side.RIGHT])
@pytest.mark.parametrize("flip", FLIPS)
def test_side_of_the_sac_in_every_storage(flip, side):
    """Columns, rows and slices may run either way (RAS, LPS, others): the sac's side is the patient's."""
    case = midface()
    turn = tuple(slice(None, None, -1 if a != b else 1) for a, b in zip(flip[::-1], USUAL[::-1], strict=True))
    volume = _turned(case.volume, turn)
    assert sac_sides(anatomy_of(_one_sided(case, side)[turn], volume)) == (side,)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
@pytest.mark.parametrize("side", [Side.LEFT, Side.RIGHT])
def test_side_of_the_sac_in_permuted_storage(axes, side):
    """Sagittal and coronal stacks tell the same side."""
    case = midface()
    matrix = case.volume.ijk_to_ras[:, [*(2 - np.array(axes))[::-1], 3]]
    volume = Volume(np.transpose(case.volume.array_kji, axes), matrix)
    labels = np.transpose(_one_sided(case, side), axes)
    assert sac_sides(anatomy_of(labels, volume)) == (side,)


@pytest.mark.parametrize("side", [Side.LEFT, Side.RIGHT])
def test_side_of_the_sac_on_an_oblique_scan(side):
    """A grid that is turned about all three axes tells the same side."""
    case = midface((0.75, 0.75, 0.75), (10.0, -8.0, 12.0), (False, True, True))
    anatomy = anatomy_of(_one_sided(case, side), case.volume)
    assert sac_sides(anatomy) == (side,)
    assert abs(anatomy.midline_r_mm) < 1.0


def _turned(volume: Volume, turn: tuple[slice, ...]) -> Volume:
    matrix = volume.ijk_to_ras.copy()
    for column, (part, n) in enumerate(zip(turn[::-1], volume.grid.shape_kji[::-1], strict=True)):
        if part.step == -1:
            matrix[:3, 3] += matrix[:3, column] * (n - 1)
            matrix[:3, column] *= -1
    return Volume(volume.array_kji[turn], matrix)


def test_stated_side_is_never_swapped():
    """A sac on the left is refused for an operation on the right."""
    case = midface()
    with pytest.raises(WrongUseError, match="operated side right"):
        operated_side(anatomy_of(_one_sided(case, Side.LEFT), case.volume), Side.RIGHT)


def test_two_sacs_ask_for_the_side():
    """With both sides drawn nobody guesses."""
    case = midface()
    with pytest.raises(WrongUseError, match="sacs on both sides"):
        operated_side(anatomy_of(case.labels_kji, case.volume), None)


def test_side_is_only_stated_where_the_face_is_not_in_view():
    """In a cut-out about one sac the stated side stands, with a warning that nothing confirms it."""
    case = midface()
    part = (slice(None), slice(10, 60), slice(75, 125))
    matrix = case.volume.ijk_to_ras.copy()
    matrix[:3, 3] = case.volume.grid.ras_from_ijk((75, 10, 0))
    scan = Scan(Volume(case.volume.array_kji[part], matrix), scan_of(case).acquisition)
    result = measure_segmentation(scan, case.labels_kji[part], Parameters(side="left"))
    check = next(c for c in result.checks if c.key == "side")
    assert result.finding("operated_side").value == "left"
    halves = next(c for c in result.checks if c.key == "published_halves")
    assert check.outcome is Outcome.WARN
    assert halves.outcome is Outcome.WARN


def test_results_are_the_same_in_another_storage():
    """LPS, RAS and flipped slices give the same measurements, published and corrected."""
    case, whole = midface(), slice(None)
    turn = (slice(None, None, -1), whole, slice(None, None, -1))
    usual = measure_segmentation(scan_of(case), case.labels_kji, Parameters(side="left"))
    flipped = Scan(_turned(case.volume, turn), scan_of(case).acquisition)
    other = measure_segmentation(flipped, case.labels_kji[turn], Parameters(side="left"))
    for one, two in zip(usual.findings, other.findings, strict=True):
        same = pytest.approx(one.value, rel=0.02) if isinstance(one.value, float) else one.value
        assert two.value == same, one.key
