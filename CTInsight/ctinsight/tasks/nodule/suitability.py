"""Is this chest CT suitable for measuring nodules? The shared checks with this task's limits and words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.checks import (
    NODULE_LIMITS,
    check_age,
    check_contrast,
    check_gaps,
    check_modality_hu,
    check_orientation,
    check_slice_spacing,
    check_tilt,
)
from ctinsight.errors import WrongUseError
from ctinsight.finding import Check, Outcome

if TYPE_CHECKING:
    from ctinsight.regions.lungs import LungField
    from ctinsight.tasks.nodule.cube import Point
    from ctinsight.volume import Scan, Volume

#: Lung that must be seen around a nodule, mm.
AROUND_MM = 10.0
#: Where the median of dark voxels lies when they are lung, HU, and how many are enough.
LUNG_SCALE_HU, LEAST_LUNG_VOXELS = (-960.0, -700.0), 5000


def refuse_outside_image(volume: Volume, point_ras: Point) -> None:
    """Refuse a point where no voxel was taken: nothing can be said of what lies there.

    Raises
    ------
    WrongUseError
        With the range of the image along R, A and S.
    """
    grid = volume.grid
    if grid.contains_ijk(grid.ijk_from_ras(point_ras)):
        return
    last = np.array(grid.shape_kji[::-1]) - 1
    corners = grid.ras_from_ijk(np.array(np.meshgrid(*[(0, n) for n in last])).reshape(3, -1).T)
    ranges = zip("RAS", corners.min(axis=0), corners.max(axis=0), strict=True)
    place = ", ".join(f"{value:.1f}" for value in point_ras)
    raise WrongUseError(
        found=f"the point R,A,S = {place}, which lies outside the image",
        expected="; ".join(f"{axis} {low:.0f} to {high:.0f} mm" for axis, low, high in ranges),
        remedy="Points are given in RAS, mm; where a viewer shows LPS, turn the signs of the first two"
        " numbers. Voxels go with --voxel.",
    )


def check_chest_ct(scan: Scan, *, allow_thick_slices: bool = False) -> tuple[Check, ...]:
    """Check how a chest CT was made.

    Parameters
    ----------
    scan
        The CT as it was read.
    allow_thick_slices
        Warn where slices over the limit would be refused.
    """
    spacing = check_slice_spacing(scan, NODULE_LIMITS)
    if allow_thick_slices and spacing.outcome is Outcome.REFUSE:
        spacing = replace(spacing, outcome=Outcome.WARN, measured=f"{spacing.measured}, allowed by the user")
    elif spacing.outcome is Outcome.REFUSE:
        spacing = replace(
            spacing,
            remedy=f"{spacing.remedy} Thick slices can be allowed (--allow-thick-slices);"
            " diameters and volumes are then unsure.",
        )
    contrast = check_contrast(scan, None, NODULE_LIMITS)
    if contrast.outcome is not Outcome.PASS:
        remedy = "Density, mass and calcification are not those of a plain scan; compare only like with like."
        contrast = replace(contrast, remedy=remedy)
    return (
        _modality(scan),
        spacing,
        check_gaps(scan),
        check_tilt(scan, NODULE_LIMITS),
        check_orientation(scan),
        contrast,
        _kernel(scan),
        check_age(scan, NODULE_LIMITS),
    )


def check_lungs(field: LungField) -> Check:
    """Say which lungs are in view."""
    right, left = field.sides_in_view()
    seen = {(True, True): "both lungs", (True, False): "the right lung", (False, True): "the left lung"}
    measured = seen.get((right, left), "a part of a lung")
    remedy = "" if right and left else "Other nodules may lie outside the view; the count is not known."
    outcome = Outcome.PASS if right and left else Outcome.WARN
    return Check("lungs_in_view", "Lungs in view", outcome, measured, "both lungs", remedy)


def check_surroundings(number: int, volume: Volume, centre_ras: Point, radius_mm: float) -> Check:
    """Compare the image around a nodule with what is needed."""
    ijk = volume.grid.ijk_from_ras(centre_ras)
    last = np.array(volume.grid.shape_kji[::-1]) - 0.5
    room = float(np.min(np.minimum(ijk + 0.5, last - ijk) * volume.grid.spacing_ijk_mm)) - radius_mm
    outcome = Outcome.PASS if room >= AROUND_MM else Outcome.WARN
    remedy = (
        "" if outcome is Outcome.PASS else "Take a series that shows the whole nodule and lung around it."
    )
    return Check(
        f"nodule_{number}_field_of_view",
        f"Nodule {number}: image around it",
        outcome,
        f"{room:.0f} mm",
        f"at least {AROUND_MM:.0f} mm",
        remedy,
    )


def _modality(scan: Scan) -> Check:
    """Like the shared check; in a cut-out without air outside the body the lung itself shows the scale."""
    check = check_modality_hu(scan, None)
    if check.outcome is Outcome.PASS or scan.acquisition.modality not in {None, "CT"}:
        return check
    values = scan.volume.array_kji
    dark = values[(values < -500) & (values > -1024)]
    if dark.size < LEAST_LUNG_VOXELS or float(np.percentile(values, 99.99)) < 200:
        return check
    lung_hu = float(np.median(dark))
    if not LUNG_SCALE_HU[0] <= lung_hu <= LUNG_SCALE_HU[1]:
        return check
    return replace(
        check,
        outcome=Outcome.WARN,
        measured=f"lung at {lung_hu:.0f} HU; no air outside the body in view",
        expected="air about -1000 HU, or lung -960 to -700 HU",
        remedy="In a cut-out the HU scale cannot be checked by air; take the whole series.",
    )


def _kernel(scan: Scan) -> Check:
    kernel = scan.acquisition.kernel or "not stated in the file"
    return Check("kernel", "Reconstruction kernel", Outcome.PASS, kernel, "any; the same in a comparison")
