"""Outline one nodule from a point inside it, in three dimensions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.regions.lungs import cube_grid, lung_patch, pleura_near
from ctinsight.tasks.nodule.balance import Balance, balanced
from ctinsight.tasks.nodule.body import compact_body
from ctinsight.tasks.nodule.caps import without_stumps
from ctinsight.tasks.nodule.cube import cut_cube
from ctinsight.tasks.nodule.layers import find_layers
from ctinsight.tasks.nodule.levels import Levels, fitted_level, middle_level, rim_level
from ctinsight.tasks.nodule.seed import find_start, refuse_far, refuse_outside_lung, refuse_vessel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.regions.lungs import LungField, LungPatch, Pleura
    from ctinsight.tasks.nodule.body import Body
    from ctinsight.tasks.nodule.cube import Cube, Point
    from ctinsight.volume import Volume

#: First look: half size and voxel, mm. A nodule ends at 30 mm; what is larger is called a mass.
LOOK_HALF_MM, LOOK_MM = 34.0, 0.8
#: A voxel this much denser than the lung may belong to a nodule of ground glass, HU.
FAINT_HU = 125.0
#: A nodule denser than this up to its border may be the core of a part-solid one, HU.
SOLID_HU = -300.0
#: An outline does not grow to more than this multiple of everything that is faintly denser than lung.
LARGEST_GROWTH = 1.5
#: A rim borders on lung with at least this share; between vessels it cannot be told from their blur.
LEAST_FREE_RIM = 0.5
#: Blur of the first look, mm: noise falls to a third.
LOOK_BLUR_MM = 0.7
#: The final voxel: so many to the radius, and its limits in mm; lung around the nodule in the final cube, mm.
VOXELS_PER_RADIUS, FINE_MM, MARGIN_MM = 14.0, (0.2, 0.5), 6.0


@dataclass(frozen=True, eq=False)
class Outline:
    """One nodule on its own fine cube.

    Parameters
    ----------
    cube
        About the nodule; ``mask_kji`` lies on its grid.
    mask_kji
        The nodule without vessels and wall.
    body
        How it was cut out.
    levels, balance
        Densities and the level of the border.
    pleura
        The wall behind it, when near.
    patch
        The lung about it.
    """

    cube: Cube
    mask_kji: NDArray[np.bool_]
    body: Body
    levels: Levels
    balance: Balance
    pleura: Pleura | None
    patch: LungPatch


def outline_nodule(volume: Volume, field: LungField, point_ras: Point) -> Outline:
    """Outline the nodule at a click.

    Parameters
    ----------
    volume
        The CT.
    field
        Its lungs.
    point_ras
        A point in the nodule or within 4 mm of it, mm.

    Raises
    ------
    WrongUseError
        The click lies on normal lung, a vessel, the chest wall or the mediastinum.
    """
    patch = lung_patch(volume, field, point_ras)
    pleura = pleura_near(patch, point_ras)
    look = cut_cube(volume, patch, pleura, cube_grid(point_ras, LOOK_HALF_MM, LOOK_MM))
    refuse_outside_lung(look, field, point_ras)
    rough, levels = _rough_body(look, find_start(look, point_ras, FAINT_HU))
    refuse_vessel(look, rough, point_ras)
    refuse_far(look, rough, point_ras)
    if pleura is not None:
        pleura = pleura_near(patch, rough.centre_ras, rough.radius_mm) or pleura
    wall = _Wall(volume, patch, pleura)
    found = _settled(_fine(wall, look, rough, levels))
    return _with_rim(wall, look, found) or found


@dataclass(frozen=True, eq=False)
class _Wall:
    volume: Volume
    patch: LungPatch
    pleura: Pleura | None


def _fine(wall: _Wall, look: Cube, rough: Body, levels: Levels) -> Outline:
    """Cut a finer cube about a body that was found on the coarse one."""
    spacing = float(np.clip(rough.radius_mm / VOXELS_PER_RADIUS, *FINE_MM))
    reach = float(look.distance_from(rough.centre_ras)[rough.mask_kji].max())
    grid = cube_grid(rough.centre_ras, reach + MARGIN_MM, spacing)
    cube = cut_cube(wall.volume, wall.patch, wall.pleura, grid)
    cube = cube.quieted(levels.rim_hu - levels.lung_hu)
    half = Balance(0.5, 0.0, levels.lung_hu, levels.rim_hu)
    return Outline(cube, rough.mask_kji, rough, levels, half, wall.pleura, wall.patch)


def _with_rim(wall: _Wall, look: Cube, found: Outline) -> Outline | None:
    """Outline a dense nodule anew, with the ground glass around it; ``None`` where there is none."""
    if found.balance.rim_hu < SOLID_HU:
        return None
    faint = dense(look, look.smoothed(LOOK_BLUR_MM), look.background_hu + FAINT_HU)
    wide = compact_body(look, faint, look.index_of(found.body.centre_ras))
    if not wide.compact:
        return None
    start = _fine(wall, look, wide, Levels(look.background_hu, look.background_hu + 2 * FAINT_HU))
    cube = start.cube
    body = compact_body(
        cube, dense(cube, cube.hu_kji, cube.background_hu + FAINT_HU), cube.index_of(wide.centre_ras)
    )
    layers = find_layers(cube, body.mask_kji, SOLID_HU) if body.compact else None
    if layers is None:
        return None
    bare = replace(start, cube=layers.without_core(cube), body=body, mask_kji=body.mask_kji)
    levels = Levels(layers.lung_hu, layers.rim_hu, haloed=True)
    outline = replace(_settled(replace(bare, levels=levels)), cube=cube)
    return outline if _agrees(outline, body) else None


def _agrees(outline: Outline, body: Body) -> bool:
    """Whether an outline is still about the body it started from, about as large, and borders on lung."""
    start = outline.cube.index_of(body.centre_ras)
    grown = outline.mask_kji.sum() / max(int(body.mask_kji.sum()), 1)
    in_place = outline.body.compact and bool(outline.mask_kji[start]) and bool(grown <= LARGEST_GROWTH)
    return in_place and outline.balance.free_share >= LEAST_FREE_RIM


def _rough_body(look: Cube, start: tuple[int, int, int]) -> tuple[Body, Levels]:
    smooth = look.smoothed(LOOK_BLUR_MM)
    threshold = look.background_hu + FAINT_HU
    for _ in range(4):
        body = compact_body(look, dense(look, smooth, threshold), start)
        rim = rim_level(look, body.mask_kji)
        levels = Levels(look.background_hu, middle_level(look, body.mask_kji) if rim is None else rim)
        threshold = levels.threshold_hu
        start = look.index_of(body.centre_ras)
    return body, levels


def _settled(rough: Outline) -> Outline:
    """Repeat outline and level on the fine cube until they agree."""
    cube, levels, balance, body = rough.cube, rough.levels, rough.balance, rough.body
    threshold, size, fitted = levels.threshold_hu, 0, None
    for _ in range(6):
        allowed = dense(cube, cube.hu_kji, threshold)
        body = compact_body(cube, allowed, cube.index_of(body.centre_ras))
        if abs(int(body.mask_kji.sum()) - size) <= 0.01 * size:
            break
        size = int(body.mask_kji.sum())
        rim = levels.rim_hu if levels.haloed else rim_level(cube, body.mask_kji)
        if rim is None:
            rim = fitted = fitted_level(cube, body.mask_kji) if fitted is None else fitted
        balance = balanced(cube, body.mask_kji, rim, allowed)
        threshold = balance.threshold_hu
    mask = without_stumps(cube, body.mask_kji, body.region_kji)
    return replace(rough, mask_kji=mask, body=body, balance=balance)


def dense(cube: Cube, hu_kji: NDArray[np.float32], threshold_hu: float) -> NDArray[np.bool_]:
    """Voxels of the lung at or above a density."""
    return np.asarray((hu_kji >= threshold_hu) & cube.lung_kji)
