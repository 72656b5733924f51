"""Measure one nodule: lines on three planes, volume, density, mass, solid part, form, what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.finding import Interval
from ctinsight.measure import surface_area_mm2
from ctinsight.measure.planes import PlaneDiameters, three_plane_diameters
from ctinsight.tasks.nodule.leak import level_interval
from ctinsight.tasks.nodule.levels import goes_on, plane_depth
from ctinsight.tasks.nodule.type import NoduleType, solid_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.nodule.cube import Cube, Point
    from ctinsight.tasks.nodule.parameters import Parameters
    from ctinsight.tasks.nodule.reading import Shape

#: Calcium and fat are called so from this many filled voxels of the CT and this volume.
LEAST_SPECK_VOXELS, LEAST_SPECK_MM3 = 3, 4.0
#: Fat must fill at least so many voxels, the smallest region of interest in studies of hamartoma.
LEAST_FAT_VOXELS = 8
#: Fat is called so from the volume of a ball of 3 mm.
LEAST_FAT_MM3 = 14.0
#: Partial volume with air passes through the density of fat: only voxels this deep are looked at.
FAT_DEPTH_VOXELS = 2.0
#: Darker than fat inside a nodule is air; close to it its blur looks like fat, HU and mm.
BUBBLE_HU, BUBBLE_REACH_MM = -160.0, 2.0
#: Threads are counted in the shell between these distances from the surface, mm.
THREAD_SHELL_MM = (1.5, 2.5)
#: A thread is at least this wide where it crosses the shell, mm².
LEAST_THREAD_MM2 = 0.5
#: Distances to the pleura are known up to here, mm.
FARTHEST_PLEURA_MM = 45.0


@dataclass(frozen=True)
class Density:
    """HU of the CT's own voxels in the nodule; mass is volume times (mean HU + 1000) / 1000 mg/mm³."""

    mean_hu: float
    sd_hu: float
    min_hu: float
    max_hu: float
    mass_mg: float


@dataclass(frozen=True)
class SolidPart:
    """The solid part of a part-solid nodule; diameter is the greatest mean of the three planes."""

    volume_mm3: float
    volume_band_mm3: Interval
    diameter_mm: float
    diameter_band_mm: Interval
    longest_mm: float


@dataclass(frozen=True)
class Speck:
    """Calcium or fat inside the nodule: volume of the voxels of the CT that are so dense, and the verdict."""

    volume_mm3: float
    found: bool


@dataclass(frozen=True)
class NoduleMeasures:
    """Everything that is measured on one nodule.

    ``planes`` run axial, coronal, sagittal. ``solid`` is ``None`` unless the nodule is part-solid, ``fat``
    is ``None`` unless it is solid. ``pleura_mm`` is 0 when it touches, ``None`` beyond 45 mm.
    ``recentred_mm`` is ``None`` without a click.
    """

    kind: NoduleType
    evidence: str
    centre_ras: Point
    recentred_mm: float | None
    volume_mm3: float
    interval_mm3: Interval | None
    voxel_count_mm3: float
    planes: tuple[PlaneDiameters, ...]
    density: Density
    solid: SolidPart | None
    pleura_mm: float | None
    calcium: Speck
    fat: Speck | None
    sphericity: float
    thread_count: int
    thread_share_percent: float

    @property
    def best_plane(self) -> PlaneDiameters:
        """The plane with the greatest mean diameter."""
        return max(self.planes, key=lambda p: round(p.mean_mm, 6))

    @property
    def mean_diameter_mm(self) -> float:
        """Mean of long and short axis on the best plane, rounded to 0.1 mm."""
        return round(self.best_plane.mean_mm, 1)


def measure_nodule(shape: Shape, parameters: Parameters, voxel_count_mm3: float) -> NoduleMeasures:
    """Measure one nodule.

    Parameters
    ----------
    shape
        The nodule.
    parameters
        Thresholds.
    voxel_count_mm3
        Volume of its segment by counting voxels of the CT, shown beside the volume of the fine outline.
    """
    cube, mask = shape.cube, shape.mask_kji
    threads, share = _threads(shape)
    click = shape.click_ras
    moved = None if click is None else float(np.linalg.norm(np.subtract(shape.centre_ras, click)))
    return NoduleMeasures(
        kind=shape.type_reading.kind,
        evidence=shape.type_reading.evidence,
        centre_ras=shape.centre_ras,
        recentred_mm=moved,
        volume_mm3=shape.volume_mm3,
        interval_mm3=None if shape.outline is None else level_interval(shape.outline),
        voxel_count_mm3=voxel_count_mm3,
        planes=three_plane_diameters(mask, cube.grid),
        density=_density(cube, mask),
        solid=_solid(shape, parameters),
        pleura_mm=_pleura_mm(cube, mask),
        calcium=_calcium(cube, mask, parameters),
        fat=_fat(shape, parameters),
        sphericity=_sphericity(cube, mask),
        thread_count=threads,
        thread_share_percent=share,
    )


