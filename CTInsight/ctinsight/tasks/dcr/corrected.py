"""Measurements of one side that hold on oblique and anisotropic scans, beside the published ones."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree

from ctinsight.finding import MeasuredLine
from ctinsight.measure import bounding_box, dilate, surface_area_mm2
from ctinsight.measure.isosurface import Mesh, mask_mesh, smoothed
from ctinsight.measure.thickness import SurfaceThickness, lengths_inside_mm, surface_thickness
from ctinsight.volume import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.dcr.anatomy import Anatomy

    Mask = NDArray[np.bool_]
    Array = NDArray[np.float64]

#: As the published program: bone this near to the sac, and wall this near to sac or nasal cavity, mm.
BURDEN_RADIUS_MM, WALL_RADIUS_MM = 10.0, 15.0
#: Sections of the sac are taken this far apart and are this thick, mm; the outer parts are its rounded ends.
_SECTION_STEP_MM, _ENDS = 0.5, 0.15
#: Half the height of the slab in which the direction of the maxilla is found, and the least voxels for it.
_SLAB_MM, _LEAST_VOXELS = 1.5, 50


@dataclass(frozen=True)
class SideFeatures:
    """Measurements of one side; ``None`` where there is nothing to measure.

    Names follow the published ones where they measure the same thing.
    """

    sac_volume_mm3: float | None = None
    sac_surface_area_mm2: float | None = None
    sac_sphericity: float | None = None
    sac_equivalent_diameter_mm: float | None = None
    sac_elongation: float | None = None
    sac_minimum_section_mm2: float | None = None
    nasal_volume_mm3: float | None = None
    nasal_surface_area_mm2: float | None = None
    centroid_distance_mm: float | None = None
    sac_nasal_distance_mm: float | None = None
    bone_on_path_mm: float | None = None
    maxilla_volume_mm3: float | None = None
    maxilla_surface_area_mm2: float | None = None
    bone_near_sac_mm3: float | None = None
    maxilla_angle_to_sagittal_deg: float | None = None
    wall_thickness_mean_mm: float | None = None
    wall_thickness_median_mm: float | None = None
    wall_thickness_p95_mm: float | None = None
    wall_thickness_max_mm: float | None = None

    def as_dict(self) -> dict[str, float | None]:
        """Return name -> value."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class SideMeasures:
    """One side: its features, the shortest way from sac to nose, and the thickness of its wall."""

    features: SideFeatures
    path: MeasuredLine | None
    thickness: SurfaceThickness | None


def measure_side(side: Anatomy) -> SideMeasures:
    """Measure the masks of one side in patient space.

    Parameters
    ----------
    side
        One side alone (:meth:`Anatomy.on`).
    """
    cut = cropped(side)
    if cut is None:
        return SideMeasures(SideFeatures(), None, None)
    sac, maxilla, nasal, grid = cut.sac_kji, cut.maxilla_kji, cut.nasal_kji, cut.grid
    values: dict[str, float] = {}
    path = None
    if sac.any():
        values |= _sac_values(sac, grid)
    if nasal.any():
        values["nasal_volume_mm3"] = _volume(nasal, grid)
        values["nasal_surface_area_mm2"] = surface_area_mm2(nasal, grid)
    if sac.any() and nasal.any():
        path = _shortest_way(sac, nasal, grid)
        values["centroid_distance_mm"] = float(np.linalg.norm(_centre(sac, grid) - _centre(nasal, grid)))
        values["sac_nasal_distance_mm"] = path.length_mm
        if maxilla.any():
            ends = np.array(path.start_ras), np.array(path.end_ras)
            values["bone_on_path_mm"] = float(lengths_inside_mm(maxilla, grid, *ends)[0])
    thickness = None
    if maxilla.any():
        values |= _maxilla_values(maxilla, sac, grid)
        thickness = surface_thickness(maxilla, grid)
        values |= _thickness_values(thickness, sac | nasal, grid)
    return SideMeasures(SideFeatures(**values), path, thickness)


def cropped(side: Anatomy, margin: int = 4) -> Anatomy | None:
    """Cut the masks down to what is drawn, with a margin in voxels; ``None`` when nothing is."""
    from ctinsight.tasks.dcr.anatomy import Anatomy

    drawn = side.sac_kji | side.maxilla_kji | side.nasal_kji
    box = bounding_box(drawn)
    if box is None:
        return None
    near = tuple(slice(max(0, s.start - margin), s.stop + margin) for s in box)
    matrix = side.grid.ijk_to_ras.copy()
    matrix[:3, 3] = side.grid.ras_from_ijk([near[2].start, near[1].start, near[0].start])
    masks = [np.ascontiguousarray(m[near]) for m in (side.sac_kji, side.maxilla_kji, side.nasal_kji)]
    k, j, i = masks[0].shape
    return Anatomy(masks[0], masks[1], masks[2], Grid((k, j, i), matrix), side.midline_r_mm)


def _volume(mask: Mask, grid: Grid) -> float:
    return float(np.count_nonzero(mask)) * grid.voxel_volume_mm3


