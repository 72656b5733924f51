"""Published calculators against numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.errors import WrongUseError
from ctinsight.measure import volume_ml
from ctinsight.scores.abc2 import (
    SliceRule,
    abc2_ml,
    abc3_ml,
    c_cm,
    measure_abc,
    slice_weights,
    two_thirds_sh_ml,
)
from ctinsight.scores.ich_score import MORTALITY_30_DAYS_PERCENT, IchItems, ich_score
from ctinsight.scores.ivh_score import IvhItems, ivh_score, ivh_volume_ml
from makers.shapes import a_grid, an_ellipsoid, turned


def test_abc2_with_slices_counted_by_their_share():
    """A 5, B 4, slices of 0.5 cm with 100, 80, 60, 30, 20 %: weights sum to 3, C 1.5 cm, 15.0 mL."""
    weights = slice_weights([100, 80, 60, 30, 20], SliceRule.WEIGHTED)
    assert weights.tolist() == [1, 1, 0.5, 0.5, 0]
    assert c_cm(weights, 5.0) == 1.5
    assert abc2_ml(5, 4, c_cm(weights, 5.0)) == 15.0


@pytest.mark.parametrize(("a", "b", "c", "ml"), [(5, 5, 3, 37.5), (5, 2.5, 3, 18.75), (5, 4, 2.5, 25.0)])
def test_abc2_is_half_the_product(a, b, c, ml):
    """5 x 5 x 3 cm is 37.5 mL; a product of 37.5 cm3 is 18.75 mL."""
    assert abc2_ml(a, b, c) == ml


def test_abc3_and_two_thirds_sh():
    """ABC/3 of 5, 4, 1.5 cm is 10 mL; 2/3 of 12 cm2 x 3 cm is 24 mL."""
    assert abc3_ml(5, 4, 1.5) == 10.0
    assert two_thirds_sh_ml(12, 3) == 24.0


def test_every_slice_with_blood_counts_one_in_the_simple_rule():
    """Areas 0, 1, 50, 100, 0 count 0, 1, 1, 1, 0."""
    assert slice_weights([0, 1, 50, 100, 0], SliceRule.SIMPLE).tolist() == [0, 1, 1, 1, 0]


def test_ties_of_the_weighted_rule_count_half():
    """Exactly 75 % and exactly 25 % count 0.5, also when the areas are 0.1 + 0.2 of 0.4 cm2."""
    assert slice_weights([4, 3, 1]).tolist() == [1, 0.5, 0.5]
    assert slice_weights([0.4, 0.1 + 0.2, 0.1]).tolist() == [1, 0.5, 0.5]
    assert slice_weights([100, 75.1, 24.9]).tolist() == [1, 1, 0]


def test_no_blood_has_no_weight_and_no_volume():
    """Slices without blood count nothing, and C is 0."""
    assert c_cm(slice_weights([0, 0, 0]), 5.0) == 0.0
    assert c_cm(slice_weights([]), 5.0) == 0.0


def test_a_negative_length_is_refused():
    """A length below zero is a mistake, not a small bleed."""
    with pytest.raises(WrongUseError, match="-4"):
        abc2_ml(5, -4, 1.5)


@pytest.mark.parametrize("ras_axes", [((2, 1), (1, 1), (0, 1)), ((0, -1), (2, -1), (1, 1))])
def test_abc_read_off_an_ellipsoid(ras_axes):
    """A 50, B 40 mm within a pixel and 6 slices of 5 mm on an oblique grid: ABC/2 about 30 mL."""
    grid = a_grid((10, 130, 130), (0.5, 0.5, 5.0), angles_degrees=(18.5, 0, 0), centre_ras=(20, 10, 60))
    mask = an_ellipsoid(grid, (20, 25, 14.9), centre_ras=(20, 10, 60), angles_degrees=(18.5, 0, 0))
    found = measure_abc(*turned(mask, grid, ras_axes), SliceRule.SIMPLE)
    assert (found.a_cm, found.b_cm, found.c_cm) == pytest.approx((5, 4, 3), abs=0.07)
    assert found.abc2_ml == pytest.approx(30, rel=0.03)
    assert found.two_thirds_sh_ml == pytest.approx(2 / 3 * found.largest_area_cm2 * 3.0)
    assert found.abc2_ml == pytest.approx(volume_ml(mask, grid) * 3 / np.pi, rel=0.05)


def test_c_is_drawn_upright_through_the_middle_of_the_blood():
    """C runs up along the slice normal, centred on a bleed at R 20, A 10, S 60."""
    grid = a_grid((10, 130, 130), (0.5, 0.5, 5.0), angles_degrees=(18.5, 0, 0), centre_ras=(20, 10, 60))
    mask = an_ellipsoid(grid, (20, 25, 14.9), centre_ras=(20, 10, 60), angles_degrees=(18.5, 0, 0))
    simple, weighted = (measure_abc(mask, grid, rule) for rule in SliceRule)
    ends = np.array([simple.c.start_ras, simple.c.end_ras])
    assert np.diff(ends, axis=0)[0] == pytest.approx(30 * grid.directions[:, 2])
    assert ends.mean(axis=0) == pytest.approx((20, 10, 60), abs=1.0)
    assert sum(weighted.weights) * 5.0 == pytest.approx(weighted.c.length_mm)
    assert weighted.c.length_mm < simple.c.length_mm


@pytest.mark.parametrize(
    ("items", "points"),
    [
        (IchItems(14, 20, False, False, 60), 0),
        (IchItems(10, 30, True, False, 80), 4),
        (IchItems(3, 29.9, False, True, 79), 3),
        (IchItems(3, 40, True, True, 85), 6),
    ],
)
def test_ich_score(items, points):
    """The four worked cases give 0, 4, 3 and 6 points."""
    assert ich_score(items).total == points


@pytest.mark.parametrize(("gcs", "points"), [(3, 2), (4, 2), (5, 1), (12, 1), (13, 0), (15, 0)])
def test_the_coma_scale_gives_its_points_at_the_published_borders(gcs, points):
    """3-4 give 2 points, 5-12 give 1, 13-15 none."""
    assert ich_score(IchItems(gcs, 0, False, False, 50)).gcs_points == points


def test_the_published_mortality_by_score():
    """0, 13, 26, 72, 97, 100 and (estimated) 100 %."""
    assert list(MORTALITY_30_DAYS_PERCENT.values()) == [0, 13, 26, 72, 97, 100, 100]
    assert ich_score(IchItems(10, 30, True, False, 80)).mortality_30_days_percent == 97


@pytest.mark.parametrize("wrong", [{"gcs": 2}, {"gcs": 16}, {"volume_ml": -1}, {"age_years": 200}])
def test_ich_items_outside_their_range_are_refused(wrong):
    """A coma scale of 2 or 16, a negative volume or an age of 200 are typing errors."""
    right = {"gcs": 15, "volume_ml": 10, "intraventricular": False, "infratentorial": False, "age_years": 60}
    with pytest.raises(WrongUseError):
        IchItems(**(right | wrong))


@pytest.mark.parametrize(
    ("score", "ml"), [(5, 2.72), (10, 7.39), (15, 20.09), (17, 29.96), (20, 54.60), (23, 99.48), (0, 0.0)]
)
def test_ivh_volume_by_score(score, ml):
    """e^(score / 5), and nothing for a score of 0."""
    assert round(ivh_volume_ml(score), 2) == ml


def test_ivh_score_weighs_lateral_ventricles_and_hydrocephalus_by_three():
    """Right 2, left 1, third 1, fourth 0, hydrocephalus 1: 9 + 1 + 0 + 3 = 13; the most is 23."""
    assert ivh_score(IvhItems(2, 1, 1, 0, 1)) == 13
    assert ivh_score(IvhItems(3, 3, 1, 1, 1)) == 23
    with pytest.raises(WrongUseError, match="third"):
        IvhItems(0, 0, 2, 0, 0)