def _density(cube: Cube, mask: NDArray[np.bool_]) -> Density:
    values = cube.native_values(mask)
    if values.size == 0:
        values = cube.hu_kji[mask].astype(np.float64)
    volume = float(mask.sum()) * cube.spacing_mm**3
    mass = volume * (float(cube.hu_kji[mask].mean(dtype=np.float64)) + 1000.0) / 1000.0
    return Density(float(values.mean()), float(values.std()), float(values.min()), float(values.max()), mass)


def _solid(shape: Shape, parameters: Parameters) -> SolidPart | None:
    if shape.type_reading.kind is not NoduleType.PART_SOLID:
        return None
    cube, solid = shape.cube, shape.type_reading.solid_kji
    volumes, diameters = [], []
    for threshold in parameters.solid_band_hu:
        part = solid_part(cube, shape.mask_kji, threshold)
        volumes.append(float(part.sum()) * cube.spacing_mm**3)
        diameters.append(_greatest_mean(cube, part)[0])
    low, high = parameters.solid_band_hu
    meaning = f"threshold between {high:.0f} and {low:.0f} HU"
    mean, longest = _greatest_mean(cube, solid)
    return SolidPart(
        float(solid.sum()) * cube.spacing_mm**3,
        Interval(volumes[1], volumes[0], meaning),
        mean,
        Interval(diameters[1], diameters[0], meaning),
        longest,
    )


def _greatest_mean(cube: Cube, part: NDArray[np.bool_]) -> tuple[float, float]:
    """Greatest mean diameter and longest line of the largest piece, mm; 0 when there is none."""
    labels, count = ndimage.label(part)
    if count == 0:
        return 0.0, 0.0
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    planes = three_plane_diameters(largest, cube.grid)
    return max(p.mean_mm for p in planes), max(p.long_axis.length_mm for p in planes)


def _pleura_mm(cube: Cube, mask: NDArray[np.bool_]) -> float | None:
    gap = float(cube.wall_gap_kji[mask].min())
    if gap <= max(0.5 * min(cube.native_mm), cube.spacing_mm):
        return 0.0
    return gap if gap <= FARTHEST_PLEURA_MM else None


def _calcium(cube: Cube, mask: NDArray[np.bool_], parameters: Parameters) -> Speck:
    voxel = cube.volume.grid.voxel_volume_mm3
    count = int((cube.native_values(mask) >= parameters.calcification_hu).sum())
    volume = count * voxel
    return Speck(volume, count >= LEAST_SPECK_VOXELS and volume >= LEAST_SPECK_MM3)


def _fat(shape: Shape, parameters: Parameters) -> Speck | None:
    if shape.type_reading.kind is not NoduleType.SOLID:
        return None
    cube, mask = shape.cube, shape.mask_kji
    deep = goes_on(cube, mask) & (plane_depth(cube, mask) >= FAT_DEPTH_VOXELS)
    bubbles = mask & (cube.hu_kji < BUBBLE_HU)
    inner = deep & (cube.distance_to(bubbles) > BUBBLE_REACH_MM) if bubbles.any() else deep
    labels, count = ndimage.label(
        _in_range(ndimage.uniform_filter(cube.hu_kji, 3), parameters.fat_hu) & inner
    )
    if count == 0:
        return Speck(0.0, found=False)
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    volume = float(largest.sum()) * cube.spacing_mm**3
    enough = cube.native_values(largest).size >= LEAST_FAT_VOXELS
    return Speck(volume, found=enough and volume >= LEAST_FAT_MM3)


def _in_range(hu: NDArray[np.float32], limits: tuple[float, float]) -> NDArray[np.bool_]:
    return np.asarray((hu >= limits[0]) & (hu <= limits[1]))


def _sphericity(cube: Cube, mask: NDArray[np.bool_]) -> float:
    """Surface of the ball of the same volume over the nodule's own surface; 1 for a ball."""
    volume = float(mask.sum()) * cube.spacing_mm**3
    area = surface_area_mm2(mask, cube.grid)
    return float(min(1.0, np.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / area)) if area > 0 else 0.0


def _threads(shape: Shape) -> tuple[int, float]:
    """Count what crosses a shell about the nodule, and its share of the shell in percent."""
    cube, mask = shape.cube, shape.mask_kji
    away = cube.distance_to(mask)
    shell = (away > THREAD_SHELL_MM[0]) & (away <= THREAD_SHELL_MM[1]) & (cube.wall_gap_kji > 1.0)
    if not shell.any():
        return 0, 0.0
    dense = (cube.hu_kji >= shape.lung_hu + 0.35 * (shape.rim_hu - shape.lung_hu)) & (away <= 4.0)
    joined, _ = ndimage.label((dense & cube.lung_kji) | mask)
    own = shell & (joined == joined[tuple(np.argwhere(mask)[0])])
    labels, count = ndimage.label(own, np.ones((3, 3, 3), dtype=np.bool_))
    width = THREAD_SHELL_MM[1] - THREAD_SHELL_MM[0]
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:] * cube.spacing_mm**3 / width
    return int((areas >= LEAST_THREAD_MM2).sum()), 100.0 * float(own.sum()) / float(shell.sum())
