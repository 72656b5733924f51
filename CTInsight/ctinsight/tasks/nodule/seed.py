"""What lies at a click: a nodule, or something that must not be measured as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from ctinsight.regions.lungs import LungField
    from ctinsight.tasks.nodule.body import Body
    from ctinsight.tasks.nodule.cube import Cube, Point

#: A click may miss the nodule by so much, mm.
MISS_MM = 4.0
#: A click is averaged over this radius, mm.
CLICK_RADIUS_MM = 1.5
#: A click so far outside the lung is on the wall, mm.
OUTSIDE_MM = 2.0
#: Darker than this is air, not lung.
AIR_HU = -960.0
#: The smallest body that is measured: radius of its largest ball, mm.
LEAST_RADIUS_MM = 0.9
#: A vessel is as thick where it leaves the body as the body itself; a nodule is thicker than its vessels.
VESSEL_RADIUS_SHARE = 0.7


def clicked_hu(look: Cube, point_ras: Point) -> float:
    """Mean HU around a click."""
    return float(look.hu_kji[look.distance_from(point_ras) <= CLICK_RADIUS_MM].mean())


def refuse_outside_lung(look: Cube, field: LungField, point_ras: Point) -> None:
    """Refuse a click on the chest wall, the diaphragm or the mediastinum.

    Raises
    ------
    WrongUseError
        With the HU found and what to do.
    """
    gap = float(look.wall_gap_kji[look.index_of(point_ras)])
    if gap >= -OUTSIDE_MM:
        return
    hu = clicked_hu(look, point_ras)
    between = all(field.hits_ras(point_ras, (side, 0.0, 0.0)) for side in (1.0, -1.0))
    place = "the mediastinum or the spine" if between else "the chest wall or the diaphragm"
    place = "air, not lung" if hu < AIR_HU else place
    raise WrongUseError(
        found=f"{hu:.0f} HU at the point {text(point_ras)}, {-gap:.0f} mm or more outside the lung,"
        f" in {place}",
        expected="a point inside a lung nodule",
        remedy="Click into the part of the nodule that borders on lung; what lies outside is not measured.",
    )


def find_start(look: Cube, point_ras: Point, faint_hu: float) -> tuple[int, int, int]:
    """Find the voxel from which the nodule grows: the click, or the nearest dense voxel within 4 mm.

    Raises
    ------
    WrongUseError
        Only air or normal lung is there.
    """
    smooth = look.smoothed(0.7)
    dense = (smooth >= look.background_hu + faint_hu) & look.lung_kji
    labels, count = ndimage.label(dense)
    sizes = np.bincount(labels.ravel(), minlength=count + 1) * look.spacing_mm**3
    sizes[0] = 0.0
    away = np.where(sizes[labels] >= 4.0, look.distance_from(point_ras), np.inf)
    nearest = np.unravel_index(int(np.argmin(away)), away.shape)
    if away[nearest] > MISS_MM:
        hu = clicked_hu(look, point_ras)
        what = "air" if hu < AIR_HU else "normal lung"
        raise WrongUseError(
            found=f"{hu:.0f} HU at the point {text(point_ras)}: {what}"
            f" (lung here: {look.background_hu:.0f} HU), and nothing denser than"
            f" {look.background_hu + faint_hu:.0f} HU within {MISS_MM:.0f} mm",
            expected="a point inside a lung nodule",
            remedy="Click into the nodule. The point is given in RAS (right, anterior, superior), in mm.",
        )
    k, j, i = (int(n) for n in nearest)
    return k, j, i


def refuse_vessel(look: Cube, body: Body, point_ras: Point) -> None:
    """Refuse what is a tube: as thick where it goes on as in its middle, on two sides or far out.

    Raises
    ------
    WrongUseError
        With the HU found and what to do.
    """
    shares = [r / body.radius_mm for r in exit_radii(look, body)]
    tube = sum(share >= VESSEL_RADIUS_SHARE for share in shares) >= 2 or max(shares, default=0.0) >= 1.0
    if body.compact and not tube:
        return
    raise WrongUseError(
        found=f"{clicked_hu(look, point_ras):.0f} HU at the point {text(point_ras)}, in a branching or"
        f" tube-like structure {2 * body.radius_mm:.1f} mm thick: a vessel or airway wall",
        expected="a compact nodule, thicker than the vessels that reach it",
        remedy="Click into the nodule itself. If this is one, draw it by hand and measure the drawing.",
    )


def refuse_far(look: Cube, body: Body, point_ras: Point) -> None:
    """Refuse a body that does not hold the click, and specks.

    Raises
    ------
    WrongUseError
        With what was found and what to do.
    """
    if body.radius_mm < LEAST_RADIUS_MM:
        raise WrongUseError(
            found=f"a speck {2 * body.radius_mm:.1f} mm thick at the point {text(point_ras)}",
            expected="a nodule at least 2 mm thick",
            remedy="Click into the middle of the nodule, or take the series with thinner slices.",
        )
    away = float(look.distance_from(point_ras)[body.mask_kji].min())
    if away > MISS_MM:
        raise WrongUseError(
            found=f"no nodule at the point {text(point_ras)}; the nearest is {away:.0f} mm away, at"
            f" {text(body.centre_ras)}",
            expected=f"a point in the nodule or within {MISS_MM:.0f} mm of it",
            remedy="Click into the nodule that is meant.",
        )


def exit_radii(cube: Cube, body: Body) -> tuple[float, ...]:
    """Thickness (radius, mm) of everything that goes on from the body, away from the wall."""
    rest = body.region_kji & (cube.distance_to(body.mask_kji) > 0.3 * body.radius_mm)
    labels, count = ndimage.label(rest)
    if count == 0:
        return ()
    depth = cube.depth_mm(body.region_kji)
    near = cube.distance_to(body.mask_kji) <= 1.5 * body.radius_mm
    touching = np.unique(labels[near & rest & (cube.distance_to(body.mask_kji) <= 0.3 * body.radius_mm + 2)])
    return tuple(float(depth[(labels == n) & near].max()) for n in touching if n > 0)


def text(point: Point) -> str:
    """Write a point for people."""
    return "R,A,S = " + ", ".join(f"{float(v):.1f}" for v in point)
