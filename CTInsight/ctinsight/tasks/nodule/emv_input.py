"""From HU and a point to what EMV-3D-CNN sees: a cube of 62.5 mm in 100 voxels a side, and views of it.

As the authors' program does it, with three decisions where it is silent or unsafe: slices run from superior
to inferior whatever the file's order (:class:`SliceOrder`), a point is met exactly and not to whole voxels
(:class:`CenterRule`), and a cube that leaves the image is filled with air, never stretched
(:class:`BorderRule`). The authors' own rules can be chosen.

References
----------
https://doi.org/10.1038/s41746-023-00866-z
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.errors import InputRefusedError
from ctinsight.nets.emv_networks import CUBE_SIDE, CUBE_SPACING_MM, ViewSet
from ctinsight.resample import reorientation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ctinsight.resample import RasAxes
    from ctinsight.volume import Grid, Volume

    Point = tuple[float, float, float]
    #: Along each axis: weights of the block's samples for every voxel of the cube.
    Matrices = list[NDArray[np.float64]]

#: The authors' intensity rule: (HU + 1400) / 1800, clipped to 0..1, minus 0.25 (window 1800 at -500).
LOWEST_HU, WINDOW_WIDTH_HU, OFFSET = -1400.0, 1800.0, 0.25
#: HU that fills what lies outside the image; the lower edge of the window, so -0.25 after the rule above.
AIR_HU = LOWEST_HU
#: Samples read beyond the block when a point lies between voxels; the spline's weights die out in that range.
_MARGIN = 4


class SliceOrder(StrEnum):
    """In which order slices enter the networks, which were never trained with flips.

    The authors sorted by InstanceNumber, which depends on the scanner and usually runs from superior to
    inferior; their annotations do not tell. ``SUPERIOR_FIRST`` is therefore an assumption; a difference
    between both orders is shown with the result.
    """

    SUPERIOR_FIRST = "superior-first"
    INFERIOR_FIRST = "inferior-first"

    @property
    def other(self) -> SliceOrder:
        """The opposite order."""
        return next(order for order in SliceOrder if order is not self)


class CenterRule(StrEnum):
    """Where the cube sits: around the very point, or around the voxel nearest to it (authors' program)."""

    EXACT = "exact"
    VOXEL = "voxel"


class BorderRule(StrEnum):
    """What happens when the cube leaves the image.

    The authors' first program skips such nodules (and reads wrong voxels when only a row or column is
    short), their second shrinks the block about the point and ``STRETCH``-es it to full size, which changes
    shape and size of the nodule: for comparison with it only. ``AIR`` and ``EDGE`` (repeat the outermost
    voxel) keep every mm; ``REFUSE`` raises.
    """

    AIR = "air"
    EDGE = "edge"
    REFUSE = "refuse"
    STRETCH = "stretch"


@dataclass(frozen=True)
class CubeRules:
    """How a cube is cut; the defaults are explained in the module's text."""

    slice_order: SliceOrder = SliceOrder.SUPERIOR_FIRST
    center: CenterRule = CenterRule.EXACT
    border: BorderRule = BorderRule.AIR


@dataclass(frozen=True, eq=False)
class NoduleCube:
    """What the networks see of one nodule.

    Parameters
    ----------
    array
        (100, 100, 100) float32 in about -0.25..0.75 (the cubic spline overshoots a little): slices in the
        order of ``rules``, rows anterior to posterior, columns patient right to left.
    center_ras
        The point that was asked for, in mm.
    used_center_ras
        The point that the cube is cut around; another one only with :attr:`CenterRule.VOXEL`.
    outside_fraction
        Share of the cut block that lies outside the image and was filled; 0 for ``STRETCH``.
    notes
        What was done at the border, in words.
    """

    array: NDArray[np.float32]
    center_ras: Point
    used_center_ras: Point
    rules: CubeRules
    outside_fraction: float = 0.0
    notes: tuple[str, ...] = ()


def normalize_hu(array_hu: NDArray[np.generic]) -> NDArray[np.float64]:
    """Bring HU to -0.25..0.75.

    Examples
    --------
    >>> normalize_hu(np.array([-2000.0, -1400.0, -500.0, 400.0, 3000.0])).tolist()
    [-0.25, -0.25, 0.25, 0.75, 0.75]
    """
    scaled = (np.asarray(array_hu, dtype=np.float64) - LOWEST_HU) / WINDOW_WIDTH_HU
    return np.asarray(np.clip(scaled, 0.0, 1.0) - OFFSET, dtype=np.float64)


def middle_slice(first: int, last: int) -> int:
    """Return the slice that the authors' annotation ``first-last`` stands for (a half rounds to even).

    Examples
    --------
    >>> middle_slice(32, 39), middle_slice(15, 22), middle_slice(77, 94)
    (36, 18, 86)
    """
    return round((first + last) / 2)


def cut_cube(volume: Volume, center_ras: Sequence[float], rules: CubeRules | None = None) -> NoduleCube:
    """Cut and resample the cube around a point.

    Parameters
    ----------
    volume
        Chest CT in HU, any orientation; an oblique grid is cut along its own axes.
    center_ras
        The nodule's centre in RAS, mm.

    Raises
    ------
    InputRefusedError
        The point lies outside the image, or the cube does and the rule is ``REFUSE``.
    """
    rules = rules or CubeRules()
    turn = reorientation(volume.grid, ras_axes=_axes(rules.slice_order))
    center_ijk = turn.grid.ijk_from_ras(np.asarray(center_ras, dtype=np.float64))
    _refuse_outside(turn.grid, center_ijk, center_ras)
    blocks = [
        _AxisBlock.of(position, size, spacing_mm, rules)
        for position, size, spacing_mm in zip(
            center_ijk[::-1], turn.grid.shape_kji, turn.grid.spacing_kji_mm, strict=True
        )
    ]
    short = [name for name, block in zip(("slices", "rows", "columns"), blocks, strict=True) if block.short]
    if short and rules.border is BorderRule.REFUSE:
        raise InputRefusedError(
            found=f"a nodule whose {_CUBE_MM:g} mm cube leaves the image along {', '.join(short)}",
            expected="the whole cube inside the image",
            remedy="Use a scan that reaches farther, or let what is missing be filled with air.",
        )
    block = turn.apply(volume.array_kji)[tuple(b.inside for b in blocks)]
    padded = _fill(normalize_hu(block), blocks, rules.border)
    used = turn.grid.ras_from_ijk([b.center for b in reversed(blocks)])
    return NoduleCube(
        array=np.asarray(_apply([b.matrix() for b in blocks], padded), dtype=np.float32),
        center_ras=_point(center_ras),
        used_center_ras=_point(used),
        rules=rules,
        outside_fraction=1.0 - math.prod(b.covered for b in blocks),
        notes=_border_notes(short, blocks, rules.border),
    )


def cut_views(cubes: Sequence[NDArray[np.float32]], view_set: ViewSet) -> NDArray[np.float32]:
    """Cut three concentric views from each cube.

    Parameters
    ----------
    cubes
        Arrays (100, 100, 100).

    Returns
    -------
    ndarray
        (nodules, 3, side, side, side) float32: wide, middle (untouched), narrow.
    """
    side = view_set.side
    views = np.empty((len(cubes), 3, side, side, side), dtype=np.float32)
    for index, cube in enumerate(cubes):
        for channel, size in enumerate(view_set.sides):
            start = CUBE_SIDE // 2 - size // 2
            inner = (slice(start, start + size),) * 3
            views[index, channel] = _apply([_zoom_matrix(size, side)] * 3, cube[inner])
    return views


def cut_all_views(
    cubes: Sequence[NDArray[np.float32]], view_sets: Iterable[ViewSet]
) -> dict[ViewSet, NDArray[np.float32]]:
    """Cut every view set once, whoever shares it; see :func:`cut_views`."""
    return {view_set: cut_views(cubes, view_set) for view_set in dict.fromkeys(view_sets)}


_CUBE_MM = CUBE_SIDE * CUBE_SPACING_MM


@dataclass(frozen=True)
class _AxisBlock:
    """Along one axis: the samples wanted (``first`` to ``last``, past the end) and those that there are."""

    center: float
    first: int
    last: int
    size: int
    spacing_mm: float
    shift: float
    margin: int

    @classmethod
    def of(cls, position: float, size: int, spacing_mm: float, rules: CubeRules) -> _AxisBlock:
        nearest = min(max(round(float(position)), 0), size - 1)
        shift = 0.0 if rules.center is CenterRule.VOXEL else float(position) - nearest
        # Positions that a matrix of rounded numbers puts on a voxel lie on it, as in the original.
        shift = 0.0 if abs(shift) < 1e-6 else shift
        half = math.ceil(_CUBE_MM / spacing_mm / 2)
        if rules.border is BorderRule.STRETCH:
            half = max(min(half, nearest, size - nearest), 1)
        return cls(
            center=nearest + shift,
            first=nearest - half,
            last=nearest + half,
            size=size,
            spacing_mm=spacing_mm,
            shift=shift,
            margin=_MARGIN if shift else 0,
        )

    @property
    def short(self) -> bool:
        """Whether the image ends before the block does."""
        wanted = 2 * math.ceil(_CUBE_MM / self.spacing_mm / 2)
        return self.first < 0 or self.last > self.size or self.last - self.first < wanted

    @property
    def covered(self) -> float:
        """Share of the block that the image has."""
        return (min(self.last, self.size) - max(self.first, 0)) / (self.last - self.first)

    @property
    def inside(self) -> slice:
        """Samples to read from the image, the margin included."""
        return slice(max(self.first - self.margin, 0), min(self.last + self.margin, self.size))

    @property
    def missing(self) -> tuple[int, int]:
        """Samples that the image lacks before and after, the margin included."""
        before = max(-(self.first - self.margin), 0)
        return before, max(self.last + self.margin - self.size, 0)

    def matrix(self) -> NDArray[np.float64]:
        """Return (100, samples): weights of the read samples, filled ones included, for each voxel."""
        samples = self.last - self.first
        resampled = round(samples * self.spacing_mm / CUBE_SPACING_MM)
        start = round(resampled / 2) - CUBE_SIDE // 2 if resampled >= CUBE_SIDE else 0
        wanted = min(resampled, CUBE_SIDE)
        positions = (np.arange(start, start + wanted) * ((samples - 1) / max(resampled - 1, 1))) + self.shift
        weights = _spline_weights(samples + 2 * self.margin, positions + self.margin)
        if wanted < CUBE_SIDE:  # only a block that was shrunk for STRETCH
            weights = _zoom_matrix(wanted, CUBE_SIDE) @ weights
        return weights


def _spline_weights(samples: int, positions: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (positions, samples): the cubic spline's weights, as ``scipy.ndimage.zoom`` would use them.

    Interpolation is linear in the samples and separable, so weights are what it makes of unit vectors. Three
    matrix products replace the interpolation of a million voxels, to rounding.
    """
    where = np.meshgrid(positions, np.arange(samples), indexing="ij")
    weights = ndimage.map_coordinates(np.eye(samples), where, order=3, mode="nearest")
    return np.asarray(weights, dtype=np.float64)


@lru_cache(maxsize=256)
def _zoom_matrix(samples: int, wanted: int) -> NDArray[np.float64]:
    """Return (wanted, samples): zoom with both end points aligned (not the voxels' areas), as published."""
    if samples == wanted:
        return np.eye(samples)
    return _spline_weights(samples, np.arange(wanted) * ((samples - 1) / (wanted - 1)))


def _apply(matrices: Matrices, block: NDArray[np.floating]) -> NDArray[np.float64]:
    """Multiply every axis by its matrix.

    Each product takes the first axis away and puts the new one last, so after three the order is the old
    one. One large product each: many small ones wait for each other's threads, up to 50 times as long.
    """
    array = np.asarray(block, dtype=np.float64)
    for matrix in matrices:
        array = np.tensordot(array, matrix, axes=([0], [1]))
    return array


def _fill(block: NDArray[np.float64], blocks: list[_AxisBlock], border: BorderRule) -> NDArray[np.float64]:
    missing = [b.missing for b in blocks]
    if not any(any(pair) for pair in missing):
        return block
    if border is BorderRule.AIR:
        air = float(normalize_hu(np.array(AIR_HU)))
        return np.pad(block, missing, constant_values=air)
    # Within STRETCH and REFUSE only the margin of an exact centre can be missing.
    return np.pad(block, missing, mode="edge")


def _border_notes(short: list[str], blocks: list[_AxisBlock], border: BorderRule) -> tuple[str, ...]:
    if not short:
        return ()
    axes = ", ".join(short)
    if border is BorderRule.STRETCH:
        note = (
            f"the {_CUBE_MM:g} mm cube leaves the image along {axes}; a smaller block was stretched to full "
            "size, so that size and shape of the nodule are distorted (as the authors' second program does)"
        )
    else:
        percent = 100.0 * (1.0 - math.prod(b.covered for b in blocks))
        what = "air" if border is BorderRule.AIR else "repeated border voxels"
        note = (
            f"{percent:.0f} % of the {_CUBE_MM:g} mm cube lies outside the image along {axes} "
            f"and was filled with {what}"
        )
    return (note,)


def _axes(order: SliceOrder) -> RasAxes:
    """Slices as ordered, rows anterior to posterior, columns patient right to left."""
    return ((2, -1 if order is SliceOrder.SUPERIOR_FIRST else 1), (1, -1), (0, -1))


def _refuse_outside(grid: Grid, center_ijk: NDArray[np.float64], center_ras: Sequence[float]) -> None:
    if not grid.contains_ijk(center_ijk):
        r, a, s = (float(value) for value in center_ras)
        raise InputRefusedError(
            found=f"a nodule's centre at R {r:.1f}, A {a:.1f}, S {s:.1f} mm, outside the image",
            expected="a point inside the CT",
            remedy="Place the point on the nodule in this CT, in RAS coordinates.",
        )


def _point(values: Sequence[float] | NDArray[np.float64]) -> Point:
    r, a, s = (float(value) for value in values)
    return r, a, s
