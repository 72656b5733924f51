"""Fuzzy c-means: the same as clustering every voxel, and right where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctinsight.tasks.hematoma.fuzzy_cmeans import fuzzy_c_means, membership


def test_two_far_clusters_have_their_centers_at_their_values():
    """Ten voxels at 30 HU and one at 70 HU: the centers are 30 and 70, whatever the sizes."""
    found = fuzzy_c_means(np.array([30.0, 70.0]), np.array([10.0, 1.0]), (20.0, 60.0))
    assert found.centers_hu == pytest.approx((30.0, 70.0), abs=0.01)


def test_a_histogram_gives_the_same_as_every_voxel_by_itself():
    """Counting a value five times is the same as five voxels of that value."""
    rng = np.random.default_rng(0)
    values, counts = np.arange(20.0, 81.0), rng.integers(1, 50, 61).astype(float)
    each = np.repeat(values, counts.astype(int))
    binned = fuzzy_c_means(values, counts, (25.0, 70.0))
    single = fuzzy_c_means(each, np.ones(each.size), (25.0, 70.0))
    assert binned.centers_hu == pytest.approx(single.centers_hu, abs=1e-6)


def test_centers_are_the_weighted_means_that_bezdek_asks_for():
    """At the end each center is the mean of the values, weighted by membership squared."""
    values, counts = np.arange(0.0, 100.0), np.exp(-(((np.arange(100) - 30) / 9.0) ** 2)) + 0.02
    found = fuzzy_c_means(values, counts, (5.0, 33.0, 65.0), tolerance_hu=1e-8)
    weight = counts * membership(values, np.array(found.centers_hu)) ** 2
    assert (weight @ values / weight.sum(axis=1)) == pytest.approx(found.centers_hu, abs=1e-5)


@given(st.lists(st.floats(-50, 150), min_size=2, max_size=5, unique=True), st.floats(-100, 200))
def test_memberships_add_up_to_one(centers, value):
    """Whatever the centers and the value, the memberships of a voxel are shares of one."""
    shares = membership(np.array([value]), np.array(centers))
    assert shares.sum() == pytest.approx(1.0)
    assert shares.min() >= 0.0


def test_the_border_of_two_classes_lies_in_their_middle():
    """With m = 2 a value half-way between two centers belongs half to each."""
    assert membership(np.array([50.0]), np.array([30.0, 70.0])).ravel() == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("counts", [[0.0, 0.0], [-1.0, 2.0], [1.0]])
def test_an_impossible_histogram_is_refused(counts):
    """Nothing counted, a negative count or another length is a mistake of the caller."""
    with pytest.raises(ValueError, match="counts"):
        fuzzy_c_means(np.array([1.0, 2.0]), np.array(counts), (1.0, 2.0))
