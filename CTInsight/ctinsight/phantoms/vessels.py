"""Dense vessels for the phantom head: a clot in M1 of known side, length and attenuation; distractors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.finding import Side
from ctinsight.phantoms.head import HeadSpec, PhantomCase, head_grid, head_phantom
from ctinsight.phantoms.shapes import Points, Vector, capsule

if TYPE_CHECKING:
    from ctinsight.phantoms.shapes import Array

#: The head's own middle cerebral artery, right side: from its inner end to its outer one.
M1_START: Vector = (9.0, 4.0, -20.0)
M1_END: Vector = (28.0, 4.0, -14.0)
M1_LENGTH_MM = float(np.linalg.norm(np.subtract(M1_END, M1_START)))
#: Radius of a middle cerebral artery: 3 mm wide.
M1_RADIUS_MM = 1.5


@dataclass(frozen=True)
class DenseVessel:
    """A rod of even attenuation with round ends, such as a clot in an artery.

    Parameters
    ----------
    start, end
        Centres of its round ends, head coordinates in mm.
    radius_mm
        Its radius.
    mean_hu
        Attenuation before noise.
    """

    start: Vector
    end: Vector
    radius_mm: float = M1_RADIUS_MM
    mean_hu: float = 65.0
    name: str = "dense vessel"

    @property
    def length_mm(self) -> float:
        """From tip to tip."""
        return float(np.linalg.norm(np.subtract(self.end, self.start))) + 2 * self.radius_mm

    @property
    def volume_ml(self) -> float:
        """Cylinder and two half balls, in mL."""
        straight = self.length_mm - 2 * self.radius_mm
        return float(np.pi * self.radius_mm**2 * (straight + 4 / 3 * self.radius_mm) / 1000)

    @property
    def bounds(self) -> tuple[Vector, Vector]:
        """Corners of the box that holds it, mm."""
        low = np.minimum(self.start, self.end) - self.radius_mm
        high = np.maximum(self.start, self.end) + self.radius_mm
        return (float(low[0]), float(low[1]), float(low[2])), (float(high[0]), float(high[1]), float(high[2]))

    def level(self, p: Points) -> Array:
        """Level at points, mm, negative inside."""
        return capsule(p, self.start, self.end, (self.radius_mm, self.radius_mm))


def dense_m1(
    side: Side,
    length_mm: float,
    *,
    mean_hu: float = 65.0,
    start_mm: float = 2.0,
    radius_mm: float = M1_RADIUS_MM,
) -> DenseVessel:
    """Make a clot that fills M1 of one side over a length, tip to tip, beginning ``start_mm`` along it."""
    sign = -1.0 if side is Side.LEFT else 1.0
    way = np.subtract(M1_END, M1_START) / M1_LENGTH_MM
    first = np.add(M1_START, way * (start_mm + radius_mm))
    last = np.add(M1_START, way * (start_mm + length_mm - radius_mm))
    ends = [(sign * float(p[0]), float(p[1]), float(p[2])) for p in (first, last)]
    return DenseVessel(ends[0], ends[1], radius_mm, mean_hu)


def dense_basilar(mean_hu: float = 60.0) -> DenseVessel:
    """Make the basilar artery dense: a midline vessel that is no finding of M1."""
    return DenseVessel((0.0, -12.0, -25.0), (0.0, -12.0, -20.0), 1.5, mean_hu, "dense basilar")


def demo_lvo_head(seed: int = 0, *, side: Side = Side.LEFT) -> tuple[PhantomCase, DenseVessel]:
    """Draw the head that ``./run demo lvo`` shows, on 1 mm slices: M1 of 66 HU over 16 mm."""
    clot = dense_m1(side, 16.0, mean_hu=66.0)
    grid = head_grid((0.7, 0.7, 1.0))
    return head_phantom(HeadSpec(grid=grid, seed=seed, sample_mm=2.5, lesions=(clot,))), clot
