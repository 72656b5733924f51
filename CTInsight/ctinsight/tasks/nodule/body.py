"""Cut the compact body of a nodule out of everything that is connected with it: vessels, threads, wall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.tasks.nodule.cube import connected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.nodule.cube import Cube, Point

#: Radii of the ball that must fit in, tried in turn, as a share of the largest ball inside the nodule. An
#: ellipsoid with half-axes 1 : 1.5 keeps its tips up to 0.67.
OPENING_SHARES = (0.45, 0.55, 0.65, 0.75, 0.85)
#: Where the nodule allows it, the ball is thicker than a vessel of the outer lung: radius in mm, and the
#: largest share that is tried first.
VESSEL_RADIUS_MM, FIRST_SHARE = 1.6, 0.65
#: A body that reaches farther from its middle than so many radii of the ball of its volume is not compact: an
#: ellipsoid three times as long as wide reaches 2.08.
LARGEST_ELONGATION = 2.1
#: Steps of the climb to the middle, mm.
CLIMB_MM = 2.5


@dataclass(frozen=True, eq=False)
class Body:
    """A compact part of a region.

    Parameters
    ----------
    mask_kji
        The body.
    region_kji
        All that is connected with it at the threshold, the body included.
    centre_ras, radius_mm
        The largest ball inside it near its middle.
    opening_mm
        Radius of the ball that cut it out.
    compact
        Whether it stays within :data:`LARGEST_ELONGATION`.
    """

    mask_kji: NDArray[np.bool_]
    region_kji: NDArray[np.bool_]
    centre_ras: Point
    radius_mm: float
    opening_mm: float
    compact: bool


def climb(depth_mm: NDArray[np.float32], start: tuple[int, ...], steps: int) -> tuple[int, ...]:
    """Walk uphill from a voxel to the middle of the largest ball nearby, seeing ``steps`` voxels."""
    here = start
    for _ in range(60):
        low = [max(0, c - steps) for c in here]
        part = depth_mm[tuple(slice(a, c + steps + 1) for a, c in zip(low, here, strict=True))]
        best = np.unravel_index(int(np.argmax(part)), part.shape)
        there = tuple(int(a + b) for a, b in zip(low, best, strict=True))
        if there == here or part.max() <= depth_mm[here] + 1e-3:
            break
        here = there
    return here


def compact_body(cube: Cube, allowed_kji: NDArray[np.bool_], start: tuple[int, ...]) -> Body:
    """Find the compact body about a voxel.

    Parameters
    ----------
    cube
        The part of the CT.
    allowed_kji
        Voxels dense enough to belong to it.
    start
        (k, j, i) inside ``allowed_kji``, near its middle.

    Notes
    -----
    When ``start`` is not allowed itself, the nearest allowed voxel stands for it.
    """
    start = _nearest(cube, allowed_kji, start)
    seed = np.zeros_like(allowed_kji)
    seed[start] = True
    region = connected(seed, allowed_kji) | seed
    depth = cube.depth_mm(region)
    middle = climb(depth, start, max(1, round(CLIMB_MM / cube.spacing_mm)))
    radius = float(depth[middle])
    centre = cube.point_of(middle)
    from_centre = cube.distance_from(centre)
    body, opening, compact = seed, 0.0, False
    first = min(VESSEL_RADIUS_MM / max(radius, 1e-6), FIRST_SHARE)
    for share in (s for s in OPENING_SHARES if s >= first):
        opening = share * radius
        body = _opened_about(cube, depth, middle, opening)
        body &= region
        body |= _wedge_at_wall(cube, region, body, opening)
        reach = float(from_centre[body].max()) if body.any() else 0.0
        compact = reach <= LARGEST_ELONGATION * _ball_radius(cube, body)
        if compact:
            break
    return Body(body, region, centre, radius, opening, compact)


def _ball_radius(cube: Cube, body: NDArray[np.bool_]) -> float:
    return float((3 * body.sum() * cube.spacing_mm**3 / (4 * np.pi)) ** (1 / 3))


def _nearest(cube: Cube, allowed_kji: NDArray[np.bool_], start: tuple[int, ...]) -> tuple[int, ...]:
    if allowed_kji[start] or not allowed_kji.any():
        return start
    away = np.where(allowed_kji, cube.distance_from(cube.point_of(start)), np.inf)
    return tuple(int(n) for n in np.unravel_index(int(np.argmin(away)), away.shape))


def _opened_about(
    cube: Cube, depth: NDArray[np.float32], middle: tuple[int, ...], radius_mm: float
) -> NDArray[np.bool_]:
    seed = np.zeros(depth.shape, dtype=np.bool_)
    seed[middle] = True
    core = connected(seed, depth > radius_mm)
    if not core.any():
        return seed
    # One voxel more than the ball: the region itself draws the rim, not the rounding of the ball.
    return np.asarray(cube.distance_to(core) <= radius_mm + 1.01 * cube.spacing_mm)


def _wedge_at_wall(
    cube: Cube, region: NDArray[np.bool_], body: NDArray[np.bool_], radius_mm: float
) -> NDArray[np.bool_]:
    """Give back the edge between nodule and pleura, into which the ball does not fit.

    In a right-angled edge a ball stays 0.41 of its radius away from the corner.
    """
    at_wall = region & (cube.wall_gap_kji < 0.5 * radius_mm)
    if not (at_wall & body).any():
        return np.zeros_like(body)
    return np.asarray(at_wall & (cube.distance_to(body) <= 0.45 * radius_mm))
