"""Where a vessel was cut off a stump stays on the nodule: go on there as the free border does.

Seen from the middle, the border of a compact body is a smooth function of direction. It is fitted where the
nodule borders on lung alone, and what stands out beyond it near the cut is taken off. The function is the
inverse square of the distance, a cubic in the direction: of an ellipsoid about its middle it is a quadratic.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.tasks.nodule.balance import others_of
from ctinsight.tasks.nodule.cube import connected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.nodule.cube import Cube

#: Directions in which the border is sought.
DIRECTIONS = 900
#: A border this close to what was cut off is not free, in voxels of the CT; the stump reaches farther, mm.
TOUCH_VOXELS, STUMP_MM = 1.2, 0.6
#: With fewer directions free the rest cannot be told from them.
LEAST_FREE = 0.5
#: A nodule that lies on the pleura with more of its border is no ball: nothing is taken off.
MOST_WALL = 0.03
#: The border may go so far out of the fitted one, as a share of the distance.
ROOM = 0.02


def without_stumps(
    cube: Cube, mask_kji: NDArray[np.bool_], region_kji: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Take stumps of vessels off a nodule.

    Parameters
    ----------
    cube, mask_kji
        The nodule as the ball that fits in cut it out.
    region_kji
        All that is connected with it.
    """
    cut = others_of(cube, mask_kji, region_kji)
    if not cut.any() or not mask_kji.any():
        return mask_kji
    sampling = [cube.spacing_mm / mm for mm in cube.native_mm]
    touched = ndimage.distance_transform_edt(~cut, sampling=sampling) <= TOUCH_VOXELS
    middle = np.argwhere(mask_kji).mean(axis=0)
    ways = _ways()
    radii, ends = _border(mask_kji, middle, ways)
    k, j, i = ends
    free, at_wall = ~touched[k, j, i], cube.wall_gap_kji[k, j, i] <= 2 * cube.spacing_mm
    if free.mean() < LEAST_FREE or at_wall.mean() > MOST_WALL:
        return mask_kji
    terms = _terms(ways[free])
    ridge = 1e-6 * len(terms) * np.eye(terms.shape[1])
    weights = np.linalg.solve(terms.T @ terms + ridge, terms.T @ (np.median(radii) / radii[free]) ** 2)
    near = mask_kji & (cube.distance_to(touched) <= STUMP_MM)
    places = np.argwhere(near) - middle
    away = np.linalg.norm(places, axis=1)
    inverse = _terms(places / np.maximum(away, 1e-6)[:, None]) @ weights
    limit = np.median(radii) / np.sqrt(np.maximum(inverse, 0.05)) * (1 + ROOM)
    kept = mask_kji.copy()
    kept[near] = away <= limit
    core = np.zeros_like(mask_kji)
    core[tuple(np.round(middle).astype(int))] = True
    kept = connected(core & kept, kept)
    return kept if kept.any() else mask_kji


def _ways() -> NDArray[np.float64]:
    """Directions spread evenly over the ball (a Fibonacci lattice), (n, 3)."""
    n = np.arange(DIRECTIONS) + 0.5
    height = 1 - 2 * n / DIRECTIONS
    turn = np.pi * (1 + np.sqrt(5)) * n
    across = np.sqrt(1 - height**2)
    return np.stack([height, across * np.sin(turn), across * np.cos(turn)], axis=1)


def _border(
    mask_kji: NDArray[np.bool_], middle: NDArray[np.float64], ways: NDArray[np.float64]
) -> tuple[NDArray[np.float64], tuple[NDArray[np.intp], ...]]:
    """Find the last voxel of the mask in every direction: its distance from the middle in voxels, and it."""
    steps = np.arange(0.0, np.linalg.norm(mask_kji.shape), 0.5)
    places = middle + steps[:, None, None] * ways
    inside = ndimage.map_coordinates(mask_kji.astype(np.uint8), np.moveaxis(places, -1, 0), order=0) > 0
    last = len(steps) - 1 - np.argmax(inside[::-1], axis=0)
    last[~inside.any(axis=0)] = 0
    ends = np.round(places[last, np.arange(len(ways))]).astype(np.intp)
    ends = np.clip(ends, 0, np.array(mask_kji.shape) - 1)
    return np.maximum(steps[last], 0.5), (ends[:, 0], ends[:, 1], ends[:, 2])


def _terms(ways: NDArray[np.float64]) -> NDArray[np.float64]:
    """All products of two and of three components: every harmonic up to the third degree."""
    products = [*combinations_with_replacement(range(3), 2), *combinations_with_replacement(range(3), 3)]
    return np.stack([np.prod(ways[:, list(p)], axis=1) for p in products], axis=1)
