"""Input checks: three outcomes, each with the value that was measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from ctinsight.checks import (
    HEMATOMA_LIMITS,
    check_age,
    check_contrast,
    check_field_of_view,
    check_gaps,
    check_head_ct,
    check_kernel,
    check_metal,
    check_modality_hu,
    check_noise,
    check_orientation,
    check_slice_spacing,
    check_tilt,
    refuse_if_unsuitable,
)
from ctinsight.checks.header import is_sharp_kernel
from ctinsight.errors import GeometryError, InputRefusedError
from ctinsight.files import read_scan
from ctinsight.finding import Check, Outcome
from ctinsight.regions.brain import extract_brain
from ctinsight.volume import Acquisition, Scan, Volume

PASS, WARN, REFUSE = Outcome.PASS, Outcome.WARN, Outcome.REFUSE
KEYS = [
    "modality_hu",
    "slice_spacing",
    "gaps",
    "tilt",
    "field_of_view",
    "orientation",
    "contrast",
    "kernel",
    "noise",
    "age",
    "metal",
]
MATRIX = np.diag([-2.0, -2.0, 4.0, 1.0])  # columns to the left, rows to posterior, slices of 4 mm up


def a_ball(noise_hu=5.0) -> tuple[np.ndarray, np.ndarray]:
    """Make HU and brain mask of a ball: brain of 60 mm radius at 30 HU in bone of 8 mm at 1000 HU."""
    z, y, x = np.indices((44, 90, 90))
    radius = np.sqrt((4.0 * (z - 22)) ** 2 + (2.0 * (y - 45)) ** 2 + (2.0 * (x - 45)) ** 2)
    hu = np.where(radius < 60, 30.0, np.where(radius < 68, 1000.0, -1000.0))
    return hu + np.random.default_rng(0).normal(0, noise_hu, hu.shape), radius < 60


def a_scan(hu=None, *, matrix=MATRIX, **acquisition) -> Scan:
    """Make a scan of the ball, or of given HU, with given words about its acquisition."""
    told = {"file_format": "DICOM", "modality": "CT", **acquisition}
    return Scan(Volume(a_ball()[0] if hu is None else hu, matrix), Acquisition(**told))


BRAIN = a_ball()[1]


def test_a_good_head_passes_every_check_in_order():
    """All eleven keys, all passes, no remedy."""
    checks = check_head_ct(a_scan(slice_positions_mm=tuple(range(0, 176, 4)), age_years=61.0), BRAIN)
    assert [check.key for check in checks] == KEYS
    assert {check.outcome for check in checks} == {PASS}
    assert not any(check.remedy for check in checks)
    refuse_if_unsuitable(checks)


def test_a_real_head_warns_of_its_thick_slices_only(shared):
    """The GE head: steps to 7 mm warn, the corrected tilt of 18.5 degrees passes with its angle."""
    scan = read_scan(shared / "data" / "head_ncct_ge" / "dicom")
    checks = {check.key: check for check in check_head_ct(scan, extract_brain(scan.volume).mask_kji)}
    assert [key for key, check in checks.items() if check.outcome is not PASS] == ["slice_spacing"]
    assert checks["slice_spacing"].measured == "1.1 to 7.0 mm"
    assert checks["tilt"].measured == "18.5 degrees, corrected by resampling"
    assert "1505 mL" in checks["field_of_view"].measured


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda hu: hu + 1024, "air is not at -1000|nothing darker than tissue"),
        (lambda hu: np.clip(hu, -1000, 200), "no bone"),
        (lambda hu: np.clip((hu + 50) * 1.5, 0, 255), "nothing darker than tissue"),
        (lambda hu: np.round(np.clip((hu + 1000) / 2000, 0, 1) * 255) / 255 * 2000 - 1000, "steps of 8 HU"),
        (lambda hu: hu / 2, "nothing darker than tissue|air is not at -1000"),
    ],
    ids=["rescale missing", "window clipped", "8-bit window", "8-bit full range", "wrong slope"],
)
def test_what_is_not_in_hounsfield_units_is_refused(change, words):
    """A scale fault is named, and the measured range stands beside it."""
    check = check_modality_hu(a_scan(change(a_ball()[0])), None)
    assert check.outcome is REFUSE
    assert any(word in check.measured for word in words.split("|"))
    assert check.measured.startswith("values ")


def test_another_modality_is_refused():
    """MR is refused by its tag."""
    check = check_modality_hu(a_scan(modality="MR"), None)
    assert (check.outcome, check.measured) == (REFUSE, "modality MR")


def test_pictures_that_the_user_chose_are_a_warning():
    """PNG folders were read with spacing and window given knowingly: said, not refused."""
    scan = a_scan(np.clip(a_ball()[0], 0, 80), file_format="PNG/JPG folder", modality=None)
    assert check_modality_hu(scan, BRAIN).outcome is WARN
    assert check_modality_hu(scan, BRAIN).measured.endswith("thick white was taken for skull")
    assert "Bleeds along the skull may be missed" in check_modality_hu(scan, BRAIN).remedy
    assert check_orientation(scan).outcome is WARN
    assert check_orientation(scan).measured.startswith("assumed: ")


@pytest.mark.parametrize(("brain_hu", "outcome"), [(30, PASS), (60, WARN), (120, REFUSE), (-20, REFUSE)])
def test_brain_has_the_attenuation_of_brain(brain_hu, outcome):
    """A median of 15 to 50 HU passes, outside 0 to 80 HU it is refused."""
    hu = np.where(BRAIN, brain_hu, a_ball()[0])
    assert check_modality_hu(a_scan(hu), BRAIN).outcome is outcome


@pytest.mark.parametrize(
    ("steps_mm", "outcome", "measured"),
    [((5, 5, 5.04), PASS, "5.0 mm"), ((5.1, 5.1), WARN, "5.1 mm"), ((1, 7, 7), WARN, "1.0 to 7.0 mm")],
)
def test_slices_over_5_mm_apart_warn(steps_mm, outcome, measured):
    """Positions decide; a hundredth of a millimetre over the limit is rounding."""
    positions = tuple(float(p) for p in np.cumsum((0, *steps_mm)))
    check = check_slice_spacing(a_scan(slice_positions_mm=positions), HEMATOMA_LIMITS)
    assert (check.outcome, check.measured) == (outcome, measured)


def test_another_task_brings_its_own_limits():
    """With 1.5 and 3 mm as limits, slices of 4 mm are refused: the grid tells when positions do not."""
    limits = replace(HEMATOMA_LIMITS, task="nodule", spacing_warn_mm=1.5, spacing_refuse_mm=3.0)
    assert check_slice_spacing(a_scan(), limits).outcome is REFUSE
    assert check_slice_spacing(a_scan(), replace(limits, spacing_refuse_mm=4.0)).outcome is WARN


def test_allowed_gaps_warn_with_their_places():
    """The reader refuses gaps; what the user allowed is written down."""
    check = check_gaps(a_scan(gaps=((10.0, 25.0), (40.0, 50.0))))
    assert check.outcome is WARN
    assert check.measured == "slices missing at 10.0 to 25.0 mm, 40.0 to 50.0 mm"


def test_a_file_without_slice_positions_says_so():
    """NIfTI cannot show a gap, and the check does not pretend that it looked."""
    assert "NIfTI file holds no slice positions" in check_gaps(a_scan(file_format="NIfTI")).measured


def test_a_task_may_warn_of_a_corrected_tilt():
    """What follows from a tilt is the task's choice."""
    scan = a_scan(gantry_tilt_degrees=-12.0)
    assert check_tilt(scan, HEMATOMA_LIMITS).outcome is PASS
    assert check_tilt(scan, replace(HEMATOMA_LIMITS, tilt=WARN)).outcome is WARN