def _places(mask: Mask, grid: Grid) -> Array:
    return grid.ras_from_ijk(np.argwhere(mask)[:, ::-1])


def _centre(mask: Mask, grid: Grid) -> Array:
    return np.asarray(_places(mask, grid).mean(axis=0))


def _sac_values(sac: Mask, grid: Grid) -> dict[str, float]:
    volume, area = _volume(sac, grid), surface_area_mm2(sac, grid)
    spread, axes = _spread(sac, grid)
    return {
        "sac_volume_mm3": volume,
        "sac_surface_area_mm2": area,
        "sac_sphericity": min(1.0, float(np.cbrt(np.pi) * np.cbrt(6 * volume) ** 2 / area)),
        "sac_equivalent_diameter_mm": float(np.cbrt(6 * volume / np.pi)),
        "sac_elongation": float(np.sqrt(spread[1] / spread[2])),
        "sac_minimum_section_mm2": _minimum_section(sac, grid, axes[:, 2]),
    }


def _spread(mask: Mask, grid: Grid) -> tuple[Array, Array]:
    """Variances along the main axes in mm², the extent of the voxels themselves included, and the axes."""
    places = _places(mask, grid)
    away = places - places.mean(axis=0)
    own = grid.directions @ np.diag(np.array(grid.spacing_ijk_mm) ** 2 / 12) @ grid.directions.T
    spread, axes = np.linalg.eigh(away.T @ away / len(places) + own)
    return np.asarray(spread), np.asarray(axes)


def _minimum_section(sac: Mask, grid: Grid, axis: Array) -> float:
    """Smallest area across the long axis, the rounded ends left out."""
    along = (_places(sac, grid) - _centre(sac, grid)) @ axis
    voxel = float(np.abs(grid.directions.T @ axis) @ grid.spacing_ijk_mm)
    # Half length of the ellipsoid of the same spread: the outermost voxel alone would be unsteady.
    half = (1 - 2 * _ENDS) * float(np.sqrt(5 * (along.var() + voxel**2 / 12)))
    width = max(_SECTION_STEP_MM, 1.2 * voxel)
    at = np.arange(-half, half + 1e-6, _SECTION_STEP_MM)
    weights = np.maximum(0, 1 - np.abs(along[None, :] - at[:, None]) / width)
    return float(weights.sum(axis=1).min() * grid.voxel_volume_mm3 / width)


def _shortest_way(sac: Mask, nasal: Mask, grid: Grid) -> MeasuredLine:
    """Shortest line between the two surfaces."""
    start, end = smoothed(mask_mesh(sac, grid)), smoothed(mask_mesh(nasal, grid))
    distance, nearest = KDTree(end.vertices_ras).query(start.vertices_ras)
    n = int(np.argmin(distance))
    return MeasuredLine("sac_to_nose", "Sac to nose", _vector(start, n), _vector(end, int(nearest[n])))


def _vector(mesh: Mesh, n: int) -> tuple[float, float, float]:
    r, a, s = (float(v) for v in mesh.vertices_ras[n])
    return r, a, s


def _maxilla_values(maxilla: Mask, sac: Mask, grid: Grid) -> dict[str, float]:
    values = {
        "maxilla_volume_mm3": _volume(maxilla, grid),
        "maxilla_surface_area_mm2": surface_area_mm2(maxilla, grid),
    }
    if sac.any():
        values["bone_near_sac_mm3"] = _volume(maxilla & dilate(sac, grid, BURDEN_RADIUS_MM), grid)
        places = _places(maxilla, grid)
        half = max(_SLAB_MM, 0.6 * max(grid.spacing_ijk_mm))
        flat = places[np.abs(places[:, 2] - _centre(sac, grid)[2]) < half][:, :2]
        if len(flat) >= _LEAST_VOXELS:
            axis = np.linalg.eigh(np.cov(flat.T))[1][:, 1]
            angle = float(np.degrees(np.arccos(min(abs(axis[1]), 1.0))))
            values["maxilla_angle_to_sagittal_deg"] = angle
    return values


def _thickness_values(thickness: SurfaceThickness, targets: Mask, grid: Grid) -> dict[str, float]:
    """Weigh every measured vertex near sac or nasal cavity by its share of the surface."""
    near = thickness.measured.copy()
    if targets.any():
        reach = KDTree(_places(targets, grid)).query(thickness.mesh.vertices_ras)[0]
        near &= reach <= WALL_RADIUS_MM
    if not near.any():
        return {}
    order = np.argsort(thickness.thickness_mm[near])
    sorted_mm = thickness.thickness_mm[near][order]
    weights = thickness.mesh.vertex_areas_mm2[near][order]
    shares = (np.cumsum(weights) - weights / 2) / weights.sum()
    return {
        "wall_thickness_mean_mm": float(np.average(sorted_mm, weights=weights)),
        "wall_thickness_median_mm": float(np.interp(0.5, shares, sorted_mm)),
        "wall_thickness_p95_mm": float(np.interp(0.95, shares, sorted_mm)),
        "wall_thickness_max_mm": float(sorted_mm[-1]),
    }
