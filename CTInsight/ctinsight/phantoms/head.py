"""A synthetic head CT with known truth, drawn from formulas in patient space.

The head is a function of (R, A, S) in mm, so every grid shows the same head: other spacing, shape, rotation
or flipped axes change the sampling, never the anatomy. Only the noise belongs to the grid.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.errors import WrongUseError
from ctinsight.phantoms.brain_anatomy import BrainSeed, paint_brain
from ctinsight.phantoms.cranium import STANDARD_CRANIUM, Cranium, cavity_level, intracranial_level
from ctinsight.phantoms.lesions import ExtraAxial, Lesion, rotation
from ctinsight.phantoms.shapes import Points, Vector, coverage
from ctinsight.phantoms.skull_anatomy import (
    AIR_HU,
    SkullSeed,
    head_level,
    paint_base,
    paint_face,
    paint_holder,
    paint_left_marker,
    paint_orbits,
    paint_soft_tissue,
    paint_spine,
    paint_vault,
)
from ctinsight.volume import Grid, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ctinsight.phantoms.shapes import Array

#: Sub-samples are at most this far apart along each voxel axis, so that thick slices show partial volume.
SUBSAMPLE_MM = 1.3
#: Points painted at once: a block of them with its temporary arrays stays in a processor's cache.
BLOCK_POINTS = 65536
#: Centre of the default field of view in RAS mm: skin of the vertex to the first vertebra.
VIEW_CENTRE: Vector = (0.0, -8.0, 8.0)


@dataclass(frozen=True)
class Pose:
    """How the head lies in the scanner: turned about its origin (degrees about R, A, S), then moved (mm)."""

    rotation_degrees: Vector = (0.0, 0.0, 0.0)
    translation_mm: Vector = (0.0, 0.0, 0.0)

    def to_head(self, points_ras: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map points (..., 3) of the scanner to the head's own coordinates."""
        return np.asarray((points_ras - self.translation_mm) @ rotation(self.rotation_degrees))

    def to_ras(self, points_head: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map points (..., 3) of the head to the scanner's RAS."""
        return np.asarray(points_head @ rotation(self.rotation_degrees).T + self.translation_mm)


def head_grid(
    spacing_ijk_mm: Vector = (1.0, 1.0, 5.0),
    *,
    size_mm: Vector = (214.0, 230.0, 170.0),
    rotation_degrees: Vector = (0.0, 0.0, 0.0),
    flip_ijk: tuple[bool, bool, bool] = (True, True, False),
) -> Grid:
    """Make a grid about the head.

    Parameters
    ----------
    spacing_ijk_mm
        Voxel size along i, j, k.
    size_mm
        Field of view along i, j, k.
    rotation_degrees
        Obliquity: the grid is turned about R, then A, then S.
    flip_ijk
        Whether i runs to the left, j to posterior, k to inferior. The default is the usual DICOM order:
        column 0 is the patient's right, row 0 anterior, slice 0 inferior.
    """
    shape_ijk = np.maximum(1, np.round(np.array(size_mm) / spacing_ijk_mm)).astype(int)
    turn = rotation(rotation_degrees) @ np.diag([-1.0 if f else 1.0 for f in flip_ijk])
    matrix = np.eye(4)
    matrix[:3, :3] = turn * np.array(spacing_ijk_mm)
    matrix[:3, 3] = VIEW_CENTRE - matrix[:3, :3] @ ((shape_ijk - 1) / 2)
    i, j, k = (int(n) for n in shape_ijk)
    return Grid((k, j, i), matrix)


def clinical_grid() -> Grid:
    """Make the usual head CT grid: 512 x 512 voxels of 0.45 mm, 34 slices of 5 mm."""
    return head_grid((0.45, 0.45, 5.0), size_mm=(230.4, 230.4, 170.0))


def isotropic_head_grid(spacing_mm: float = 1.0, *, rotation_degrees: Vector = (0.0, 0.0, 0.0)) -> Grid:
    """Make a grid of cubic voxels, straight or oblique."""
    return head_grid((spacing_mm, spacing_mm, spacing_mm), rotation_degrees=rotation_degrees)


@dataclass(frozen=True, eq=False)
class HeadSpec:
    """What to draw.

    Parameters
    ----------
    grid
        Where to draw it; 1 x 1 x 5 mm by default, which is quick.
    seed
        Chooses gyri, ventricles, skull thickness and noise. The same seed and grid give the same bytes.
    lesions
        Bleeds in head coordinates, painted in this order.
    noise_hu
        Standard deviation of the noise, correlated over neighbouring voxels as a smooth kernel does.
    streak_hu
        Depth of the dark band between the petrous bones.
    cranium
        Size of the head.
    pose
        How the head lies in the scanner.
    sample_mm
        Sub-samples of a voxel are at most this far apart; 2.5 is quicker and still good for tests.
    calcified, left_marker, holder
        Calcified pineal gland and choroid plexus; a dense bead on the left temple; the table's head holder.
    """

    grid: Grid = field(default_factory=head_grid)
    seed: int = 0
    lesions: tuple[Lesion, ...] = ()
    noise_hu: float = 4.0
    streak_hu: float = 12.0
    cranium: Cranium = STANDARD_CRANIUM
    pose: Pose = Pose()
    sample_mm: float = SUBSAMPLE_MM
    calcified: bool = True
    left_marker: bool = False
    holder: bool = True


@dataclass(frozen=True, eq=False)
class PhantomCase:
    """A synthetic CT with its truth.

    ``truth_kji`` and ``brain_kji`` (bool) hold the voxels whose centre lies inside. ``brain_kji`` is the
    whole intracranial content above the foramen magnum (z = -60 mm of the head): brain, ventricles, sulci,
    cisterns, dura, sinuses and blood, up to the inner table. ``truth_ml`` is the volume by formula, not by
    counting.
    The midsagittal plane is given by a point and the unit normal towards the patient's right.
    """

    volume: Volume
    truth_kji: NDArray[np.bool_]
    brain_kji: NDArray[np.bool_]
    truth_ml: float
    lesions: tuple[Lesion, ...]
    spec: HeadSpec

    @property
    def midline_point_ras(self) -> NDArray[np.float64]:
        """A point of the midsagittal plane, RAS mm."""
        return self.spec.pose.to_ras(np.zeros(3))

    @property
    def midline_normal_ras(self) -> NDArray[np.float64]:
        """Unit normal of the midsagittal plane, towards the patient's right."""
        return rotation(self.spec.pose.rotation_degrees)[:, 0]


def head_phantom(spec: HeadSpec | None = None) -> PhantomCase:
    """Draw a head CT with known truth.

    Raises
    ------
    WrongUseError
        A lesion that reaches out of the cranium, overlaps another or was made for another head size.

    Examples
    --------
    >>> from ctinsight.phantoms.lesions import Ellipsoid
    >>> bleed = Ellipsoid(centre=(-25, -5, 15), radii_mm=(12, 15, 10))  # 7.54 mL, left
    >>> case = head_phantom(HeadSpec(grid=head_grid((4, 4, 5)), lesions=(bleed,), sample_mm=5))
    >>> round(case.truth_ml, 2)
    7.54
    """
    spec = spec or HeadSpec()
    head = _Head(spec)
    grid = spec.grid
    array = np.empty(grid.shape_kji, dtype=np.int16)
    truth = np.zeros(grid.shape_kji, dtype=np.bool_)
    brain = np.zeros(grid.shape_kji, dtype=np.bool_)
    noise = _noise(spec)
    offsets = _subsample_offsets(spec)
    for k in range(grid.shape_kji[0]):
        centre = _slice_points(grid, k, spec.pose)
        brain[k] = (intracranial_level(spec.cranium.standard(centre)) < 0).reshape(brain[k].shape)
        truth[k] = head.blood(centre).reshape(truth[k].shape)
        total = np.zeros(centre.x.size, dtype=np.float32)
        for offset in offsets:
            total += head.attenuation_hu(_moved(centre, offset))
        hu = (total / len(offsets)).reshape(truth[k].shape) + next(noise)
        array[k] = np.clip(np.rint(hu), -1024, 3071)
    _refuse_outside(truth, brain)
    truth_ml = float(sum(lesion.volume_ml for lesion in spec.lesions))
    return PhantomCase(Volume(array, grid.ijk_to_ras), truth, brain, truth_ml, spec.lesions, spec)


class _Head:
    """The attenuation of one head as a function of its own coordinates."""

    def __init__(self, spec: HeadSpec) -> None:
        self._spec = spec
        rng = np.random.default_rng([spec.seed, 1])
        self._skull = SkullSeed.of(rng)
        self._brain = BrainSeed.of(rng)
        _refuse_other_cranium(spec)

    def blood(self, p: Points) -> NDArray[np.bool_]:
        """Whether points (n,) lie in a lesion."""
        count = np.zeros(p.x.shape, dtype=np.uint8)
        for lesion in self._spec.lesions:
            near = _in_box(p, lesion, 0.0)
            count[near] += lesion.level(p.take(near)) < 0
        if count.size and count.max() > 1:
            raise WrongUseError(
                found=f"lesions that overlap in {int((count > 1).sum())} voxels of a slice",
                expected="separate lesions, so that their volumes add up",
                remedy="Move one of them, or make one lobulated lesion of them.",
            )
        return count > 0

    def attenuation_hu(self, p: Points) -> NDArray[np.float32]:
        """HU at points (n,), without noise."""
        starts = range(0, p.x.size, BLOCK_POINTS)
        return np.concatenate([self._block_hu(_part(p, slice(s, s + BLOCK_POINTS))) for s in starts])

    def _block_hu(self, p: Points) -> NDArray[np.float32]:
        hu = np.full(p.x.shape, AIR_HU, dtype=np.float32)
        q = self._spec.cranium.standard(p)
        if self._spec.holder:
            paint_holder(hu, q)
        skin = head_level(q, self._skull.thickness_mm)
        inside = np.flatnonzero(skin < 1)
        if inside.size:
            part = hu[inside]
            self._paint_shell(part, q.take(inside), np.asarray(skin[inside]))
            hu[inside] = part
        if self._spec.left_marker:
            paint_left_marker(hu, q, self._skull.thickness_mm)
        shell = hu.copy()
        self._paint_content(hu, q)
        self._paint_lesions(hu, p, shell)
        return hu

    def _paint_shell(self, hu: Array, q: Points, skin: Array) -> None:
        paint_soft_tissue(hu, q, skin, self._skull)
        paint_vault(hu, q, self._skull)
        low = np.flatnonzero(q.z < 10)
        if low.size:
            part, points = hu[low], q.take(low)
            paint_face(part, points, self._skull)
            paint_base(part, points, self._skull)
            paint_orbits(part, points)
            paint_spine(part, points)
            hu[low] = part

    def _paint_content(self, hu: Array, q: Points) -> None:
        content = np.flatnonzero(cavity_level(q) < 1)
        if content.size:
            part, points = hu[content], q.take(content)
            paint_brain(part, points, self._brain, calcified=self._spec.calcified)
            part += _streaks(points, self._spec.streak_hu)
            hu[content] = part

    def _paint_lesions(self, hu: Array, p: Points, shell: Array) -> None:
        """Put blood in the place of what fills the cavity, never of the shell that shares an edge with it."""
        for lesion in self._spec.lesions:
            near = _in_box(p, lesion, 1.0)
            if near.size:
                points = p.take(near)
                room = coverage(cavity_level(self._spec.cranium.standard(points)))
                blood = room * lesion.mean_hu + (1 - room) * shell[near]
                share = np.minimum(coverage(lesion.level(points)), room) / np.maximum(room, 1e-6)
                hu[near] += share * (blood - hu[near])


def _streaks(q: Points, depth_hu: float) -> Array:
    """Beam hardening between the petrous bones: a dark band with ripples, in HU."""
    band = np.exp(-(((q.z + 33) / 6) ** 2) - ((q.y + 24) / 9) ** 2) * coverage(np.abs(q.x) - 30, 20)
    ripple = 1 + 0.45 * np.sin(q.y * 1.1 + 0.04 * q.x * np.sign(q.y + 24))
    return np.asarray(-depth_hu * band * ripple)


def _slice_points(grid: Grid, k: int, pose: Pose) -> Points:
    """Place the voxel centres of one slice in head coordinates, rows * columns of them."""
    origin = pose.to_head(grid.ras_from_ijk([0, 0, k]))
    along_i, along_j = (grid.ijk_to_ras[:3, :2].T @ rotation(pose.rotation_degrees)).tolist()
    j, i = (np.arange(n, dtype=np.float64) for n in grid.shape_kji[1:])
    return Points(*((origin[a] + j[:, None] * along_j[a] + i * along_i[a]).ravel() for a in range(3)))


def _part(p: Points, which: slice) -> Points:
    return Points(p.x[which], p.y[which], p.z[which])


def _moved(p: Points, offset: NDArray[np.float64]) -> Points:
    """Shift points, in single precision, which is enough for painting."""
    dx, dy, dz = offset.tolist()
    return Points((p.x + dx).astype(np.float32), (p.y + dy).astype(np.float32), (p.z + dz).astype(np.float32))


def _subsample_offsets(spec: HeadSpec) -> NDArray[np.float64]:
    """Find the head offsets in mm of the points whose mean is one voxel; (n, 3)."""
    counts = [max(1, int(np.ceil(s / spec.sample_mm))) for s in spec.grid.spacing_ijk_mm]
    ticks = [(np.arange(n) + 0.5) / n - 0.5 for n in counts]
    steps = np.stack([a.ravel() for a in np.meshgrid(*ticks, indexing="ij")], axis=1)
    return np.asarray(steps @ spec.grid.ijk_to_ras[:3, :3].T @ rotation(spec.pose.rotation_degrees))


def _noise(spec: HeadSpec) -> Iterator[NDArray[np.float32]]:
    """Yield one slice of noise after the other: white noise smoothed by a 3-tap kernel in the plane."""
    rng = np.random.default_rng([spec.seed, 2])
    rows, columns = spec.grid.shape_kji[1:]
    side = 0.45
    factor = np.float32(spec.noise_hu / (1 + 2 * side**2))
    while True:
        white = rng.standard_normal((rows + 2, columns + 2), dtype=np.float32)
        smooth = white[1:-1] + side * (white[:-2] + white[2:])
        smooth = smooth[:, 1:-1] + side * (smooth[:, :-2] + smooth[:, 2:])
        yield smooth * factor


def _in_box(p: Points, lesion: Lesion, margin_mm: float) -> NDArray[np.intp]:
    """Find the points in the box around a lesion."""
    keep = np.ones(p.x.shape, dtype=np.bool_)
    for values, low, high in zip((p.x, p.y, p.z), *lesion.bounds, strict=True):
        keep &= (values >= low - margin_mm) & (values <= high + margin_mm)
    return np.flatnonzero(keep)


def _refuse_outside(truth: NDArray[np.bool_], brain: NDArray[np.bool_]) -> None:
    outside = int((truth & ~brain).sum())
    if outside:
        raise WrongUseError(
            found=f"{outside} of {int(truth.sum())} lesion voxels lie outside the intracranial space",
            expected="a lesion inside the skull",
            remedy="Move the lesion towards the centre or make it smaller.",
        )


def _refuse_other_cranium(spec: HeadSpec) -> None:
    for lesion in spec.lesions:
        if isinstance(lesion, ExtraAxial) and lesion.cranium != spec.cranium:
            raise WrongUseError(
                found=f"a {lesion.name} made for a head scaled by {lesion.cranium.scale_ras}",
                expected=f"the head's scale {spec.cranium.scale_ras}",
                remedy="Give lesion and head the same cranium.",
            )
