"""A synthetic midface with lacrimal sacs, a bony wall of known thickness and nasal cavities.

On each side sac, wall and nasal cavity stand in a row along the normal of the wall, so that their volumes,
the thickness of the wall and the distance from the sac to the nose are known by formula.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.errors import WrongUseError
from ctinsight.finding import Side
from ctinsight.phantoms.head import VIEW_CENTRE, head_grid
from ctinsight.phantoms.shapes import Points, coverage, ellipsoid
from ctinsight.phantoms.texture import NoiseLevel, correlated_noise
from ctinsight.volume import Grid, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.phantoms.shapes import Array, Vector

#: Labels of DeepDCR's data description.
SAC, MAXILLA, NASAL = 1, 2, 3
#: Half axes in mm along the normal of the wall, along it forwards and along it upwards.
SAC_RADII_MM, NASAL_RADII_MM = (2.5, 3.0, 6.0), (5.0, 18.0, 14.0)
#: Extent of the wall along itself, forwards and upwards, mm.
WALL_MM = (16.0, 22.0)
#: Soft tissue between sac and wall, and between wall and nasal cavity, mm.
MUCOSA_MM = 1.0
#: From the midline to the centre of a nasal cavity, and how far in front of and above the origin it lies, mm.
NASAL_CENTRE_MM = (12.0, 40.0, 0.0)
#: Attenuation: air, soft tissue, fat of the orbit, bone, contrast medium in the sac.
AIR_HU, TISSUE_HU, FAT_HU, BONE_HU, CONTRAST_HU = -1000.0, 45.0, -90.0, 1100.0, 1600.0
#: A sac without contrast medium holds mucus.
STAGNANT_HU = 25.0
#: Width of the ramp at every edge, mm.
RAMP_MM = 0.6
_SLICES_AT_ONCE = 16
#: Sac, wall and nasal cavity of a side lie within this distance of the middle of the wall, mm.
_REACH_MM = 32.0
#: Centre and half axes of the head, mm.
_HEAD_CENTRE, _HEAD_RADII = (0.0, -25.0, 5.0), (68.0, 88.0, 95.0)

#: Centre, half axes and attenuation on the right side: orbit, wall of the maxillary sinus, sinus.
_SURROUNDINGS = (
    ((35.0, 36.0, 24.0), (15.0, 15.0, 14.0), FAT_HU),
    ((36.0, 18.0, -16.0), (13.0, 15.0, 14.0), BONE_HU),
    ((36.0, 18.0, -16.0), (11.5, 13.5, 12.5), AIR_HU),
)


def midface_grid(
    spacing_ijk_mm: Vector = (0.5, 0.5, 0.5),
    *,
    size_mm: Vector = (120.0, 66.0, 44.0),
    centre_ras: Vector = (0.0, 36.0, 0.0),
    rotation_degrees: Vector = (0.0, 0.0, 0.0),
    flip_ijk: tuple[bool, bool, bool] = (True, True, False),
) -> Grid:
    """Make a grid about the noses; the default shows air at both sides and in front."""
    grid = head_grid(spacing_ijk_mm, size_mm=size_mm, rotation_degrees=rotation_degrees, flip_ijk=flip_ijk)
    matrix = grid.ijk_to_ras.copy()
    matrix[:3, 3] += np.subtract(centre_ras, VIEW_CENTRE)
    return Grid(grid.shape_kji, matrix)


@dataclass(frozen=True)
class MidfaceSide:
    """One side of the midface.

    Parameters
    ----------
    wall_mm
        Thickness of the bony wall, 1 to 8 mm.
    oblique_degrees
        How far the normal of the wall is turned: about the vertical axis (backwards), about the long axis of
        the patient's view (upwards).
    contrast
        Whether contrast medium fills the sac.
    sac
        Whether there is a sac.
    """

    wall_mm: float = 3.0
    oblique_degrees: tuple[float, float] = (0.0, 0.0)
    contrast: bool = True
    sac: bool = True

    def __post_init__(self) -> None:
        if not 0.5 <= self.wall_mm <= 10 or max(abs(d) for d in self.oblique_degrees) > 25:
            raise WrongUseError(
                found=f"a wall of {self.wall_mm} mm, turned by {self.oblique_degrees} degrees",
                expected="0.5 to 10 mm and at most 25 degrees, so that the sides do not meet",
                remedy="Choose another wall.",
            )


@dataclass(frozen=True, eq=False)
class MidfaceSpec:
    """What to draw; the same seed and grid give the same bytes."""

    grid: Grid = field(default_factory=midface_grid)
    right: MidfaceSide = MidfaceSide()
    left: MidfaceSide = MidfaceSide()
    noise_hu: float = 25.0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class SideTruth:
    """What is known of one side by formula.

    ``wall_frame`` has the normal of the wall (from nose to sac), its forward and its upward direction as
    rows, in RAS. ``sac_volume_mm3`` is 0 without a sac.
    """

    wall_mm: float
    sac_volume_mm3: float
    maxilla_volume_mm3: float
    nasal_volume_mm3: float
    sac_nasal_distance_mm: float
    wall_frame: NDArray[np.float64]
    wall_centre_ras: Vector
    sac_centre_ras: Vector
    nasal_centre_ras: Vector


@dataclass(frozen=True, eq=False)
class MidfaceCase:
    """A synthetic CT with its truth; ``labels_kji`` (uint8): 1 sac, 2 maxilla, 3 nasal cavity, by centres."""

    volume: Volume
    labels_kji: NDArray[np.uint8]
    truth: dict[Side, SideTruth]
    spec: MidfaceSpec


def midface_phantom(spec: MidfaceSpec | None = None) -> MidfaceCase:
    """Draw a midface with known wall thickness, volumes and distances."""
    spec = spec or MidfaceSpec()
    grid = spec.grid
    truth = {Side.RIGHT: side_truth(Side.RIGHT, spec.right), Side.LEFT: side_truth(Side.LEFT, spec.left)}
    array = np.empty(grid.shape_kji, dtype=np.float32)
    labels = np.zeros(grid.shape_kji, dtype=np.uint8)
    offsets = _offsets(grid)
    for k in range(0, grid.shape_kji[0], _SLICES_AT_ONCE):
        part = slice(k, min(k + _SLICES_AT_ONCE, grid.shape_kji[0]))
        centres = _centres(grid, part)
        shape = array[part].shape
        samples = [_hu(centres + offset, spec, truth) for offset in offsets]
        array[part] = np.mean(samples, axis=0).reshape(shape)
        labels[part] = _labels(centres, spec, truth).reshape(shape)
    rng = np.random.default_rng([spec.seed, 7])
    for k in range(grid.shape_kji[0]):
        array[k] += correlated_noise(rng, (1, *grid.shape_kji[1:]), NoiseLevel(spec.noise_hu, 0.4))[0]
    voxels = np.clip(np.rint(array), -1024, 3071).astype(np.int16)
    return MidfaceCase(Volume(voxels, grid.ijk_to_ras), labels, truth, spec)


def midface_labels(spec: MidfaceSpec) -> NDArray[np.uint8]:
    """Draw the labels alone, which is much faster."""
    truth = {Side.RIGHT: side_truth(Side.RIGHT, spec.right), Side.LEFT: side_truth(Side.LEFT, spec.left)}
    whole = slice(0, spec.grid.shape_kji[0])
    return _labels(_centres(spec.grid, whole), spec, truth).reshape(spec.grid.shape_kji)


def demo_midface(seed: int = 0) -> MidfaceCase:
    """Draw the midface that ``./run demo dcr`` shows: 4.5 mm on the left, 2.5 mm on the right."""
    left = MidfaceSide(4.5, (12.0, -8.0))
    right = MidfaceSide(2.5, (8.0, 5.0))
    return midface_phantom(MidfaceSpec(grid=midface_grid((0.5, 0.5, 0.6)), left=left, right=right, seed=seed))


def side_truth(side: Side, spec: MidfaceSide) -> SideTruth:
    """Say what is known of one side."""
    outward = 1.0 if side is Side.RIGHT else -1.0
    turn_z, turn_y = (np.radians(d) for d in spec.oblique_degrees)
    normal = np.array([np.cos(turn_z) * np.cos(turn_y), -np.sin(turn_z) * np.cos(turn_y), np.sin(turn_y)])
    forward = np.array([np.sin(turn_z), np.cos(turn_z), 0.0])
    upward = np.cross(normal, forward)
    frame = np.stack([normal, forward, upward]) * np.array([outward, 1.0, 1.0])
    nasal = np.array(NASAL_CENTRE_MM) * (outward, 1.0, 1.0)
    wall = nasal + frame[0] * (NASAL_RADII_MM[0] + MUCOSA_MM + spec.wall_mm / 2)
    sac = wall + frame[0] * (spec.wall_mm / 2 + MUCOSA_MM + SAC_RADII_MM[0])
    return SideTruth(
        wall_mm=spec.wall_mm,
        sac_volume_mm3=_ellipsoid_mm3(SAC_RADII_MM) if spec.sac else 0.0,
        maxilla_volume_mm3=spec.wall_mm * WALL_MM[0] * WALL_MM[1],
        nasal_volume_mm3=_ellipsoid_mm3(NASAL_RADII_MM),
        sac_nasal_distance_mm=spec.wall_mm + 2 * MUCOSA_MM,
        wall_frame=frame,
        wall_centre_ras=_vector(wall),
        sac_centre_ras=_vector(sac),
        nasal_centre_ras=_vector(nasal),
    )


def _ellipsoid_mm3(radii: Vector) -> float:
    return float(4 / 3 * np.pi * np.prod(radii))


def _vector(values: NDArray[np.float64]) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z


def _offsets(grid: Grid) -> Array:
    counts = [max(1, int(np.ceil(s / 0.75))) for s in grid.spacing_ijk_mm]
    ticks = [(np.arange(n) + 0.5) / n - 0.5 for n in counts]
    steps = np.stack([a.ravel() for a in np.meshgrid(*ticks, indexing="ij")], axis=1)
    return np.asarray(steps @ grid.ijk_to_ras[:3, :3].T, dtype=np.float32)


def _centres(grid: Grid, part: slice) -> Array:
    _, rows, columns = grid.shape_kji
    k, j, i = np.meshgrid(
        np.arange(part.start, part.stop), np.arange(rows), np.arange(columns), indexing="ij"
    )
    return grid.ras_from_ijk(np.stack([i.ravel(), j.ravel(), k.ravel()], axis=1)).astype(np.float32)


def _hu(ras: Array, spec: MidfaceSpec, truth: dict[Side, SideTruth]) -> Array:
    hu = np.full(len(ras), AIR_HU, dtype=np.float32)
    _paint(hu, ellipsoid(_points(ras), _HEAD_CENTRE, _HEAD_RADII), TISSUE_HU)
    for outward in (-1.0, 1.0):
        for centre, radii, value in _SURROUNDINGS:
            mirrored = (outward * centre[0], centre[1], centre[2])
            near = _near(ras, mirrored, max(radii) + 1)
            part = hu[near]
            _paint(part, ellipsoid(_points(ras[near]), mirrored, radii), value)
            hu[near] = part
    for side, known in truth.items():
        own = spec.right if side is Side.RIGHT else spec.left
        near = _near(ras, known.wall_centre_ras, _REACH_MM)
        part = hu[near]
        _paint(part, _level(ras[near], known, "nasal"), AIR_HU)
        _paint(part, _level(ras[near], known, "wall"), BONE_HU)
        if own.sac:
            _paint(part, _level(ras[near], known, "sac"), CONTRAST_HU if own.contrast else STAGNANT_HU)
        hu[near] = part
    return hu


def _paint(hu: Array, level: Array, value: float) -> None:
    hu += coverage(level, RAMP_MM) * (value - hu)


def _points(ras: Array) -> Points:
    return Points(ras[:, 0], ras[:, 1], ras[:, 2])


def _near(ras: Array, centre: Vector, reach_mm: float) -> NDArray[np.intp]:
    close = np.abs(ras[:, 0] - centre[0]) < reach_mm
    for axis in (1, 2):
        close &= np.abs(ras[:, axis] - centre[axis]) < reach_mm
    return np.flatnonzero(close)


def _level(ras: Array, known: SideTruth, part: str) -> Array:
    """Signed distance to a part, in the frame of the wall; negative inside."""
    centre = {"nasal": known.nasal_centre_ras, "wall": known.wall_centre_ras, "sac": known.sac_centre_ras}[
        part
    ]
    local = (ras - np.array(centre, dtype=ras.dtype)) @ known.wall_frame.T.astype(ras.dtype)
    if part == "wall":
        half = np.array([known.wall_mm / 2, WALL_MM[0] / 2, WALL_MM[1] / 2], dtype=ras.dtype)
        return np.asarray((np.abs(local) - half).max(axis=1))
    return ellipsoid(_points(local), (0.0, 0.0, 0.0), NASAL_RADII_MM if part == "nasal" else SAC_RADII_MM)


def _labels(ras: Array, spec: MidfaceSpec, truth: dict[Side, SideTruth]) -> NDArray[np.uint8]:
    labels = np.zeros(len(ras), dtype=np.uint8)
    for side, known in truth.items():
        near = _near(ras, known.wall_centre_ras, _REACH_MM)
        points = ras[near]
        labels[near[_level(points, known, "nasal") < 0]] = NASAL
        labels[near[_level(points, known, "wall") < 0]] = MAXILLA
        if (spec.right if side is Side.RIGHT else spec.left).sac:
            labels[near[_level(points, known, "sac") < 0]] = SAC
    return labels
