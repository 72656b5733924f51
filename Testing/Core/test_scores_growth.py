"""Growth between two CTs: doubling times, the 1.5 mm rule, and protocols that must not be compared."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ctinsight.errors import NotApplicableError, WrongUseError
from ctinsight.finding import Outcome
from ctinsight.scores.growth import (
    Growth,
    ScanProtocol,
    compare_protocols,
    doubling_by_diameter,
    doubling_by_mass,
    doubling_by_volume,
    growth_by_diameter,
    nodule_mass_mg,
    refuse_different_protocols,
    sphere_diameter_mm,
    sphere_volume_mm3,
)

THIN = ScanProtocol(thickness_mm=1.0, kernel="B50f", contrast=False, method="threshold")


@pytest.mark.parametrize(
    ("mm", "mm3", "whole"),
    [
        (4, 33.5, 34),
        (6, 113.1, 113),
        (8, 268.1, 268),
        (10, 523.6, 524),
        (15, 1767.1, 1767),
        (30, 14137.2, 14137),
    ],
)
def test_spheres_have_the_volumes_lung_rads_writes(mm, mm3, whole):
    """Pi / 6 times the cube of the diameter, and back."""
    assert round(sphere_volume_mm3(mm), 1) == mm3
    assert round(sphere_volume_mm3(mm)) == whole
    assert sphere_diameter_mm(sphere_volume_mm3(mm)) == pytest.approx(mm)


@pytest.mark.parametrize(
    ("first", "second", "interval", "days"),
    [(6, 8, 90, 72.28), (8, 10, 180, 186.4), (10, 11, 365, 884.8), (5, 10, 100, 33.3)],
)
def test_the_doubling_time_gives_the_worked_numbers(first, second, interval, days):
    """The same from diameters and from the volumes of the spheres."""
    digits = 2 if days == 72.28 else 1
    by_diameter = doubling_by_diameter(first, second, interval)
    by_volume = doubling_by_volume(sphere_volume_mm3(first), sphere_volume_mm3(second), interval)
    assert round(by_diameter.days, digits) == days
    assert by_volume.days == pytest.approx(by_diameter.days)


def test_the_trap_of_doubling_a_diameter_gives_another_number():
    """Without the factor 3 the doubling time of 6 to 8 mm in 90 days would be 217 days, not 72."""
    trapped = math.log(2) * 90 / math.log(8 / 6)
    assert round(trapped) == 217
    assert round(doubling_by_diameter(6, 8, 90).days) == 72


def test_a_nodule_that_did_not_grow_has_no_doubling_time():
    """Unchanged and smaller nodules have none, in words and not as 0 or infinity."""
    assert doubling_by_volume(100, 100, 90).days is None
    assert "unchanged" in doubling_by_volume(100, 100, 90).statement
    shrunk = doubling_by_diameter(8, 6, 90)
    assert shrunk.days is None
    assert "smaller" in shrunk.statement


@pytest.mark.parametrize(
    ("first", "second", "interval", "word"),
    [(100, 200, 399, "suspicious"), (100, 200, 400, "indeterminate"), (100, 200, 600, "indeterminate"),
     (100, 200, 601, "likely benign")],
)  # fmt: skip
def test_the_bands_of_the_cited_calculator_are_quoted(first, second, interval, word):
    """A volume that doubles in 399, 400, 600 and 601 days."""
    assert word in doubling_by_volume(first, second, interval).statement


def test_a_change_within_the_spread_of_measurements_is_said():
    """+20 % is within 25 %, +30 % is not."""
    assert "25 %" in doubling_by_volume(100, 120, 365).statement
    assert "25 %" not in doubling_by_volume(100, 130, 365).statement


def test_mass_is_volume_times_density():
    """500 mm3 at -600 HU weigh 200 mg; 200 to 400 mg in a year is a doubling time of 365 days."""
    assert nodule_mass_mg(500, -600) == 200
    assert nodule_mass_mg(500, 0) == 500
    assert doubling_by_mass(200, 400, 365).days == pytest.approx(365)
    with pytest.raises(WrongUseError, match="-1000"):
        nodule_mass_mg(500, -1000)


@pytest.mark.parametrize(
    ("prior", "current", "days", "growth"),
    [
        (6.0, 7.5, 365, Growth.NOT_MET),
        (6.6, 8.1, 365, Growth.NOT_MET),
        (6.0, 7.6, 365, Growth.MET),
        (6.0, 7.6, 90, Growth.MET),
        (6.0, 7.6, 730, Growth.UNDECIDED),
        (6.0, 9.0, 730, Growth.UNDECIDED),
        (6.0, 9.1, 730, Growth.MET),
        (6.0, 7.5, 730, Growth.NOT_MET),
        (8.0, 6.0, 365, Growth.NOT_MET),
    ],
)
def test_growth_is_more_than_a_millimetre_and_a_half_in_twelve_months(prior, current, days, growth):
    """1.5 mm is no growth, 1.6 mm is; over two years 3.0 mm leaves it open and 3.1 mm does not."""
    assert growth_by_diameter(prior, current, days) is growth


def test_like_protocols_pass():
    """The same thickness, kernel, contrast and method: every check passes."""
    assert {check.outcome for check in refuse_different_protocols(THIN, THIN)} == {Outcome.PASS}


@pytest.mark.parametrize(
    "other", [{"thickness_mm": 5.0}, {"thickness_mm": 2.0}, {"contrast": True}, {"method": "by hand"}]
)
def test_protocols_that_differ_too_much_are_refused(other):
    """1 against 5 or 2 mm, contrast against none, and two ways of outlining: the refusal names what."""
    with pytest.raises(NotApplicableError):
        refuse_different_protocols(THIN, replace(THIN, **other))


def test_two_thick_scans_are_refused_although_they_are_alike():
    """5 mm twice: a small nodule's volume is not known well enough."""
    thick = replace(THIN, thickness_mm=5.0)
    with pytest.raises(NotApplicableError, match="5 mm and 5 mm"):
        refuse_different_protocols(thick, thick)


def test_another_kernel_or_nothing_known_warns():
    """What is not known is a warning and never a pass."""
    kernels = {c.key: c.outcome for c in compare_protocols(THIN, replace(THIN, kernel="B30f"))}
    assert kernels["protocol_kernel"] is Outcome.WARN
    assert kernels["protocol_thickness"] is Outcome.PASS
    unknown = refuse_different_protocols(THIN, ScanProtocol())
    assert {check.outcome for check in unknown} == {Outcome.WARN}


@pytest.mark.parametrize("wrong", [(0, 8, 90), (6, -8, 90), (6, 8, 0), (6, math.nan, 90)])
def test_sizes_and_intervals_must_be_positive(wrong):
    """A size of 0, a negative one, no interval, not a number."""
    with pytest.raises(WrongUseError):
        doubling_by_diameter(*wrong)
