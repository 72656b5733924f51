"""The three weight-free methods on a ball of a brain in a skull, drawn here, with lesions of known volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import ndimage

from ctinsight.errors import ProcessingFailedError, WrongUseError
from ctinsight.measure import dice, volume_ml
from ctinsight.tasks.hematoma import CleanUpRules, HoleRule, Method, Parameters
from ctinsight.tasks.hematoma.blood_classes import blood_class
from ctinsight.tasks.hematoma.cleanup import fill_holes
from ctinsight.tasks.hematoma.intensity import brain_tissue, cut_to_brain
from ctinsight.tasks.hematoma.outline import outline_blood
from ctinsight.volume import Volume

BRAIN_RADIUS_MM, SKULL_RADIUS_MM, SIZE_MM = 48.0, 54.0, 112.0
BALL_RADIUS_MM = 13.0
BALL_ML = 4 / 3 * np.pi * BALL_RADIUS_MM**3 / 1000

TURNED = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]) @ np.array(
    [[1.0, 0.0, 0.0], [0.0, 0.96, -0.28], [0.0, 0.28, 0.96]]
)


@dataclass(frozen=True, eq=False)
class BallHead:
    """A ball of white (30 HU) and grey (37 HU) matter in a skull of 1000 HU; the origin is its center."""

    volume: Volume
    brain_kji: np.ndarray
    points_ras: np.ndarray

    def ball(self, center_ras, radius_mm) -> np.ndarray:
        """Share of each voxel in a ball, blurred by 0.6 mm."""
        thick = self.volume.grid.spacing_ijk_mm[2]
        up = self.volume.grid.directions[:, 2]
        steps = (np.arange(7) - 3) / 7 * thick
        parts = [np.linalg.norm(self.points_ras + s * up - center_ras, axis=-1) < radius_mm for s in steps]
        return self.blurred(np.mean(parts, axis=0))

    def blurred(self, share: np.ndarray) -> np.ndarray:
        """Blur in the scanner's way, 0.6 mm."""
        sigma = [0.6 / s for s in self.volume.grid.spacing_kji_mm]
        return ndimage.gaussian_filter(share.astype(np.float32), sigma)

    def with_hu(self, share: np.ndarray, hu: float) -> BallHead:
        """Paint something of an attenuation over the head."""
        array = self.volume.array_kji * (1 - share) + hu * share
        return BallHead(self.volume.with_array(array), self.brain_kji, self.points_ras)

    def outline(self, method="threshold", **options) -> np.ndarray:
        """Run one method."""
        return outline_blood(self.volume, self.brain_kji, Parameters(method=method, **options)).mask_kji

    def found_ml(self, method="threshold", **options) -> float:
        """Run one method and count."""
        return volume_ml(self.outline(method, **options), self.volume.grid)


def a_ball_head(spacing_ijk_mm=(1.0, 1.0, 1.0), rotation=None, noise_hu=4.0) -> BallHead:
    """Draw the head on a grid, straight or turned."""
    shape = [round(SIZE_MM / s) for s in spacing_ijk_mm]
    matrix = np.eye(4)
    matrix[:3, :3] = (np.eye(3) if rotation is None else rotation) @ np.diag(spacing_ijk_mm)
    matrix[:3, 3] = -matrix[:3, :3] @ ((np.array(shape) - 1) / 2)
    k, j, i = np.indices(shape[::-1])
    points = np.stack([i, j, k], axis=-1) @ matrix[:3, :3].T + matrix[:3, 3]
    distance = np.linalg.norm(points, axis=-1)
    brain = distance < BRAIN_RADIUS_MM
    array = np.where(brain, np.where(points[..., 0] < 0, 30.0, 37.0), -1000.0)
    array = np.where(~brain & (distance < SKULL_RADIUS_MM), 1000.0, array)
    array += np.random.default_rng(0).normal(0, noise_hu, array.shape)
    return BallHead(Volume(array.astype(np.float32), matrix), brain, points)


@pytest.fixture(scope="module")
def a_head() -> BallHead:
    """Return a head without blood, 1.3 mm."""
    return a_ball_head((1.3, 1.3, 1.3))


@pytest.fixture(scope="module")
def a_bleed(a_head) -> BallHead:
    """Return the head with a ball of blood of 9.2 mL and 65 HU on the right."""
    return a_head.with_hu(a_head.ball((15.0, 0.0, 0.0), BALL_RADIUS_MM), 65.0)


