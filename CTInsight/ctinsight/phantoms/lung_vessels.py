"""A vessel tree in each lung: tapering rods that branch outwards from the hilum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.phantoms.chest_anatomy import lung_level
from ctinsight.phantoms.shapes import Points, Vector, capsule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.phantoms.shapes import Array

#: Radius at the hilum and where branching ends, mm: a segmental artery, and what a thin slice still shows.
ROOT_RADIUS_MM, LEAST_RADIUS_MM = 5.5, 0.6
#: Length of the first rod in mm, and what becomes of length and radius at each branching.
ROOT_LENGTH_MM, SHORTEN, NARROW = 26.0, 0.87, 0.79


@dataclass(frozen=True)
class Rod:
    """A round rod whose radius runs from the first value to the second, mm."""

    start: Vector
    end: Vector
    radius_mm: tuple[float, float]

    @property
    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest corner of a box that holds the rod."""
        ends = np.array([self.start, self.end])
        reach = max(self.radius_mm)
        return ends.min(axis=0) - reach, ends.max(axis=0) + reach

    def level(self, p: Points) -> Array:
        """Level at points, mm."""
        return capsule(p, self.start, self.end, self.radius_mm)


@dataclass(frozen=True, eq=False)
class _Branch:
    start: NDArray[np.float64]
    direction: NDArray[np.float64]
    radius_mm: float
    length_mm: float


def vessel_tree(seed: int) -> tuple[Rod, ...]:
    """Draw the vessels of both lungs; every rod starts inside a lung."""
    rng = np.random.default_rng([seed, 7])
    rods: list[Rod] = []
    for side in (1.0, -1.0):
        for up in (55.0, 10.0, -45.0):
            start = np.array([side * 44.0, -8.0, -5.0])
            towards = np.array([side * 95.0, rng.uniform(-45, 30), up]) - start
            _grow(
                rods,
                rng,
                _Branch(start, towards / np.linalg.norm(towards), ROOT_RADIUS_MM, ROOT_LENGTH_MM),
            )
    return tuple(rods)


def _grow(rods: list[Rod], rng: np.random.Generator, branch: _Branch) -> None:
    end = branch.start + branch.direction * branch.length_mm * rng.uniform(0.8, 1.2)
    if branch.radius_mm < LEAST_RADIUS_MM or _depth_mm(end) < 4.0:
        return
    narrow = branch.radius_mm * NARROW
    rods.append(Rod(_vector(branch.start), _vector(end), (branch.radius_mm, narrow)))
    across = rng.standard_normal(3)
    across -= branch.direction * (across @ branch.direction)
    across /= np.linalg.norm(across)
    for sign in (1.0, -1.0):
        angle = np.radians(rng.uniform(22, 45))
        turned = np.cos(angle) * branch.direction + sign * np.sin(angle) * across
        _grow(rods, rng, _Branch(end, turned, narrow, branch.length_mm * SHORTEN))


def _depth_mm(point: NDArray[np.float64]) -> float:
    x, y, z = (np.array([v]) for v in point)
    return float(-lung_level(Points(x, y, z))[0])


def _vector(values: NDArray[np.float64]) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z
