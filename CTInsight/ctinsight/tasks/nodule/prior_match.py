"""Lay the surroundings of a nodule in two CTs over each other, to tell whether it is the same nodule.

A rigid registration of the lung about the nodule (the nodule itself is left out, as it may have grown). It
starts from the two outlined nodules, finds how the patient moved, and says how far from the earlier nodule
the current one comes to lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK
from scipy import ndimage

from ctinsight.finding import Check, Outcome
from ctinsight.regions.lungs import crop_to, cube_grid
from ctinsight.resample import resample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.nodule.cube import Point
    from ctinsight.volume import Grid, Volume

# SimpleITK ships no complete types.
_sitk: Any = SimpleITK

#: Half size of what is laid over each other, of what it is searched in, and the voxel; mm.
FIXED_HALF_MM, MOVING_HALF_MM, VOXEL_MM = 32.0, 48.0, 1.25
#: HU beyond these say nothing about place.
RANGE_HU = (-1000.0, 150.0)
#: The nodule and this much around it are left out, mm.
LEFT_OUT_MM = 3.0
#: Proposals of this project, tuned on phantoms: surroundings that match correlate above the first number; the
#: nodule may lie this far off, mm, or a share of its diameter.
LEAST_CORRELATION, NEAR_MM, NEAR_SHARE = 0.6, 3.0, 0.35
#: Farther than this it is another nodule, mm, or a share of its diameter.
FAR_MM, FAR_SHARE = 8.0, 0.75


@dataclass(frozen=True)
class Spot:
    """A nodule in one CT: its centre (RAS, mm) and the radius of a ball that holds it."""

    centre_ras: Point
    radius_mm: float


@dataclass(frozen=True)
class Match:
    """How two surroundings were laid over each other.

    Parameters
    ----------
    shift_ras_mm
        From the current to the earlier CT, at the nodule.
    rotation_degrees
        Angle of the turn.
    residual_mm
        Distance between where the surroundings put the nodule and where it was outlined in the earlier CT.
    correlation
        Of both surroundings after the registration, nodule left out; 1 is the same image.
    """

    shift_ras_mm: Point
    rotation_degrees: float
    residual_mm: float
    correlation: float


#: What stands for a registration that did not come to an end.
_NO_MATCH = Match((0.0, 0.0, 0.0), 0.0, 1000.0, 0.0)


def match_surroundings(current: tuple[Volume, Spot], prior: tuple[Volume, Spot]) -> Match:
    """Register the surroundings of a nodule.

    Parameters
    ----------
    current, prior
        CT and nodule.
    """
    fixed_grid = cube_grid(current[1].centre_ras, FIXED_HALF_MM, VOXEL_MM)
    moving_grid = cube_grid(prior[1].centre_ras, MOVING_HALF_MM, VOXEL_MM)
    fixed, fixed_mask = _image(current, fixed_grid)
    moving, moving_mask = _image(prior, moving_grid)
    transform = _start(current[1], prior[1])
    method = _method(fixed_mask, moving_mask, transform)
    try:
        method.Execute(fixed, moving)
    except RuntimeError:  # the optimizer left the image: the surroundings do not overlap
        return _NO_MATCH
    placed = np.array(transform.TransformPoint(current[1].centre_ras))
    shift = placed - np.array(current[1].centre_ras)
    residual = float(np.linalg.norm(placed - np.array(prior[1].centre_ras)))
    angle = float(np.degrees(_angle(np.reshape(transform.GetMatrix(), (3, 3)))))
    correlation = _correlation((fixed, fixed_mask), (moving, moving_mask), transform)
    return Match((float(shift[0]), float(shift[1]), float(shift[2])), angle, residual, correlation)


def match_check(number: int, match: Match, diameter_mm: float) -> Check:
    """Say whether both outlines are the same nodule."""
    near = max(NEAR_MM, NEAR_SHARE * diameter_mm)
    far = max(FAR_MM, FAR_SHARE * diameter_mm)
    alike = match.correlation >= LEAST_CORRELATION
    outcome = Outcome.PASS if match.residual_mm <= near and alike else Outcome.WARN
    if match.residual_mm > far:
        outcome = Outcome.REFUSE
    apart = (
        f"{match.residual_mm:.1f} mm apart after registration" if match.residual_mm < 999 else "no overlap"
    )
    measured = f"{apart}, correlation of the surroundings {match.correlation:.2f}"
    remedy = (
        ""
        if outcome is Outcome.PASS
        else "Are both points in the same nodule? Compare it in both CTs before you use its growth."
    )
    return Check(
        f"nodule_{number}_same",
        f"Nodule {number}: the same in both CTs",
        outcome,
        measured,
        f"at most {near:.1f} mm (over {far:.1f} mm is refused), correlation from {LEAST_CORRELATION:g} on",
        remedy,
    )


def _image(of: tuple[Volume, Spot], grid: Grid) -> tuple[Any, Any]:
    volume, spot = of
    # RAS is taken for the physical space of both images, so nothing has to be turned.
    hu = np.clip(resample(crop_to(volume, grid), grid, order=1).array_kji, *RANGE_HU)
    inside = _inside(volume.grid, grid)
    away = np.linalg.norm(_points(grid) - np.array(spot.centre_ras), axis=-1)
    inside &= away > spot.radius_mm + LEFT_OUT_MM
    image = _sitk.GetImageFromArray(hu.astype(np.float32))
    mask = _sitk.GetImageFromArray(inside.astype(np.uint8))
    for one in (image, mask):
        one.SetOrigin(tuple(float(v) for v in grid.ijk_to_ras[:3, 3]))
        one.SetSpacing((VOXEL_MM,) * 3)
    return image, mask


def _points(grid: Grid) -> NDArray[np.float64]:
    k, j, i = np.indices(grid.shape_kji)
    return grid.ras_from_ijk(np.stack([i, j, k], axis=-1))


def _inside(source: Grid, grid: Grid) -> NDArray[np.bool_]:
    ijk = source.ijk_from_ras(_points(grid))
    last = np.array(source.shape_kji[::-1]) - 1
    return np.asarray(np.all((ijk >= 0) & (ijk <= last), axis=-1))


def _start(current: Spot, prior: Spot) -> Any:
    transform = _sitk.Euler3DTransform()
    transform.SetCenter(current.centre_ras)
    transform.SetTranslation(
        tuple(float(b - a) for a, b in zip(current.centre_ras, prior.centre_ras, strict=True))
    )
    return transform


def _method(fixed_mask: Any, moving_mask: Any, transform: Any) -> Any:
    method = _sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)  # the same sums in the same order every time
    method.SetMetricAsCorrelation()
    method.SetMetricFixedMask(fixed_mask)
    method.SetMetricMovingMask(moving_mask)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentagePerLevel([0.5, 0.25, 0.25])
    method.SetInterpolator(_sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=0.02, numberOfIterations=80, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([4.0, 2.0, 1.0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(transform, inPlace=True)
    return method


def _angle(matrix: NDArray[np.float64]) -> float:
    return float(np.arccos(np.clip((np.trace(matrix) - 1.0) / 2.0, -1.0, 1.0)))


def _correlation(fixed: tuple[Any, Any], moving: tuple[Any, Any], transform: Any) -> float:
    carried = _sitk.GetArrayFromImage(
        _sitk.Resample(moving[0], fixed[0], transform, _sitk.sitkLinear, -1000.0)
    )
    known = _sitk.GetArrayFromImage(
        _sitk.Resample(moving[1], fixed[0], transform, _sitk.sitkNearestNeighbor, 0)
    )
    both = (_sitk.GetArrayFromImage(fixed[1]) > 0) & (known > 0)
    if both.sum() < 1000:
        return 0.0
    a, b = (ndimage.gaussian_filter(v, 0.8)[both] for v in (_sitk.GetArrayFromImage(fixed[0]), carried))
    if a.std() < 1.0 or b.std() < 1.0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