@pytest.mark.parametrize(
    ("spacing", "rotation"),
    [((0.45, 0.45, 5.0), None), ((1.0, 1.0, 1.0), None), ((0.9, 0.9, 2.5), TURNED)],
    ids=["0.45x0.45x5", "1 mm", "oblique"],
)
def test_the_threshold_finds_a_ball_within_2_percent(spacing, rotation):
    """A ball of 9.2 mL has its volume by formula within 2 % on thick, isotropic and oblique grids."""
    head = a_ball_head(spacing, rotation)
    bleed = head.with_hu(head.ball((15.0, 0.0, 2.0), BALL_RADIUS_MM), 65.0)
    assert bleed.found_ml() == pytest.approx(BALL_ML, rel=0.02)


@pytest.mark.parametrize("method", ["threshold", "fcm", "active-contour"])
def test_every_method_overlaps_the_ball(a_bleed, method):
    """Dice with the true ball is at least 0.95 and the volume is within 6 %."""
    truth = np.linalg.norm(a_bleed.points_ras - (15.0, 0.0, 0.0), axis=-1) < BALL_RADIUS_MM
    mask = a_bleed.outline(method)
    assert dice(mask, truth) > 0.95
    assert volume_ml(mask, a_bleed.volume.grid) == pytest.approx(BALL_ML, rel=0.06)


@pytest.mark.parametrize("method", ["threshold", "fcm", "active-contour"])
def test_a_click_measures_the_clicked_bleed_alone(a_bleed, method):
    """With a second bleed far away, a click in the first gives the first."""
    two = a_bleed.with_hu(a_bleed.ball((-20.0, 0.0, 0.0), 8.0), 65.0)
    assert two.found_ml(method, point_ras=(15.0, 2.0, 0.0)) == pytest.approx(BALL_ML, rel=0.06)


def test_pale_blood_is_measured_as_well_as_bright_blood(a_head):
    """The range adapts: a ball of 52 HU has the same volume as one of 75 HU within 5 %."""
    share = a_head.ball((15.0, 0.0, 0.0), BALL_RADIUS_MM)
    assert a_head.with_hu(share, 54.0).found_ml() == pytest.approx(BALL_ML, rel=0.05)
    assert a_head.with_hu(share, 75.0).found_ml() == pytest.approx(BALL_ML, rel=0.05)


@pytest.mark.parametrize("method", ["threshold", "fcm", "active-contour"])
def test_a_head_without_blood_has_0_ml(a_head, method):
    """Nothing bright, nothing found."""
    assert a_head.found_ml(method) == 0.0


def test_fuzzy_classes_of_a_head_without_blood_hold_no_blood_class(a_head, a_bleed):
    """The rule says no without blood, and names a class of about 62 HU with it."""
    assert not blood_class(cut_to_brain(a_head.volume, a_head.brain_kji)).found
    found = blood_class(cut_to_brain(a_bleed.volume, a_bleed.brain_kji))
    assert found.found
    assert found.centers_hu[-1] == pytest.approx(62.0, abs=4.0)


def _falx(head: BallHead) -> np.ndarray:
    return head.blurred(np.abs(head.points_ras[..., 0]) < 1.5) * head.brain_kji


def _sinus(head: BallHead) -> np.ndarray:
    r, a, _s = np.moveaxis(head.points_ras, -1, 0)
    depth = BRAIN_RADIUS_MM - np.linalg.norm(head.points_ras, axis=-1)
    return head.blurred((np.abs(r) < 5.0) & (depth < 8.0) & (a < 20.0)) * head.brain_kji


def _plexus(head: BallHead) -> np.ndarray:
    return head.ball((14.0, -10.0, 0.0), 6.0)


def _streak(head: BallHead) -> np.ndarray:
    _r, a, s = np.moveaxis(head.points_ras, -1, 0)
    return head.blurred((np.abs(a + s / 2) < 1.2) & (np.abs(s) < 10.0)) * head.brain_kji


@pytest.mark.parametrize("method", ["threshold", "fcm", "active-contour"])
@pytest.mark.parametrize(
    ("part", "hu"),
    [(_falx, 60.0), (_sinus, 62.0), (_plexus, 180.0), (_streak, 60.0)],
    ids=["falx", "sinus", "calcified plexus", "streak"],
)
def test_bright_parts_that_are_no_blood_are_left_out(a_head, method, part, hu):
    """A sheet of 3 mm, a band along the skull, a calcification and a streak are no hematoma."""
    assert a_head.with_hu(part(a_head), hu).found_ml(method) == 0.0


