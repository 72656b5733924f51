"""Volumes of drawn bleeds: formula, integration, and voxels counted."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.errors import WrongUseError
from ctinsight.finding import Side
from ctinsight.phantoms import Ellipsoid, Lobulated, crescent, epidural, standard_phantoms
from ctinsight.phantoms.cranium import Cranium
from ctinsight.phantoms.lesions import integrated_volume_ml
from ctinsight.phantoms.shapes import Points


def test_an_ellipsoid_has_four_thirds_pi_abc():
    """Half-axes 10, 20 and 30 mm make 8000 pi mm3 = 25.1327 mL."""
    assert Ellipsoid((0, 0, 0), (10, 20, 30)).volume_ml == pytest.approx(25.13274, abs=1e-5)


def test_a_turned_ellipsoid_keeps_its_volume():
    """Integration over a turned ellipsoid gives the formula within 0.1 %."""
    turned = Ellipsoid((5, -3, 2), (8, 14, 20), rotation_degrees=(30, 20, 50))
    assert integrated_volume_ml(turned) == pytest.approx(turned.volume_ml, rel=1e-3)


def test_two_spheres_make_the_volume_of_the_lens_formula():
    """Spheres of 10 mm, 10 mm apart: 2 * 4/3 pi r3 minus the lens 5/12 pi r3 = 7.0686 mL."""
    pair = Lobulated(((0, 0, 0), (10, 0, 0)), (10, 10))
    expected = (8 / 3 - 5 / 12) * np.pi * 1000 / 1000
    assert pair.volume_ml == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("volume_ml", [2.0, 30.0, 80.0])
def test_a_lobulated_bleed_has_the_volume_asked_for(volume_ml):
    """Scaling by the cube root hits the target within 0.1 %, as a finer lattice confirms."""
    bleed = Lobulated.of_volume((-30, 0, 10), volume_ml, seed=3)
    assert integrated_volume_ml(bleed, points=9_000_000) == pytest.approx(volume_ml, rel=1e-3)


@pytest.mark.parametrize("make", [crescent, epidural])
def test_blood_under_the_skull_is_integrated_to_a_thousandth(make):
    """Three million and nine million points agree within 0.1 %."""
    bleed = make(Side.LEFT, 12)
    assert integrated_volume_ml(bleed, points=9_000_000) == pytest.approx(bleed.volume_ml, rel=1e-3)


def test_blood_under_the_skull_grows_with_the_head():
    """A head 10 % larger in every direction holds 1.1 cubed = 1.331 times the crescent."""
    large = crescent(Side.LEFT, 10, cranium=Cranium((1.1, 1.1, 1.1)))
    assert large.volume_ml / crescent(Side.LEFT, 10).volume_ml == pytest.approx(1.331, rel=2e-3)


@pytest.mark.parametrize("make", [crescent, epidural])
@pytest.mark.parametrize(("side", "sign"), [(Side.LEFT, -1), (Side.RIGHT, 1)])
def test_the_side_is_the_patients(make, side, sign):
    """Left is negative R."""
    (low, *_), (high, *_) = make(side, 10).bounds
    assert sign * (low + high) > 0


def test_both_sides_hold_the_same_volume():
    """The skull is symmetric: left and right crescent differ by less than 0.1 %."""
    left, right = crescent(Side.LEFT, 9), crescent(Side.RIGHT, 9)
    assert left.volume_ml == pytest.approx(right.volume_ml, rel=1e-3)


def test_an_epidural_bleed_is_as_thick_as_asked():
    """Along the ray from the vault's centre at azimuth 15, elevation 18 degrees: 20 mm within 1 mm."""
    bleed = epidural(Side.RIGHT, 20)
    along = np.arange(0, 120, 0.1)
    ray = np.outer(along, bleed.axes()[0] * (69, 86, 71) / 71) + np.array([0, -15, 6])
    ray[:, 0] *= 1 - 0.10 * (ray[:, 1] + 15) / 86
    inside = bleed.level(Points(*ray.T)) < 0
    assert np.linalg.norm(np.ptp(ray[inside], axis=0)) == pytest.approx(20, abs=1)


def test_blood_of_200_hu_is_refused():
    """No clot is as dense as bone."""
    with pytest.raises(WrongUseError, match="200 HU"):
        Ellipsoid((0, 0, 0), (5, 5, 5), mean_hu=200)


def test_the_standard_set_has_twenty_phantoms_from_1_to_80_ml():
    """Four shapes, both sides, and volumes from 1 to 80 mL, without drawing any of them."""
    lesions = [phantom.spec.lesions[0] for phantom in standard_phantoms()]
    volumes = [lesion.volume_ml for lesion in lesions]
    assert len(lesions) == 20
    assert {lesion.name for lesion in lesions} == {"ellipsoid", "lobulated", "crescent", "epidural"}
    assert (min(volumes), max(volumes)) == (pytest.approx(1.0), pytest.approx(80.0, rel=1e-3))
