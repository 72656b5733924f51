"""Outline one nodule from a point inside it, in three dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.regions.lungs import cube_grid, lung_patch, pleura_near
from ctinsight.tasks.nodule.balance import Balance, balanced
from ctinsight.tasks.nodule.body import compact_body
from ctinsight.tasks.nodule.cube import cut_cube
from ctinsight.tasks.nodule.levels import (
    Levels,
    fitted_level,
    has_halo,
    middle_level,
    rim_level,
    thin_rim_level,
)
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
    if not _is_haloed(found):
        return found
    faint = look.background_hu + FAINT_HU
    wide = compact_body(
        look, dense(look, look.smoothed(LOOK_BLUR_MM), faint), look.index_of(rough.centre_ras)
    )
    if not wide.compact:
        return found
    rim = Levels(look.background_hu, thin_rim_level(look, wide.mask_kji), haloed=True)
    return _settled(_fine(wall, look, wide, rim))


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


def _is_haloed(found: Outline) -> bool:
    levels = Levels(found.balance.lung_hu, found.balance.rim_hu)
    return has_halo(found.cube, found.mask_kji, levels)


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
    threshold, size = levels.threshold_hu, 0
    for _ in range(6):
        allowed = dense(cube, cube.hu_kji, threshold)
        body = compact_body(cube, allowed, cube.index_of(body.centre_ras))
        if abs(int(body.mask_kji.sum()) - size) <= 0.01 * size:
            break
        size = int(body.mask_kji.sum())
        rim = levels.rim_hu if levels.haloed else rim_level(cube, body.mask_kji)
        rim = fitted_level(cube, body.mask_kji, allowed) if rim is None else rim
        balance = balanced(cube, body.mask_kji, rim, allowed)
        threshold = balance.threshold_hu
    return Outline(cube, body.mask_kji, body, levels, balance, rough.pleura, rough.patch)


def dense(cube: Cube, hu_kji: NDArray[np.float32], threshold_hu: float) -> NDArray[np.bool_]:
    """Voxels of the lung at or above a density."""
    return np.asarray((hu_kji >= threshold_hu) & cube.lung_kji)