def test_a_crescent_along_the_skull_is_found(a_head):
    """Extra-axial blood 10 mm thick and 70 mm wide is blood, though it lies along the skull."""
    inner = np.linalg.norm(a_head.points_ras - (-10.0, 0.0, 0.0), axis=-1) > BRAIN_RADIUS_MM
    share = a_head.blurred(inner) * a_head.brain_kji
    truth_ml = float(share.sum()) * a_head.volume.grid.voxel_volume_ml
    assert truth_ml > 30
    assert a_head.with_hu(share, 62.0).found_ml() == pytest.approx(truth_ml, rel=0.15)


def test_each_refused_region_names_its_rule(a_head):
    """The calcified plexus is listed with its attenuation and the word calcification."""
    plexus = a_head.with_hu(_plexus(a_head), 180.0)
    refused = outline_blood(plexus.volume, plexus.brain_kji, Parameters()).refused
    assert any("calcification" in region.refused for region in refused)


def test_a_smaller_bleed_than_the_rule_is_dropped_and_a_click_still_measures_it(a_head):
    """A ball of 0.27 mL is below 0.4 mL; a lower limit or a click gives it."""
    small = a_head.with_hu(a_head.ball((15.0, 0.0, 0.0), 4.0), 75.0)
    low = CleanUpRules(min_component_ml=0.1, min_inner_radius_mm=1.0)
    assert small.found_ml() == 0.0
    assert small.found_ml(clean_up=low) == pytest.approx(0.27, abs=0.06)
    assert small.found_ml(point_ras=(15.0, 0.0, 0.0)) == pytest.approx(0.27, abs=0.06)


@pytest.mark.parametrize(
    ("point", "found"),
    [
        ((500.0, 0.0, 0.0), "outside the box of the brain"),
        ((51.0, 0.0, 0.0), "outside the brain"),
        ((-20.0, 0.0, 0.0), "3[01] HU around the point"),
    ],
    ids=["outside the image", "in the skull", "in white matter"],
)
@pytest.mark.parametrize("method", ["threshold", "active-contour"])
def test_a_click_on_anything_but_blood_is_refused(a_bleed, method, point, found):
    """The error names what was met there and what was expected."""
    with pytest.raises(WrongUseError, match=found):
        a_bleed.outline(method, point_ras=point)


def test_a_click_beside_the_blood_class_is_refused(a_bleed):
    """Fuzzy c-means cannot grow from a voxel that is not in the class of blood."""
    with pytest.raises(WrongUseError, match="not in the class of blood"):
        a_bleed.outline("fcm", point_ras=(-20.0, 0.0, 0.0))


def test_a_fixed_range_is_taken_as_it_is(a_bleed):
    """From 50 HU up the ball is found; from 80 HU up there is nothing."""
    assert a_bleed.found_ml(range_hu=(50.0, 95.0)) == pytest.approx(BALL_ML, rel=0.05)
    assert a_bleed.found_ml(range_hu=(80.0, 95.0)) == 0.0


def test_holes_are_filled_or_kept_as_told():
    """A hollow cube of 5 voxels a side has 125 voxels filled and 98 kept."""
    cube = np.zeros((7, 7, 7), dtype=bool)
    cube[1:6, 1:6, 1:6] = True
    cube[2:5, 2:5, 2:5] = False
    assert fill_holes(cube, HoleRule.FILL).sum() == 125
    assert fill_holes(cube, HoleRule.KEEP).sum() == 98


def test_values_that_are_no_brain_are_refused():
    """Values around 500 have no brain tissue among them: not Hounsfield units."""
    values = np.random.default_rng(0).normal(500, 20, 5000).astype(np.float32)
    with pytest.raises(ProcessingFailedError, match="have the HU of brain"):
        brain_tissue(values)


def test_an_empty_brain_mask_is_refused(a_head):
    """Without a brain there is nothing to look in."""
    with pytest.raises(ProcessingFailedError, match="without a voxel"):
        cut_to_brain(a_head.volume, np.zeros_like(a_head.brain_kji))


def test_every_method_has_a_name():
    """The manifest names each method in words."""
    from ctinsight.tasks.hematoma.statements import METHOD_NAMES

    assert set(METHOD_NAMES) == set(Method)
