"""The patient's own mid-plane, found by symmetry, and the side of a point.

A head lies turned and tilted in the scanner, so the middle column of the image is not the middle of the
patient. The plane is the one on which skull, base and face mirror themselves best. What lies inside the
cranium does not count: a bleed or a shifted falx must not move the plane that measures their side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, optimize

from ctinsight.errors import ProcessingFailedError
from ctinsight.finding import Side
from ctinsight.regions.worksheet import worksheet

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ctinsight.volume import Volume

    Array = NDArray[np.float64]

#: A point closer to the plane than this has no side: the accuracy asked of the plane itself.
MIDLINE_MM = 2.0

_REACH_MM = 14.0  # how far from the inner table shape and bone are compared
_SAMPLES = 12000
_START_DEGREES = (-20.0, -10.0, 0.0, 10.0, 20.0)  # heads lie turned by up to about 20 degrees
_STARTS_KEPT = 2
_BONE_HU = (0.0, 800.0)
_BONE_WEIGHT = 0.5  # beside the shape of the cavity, whose two halves are never quite equal


@dataclass(frozen=True)
class Plane:
    """A plane in patient space.

    Parameters
    ----------
    point_ras
        A point on it, in RAS (mm).
    normal_ras
        Unit normal; of the mid-plane it points to the patient's right.
    """

    point_ras: tuple[float, float, float]
    normal_ras: tuple[float, float, float]

    def distance_mm(self, points_ras: ArrayLike) -> Array:
        """Signed distance of points (..., 3) in RAS (mm), positive on the side of the normal.

        Examples
        --------
        >>> float(Plane((0, 0, 0), (1, 0, 0)).distance_mm((30.0, 5.0, 5.0)))
        30.0
        """
        points = np.asarray(points_ras, dtype=np.float64)
        return np.asarray((points - np.array(self.point_ras)) @ np.array(self.normal_ras))

    def mirrored(self, points_ras: ArrayLike) -> Array:
        """Mirror images of points (..., 3) in RAS (mm)."""
        points = np.asarray(points_ras, dtype=np.float64)
        return np.asarray(points - 2 * self.distance_mm(points)[..., None] * np.array(self.normal_ras))


def side_of(point_ras: ArrayLike, midplane: Plane, *, midline_mm: float = MIDLINE_MM) -> Side:
    """Tell the patient's side of a point (3,) in RAS (mm).

    Parameters
    ----------
    point_ras
        The point.
    midplane
        From :func:`midsagittal_plane`; its normal points to the patient's right.
    midline_mm
        Closer than this to the plane is ``Side.MIDLINE``.
    """
    distance = float(midplane.distance_mm(point_ras))
    if abs(distance) < midline_mm:
        return Side.MIDLINE
    return Side.RIGHT if distance > 0 else Side.LEFT


def midsagittal_plane(volume: Volume, brain_mask: NDArray[np.bool_]) -> Plane:
    """Find the plane on which the skull mirrors itself best.

    Parameters
    ----------
    volume
        Head CT in HU.
    brain_mask
        Intracranial content (slices, rows, columns) on the same grid.

    Returns
    -------
    Plane
        The normal points to the patient's right; the point is the one nearest to the mask's centre.

    Raises
    ------
    ProcessingFailedError
        The mask is empty; extract the brain first.
    """
    if not brain_mask.any():
        raise ProcessingFailedError(
            found="an empty brain mask",
            expected="the intracranial content, to find the plane between its halves",
            remedy="Run the brain extraction first, or check that the CT shows the head.",
        )
    symmetry = _symmetry(volume, brain_mask)
    starts = [np.array([yaw, roll, 0.0]) for yaw in _START_DEGREES for roll in _START_DEGREES]
    starts = sorted(starts, key=symmetry.difference)[:_STARTS_KEPT]
    best = min((_polished(symmetry, start) for start in starts), key=lambda found: float(found.fun))
    return symmetry.plane(best.x)


def _polished(symmetry: _Symmetry, start: Array) -> optimize.OptimizeResult:
    simplex = start + np.array([[0, 0, 0], [5, 0, 0], [0, 5, 0], [0, 0, 4]], dtype=np.float64)
    options = {"initial_simplex": simplex, "xatol": 0.05, "fatol": 1e-5, "maxfev": 150}
    return optimize.minimize(symmetry.difference, start, method="Nelder-Mead", options=options)


@dataclass(frozen=True, eq=False)
class _Symmetry:
    """Two fields on the working cubes, and the points at which they are compared with their mirror image."""

    shape_field: NDArray[np.float32]
    bone_field: NDArray[np.float32]
    points_ras: Array
    at_points: tuple[Array, Array]
    zyx_from_ras: Array
    centre_ras: Array

    def plane(self, parameters: Array) -> Plane:
        """Plane of (turn about S in degrees, tilt about A in degrees, offset in mm from the centre)."""
        turn, tilt = np.radians(parameters[:2])
        normal = np.array(
            [np.cos(turn) * np.cos(tilt), np.sin(turn) * np.cos(tilt), np.sin(tilt)], dtype=np.float64
        )
        point = self.centre_ras + parameters[2] * normal
        r, a, s = (float(value) for value in point)
        x, y, z = (float(value) for value in normal)
        return Plane((r, a, s), (x, y, z))

    def difference(self, parameters: Array) -> float:
        """Mean absolute difference to the mirror image; points whose image leaves the scan do not count."""
        mirrored = self.plane(parameters).mirrored(self.points_ras)
        zyx = (mirrored @ self.zyx_from_ras[:3, :3].T + self.zyx_from_ras[:3, 3]).T
        last = np.array(self.shape_field.shape)[:, None] - 1
        seen = np.all((zyx >= 0) & (zyx <= last), axis=0)
        if seen.mean() < 0.3:
            return float("inf")
        shape, bone = (
            np.abs(ndimage.map_coordinates(field, zyx[:, seen], order=1) - here[seen]).mean()
            for field, here in zip((self.shape_field, self.bone_field), self.at_points, strict=True)
        )
        return float(shape / _REACH_MM + _BONE_WEIGHT * bone / _BONE_HU[1])


def _symmetry(volume: Volume, brain_mask: NDArray[np.bool_]) -> _Symmetry:
    sheet = worksheet(volume)
    spacing = np.linalg.norm(sheet.ras_from_zyx[:3, :3], axis=0)
    mask = sheet.downsampled(brain_mask)
    inner = ndimage.distance_transform_edt(mask, sampling=spacing)
    outer = ndimage.distance_transform_edt(~mask, sampling=spacing)
    shape = np.clip(inner - outer, -_REACH_MM, _REACH_MM).astype(np.float32)
    # Inside the cavity, deeper than the inner table, nothing counts.
    bone = np.where(inner > 4.0, _BONE_HU[0], np.clip(sheet.array_zyx, *_BONE_HU)).astype(np.float32)
    near = np.argwhere((inner < _REACH_MM) & (outer < _REACH_MM))
    near = near[:: max(1, len(near) // _SAMPLES)]
    points = (near @ sheet.ras_from_zyx[:3, :3].T + sheet.ras_from_zyx[:3, 3]).astype(np.float64)
    middle = np.argwhere(mask).mean(axis=0).astype(np.float64)
    centre = middle @ sheet.ras_from_zyx[:3, :3].T + sheet.ras_from_zyx[:3, 3]
    at_points = tuple(field[tuple(near.T)].astype(np.float64) for field in (shape, bone))
    zyx_from_ras = np.asarray(np.linalg.inv(sheet.ras_from_zyx), dtype=np.float64)
    return _Symmetry(shape, bone, points, (at_points[0], at_points[1]), zyx_from_ras, centre)
