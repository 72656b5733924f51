"""Checks on how an image was made: what the file says about it, and its grid."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.finding import Check, Outcome

if TYPE_CHECKING:
    from ctinsight.checks.limits import InputLimits
    from ctinsight.volume import Acquisition, Grid, Scan

_NOT_STATED = "not stated in the file"
#: Slice steps are read from rounded positions; less than this over the limit is the limit.
_STEP_TOLERANCE_MM = 0.05
_NO_CONTRAST = {"", "NO", "NONE", "N", "NIL", "WITHOUT", "NATIVE", "0"}
_CONTRAST_WORDS = re.compile(
    r"\b(CTA|ANGIO\w*|CONTRAST|KM|POST|ENHANCED|VENOUS|ARTERIAL|CTP|PERFUSION)\b|C\+"
)
_NEGATED = re.compile(r"\b(NON|NO|W/?O|WITHOUT|UN|PRE)[ -]?(CONTRAST|ENHANCED|KM)\b|C-")


def is_picture_stack(acquisition: Acquisition) -> bool:
    """Whether the image came as 8-bit pictures, whose HU and geometry are the user's word."""
    return acquisition.file_format.upper().startswith("PNG")


def check_slice_spacing(scan: Scan, limits: InputLimits) -> Check:
    """Compare the largest distance of neighbouring slices with the task's limits."""
    steps = np.diff(scan.acquisition.slice_positions_mm)
    largest = float(np.max(np.abs(steps))) if steps.size else max(scan.volume.grid.spacing_ijk_mm)
    least = float(np.min(np.abs(steps))) if steps.size else largest
    measured = f"{largest:.1f} mm" if largest - least < 0.1 else f"{least:.1f} to {largest:.1f} mm"
    outcome = Outcome.PASS
    if largest > limits.spacing_warn_mm + _STEP_TOLERANCE_MM:
        outcome = Outcome.WARN
    expected = f"at most {limits.spacing_warn_mm:g} mm"
    if limits.spacing_refuse_mm is not None:
        expected += f"; over {limits.spacing_refuse_mm:g} mm is refused"
        if largest > limits.spacing_refuse_mm + _STEP_TOLERANCE_MM:
            outcome = Outcome.REFUSE
    return Check(
        "slice_spacing",
        "Distance of slices",
        outcome,
        measured,
        expected,
        "" if outcome is Outcome.PASS else "Take the series with the thinnest slices, if there is one.",
    )


def check_gaps(scan: Scan) -> Check:
    """Report holes in the stack that the user allowed; the readers refuse all others."""
    name, expected = "Missing slices", "none"
    gaps = scan.acquisition.gaps
    if gaps:
        places = ", ".join(f"{low:.1f} to {high:.1f} mm" for low, high in gaps)
        remedy = "What lies in the gap is interpolated; complete the series for a measurement."
        return Check("gaps", name, Outcome.WARN, f"slices missing at {places}", expected, remedy)
    if not scan.acquisition.slice_positions_mm:
        measured = (
            f"not checked: the {scan.acquisition.file_format} file holds no slice positions, so a gap cannot"
            " be seen"
        )
        return Check("gaps", name, Outcome.PASS, measured, expected)
    count = len(scan.acquisition.slice_positions_mm)
    return Check("gaps", name, Outcome.PASS, f"none between {count} slices", expected)


def check_tilt(scan: Scan, limits: InputLimits) -> Check:
    """Report a gantry tilt, which the DICOM reader has corrected."""
    degrees = scan.acquisition.gantry_tilt_degrees
    tilted = abs(degrees) >= 0.05
    measured = f"{degrees:.1f} degrees, corrected by resampling" if tilted else "0 degrees"
    outcome = limits.tilt if tilted else Outcome.PASS
    remedy = "" if outcome is Outcome.PASS else "Take a series without tilt, if there is one."
    return Check("tilt", "Gantry tilt", outcome, measured, "0 degrees, or corrected", remedy)


def check_orientation(scan: Scan) -> Check:
    """Say how the array lies in the patient; readers refuse files that do not tell."""
    letters, oblique_degrees = _axes(scan.volume.grid)
    measured = f"columns to {letters[0]}, rows to {letters[1]}, slices to {letters[2]}"
    if oblique_degrees >= 0.5:
        measured += f", oblique by {oblique_degrees:.1f} degrees"
    expected = "an orientation that the file states"
    if is_picture_stack(scan.acquisition):
        return Check(
            "orientation",
            "Orientation",
            Outcome.WARN,
            f"assumed: {measured}",
            expected,
            "Pictures state no side: compare left and right with the original before use.",
        )
    return Check("orientation", "Orientation", Outcome.PASS, measured, expected)


def _axes(grid: Grid) -> tuple[str, float]:
    names = ("LR", "PA", "IS")
    letters, cosines = "", []
    for axis_kji in (2, 1, 0):
        ras, sign = grid.ras_axis(axis_kji)
        letters += names[ras][1 if sign > 0 else 0]
        cosines.append(abs(float(grid.directions[ras, 2 - axis_kji])))
    return letters, float(np.degrees(np.arccos(np.clip(min(cosines), -1, 1))))


def check_age(scan: Scan, limits: InputLimits) -> Check:
    """Compare the age that the file states with the task's population."""
    age = scan.acquisition.age_years
    expected = f"{limits.adult_years:g} years or older"
    if age is None:
        return Check("age", "Age", Outcome.PASS, f"not checked: {_NOT_STATED}", expected)
    outcome = limits.minor if age < limits.adult_years else Outcome.PASS
    remedy = "" if outcome is Outcome.PASS else "The methods are for adults; do not use the numbers."
    return Check("age", "Age", outcome, f"{age:.0f} years", expected, remedy)


def stated_contrast(acquisition: Acquisition) -> str | None:
    """Words of the file that say contrast medium was given, or None."""
    agent = (acquisition.contrast_agent or "").strip()
    if agent.upper() not in _NO_CONTRAST:
        return f"contrast agent {agent!r}"
    description = (acquisition.series_description or "").upper()
    found = _CONTRAST_WORDS.search(_NEGATED.sub(" ", description))
    return f"series description with {found.group(0)!r}" if found else None


def is_sharp_kernel(kernel: str) -> bool:
    """Whether a kernel's name is known as sharpening.

    Examples
    --------
    >>> is_sharp_kernel("H70h"), is_sharp_kernel("BONEPLUS"), is_sharp_kernel("H31s")
    (True, True, False)
    """
    name = kernel.strip().upper()
    return any(pattern.fullmatch(name) for pattern in _sharp_kernels())


@cache
def _sharp_kernels() -> tuple[re.Pattern[str], ...]:
    table = tomllib.loads(files("ctinsight.checks").joinpath("kernels.toml").read_text(encoding="utf-8"))
    return tuple(re.compile(entry["pattern"], re.IGNORECASE) for entry in table.values())
