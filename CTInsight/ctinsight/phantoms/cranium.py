"""The inner table of the phantom's skull: the surface that brain, extra-axial blood and bone share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.phantoms.shapes import Points, Vector, ellipsoid, step

if TYPE_CHECKING:
    from ctinsight.phantoms.shapes import Array

#: Centre and half-axes of the vault in mm: an adult inner cranium of about 138 x 172 x 142 mm.
VAULT_CENTRE: Vector = (0.0, -15.0, 6.0)
VAULT_RADII: Vector = (69.0, 86.0, 71.0)
#: The vault is this much narrower in front, and wider behind, at its poles.
TAPER = 0.10
#: Height of the foramen magnum in mm: the brain mask ends here.
FORAMEN_Z_MM = -60.0
FORAMEN_CENTRE: Vector = (0.0, -36.0, FORAMEN_Z_MM)
FORAMEN_RADII_MM = (14.0, 17.0)


@dataclass(frozen=True)
class Cranium:
    """Head size: how much larger than the standard head, along R, A and S."""

    scale_ras: Vector = (1.0, 1.0, 1.0)

    def standard(self, p: Points) -> Points:
        """Map points of this head to the standard head's."""
        sx, sy, sz = self.scale_ras
        return Points(p.x / sx, p.y / sy, p.z / sz)

    def volume_factor(self) -> float:
        """Volume of this head over the standard head's."""
        return float(np.prod(self.scale_ras))


STANDARD_CRANIUM = Cranium()


def vault_frame(p: Points) -> Points:
    """Straighten the taper, so that the vault is an ellipsoid."""
    narrower = 1 - TAPER * (p.y - VAULT_CENTRE[1]) / VAULT_RADII[1]
    return Points(p.x / narrower, p.y, p.z)


def vault_level(p: Points) -> Array:
    """Level of the vault, which has no base: points of the standard head, mm, negative inside."""
    return ellipsoid(vault_frame(p), VAULT_CENTRE, VAULT_RADII)


def floor_height(p: Points) -> Array:
    """Height in mm of the skull base over (R, A): three fossae, sella, clivus, two petrous ridges."""
    ax = np.abs(p.x)
    side = step(ax, 9, 17)
    roof = np.exp(-(((ax - 30) / 13) ** 2) - ((p.y - 46) / 20) ** 2)
    anterior = -25 + 8 * roof
    middle = side * -43 + (1 - side) * (-26 - 4 * np.exp(-(((p.y - 6) / 5) ** 2)))
    ridge_y = -9 - 0.62 * (ax - 12)
    behind = ridge_y - p.y
    clivus = step(p.y, -3, -26)
    petrous = step(behind, -3, 12)
    to_posterior = side * petrous + (1 - side) * clivus
    floor = middle + (anterior - middle) * step(p.y, 16 + 4 * side, 23 + 6 * side)
    floor = floor + (-64 - floor) * to_posterior
    ridge = np.exp(-((behind / 8) ** 2)) * side * (24 - 12 * step(ax, 25, 62))
    rough = 1.3 * np.sin(0.19 * p.x + 0.11 * p.y) * np.sin(0.16 * p.y - 0.05 * p.x)
    bowl = 0.010 * (ax - 36) ** 2 * side
    return np.asarray(floor + ridge + rough + bowl)


def cavity_level(p: Points) -> Array:
    """Level of the inner table with its base: points of the standard head, mm, negative inside."""
    below = (floor_height(p) - p.z) * 0.75
    return np.asarray(np.maximum(vault_level(p), below))


def canal_level(p: Points) -> Array:
    """Level of the vertebral canal, which leaves the skull through the foramen magnum."""
    u = (p.x - FORAMEN_CENTRE[0]) / FORAMEN_RADII_MM[0]
    v = (p.y - FORAMEN_CENTRE[1]) / FORAMEN_RADII_MM[1]
    side = (np.sqrt(u * u + v * v) - 1) * FORAMEN_RADII_MM[0]
    return np.asarray(np.maximum(side, p.z - (FORAMEN_Z_MM + 4)))


def intracranial_level(p: Points) -> Array:
    """Level of the intracranial space down to the foramen magnum: what ``brain_kji`` holds."""
    return np.asarray(np.maximum(cavity_level(p), FORAMEN_Z_MM - p.z))