@pytest.mark.parametrize(
    ("kept", "words"),
    [(slice(None, 30), "brain cut at the top"), (slice(14, None), "brain cut at the bottom")],
)
def test_a_cut_brain_warns_with_the_area_of_the_cut(kept, words):
    """Slices gone 32 mm from the centre of the ball: pi (60^2 - 28^2) mm2 = 88 cm2, or at -32 mm 81 cm2."""
    check = check_field_of_view(a_scan(a_ball()[0][kept]), BRAIN[kept])
    assert check.outcome is WARN
    assert words in check.measured
    assert float(check.measured.split(", ")[1].removesuffix(" cm2")) == pytest.approx(85, abs=5)


def test_padding_above_a_cut_brain_does_not_hide_the_cut():
    """Empty slices on top of the cut are not scanned anatomy."""
    padded = np.concatenate([a_ball()[0][:30], np.full((8, 90, 90), -1024.0)])
    mask = np.concatenate([BRAIN[:30], np.zeros((8, 90, 90), dtype=bool)])
    assert "brain cut at the top" in check_field_of_view(a_scan(padded), mask).measured


def test_next_to_no_brain_is_refused():
    """A mask of 64 voxels of 16 mm3 holds 1 mL."""
    mask = np.zeros_like(BRAIN)
    mask[20:24, 40:44, 40:44] = True
    check = check_field_of_view(a_scan(), mask)
    assert (check.outcome, check.measured) == (REFUSE, "1 mL of brain")


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        ({"contrast_agent": "Iomeprol 350"}, WARN),
        ({"contrast_agent": "NONE"}, PASS),
        ({"series_description": "CTA Head 0.6"}, WARN),
        ({"series_description": "Head without contrast"}, PASS),
        ({"series_description": "HEAD NON-CONTRAST 5mm"}, PASS),
        ({}, PASS),
    ],
)
def test_contrast_by_the_words_of_the_file(words, outcome):
    """The agent and the series' name count; a denied contrast is none."""
    assert check_contrast(a_scan(**words), BRAIN, HEMATOMA_LIMITS).outcome is outcome


