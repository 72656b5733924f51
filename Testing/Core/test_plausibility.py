"""What no bleed has is said in the checks, and only parameters that were read stand in the manifest."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.tasks.hematoma import Known, Parameters, measure_segmentation
from ctinsight.tasks.hematoma.findings import measure_mask
from ctinsight.tasks.hematoma.plausibility import plausibility_check
from ctinsight.volume import Acquisition, Scan, Volume

SHAPE = (40, 60, 60)


def the_check(box, *, hu=60, brain=np.s_[:, :50], spacing_mm=(2.5, 2.5, 3.0)):
    """Measure a box in a CT of 30 HU and return its plausibility line; the brain is 2250 mL by default."""
    array, mask, inside = np.full(SHAPE, 30, np.int16), np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    mask[box], inside[brain] = True, True
    array[mask] = hu
    volume = Volume(array, np.diag([*spacing_mm, 1.0]))
    return plausibility_check(measure_mask(mask, volume, None), mask, volume, inside)


def test_the_line_stands_in_every_result():
    """A measured mask has one, and a new measurement replaces it."""
    scan = Scan(Volume(np.full((9, 9, 9), 60, np.int16), np.eye(4)), Acquisition("made"))
    first = measure_segmentation(scan, np.zeros((9, 9, 9), bool), known=Known())
    again = measure_segmentation(scan, np.zeros((9, 9, 9), bool), known=Known(first.checks))
    assert [c.key for c in again.checks] == ["plausible", "lesion_at_edge"]


def test_a_usual_bleed_passes_and_shows_its_share():
    """10 x 10 x 10 voxels of 18.75 mm³ are 18.8 mL, 0.8 % of 2250 mL."""
    check = the_check(np.s_[10:20, 10:20, 10:20])
    assert check.outcome == "pass"
    assert check.measured == "18.8 mL, 0.8 % of the 2250 mL inside the skull"


@pytest.mark.parametrize(
    ("box", "options", "words"),
    [
        (np.s_[2:30, 2:45, 2:40], {}, "857.9 mL, 38.1 % of the 2250 mL inside the skull; more than 15 %"),
        (np.s_[10:20, 40:60, 10:20], {}, "50 % of it lies outside the brain"),
        (np.s_[10:20, 10:20, 10:20], {"hu": 12}, "a mean of 12 HU is not that of blood"),
        (
            np.s_[2:30, 2:45, 2:40],
            {"brain": np.s_[:0]},
            "place not checked: brain not outlined; more than 210 mL",
        ),
    ],
)
def test_what_no_bleed_has_is_a_warning_with_its_reason(box, options, words):
    """Too large, outside the brain, as dark as fluid, or too large with no brain to compare with."""
    check = the_check(box, **options)
    assert check.outcome == "warn"
    assert words in check.measured
    assert check.remedy


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"method": "threshold"}, {"method", "point_ras", "hole_rule", "range_hu", "clean_up"}),
        ({"method": "fcm"}, {"method", "point_ras", "hole_rule", "clean_up"}),
        ({"point_ras": (1, 2, 3)}, {"method", "point_ras", "hole_rule", "range_hu"}),
        ({"method": "drunet"}, {"method", "hole_rule", "weights", "network", "clean_up"}),
    ],
)
def test_only_parameters_that_the_method_reads_are_listed(options, names):
    """What a method ignores is not in the manifest, and of the clean-up DR-UNet reads one rule."""
    used = Parameters(**options).used()
    assert set(used) == names
    if "weights" in used:
        assert set(used["clean_up"]) == {"min_component_ml"}
    assert Parameters.from_dict(used) == Parameters(**options)
