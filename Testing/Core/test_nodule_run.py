"""Nodules from clicks: volume, diameters, type, solid part, wall and vessels, edits, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.errors import GeometryError, InputRefusedError, WrongUseError
from ctinsight.finding import Outcome
from ctinsight.phantoms.chest import ChestSpec, chest_grid, chest_phantom, pleural_nodule
from ctinsight.phantoms.nodules import NoduleKind, nodule_of
from ctinsight.tasks.nodule import NoduleType, Parameters, measure_segmentation, run
from ctinsight.volume import Acquisition, Scan, Volume

MIDDLE = (96.0, 5.0, 22.0)
NODULES = (
    nodule_of(NoduleKind.SOLID, (78.0, -14.0, 22.0), 7.0, seed=1),
    nodule_of(NoduleKind.PART_SOLID, (84.0, 22.0, 30.0), 14.0, seed=2),
    nodule_of(NoduleKind.GROUND_GLASS, (104.0, 22.0, 8.0), 10.0, seed=3),
    pleural_nodule((1.0, 0.05, 0.35), 12.0, seed=4),
    nodule_of(NoduleKind.JUXTAVASCULAR, (104.0, -10.0, 8.0), 9.0, seed=5),
)


def click_of(nodule, off=(1.0, -1.0, 0.5)):
    """Click a little off the middle."""
    return tuple(float(c + d) for c, d in zip(nodule.centre_ras, off, strict=True))


@pytest.fixture(scope="module")
def chest():
    """Return a part of a right lung with five nodules."""
    grid = chest_grid((0.75, 0.75, 1.25), size_mm=(104, 80, 70), centre_ras=MIDDLE)
    return chest_phantom(ChestSpec(grid=grid, nodules=NODULES))


@pytest.fixture(scope="module")
def scan(chest):
    """Return its scan."""
    return Scan(chest.volume, Acquisition("phantom", modality="CT"))


@pytest.fixture(scope="module")
def parameters():
    """Return one click in each nodule."""
    return Parameters(points_ras=tuple(click_of(n) for n in NODULES))


@pytest.fixture(scope="module")
def result(scan, parameters):
    """Return the result for all five clicks."""
    return run(scan, parameters)


def value(result, number, key):
    """Return one finding of one nodule."""
    return result.finding(f"nodule_{number}_{key}").value


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_volume_is_within_five_percent(chest, result, number):
    """Solid, part-solid, ground-glass, juxtapleural and juxtavascular, 7 to 14 mm, noise SD 20 HU."""
    truth = chest.truths[number - 1].volume_mm3
    assert value(result, number, "volume_mm3") == pytest.approx(truth, rel=0.05)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_mean_diameter_is_within_half_a_millimetre(chest, result, number):
    """The greatest mean of the three planes, rounded to 0.1 mm."""
    found = value(result, number, "mean_diameter_mm")
    assert found == pytest.approx(chest.truths[number - 1].mean_diameter_mm, abs=0.5)
    assert found == round(found, 1)


def test_types_are_told_apart(result):
    """A blurred border is not ground glass, and ground glass with a core is part-solid."""
    types = [value(result, n, "type") for n in range(1, 6)]
    assert types == [NoduleType.SOLID, NoduleType.PART_SOLID, NoduleType.GROUND_GLASS, "solid", "solid"]


def test_the_solid_part_has_the_volume_of_the_core(chest, result):
    """A core of 14 mm / 2 holds 179.6 mm3; its band lies about it."""
    finding = result.finding("nodule_2_solid_volume_mm3")
    assert finding.value == pytest.approx(chest.truths[1].solid_mm3, rel=0.08)
    assert finding.interval.low <= finding.value <= finding.interval.high


def test_the_move_from_the_click_is_said(result):
    """A click 1.5 mm off the middle is moved by 1.5 mm."""
    assert value(result, 1, "recentred_mm") == pytest.approx(1.5, abs=0.3)


def test_lines_are_as_long_as_the_axes_and_perpendicular(result):
    """The drawn lines are the measured ones, in patient space."""
    lines = [line for line in result.lines if line.key.startswith("nodule_2_")]
    long, short = (np.subtract(line.end_ras, line.start_ras) for line in lines[:2])
    assert np.linalg.norm(long) == pytest.approx(value(result, 2, "long_axis_mm"))
    assert abs(long @ short) < 1e-6 * np.linalg.norm(long) * np.linalg.norm(short)
    middle = np.mean([lines[0].start_ras, lines[0].end_ras], axis=0)
    assert np.linalg.norm(middle - NODULES[1].centre_ras) < 2.0


def test_distance_to_the_pleura(result):
    """It is 0 for the juxtapleural nodule and some for a free one."""
    assert value(result, 4, "pleura_distance_mm") == 0.0
    assert value(result, 1, "pleura_distance_mm") > 10


def test_mass_is_volume_times_density(result):
    """A solid nodule of 35 HU weighs 1.035 mg per mm3 inside, less at its blurred border."""
    ratio = value(result, 1, "mass_mg") / value(result, 1, "volume_mm3")
    assert 0.8 < ratio < 1.05


def test_neither_calcium_nor_fat_where_there_is_none(result):
    """Partial volume with air passes through the density of fat and is not called fat."""
    assert value(result, 1, "calcification") == "no"
    assert value(result, 1, "fat") == "no"
    assert value(result, 3, "fat") is None


def test_segments_lie_where_the_truth_lies(chest, result):
    """Nodule 2 and its solid part together overlap the truth with a Dice of over 0.9."""
    found = np.isin(result.segmentation.labelmap_kji, (3, 4))
    truth = chest.truth_kji == 2
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.9


def test_measuring_the_unchanged_segments_gives_the_same_numbers(scan, parameters, result):
    """Nodules 1 and 2, not edited."""
    two = Parameters(points_ras=parameters.points_ras[:2])
    labels = np.where(result.segmentation.labelmap_kji <= 4, result.segmentation.labelmap_kji, 0)
    again = measure_segmentation(scan, labels, two)
    for key in ("nodule_1_volume_mm3", "nodule_2_volume_mm3", "nodule_2_solid_volume_mm3"):
        assert again.finding(key).value == result.finding(key).value
    assert again.manifest["edited"]


def test_a_removed_half_halves_the_volume(scan, parameters, result):
    """Erase all of nodule 1 above its middle: about half of the volume is left."""
    one = Parameters(points_ras=parameters.points_ras[:1])
    labels = (result.segmentation.labelmap_kji == 1).astype(np.uint8)
    ks = np.flatnonzero(labels.any(axis=(1, 2)))
    labels[int(np.mean(ks)) + 1 :] = 0
    share = value(measure_segmentation(scan, labels, one), 1, "volume_mm3") / value(result, 1, "volume_mm3")
    assert 0.3 < share < 0.7


def test_a_drawn_box_is_counted_as_it_is(scan):
    """6 x 8 x 8 voxels of 0.75 x 0.75 x 1.25 mm, drawn without any click, hold 270 mm3."""
    labels = np.zeros(scan.volume.grid.shape_kji, dtype=np.uint8)
    k, j, i = (round(v) for v in scan.volume.grid.ijk_from_ras(NODULES[0].centre_ras)[::-1])
    labels[k - 3 : k + 3, j - 4 : j + 4, i - 4 : i + 4] = 1
    assert value(measure_segmentation(scan, labels), 1, "volume_mm3") == pytest.approx(270, rel=0.03)


WRONG = {
    "normal lung": ((92.0, 4.0, 40.0), "normal lung"),
    "chest wall": ((140.0, 5.0, 22.0), "chest wall"),
}


@pytest.mark.parametrize(("point", "words"), WRONG.values(), ids=WRONG)
def test_a_click_beside_is_refused_with_what_lies_there(scan, point, words):
    """The message names the HU found and what to do."""
    with pytest.raises(WrongUseError, match=words) as caught:
        run(scan, Parameters(points_ras=(point,)))
    assert "HU" in caught.value.found
    assert caught.value.remedy


def test_a_point_outside_the_image_is_no_air(scan):
    """No HU is claimed where no voxel lies; the ranges of the image are named."""
    with pytest.raises(WrongUseError, match="outside the image") as caught:
        run(scan, Parameters(points_ras=((900.0, 5.0, 22.0),)))
    assert "HU" not in caught.value.found
    assert "R 44 to 148 mm" in caught.value.expected


def test_a_click_on_a_vessel_is_refused(scan):
    """The vessel that passes nodule 5, 14 mm beyond it."""
    rod = NODULES[4].attached[0]
    start, end = np.array(rod.start), np.array(rod.end)
    beside = tuple(float(v) for v in start + 0.25 * (end - start))
    with pytest.raises(WrongUseError, match=r"vessel|nearest is"):
        run(scan, Parameters(points_ras=(beside,)))


def test_one_bad_point_among_several_is_said_and_the_others_are_measured(scan):
    """Point 1 is normal lung, point 2 and 3 the same nodule."""
    points = (WRONG["normal lung"][0], NODULES[0].centre_ras, click_of(NODULES[0]))
    result = run(scan, Parameters(points_ras=points))
    said = {c.key: c for c in result.checks}
    assert said["point_1"].outcome is Outcome.WARN
    assert "nodule 2" in said["point_3"].measured
    assert result.finding("nodule_count").value == 1


def test_thick_slices_are_refused_unless_allowed(scan):
    """5 mm slices are above the limit of 3 mm."""
    matrix = scan.volume.ijk_to_ras.copy()
    matrix[:3, 2] *= 4
    thick = Scan(Volume(scan.volume.array_kji, matrix), Acquisition("phantom", modality="CT"))
    with pytest.raises(InputRefusedError, match=r"Distance of slices[\s\S]*--allow-thick-slices"):
        run(thick, Parameters(points_ras=(NODULES[0].centre_ras,)))


def test_no_point_and_no_drawing_are_wrong_use(scan):
    """Each says what to do."""
    empty = np.zeros(scan.volume.grid.shape_kji, dtype=np.uint8)
    with pytest.raises(WrongUseError, match="no point"):
        run(scan)
    with pytest.raises(WrongUseError, match="empty"):
        measure_segmentation(scan, empty)
    with pytest.raises(GeometryError):
        measure_segmentation(scan, empty[1:])
