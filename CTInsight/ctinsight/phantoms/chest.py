"""A synthetic chest CT with nodules of known volume, solid core and diameter, drawn in patient space."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.errors import WrongUseError
from ctinsight.measure.planes import Plane, plane_diameters
from ctinsight.phantoms.chest_anatomy import AIR_HU, lung_level, paint_anatomy, wall_point
from ctinsight.phantoms.head import VIEW_CENTRE, head_grid
from ctinsight.phantoms.lung_vessels import Rod, vessel_tree
from ctinsight.phantoms.nodules import SOLID_HU, Nodule, NoduleKind, nodule_of
from ctinsight.phantoms.shapes import Points, Vector, Waves, paint
from ctinsight.phantoms.texture import NoiseLevel, correlated_noise
from ctinsight.volume import Grid, Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ctinsight.phantoms.shapes import Array

    Box = tuple[slice, slice, slice]

#: Sub-samples of a voxel are at most this far apart, mm; edges of the anatomy are ramps of 1 mm anyway.
SAMPLE_MM = 1.3
#: Voxels (k, j, i) painted at once, so that vessels elsewhere need not be looked at.
TILE = (8, 64, 64)
#: Correlation of neighbouring voxels of the noise, as a standard kernel gives at 0.7 mm.
NOISE_CORRELATION = 0.4
#: The random vessel tree keeps this far from nodules, mm.
CLEARANCE_MM = 3.0


def chest_grid(
    spacing_ijk_mm: Vector = (0.7, 0.7, 1.0),
    *,
    size_mm: Vector = (360.0, 260.0, 280.0),
    centre_ras: Vector = (0.0, 0.0, 10.0),
    rotation_degrees: Vector = (0.0, 0.0, 0.0),
    flip_ijk: tuple[bool, bool, bool] = (True, True, False),
) -> Grid:
    """Make a grid about ``centre_ras``; the default holds the whole chest, a smaller one a part of it."""
    grid = head_grid(spacing_ijk_mm, size_mm=size_mm, rotation_degrees=rotation_degrees, flip_ijk=flip_ijk)
    matrix = grid.ijk_to_ras.copy()
    matrix[:3, 3] += np.subtract(centre_ras, VIEW_CENTRE)
    return Grid(grid.shape_kji, matrix)


@dataclass(frozen=True, eq=False)
class ChestSpec:
    """What to draw.

    Parameters
    ----------
    grid
        Where; ``chest_grid()`` by default.
    seed
        Chooses vessels, texture and noise. The same seed and grid give the same bytes.
    nodules
        In patient space.
    noise_hu
        Standard deviation of the noise.
    blur_mm
        Standard deviation of the scanner's blur besides voxel size; 0.4 mm is a full width of 0.9 mm.
    texture_hu
        Standard deviation of the lung's own structure.
    vessels
        Whether to draw the vessel tree.
    """

    grid: Grid = field(default_factory=chest_grid)
    seed: int = 0
    nodules: tuple[Nodule, ...] = ()
    noise_hu: float = 20.0
    blur_mm: float = 0.4
    texture_hu: float = 8.0
    vessels: bool = True


@dataclass(frozen=True)
class NoduleTruth:
    """What is known of one drawn nodule, by formula; of a juxtapleural one by a lattice of 120 points across.

    ``solid_mm3`` is 0 for ground-glass and the whole for a nodule that is solid throughout.
    """

    nodule: Nodule
    volume_mm3: float
    mean_diameter_mm: float
    solid_mm3: float


@dataclass(frozen=True, eq=False)
class ChestCase:
    """A synthetic chest CT with its truth.

    ``truth_kji`` (uint8): n in the voxels that nodule number n fills by half or more. ``lungs_kji`` (bool):
    voxel centres inside a lung, nodules and vessels included.
    """

    volume: Volume
    truth_kji: NDArray[np.uint8]
    lungs_kji: NDArray[np.bool_]
    truths: tuple[NoduleTruth, ...]
    spec: ChestSpec


def chest_phantom(spec: ChestSpec | None = None) -> ChestCase:
    """Draw a chest CT with known nodules.

    Raises
    ------
    WrongUseError
        A nodule whose centre lies outside both lungs.
    """
    spec = spec or ChestSpec()
    _refuse_outside(spec.nodules)
    chest = _Chest(spec)
    grid = spec.grid
    array = np.empty(grid.shape_kji, dtype=np.float32)
    lungs = np.empty(grid.shape_kji, dtype=np.bool_)
    for tile in _tiles(grid.shape_kji):
        array[tile] = chest.mean_hu(tile, _counts(grid, SAMPLE_MM))
        lungs[tile] = lung_level(_points(grid, tile)).reshape(array[tile].shape) < 0
    truth = np.zeros(grid.shape_kji, dtype=np.uint8)
    for number, nodule in enumerate(spec.nodules, start=1):
        box = _box_of(grid, nodule)
        if box is not None:
            counts = _counts(grid, float(np.clip(min(nodule.radii_mm) / 10, 0.15, 0.4)))
            array[box] = chest.mean_hu(box, counts)
            truth[box][chest.share(box, counts, nodule) >= 0.5] = number
    if spec.blur_mm > 0:
        array = ndimage.gaussian_filter(array, spec.blur_mm / np.array(grid.spacing_kji_mm), mode="nearest")
    rng = np.random.default_rng([spec.seed, 2])
    for k in range(grid.shape_kji[0]):
        noise = correlated_noise(rng, (1, *grid.shape_kji[1:]), NoiseLevel(spec.noise_hu, NOISE_CORRELATION))
        array[k] += noise[0]
    voxels = np.clip(np.rint(array), -1024, 3071).astype(np.int16)
    truths = tuple(truth_of(nodule) for nodule in spec.nodules)
    return ChestCase(Volume(voxels, grid.ijk_to_ras), truth, lungs, truths, spec)


class _Chest:
    """The attenuation of one chest as a function of place."""

    def __init__(self, spec: ChestSpec) -> None:
        self._spec = spec
        self._texture = Waves.of(np.random.default_rng([spec.seed, 1]), 9.0, 10)
        tree = vessel_tree(spec.seed) if spec.vessels else ()
        rods = [rod for rod in tree if not any(_touches(rod, nodule) for nodule in spec.nodules)]
        self._rods = [*rods, *(rod for nodule in spec.nodules for rod in nodule.attached)]
        bounds = [rod.bounds for rod in self._rods]
        self._low = np.array([low for low, _ in bounds]).reshape(-1, 3)
        self._high = np.array([high for _, high in bounds]).reshape(-1, 3)

    def mean_hu(self, box: Box, counts: Sequence[int]) -> NDArray[np.float32]:
        """Mean of regular samples in every voxel of a box of the grid."""
        grid = self._spec.grid
        centre = _points(grid, box)
        total = np.zeros(centre.x.size, dtype=np.float32)
        offsets = _offsets(grid, counts)
        rods, nodules = self._near(centre)
        for offset in offsets:
            total += self._hu(_moved(centre, offset), rods, nodules)
        return (total / len(offsets)).reshape([s.stop - s.start for s in box])

    def share(self, box: Box, counts: Sequence[int], nodule: Nodule) -> NDArray[np.float32]:
        """Share of every voxel of a box that a nodule fills."""
        grid = self._spec.grid
        centre = _points(grid, box)
        offsets = _offsets(grid, counts)
        total = sum(_inside(nodule, _moved(centre, offset))[0].astype(np.float32) for offset in offsets)
        return np.asarray(total / len(offsets)).reshape([s.stop - s.start for s in box])

    def _near(self, p: Points) -> tuple[list[Rod], list[Nodule]]:
        low = np.array([float(a.min()) for a in (p.x, p.y, p.z)]) - 3
        high = np.array([float(a.max()) for a in (p.x, p.y, p.z)]) + 3
        hit = np.all((self._low <= high) & (self._high >= low), axis=1)
        nodules = [
            n
            for n in self._spec.nodules
            if np.all(np.abs(np.array(n.centre_ras) - (low + high) / 2) <= (high - low) / 2 + n.reach_ras)
        ]
        return [self._rods[n] for n in np.flatnonzero(hit)], nodules

    def _hu(self, p: Points, rods: list[Rod], nodules: list[Nodule]) -> Array:
        hu = np.full(p.x.shape, AIR_HU, dtype=np.float32)
        paint_anatomy(hu, p, self._texture, self._spec.texture_hu)
        if not rods and not nodules:
            return hu
        in_lung = lung_level(p) < 0
        for rod in rods:
            level = rod.level(p)
            near = np.flatnonzero((level < 1) & in_lung)
            part = hu[near]
            paint(part, np.asarray(level[near]), SOLID_HU)
            hu[near] = part
        for nodule in nodules:
            inside, norm = _inside(nodule, p)
            hu[inside] = nodule.hu(norm)[inside]
        return hu


def truth_of(nodule: Nodule) -> NoduleTruth:
    """Say what is known of a nodule, by formula, or by a fine lattice where the pleura cuts it."""
    solid = nodule.kind not in {NoduleKind.GROUND_GLASS, NoduleKind.PART_SOLID}
    if nodule.kind is not NoduleKind.JUXTAPLEURAL:
        volume = nodule.whole_volume_mm3
        core = volume if solid else nodule.core_volume_mm3
        return NoduleTruth(nodule, volume, nodule.mean_diameter_mm, core)
    step = 2 * max(nodule.radii_mm) / 120
    shape = np.ceil(2 * nodule.reach_ras / step).astype(int) + 2
    matrix = np.diag([step, step, step, 1.0])
    matrix[:3, 3] = np.array(nodule.centre_ras) - step * (shape - 1) / 2
    grid = Grid((int(shape[2]), int(shape[1]), int(shape[0])), matrix)
    whole = (slice(0, grid.shape_kji[0]), slice(0, grid.shape_kji[1]), slice(0, grid.shape_kji[2]))
    mask = _inside(nodule, _points(grid, whole))[0].reshape(grid.shape_kji)
    volume = float(mask.sum()) * grid.voxel_volume_mm3
    diameter = max(plane_diameters(mask, grid, plane).mean_mm for plane in Plane)
    return NoduleTruth(nodule, volume, diameter, volume)


def demo_chest(seed: int = 0) -> ChestCase:
    """Draw the chest that ``./run demo nodule`` shows: one nodule of each of the five kinds."""
    nodules = (
        nodule_of(NoduleKind.SOLID, (82.0, 10.0, 40.0), 12.0, seed=1),
        nodule_of(NoduleKind.PART_SOLID, (-88.0, -10.0, 45.0), 20.0, seed=2),
        nodule_of(NoduleKind.GROUND_GLASS, (92.0, -20.0, -20.0), 14.0, seed=3),
        pleural_nodule((-1.0, -0.3, -0.1), 14.0, seed=4),
        nodule_of(NoduleKind.JUXTAVASCULAR, (75.0, 35.0, -5.0), 10.0, seed=5),
    )
    grid = chest_grid((0.9, 0.9, 1.25))
    return chest_phantom(ChestSpec(grid=grid, seed=seed, nodules=nodules))


def pleural_nodule(
    direction_ras: Vector, diameter_mm: float, *, seed: int = 0, inside: float = 0.3
) -> Nodule:
    """Draw a nodule whose centre lies ``inside`` * radius within the pleura, seen from the middle of a lung.

    The lung is the one to which ``direction_ras`` points by its R.
    """
    side = 72.0 if direction_ras[0] > 0 else -72.0
    wall = np.array(wall_point(direction_ras, side))
    inward = np.array([side, -5.0, 0.0]) - wall
    inward /= np.linalg.norm(inward)
    x, y, z = (float(v) for v in wall + inward * inside * diameter_mm / 2)
    return nodule_of(NoduleKind.JUXTAPLEURAL, (x, y, z), diameter_mm, seed=seed)


def _inside(nodule: Nodule, p: Points) -> tuple[NDArray[np.bool_], Array]:
    norm = nodule.norm(p)
    inside = norm < 1
    if nodule.kind is NoduleKind.JUXTAPLEURAL:
        inside &= lung_level(p) < 0
    return np.asarray(inside), norm


def _touches(rod: Rod, nodule: Nodule) -> bool:
    start, end = np.array(rod.start), np.array(rod.end)
    steps = start + np.linspace(0, 1, 12)[:, None] * (end - start)
    away = np.linalg.norm(steps - nodule.centre_ras, axis=1).min()
    return bool(away < max(nodule.radii_mm) + max(rod.radius_mm) + CLEARANCE_MM)


def _tiles(shape_kji: tuple[int, int, int]) -> list[Box]:
    starts = [range(0, n, t) for n, t in zip(shape_kji, TILE, strict=True)]
    return [
        (
            slice(k, min(k + TILE[0], shape_kji[0])),
            slice(j, min(j + TILE[1], shape_kji[1])),
            slice(i, min(i + TILE[2], shape_kji[2])),
        )
        for k, j, i in product(*starts)
    ]


def _points(grid: Grid, box: Box) -> Points:
    k, j, i = (np.arange(s.start, s.stop, dtype=np.float64) for s in box)
    m = grid.ijk_to_ras
    x, y, z = (
        (m[a, 2] * k[:, None, None] + m[a, 1] * j[:, None] + m[a, 0] * i + m[a, 3]).ravel() for a in range(3)
    )
    return Points(x, y, z)


def _counts(grid: Grid, sample_mm: float) -> tuple[int, ...]:
    return tuple(max(1, int(np.ceil(s / sample_mm))) for s in grid.spacing_ijk_mm)


def _offsets(grid: Grid, counts: Sequence[int]) -> NDArray[np.float64]:
    ticks = [(np.arange(n) + 0.5) / n - 0.5 for n in counts]
    steps = np.stack([a.ravel() for a in np.meshgrid(*ticks, indexing="ij")], axis=1)
    return np.asarray(steps @ grid.ijk_to_ras[:3, :3].T)


def _moved(p: Points, offset: NDArray[np.float64]) -> Points:
    x, y, z = ((a + d).astype(np.float32) for a, d in zip((p.x, p.y, p.z), offset.tolist(), strict=True))
    return Points(x, y, z)


def _box_of(grid: Grid, nodule: Nodule) -> Box | None:
    reach = nodule.reach_ras + 1.0
    corners = np.array(nodule.centre_ras) + np.array(list(product((-1, 1), repeat=3))) * reach
    ijk = grid.ijk_from_ras(corners)
    shape = np.array(grid.shape_kji[::-1])
    low = np.clip(np.floor(ijk.min(axis=0)) - 1, 0, shape).astype(int)
    high = np.clip(np.ceil(ijk.max(axis=0)) + 2, 0, shape).astype(int)
    if np.any(high <= low):
        return None
    i, j, k = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return k, j, i


def _refuse_outside(nodules: Sequence[Nodule]) -> None:
    for nodule in nodules:
        x, y, z = (np.array([v]) for v in nodule.centre_ras)
        level = float(lung_level(Points(x, y, z))[0])
        if level > 0:
            raise WrongUseError(
                found=f"a nodule whose centre {nodule.centre_ras} lies {level:.0f} mm outside the lungs",
                expected="a centre inside a lung",
                remedy="Move the nodule.",
            )