def test_contrast_by_bright_vessels():
    """A tube of 200 HU through the brain, 8 x 8 x 100 mm = 6.4 mL, is contrast that no tag names."""
    hu = a_ball()[0]
    hu[22:24, 43:47, 20:70] = 200.0
    check = check_contrast(a_scan(hu), BRAIN, HEMATOMA_LIMITS)
    assert check.outcome is WARN
    assert "6.4 mL of 110 to 400 HU" in check.measured


@pytest.mark.parametrize(
    ("kernel", "sharp"),
    [
        *[
            (k, True)
            for k in ("H60s", "H70h", "Hr64", "J70h", "U90u", "BONE", "BONEPLUS", "EDGE", "FC30", "YE")
        ],
        *[(k, False) for k in ("H31s", "Hr38", "J40s", "B30f", "STANDARD", "SOFT", "STD+", "UB", "FC26", "")],
    ],
)
def test_kernels_by_name(kernel, sharp):
    """Bone kernels of four vendors are known, their brain kernels are not mistaken for them."""
    assert is_sharp_kernel(kernel) is sharp


def test_a_bone_kernel_without_a_name_is_known_by_its_noise():
    """Noise of 25 HU that neighbours do not share warns; the same noise smoothed passes."""
    rng, matrix = np.random.default_rng(1), np.diag([-0.5, -0.5, 5.0, 1.0])
    rough = rng.normal(30, 25, (12, 160, 160))
    smooth = 30 + (ndimage.gaussian_filter(rough, (0, 1.5, 1.5)) - 30) * 5
    mask = np.zeros(rough.shape, dtype=bool)
    mask[:, 5:155, 5:155] = True
    outcomes = [
        check_kernel(a_scan(hu, matrix=matrix), mask, HEMATOMA_LIMITS).outcome for hu in (rough, smooth)
    ]
    assert outcomes == [WARN, PASS]


