"""Growth since an earlier CT: doubling times by hand, known shifts found again, what forbids a comparison."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date

import numpy as np
import pytest

from ctinsight.errors import WrongUseError
from ctinsight.files import read_scan
from ctinsight.finding import Outcome
from ctinsight.phantoms.chest import ChestSpec, chest_grid, chest_phantom
from ctinsight.phantoms.lesions import rotation
from ctinsight.phantoms.nodules import NoduleKind, nodule_of
from ctinsight.scores.growth import Growth
from ctinsight.scores.lung_rads import Change
from ctinsight.tasks.nodule import Parameters, measure_labelmap, run
from ctinsight.tasks.nodule.growth import Compared
from ctinsight.tasks.nodule.growth_findings import growth_findings, growth_table
from ctinsight.tasks.nodule.prior import Growths, compare_with_prior, interval_of, pair_checks
from ctinsight.tasks.nodule.prior_match import Match, Spot, match_check, match_surroundings
from ctinsight.volume import Acquisition, Scan, Volume
from made_nodules import measured
from makers.dicom_series import SeriesRecipe, write_series

CENTRE = (90.0, 5.0, 22.0)
SAME = Match((0.0, 0.0, 0.0), 0.0, 0.1, 0.99)
SHIFT, TURN = (6.0, -5.0, 9.0), (3.0, -2.0, 4.0)


def compared(before_mm, now_mm, days=90.0, **more):
    """Return two round nodules as one in two CTs."""
    return Compared(measured(before_mm, **more), measured(now_mm, **more), SAME, days)


def test_doubling_times_of_the_published_vector():
    """6 to 8 mm in 90 days: 72.28 days by volume and by diameter."""
    by = {d.quantity: d.days for d in compared(6.0, 8.0).doubling}
    assert by["volume"] == pytest.approx(72.28, abs=0.01)
    assert by["diameter"] == pytest.approx(72.28, abs=0.01)


def test_the_range_is_that_of_both_outlines():
    """Volumes of 1 and 2 with 10 % each: ratios of 1.8 / 1.1 and 2.2 / 0.9, 100 days apart."""
    one = compared(10.0, 10.0 * 2 ** (1 / 3), 100.0, spread=0.1)
    assert one.change_range.low == pytest.approx(63.64, abs=0.01)
    assert one.change_range.high == pytest.approx(144.44, abs=0.01)
    shortest, longest = one.doubling_range_days
    assert shortest == pytest.approx(100 * np.log(2) / np.log(2.2 / 0.9))
    assert longest == pytest.approx(100 * np.log(2) / np.log(1.8 / 1.1))


def test_growth_within_the_outlines_range_has_no_longest_time():
    """10.0 to 10.2 mm with 10 % each: no growth at all is possible, and the finding says so."""
    growths = Growths({1: compared(10.0, 10.2, 90.0, spread=0.1)})
    finding = next(f for f in growth_findings(growths, [1]) if f.key == "nodule_1_volume_doubling_days")
    assert finding.interval is None
    assert "no growth at all is possible" in finding.note
    assert "25 %" in finding.note


@pytest.mark.parametrize(
    ("before", "now", "days", "rule", "change"),
    [
        (8.0, 9.6, 360, Growth.MET, Change.GROWING),
        (8.1, 9.6, 360, Growth.NOT_MET, Change.STABLE),
        (7.0, 8.2, 360, Growth.NOT_MET, Change.CROSSED),
        (8.0, 10.0, 700, Growth.UNDECIDED, None),
        (9.0, 7.0, 360, Growth.NOT_MET, Change.STABLE),
    ],
)
def test_the_rule_of_lung_rads(before, now, days, rule, change):
    """More than 1.5 mm within 12 months; two CTs two years apart may leave it open."""
    one = compared(before, now, days)
    assert (one.rule, one.change.change) == (rule, change)


def test_a_solid_part_in_former_ground_glass_is_new():
    """Ground glass before, part-solid now."""
    before, now = measured(12.0, "ground-glass"), measured(12.0, "part-solid", solid_mm=5.0)
    assert Compared(before, now, SAME, 180.0).change.solid_change is Change.NEW


def test_a_shrinking_nodule_has_no_doubling_time():
    """8 to 6 mm: no number, and a sentence in its place."""
    one = compared(8.0, 6.0)
    assert one.doubling[0].days is None
    assert one.doubling_range_days is None
    assert "smaller" in growth_findings(Growths({1: one}), [1])[2].note


def test_without_an_interval_sizes_are_compared_and_times_are_not():
    """The missing option is named."""
    one = compared(6.0, 8.0, None)
    assert (one.doubling, one.rule, one.change) == ((), None, None)
    assert "missing --prior-days" in growth_findings(Growths({1: one}), [1])[2].note
    assert growth_table(Growths({1: one}), [1, 2]).rows[1][1].startswith("no: no point")


def scan_of(**facts):
    """Return a small scan with facts of its acquisition."""
    dates = {k: facts.pop(k) for k in ("acquired_on", "patient_key") if k in facts}
    array = np.zeros((4, 5, 6), np.int16) + facts.pop("hu", 0)
    spacing = facts.pop("spacing", 1.0)
    return Scan(Volume(array, np.diag([0.7, 0.7, spacing, 1.0])), Acquisition("DICOM", **facts), **dates)


def test_the_interval_is_stated_or_dated():
    """180 days by the headers; another word of the user is used and shown; the younger CT is refused."""
    now, before = scan_of(acquired_on=date(2026, 6, 30)), scan_of(acquired_on=date(2026, 1, 1))
    assert interval_of(now, before, None)[0] == 180.0
    days, (check,) = interval_of(now, before, 90.0)
    assert (days, check.outcome) == (90.0, Outcome.WARN)
    assert "180 days" in check.measured
    assert interval_of(before, now, None)[1][0].outcome is Outcome.REFUSE
    assert interval_of(scan_of(), before, None)[0] is None


@pytest.mark.parametrize(
    ("tags", "day"),
    [
        ({"AcquisitionDate": "20260630", "StudyDate": "20200101"}, date(2026, 6, 30)),
        ({"StudyDate": "20200101"}, date(2020, 1, 1)),
        ({"AcquisitionDate": "20260631", "StudyDate": "19000101"}, None),
    ],
)
def test_dates_of_the_headers_are_read_and_never_written(tmp_path, tags, day):
    """The acquisition goes before the study; impossible and anonymous dates count as none."""
    write_series(tmp_path, SeriesRecipe(tags={**tags, "PatientID": "Doe"}))
    scan = read_scan(tmp_path)
    assert scan.acquired_on == day
    assert scan.patient_key is not None
    assert "2026" not in str(scan)
    assert "acquired" not in {f.name for f in fields(scan.acquisition)}


@pytest.mark.parametrize(
    ("now", "before", "key"),
    [
        ({"spacing": 1.0}, {"spacing": 2.5}, "protocol_thickness"),
        ({"slice_thickness_mm": 1.25}, {"slice_thickness_mm": 5.0}, "protocol_thickness"),
        ({"contrast_agent": "Iohexol"}, {}, "protocol_contrast"),
        ({"kernel": "B70f"}, {"kernel": "B31f"}, "protocol_sharpness"),
        ({"patient_key": 1}, {"patient_key": 2}, "prior_patient"),
        ({}, {}, "prior_other"),
    ],
)
def test_what_forbids_a_comparison(now, before, key):
    """Thickness, contrast, sharpness, another patient, the same image twice."""
    checks = {c.key: c for c in pair_checks(scan_of(**now), scan_of(**before))}
    assert checks[key].outcome is Outcome.REFUSE
    assert checks[key].remedy


def test_like_protocols_may_be_compared():
    """1.25 mm, one kernel, no contrast, one patient: no refusal."""
    facts = {"slice_thickness_mm": 1.25, "kernel": "B31f", "patient_key": 7}
    assert Outcome.REFUSE not in {c.outcome for c in pair_checks(scan_of(**facts), scan_of(**facts, hu=9))}


@pytest.mark.parametrize(
    ("residual", "correlation", "outcome"),
    [
        (1.0, 0.95, Outcome.PASS),
        (5.0, 0.95, Outcome.WARN),
        (1.0, 0.3, Outcome.WARN),
        (20.0, 0.9, Outcome.REFUSE),
    ],
)
def test_another_nodule_is_no_growth(residual, correlation, outcome):
    """Far off is refused; unlike surroundings and a few mm are said."""
    assert match_check(1, Match(SAME.shift_ras_mm, 0.0, residual, correlation), 10.0).outcome is outcome


@pytest.fixture(scope="module")
def two_cts():
    """Return a part of a lung with a nodule of 10 mm, and earlier with one of 8 mm, shifted and turned."""
    grid = chest_grid((0.8, 0.8, 1.25), size_mm=(72, 72, 72), centre_ras=CENTRE)
    now, before = (
        chest_phantom(ChestSpec(grid=grid, nodules=(nodule_of(NoduleKind.SOLID, CENTRE, d, seed=2),)))
        for d in (10.0, 8.0)
    )
    moved = np.eye(4)
    moved[:3, :3] = rotation(TURN)
    moved[:3, 3] = np.array(CENTRE) - moved[:3, :3] @ np.array(CENTRE) + np.array(SHIFT)
    noise = np.random.default_rng(3).normal(0, 10, before.volume.array_kji.shape)
    array = (before.volume.array_kji + noise).astype(np.float32)
    facts = Acquisition("phantom", modality="CT")
    return Scan(now.volume, facts), Scan(Volume(array, moved @ before.volume.ijk_to_ras), facts)


def test_a_known_shift_and_turn_are_found_again(two_cts):
    """The patient lies 12 mm off, turned by 5.4 degrees: found within 0.3 mm and 0.5 degrees."""
    now, before = two_cts
    there = tuple(float(c + s) for c, s in zip(CENTRE, SHIFT, strict=True))
    match = match_surroundings((now.volume, Spot(CENTRE, 5.0)), (before.volume, Spot(there, 4.0)))
    np.testing.assert_allclose(match.shift_ras_mm, SHIFT, atol=0.3)
    angle = np.degrees(np.arccos((np.trace(rotation(TURN)) - 1) / 2))
    assert match.rotation_degrees == pytest.approx(angle, abs=0.5)
    assert match.residual_mm < 0.3


def test_growth_of_a_phantom_is_measured(two_cts):
    """8 to 10 mm is a volume of 1.953 times; in 100 days it doubles in 103.5 days, within the range given."""
    now, before = two_cts
    there = [c + s + 1.0 for c, s in zip(CENTRE, SHIFT, strict=True)]
    asked = {"nodules": [{"ras_mm": list(CENTRE), "prior_ras_mm": there}], "prior": {"interval_days": 100}}
    result = run(now, Parameters.from_dict(asked), None, before)
    doubling = result.finding("nodule_1_volume_doubling_days")
    assert result.finding("nodule_1_volume_change_percent").value == pytest.approx(95.3, abs=6)
    assert doubling.value == pytest.approx(103.5, rel=0.05)
    assert doubling.interval.low < 103.5 < doubling.interval.high
    assert result.finding("nodule_1_match_residual_mm").value < 0.5
    assert result.manifest["prior_input"]["shape_kji"] == list(before.volume.grid.shape_kji)


def test_half_an_earlier_ct_is_wrong_use(two_cts):
    """Points without an image, an image without points, and an earlier CT that is said not to exist."""
    now, before = two_cts
    both = {"nodules": [{"ras_mm": list(CENTRE), "prior_ras_mm": list(CENTRE)}]}
    with pytest.raises(WrongUseError, match="not given"):
        run(now, Parameters.from_dict(both))
    with pytest.raises(WrongUseError, match="without points"):
        run(now, Parameters(points_ras=(CENTRE,)), None, before)
    with pytest.raises(WrongUseError, match="--prior-ct none"):
        run(now, Parameters.from_dict({**both, "patient": {"prior_ct": "none"}}), None, before)


def test_a_refused_comparison_leaves_the_present_ct_its_result(two_cts):
    """The earlier CT has slices of 3 mm: no error, and growth says why not."""
    now, before = two_cts
    thick = Scan(before.volume, replace(before.acquisition, slice_thickness_mm=3.0))
    asked = Parameters.from_dict({"nodules": [{"ras_mm": list(CENTRE), "prior_ras_mm": list(CENTRE)}]})
    growths = compare_with_prior(now, thick, asked, {1: measured(10.0)})
    (finding,) = growth_findings(growths, [1])
    assert finding.value is None
    assert "slice thickness: 3 mm and 1.25 mm" in finding.note


def test_an_edit_without_the_earlier_ct_says_so(two_cts):
    """The edited outline is measured and scored; growth is left out with a sentence."""
    now, _before = two_cts
    labels = np.zeros(now.volume.grid.shape_kji, np.uint8)
    k, j, i = (round(v) for v in now.volume.grid.ijk_from_ras(CENTRE)[::-1])
    labels[k - 3 : k + 4, j - 5 : j + 6, i - 5 : i + 6] = 1
    nodule = {"ras_mm": list(CENTRE), "prior_ras_mm": list(CENTRE), "upper_lobe": True, "spiculation": True}
    result = measure_labelmap(now, labels, Parameters.from_dict({"nodules": [nodule]}), {})
    assert any("earlier CT is not at hand" in statement for statement in result.statements)
    assert not any(table.key == "growth" for table in result.tables)
    assert result.finding("nodule_1_brock_2b_percent").note.endswith("--emphysema, --nodule-count")
