"""Calcium, fat and threads of nodules that are known to hold them."""

from __future__ import annotations

import pytest

from ctinsight.phantoms.chest import ChestSpec, chest_grid, chest_phantom
from ctinsight.phantoms.nodules import NoduleKind, nodule_of
from ctinsight.tasks.nodule import Parameters, run
from ctinsight.volume import Acquisition, Scan

NODULES = (
    nodule_of(NoduleKind.CALCIFIED, (80.0, -14.0, 22.0), 12.0, seed=1),
    nodule_of(NoduleKind.FAT, (80.0, 16.0, 22.0), 16.0, seed=2),
    nodule_of(NoduleKind.SPICULATED, (106.0, 0.0, 22.0), 12.0, seed=3),
)


@pytest.fixture(scope="module")
def result():
    """Return the result of three clicks."""
    grid = chest_grid((0.8, 0.8, 1.0), size_mm=(84, 84, 60), centre_ras=(92.0, 0.0, 22.0))
    volume = chest_phantom(ChestSpec(grid=grid, nodules=NODULES)).volume
    points = tuple(nodule.centre_ras for nodule in NODULES)
    return run(Scan(volume, Acquisition("phantom", modality="CT")), Parameters(points_ras=points))


def value(result, number, key):
    """Return one finding of one nodule."""
    return result.finding(f"nodule_{number}_{key}").value


def test_calcium_is_said_of_the_nodule_that_holds_it(result):
    """A core of 6 mm at 450 HU is calcium, one of fat is not."""
    assert [value(result, n, "calcification") for n in (1, 2, 3)] == ["yes", "no", "no"]


def test_fat_is_said_of_the_nodule_that_holds_it(result):
    """A core of 8 mm at -80 HU is fat; blurred borders that pass through that density are not."""
    assert [value(result, n, "fat") for n in (1, 2, 3)] == ["no", "yes", "no"]


def test_threads_are_counted_where_they_are(result):
    """Of 18 drawn threads many cross the shell; a smooth nodule has next to none."""
    assert value(result, 3, "thread_count") >= 6
    assert value(result, 1, "thread_count") <= 2
    assert value(result, 3, "thread_share_percent") > value(result, 1, "thread_share_percent")


def test_a_core_of_other_density_does_not_move_the_border(result):
    """Volume of the calcified and the fatty nodule within 5 %."""
    for number, nodule in enumerate(NODULES[:2], start=1):
        assert value(result, number, "volume_mm3") == pytest.approx(nodule.whole_volume_mm3, rel=0.05)


def test_a_calcified_core_is_no_part_solid_nodule(result):
    """Both are solid up to their border."""
    assert [value(result, n, "type") for n in (1, 2)] == ["solid", "solid"]