@pytest.mark.parametrize(
    ("noise_hu", "outcome"),
    [(5, PASS), (18, PASS), (22, WARN), (30, WARN), (38, WARN), (42, REFUSE), (60, REFUSE)],
)
@pytest.mark.parametrize("shared_mm", [0.0, 1.0])
def test_noise_is_measured_whatever_the_pixel_and_the_kernel(noise_hu, outcome, shared_mm):
    """Noise of known deviation in pixels of 2 mm, white or smoothed by half a pixel, is read within 1 HU."""
    noise = ndimage.gaussian_filter(
        np.random.default_rng(4).normal(size=BRAIN.shape), (0, shared_mm / 2, shared_mm / 2)
    )
    hu = np.where(BRAIN, 30.0 + noise * (noise_hu / noise.std()), a_ball()[0])
    check = check_noise(a_scan(hu), BRAIN, HEMATOMA_LIMITS)
    assert check.outcome is outcome
    assert float(check.measured.split()[0]) == pytest.approx(noise_hu, abs=1.0)


def test_a_task_without_noise_limits_passes_with_the_number():
    """The value is still told, and a missing brain outline is said to leave it unknown."""
    scan, free = a_scan(a_ball(60.0)[0]), replace(HEMATOMA_LIMITS, noise_warn_hu=None, noise_refuse_hu=None)
    check = check_noise(scan, BRAIN, free)
    assert (check.outcome, check.measured, check.expected) == (PASS, "60 HU in the brain", "any")
    assert check_noise(scan, None, HEMATOMA_LIMITS).measured.startswith("not checked")


@pytest.mark.parametrize(
    ("age_years", "outcome", "measured"),
    [(17.9, WARN, "18 years"), (18.0, PASS, "18 years"), (None, PASS, "not checked: not stated in the file")],
)
def test_the_methods_are_for_adults(age_years, outcome, measured):
    """Under 18 warns; an age that the file does not state is said to be unknown."""
    check = check_age(a_scan(age_years=age_years), HEMATOMA_LIMITS)
    assert (check.outcome, check.measured) == (outcome, measured)


def test_metal_at_the_level_of_the_brain_warns():
    """A clip of 4 voxels of 16 mm3 at 3000 HU measures 0.06 mL; below the brain it does not count."""
    hu, below = a_ball()[0], a_ball()[0]
    hu[22, 40:42, 40:42] = below[2, 40:42, 40:42] = 3000.0
    assert check_metal(a_scan(hu), BRAIN, HEMATOMA_LIMITS).measured.startswith("0.06 mL")
    assert check_metal(a_scan(hu), BRAIN, HEMATOMA_LIMITS).outcome is WARN
    assert check_metal(a_scan(below), BRAIN, HEMATOMA_LIMITS).outcome is PASS


def test_refusals_are_listed_together():
    """The error names each refusal, its value and its remedy, and no warning."""
    checks = [
        Check("a", "Modality", REFUSE, "modality MR", "modality CT", "Choose the CT series."),
        Check("b", "Distance of slices", WARN, "7.0 mm", "at most 5 mm", "Take thinner slices."),
        Check("c", "Field of view", REFUSE, "1 mL of brain", "the brain", "Choose the head CT series."),
    ]
    with pytest.raises(InputRefusedError) as refused:
        refuse_if_unsuitable(checks)
    assert refused.value.found == "Modality: modality MR; Field of view: 1 mL of brain"
    assert refused.value.remedy == "Choose the CT series. Choose the head CT series."


def test_a_mask_of_another_grid_is_an_error():
    """Checks never resample silently."""
    with pytest.raises(GeometryError, match="mask of shape"):
        check_head_ct(a_scan(), BRAIN[:-1])


def test_without_a_mask_the_checks_say_what_they_could_not_see():
    """No brain outline: extent stands for coverage, and nothing is refused for it."""
    checks = {check.key: check for check in check_head_ct(a_scan())}
    assert (
        checks["field_of_view"].measured == "176 mm from bottom to top; cuts not checked: brain not outlined"
    )
    assert REFUSE not in {check.outcome for check in checks.values()}
