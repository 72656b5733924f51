"""Soft-edged shapes in patient space, the brushes that phantoms are painted with.

A shape is a *level*: about the signed distance to its surface in mm, negative inside. Coverage falls from 1
to 0 over :data:`EDGE_MM`, so that a voxel on an edge shows partial volume on every grid alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.floating]

Vector: TypeAlias = tuple[float, float, float]

#: Width of every edge in mm: the in-plane resolution of a head CT (10-90 % edge response near 0.8 mm).
EDGE_MM = 1.0


@dataclass(frozen=True, eq=False)
class Points:
    """Points in patient space: three arrays (n,) of R, A and S in mm."""

    x: Array
    y: Array
    z: Array

    def take(self, index: NDArray[np.intp]) -> Points:
        """Return the points of these indices."""
        return Points(self.x[index], self.y[index], self.z[index])

    def mirrored(self) -> Points:
        """Fold the left half onto the right one: for structures that come in pairs."""
        return Points(np.abs(self.x), self.y, self.z)


def ellipsoid(p: Points, centre: Vector, radii: Vector) -> Array:
    """Level of an axis-aligned ellipsoid, to first order in mm at its surface."""
    u, v, w = ((a - c) / r for a, c, r in zip((p.x, p.y, p.z), centre, radii, strict=True))
    norm = np.sqrt(u * u + v * v + w * w) + 1e-6
    slope = np.sqrt((u / radii[0]) ** 2 + (v / radii[1]) ** 2 + (w / radii[2]) ** 2) + 1e-8
    return np.asarray((norm - 1) * norm / slope)


def capsule(p: Points, start: Vector, end: Vector, radius_mm: tuple[float, float]) -> Array:
    """Level of a round rod whose radius runs from the first value to the second."""
    axis = [e - s for s, e in zip(start, end, strict=True)]
    u, v, w = (a - c for a, c in zip((p.x, p.y, p.z), start, strict=True))
    along = np.clip((u * axis[0] + v * axis[1] + w * axis[2]) / sum(a * a for a in axis), 0, 1)
    away = np.sqrt((u - along * axis[0]) ** 2 + (v - along * axis[1]) ** 2 + (w - along * axis[2]) ** 2)
    return np.asarray(away - (radius_mm[0] + along * (radius_mm[1] - radius_mm[0])))


def tube(p: Points, knots: Sequence[tuple[Vector, float]]) -> Array:
    """Level of a chain of rods through (position, radius in mm) knots."""
    level = np.full_like(p.x, np.inf)
    for (start, r0), (end, r1) in pairwise(knots):
        rod = capsule(p, start, end, (r0, r1))
        level = np.minimum(level, rod, out=level)
    return level


def coverage(level: Array, edge_mm: float = EDGE_MM) -> Array:
    """Share of a point that a shape covers: 1 inside, 0 outside, a ramp across the edge."""
    return np.asarray(np.clip(0.5 - level / edge_mm, 0, 1))


def paint(hu: Array, level: Array, value: float | Array) -> None:
    """Paint a shape over ``hu`` (n,), in place."""
    hu += coverage(level) * (value - hu)


def step(t: Array, start: float | Array, end: float | Array) -> Array:
    """Rise smoothly from 0 at ``start`` to 1 at ``end`` (which may be the smaller one)."""
    s = np.clip((t - start) / (end - start), 0, 1)
    return np.asarray(s * s * (3 - 2 * s))


@dataclass(frozen=True, eq=False)
class Waves:
    """A random smooth field: a sum of plane waves with mean 0 and standard deviation 1.

    Its zero level is a maze of sheets half a wavelength apart, which is what gyri look like.
    """

    vectors: NDArray[np.float32]
    phases: NDArray[np.float32]

    @classmethod
    def of(cls, rng: np.random.Generator, wavelength_mm: float, count: int) -> Waves:
        """Draw ``count`` waves in random directions."""
        directions = rng.standard_normal((count, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        vectors = (directions * 2 * np.pi / wavelength_mm).astype(np.float32)
        return cls(vectors, rng.uniform(0, 2 * np.pi, count).astype(np.float32))

    def __call__(self, p: Points) -> Array:
        """Evaluate at points; (n,)."""
        total = np.zeros_like(p.x)
        for (a, b, c), phase in zip(self.vectors, self.phases, strict=True):
            total += np.sin(a * p.x + b * p.y + c * p.z + phase)
        return np.asarray(total * np.float32(np.sqrt(2 / len(self.phases))))

    @property
    def slope_per_mm(self) -> float:
        """Mean steepness across the zero level, per mm: |field| / slope is about a distance in mm."""
        return float(np.linalg.norm(self.vectors, axis=1).mean())
