"""A planned round opening in the bone: how much bone lies along the direction of drilling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.finding import MeasuredLine
from ctinsight.measure.thickness import lengths_inside_mm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.dcr.anatomy import Anatomy
    from ctinsight.tasks.dcr.parameters import Parameters, Point

    Array = NDArray[np.float64]

#: Lines of drilling are this far apart, and reach this far before and behind the middle of the opening, mm.
_STEP_MM, _REACH_MM = 0.5, 15.0
#: Less bone than this on a line is none, mm.
_NO_BONE_MM = 0.2


@dataclass(frozen=True)
class OsteotomyPlan:
    """A planned opening.

    Parameters
    ----------
    center_ras, axis_ras
        Its middle, and the unit vector of drilling, from the nose towards the sac.
    diameter_mm
        Of the opening.
    depth_mean_mm, depth_min_mm, depth_max_mm
        Bone along the lines of drilling inside the opening; lines without bone count as 0.
    depth_center_mm
        Along the middle line.
    bone_volume_mm3
        Bone inside the opening.
    bony_share
        Share of the opening where there is bone at all, 0 to 1.
    """

    center_ras: Point
    axis_ras: Point
    diameter_mm: float
    depth_mean_mm: float
    depth_min_mm: float
    depth_max_mm: float
    depth_center_mm: float
    bone_volume_mm3: float
    bony_share: float

    @property
    def line(self) -> MeasuredLine:
        """The bone on the middle line, drawn about the middle of the opening."""
        centre, half = np.array(self.center_ras), np.array(self.axis_ras) * self.depth_center_mm / 2
        return MeasuredLine("window_axis", "Drilling", _point(centre - half), _point(centre + half))


def plan_osteotomy(side: Anatomy, path: MeasuredLine | None, parameters: Parameters) -> OsteotomyPlan | None:
    """Plan an opening where and along what the user chose, or along the shortest way from sac to nose.

    Returns
    -------
    OsteotomyPlan or None
        ``None`` without bone, or when neither the user nor a way from sac to nose says where.
    """
    place = _place(side, path, parameters)
    if place is None or not side.maxilla_kji.any():
        return None
    center, axis = place
    radius = parameters.window_diameter_mm / 2
    across = _disc(axis, radius)
    starts = center + across - _REACH_MM * axis
    depths = lengths_inside_mm(side.maxilla_kji, side.grid, starts, starts + 2 * _REACH_MM * axis)
    middle = int(np.argmin(np.linalg.norm(across, axis=1)))
    return OsteotomyPlan(
        center_ras=_point(center),
        axis_ras=_point(axis),
        diameter_mm=parameters.window_diameter_mm,
        depth_mean_mm=float(depths.mean()),
        depth_min_mm=float(depths.min()),
        depth_max_mm=float(depths.max()),
        depth_center_mm=float(depths[middle]),
        bone_volume_mm3=float(depths.mean() * np.pi * radius**2),
        bony_share=float((depths > _NO_BONE_MM).mean()),
    )


def _place(side: Anatomy, path: MeasuredLine | None, parameters: Parameters) -> tuple[Array, Array] | None:
    center, axis = parameters.window_center_ras, parameters.window_axis_ras
    if path is None and (center is None or axis is None):
        return None
    if path is not None:
        sac, nose = np.array(path.start_ras), np.array(path.end_ras)
        center = _point(_middle_of_bone(side, nose, sac)) if center is None else center
        axis = _point(sac - nose) if axis is None else axis
    direction = np.array(axis, dtype=np.float64)
    return np.array(center, dtype=np.float64), direction / np.linalg.norm(direction)


def _middle_of_bone(side: Anatomy, start: Array, end: Array) -> Array:
    shares = np.linspace(0, 1, 101)
    places = start + shares[:, None] * (end - start)
    ijk = np.rint(side.grid.ijk_from_ras(places)).astype(int)
    ijk = np.clip(ijk, 0, np.array(side.grid.shape_kji[::-1]) - 1)
    bone = side.maxilla_kji[ijk[:, 2], ijk[:, 1], ijk[:, 0]]
    return np.asarray(places[bone].mean(axis=0) if bone.any() else (start + end) / 2)


def _disc(axis: Array, radius: float) -> Array:
    """Points of a lattice on a disc across an axis, its middle included."""
    helper = np.eye(3)[int(np.argmin(np.abs(axis)))]
    first = np.cross(axis, helper)
    first /= np.linalg.norm(first)
    second = np.cross(axis, first)
    count = int(np.floor(radius / _STEP_MM))
    ticks = _STEP_MM * np.arange(-count, count + 1)
    u, v = (a.ravel() for a in np.meshgrid(ticks, ticks))
    inside = u**2 + v**2 <= radius**2 + 1e-9
    return np.asarray(u[inside, None] * first + v[inside, None] * second)


def _point(values: Array) -> Point:
    r, a, s = (float(v) for v in values)
    return r, a, s
