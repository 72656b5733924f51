"""The choices for nodules: plain values there and back, and nonsense refused."""

from __future__ import annotations

import pytest

from ctinsight.checks import NODULE_LIMITS
from ctinsight.errors import WrongUseError
from ctinsight.tasks.nodule import Parameters
from ctinsight.terms import terms


def test_plain_values_there_and_back():
    """What ``as_dict`` gives makes the same parameters, as JSON lists too."""
    parameters = Parameters(points_ras=((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)), solid_threshold_hu=-250)
    assert Parameters.from_dict(parameters.as_dict()) == parameters


@pytest.mark.parametrize(
    "values",
    [
        {"point": [[1, 2, 3]]},
        {"points_ras": [[1, 2]]},
        {"points_ras": [[1, 2, float("nan")]]},
        {"solid_threshold_hu": 300},
        {"solid_band_hu": [-100, -300]},
        {"calcification_hu": 20},
    ],
)
def test_nonsense_is_refused(values):
    """Unknown names, points that are none, thresholds that cannot be."""
    with pytest.raises(WrongUseError):
        Parameters.from_dict(values)


def test_limits_are_those_of_the_table():
    """Warn above 1.5 mm, refuse above 3 mm, warn under 35 years."""
    limits = (NODULE_LIMITS.spacing_warn_mm, NODULE_LIMITS.spacing_refuse_mm, NODULE_LIMITS.adult_years)
    assert limits == (1.5, 3.0, 35.0)


def test_terms_are_a_nodule_in_the_lung():
    """Both segments are SNOMED CT 27925004 in 39607008, in different colours."""
    whole, solid = terms()["nodule"], terms()["nodule-solid"]
    assert (whole.type.value, whole.region.value) == ("27925004", "39607008")
    assert whole.color_rgb != solid.color_rgb
