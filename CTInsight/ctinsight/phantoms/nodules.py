"""Nodules with a volume, a solid core and a mean diameter known before any voxel is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.errors import WrongUseError
from ctinsight.phantoms.lesions import rotation
from ctinsight.phantoms.lung_vessels import Rod

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.phantoms.shapes import Array, Points, Vector

SOLID_HU, GROUND_GLASS_HU, CALCIUM_HU, FAT_HU = 35.0, -600.0, 450.0, -80.0


class NoduleKind(StrEnum):
    """What a nodule looks like; the first five are those of the accuracy table."""

    SOLID = "solid"
    PART_SOLID = "part-solid"
    GROUND_GLASS = "ground-glass"
    JUXTAPLEURAL = "juxtapleural"
    JUXTAVASCULAR = "juxtavascular"
    SPICULATED = "spiculated"
    CALCIFIED = "calcified"
    FAT = "fat"


@dataclass(frozen=True)
class Nodule:
    """An ellipsoid in the lung.

    Parameters
    ----------
    kind
        A juxtapleural nodule is cut off by the pleura, a juxtavascular one is crossed by a vessel near its
        surface, a spiculated one has thin threads (not part of its volume); part-solid, calcified and fat
        nodules hold an inner ellipsoid of the same shape.
    centre_ras
        mm.
    radii_mm, rotation_degrees
        Half-axes, turned about R, then A, then S.
    core
        Size of the inner ellipsoid, as a share of the half-axes.
    seed
        Chooses threads and the direction of the vessel.
    """

    kind: NoduleKind
    centre_ras: Vector
    radii_mm: Vector
    rotation_degrees: Vector = (0.0, 0.0, 0.0)
    core: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.radii_mm) <= 0 or not 0 < self.core < 1:
            raise WrongUseError(
                found=f"half-axes {self.radii_mm} mm, core {self.core}",
                expected="positive half-axes and a core between 0 and 1",
                remedy="Correct the nodule.",
            )

    @property
    def has_core(self) -> bool:
        """Whether an inner ellipsoid of other density is drawn."""
        return self.kind in {NoduleKind.PART_SOLID, NoduleKind.CALCIFIED, NoduleKind.FAT}

    @property
    def whole_volume_mm3(self) -> float:
        """Volume of the ellipsoid, which is the nodule unless the pleura cuts it; 4/3·π·a·b·c."""
        return float(4 / 3 * np.pi * np.prod(self.radii_mm))

    @property
    def core_volume_mm3(self) -> float:
        """Volume of the inner ellipsoid; 0 when there is none."""
        return self.whole_volume_mm3 * self.core**3 if self.has_core else 0.0

    @property
    def mean_diameter_mm(self) -> float:
        """Mean of longest and perpendicular diameter of the central section, greatest of the three planes.

        The section of an ellipsoid x'Qx = 1 by a plane through its centre is an ellipse, whose half-axes
        are the inverse roots of the eigenvalues of Q without the row and column of the plane's normal.

        Examples
        --------
        >>> Nodule(NoduleKind.SOLID, (0, 0, 0), (4, 5, 6)).mean_diameter_mm
        11.0
        """
        return max(self.plane_diameter_mm(axis) for axis in range(3))

    def plane_diameter_mm(self, axis: int) -> float:
        """Mean diameter of the central sagittal (0), coronal (1) or axial (2) section."""
        turn = rotation(self.rotation_degrees)
        shape = turn @ np.diag(1 / np.array(self.radii_mm) ** 2) @ turn.T
        kept = [a for a in range(3) if a != axis]
        values = np.linalg.eigvalsh(shape[np.ix_(kept, kept)])
        return float((2 / np.sqrt(values)).mean())

    def norm(self, p: Points) -> Array:
        """1 on the surface of the ellipsoid, less inside."""
        moved = np.stack([a - c for a, c in zip((p.x, p.y, p.z), self.centre_ras, strict=True)])
        own = (rotation(self.rotation_degrees).T @ moved) / np.array(self.radii_mm)[:, None]
        return np.asarray(np.sqrt((own**2).sum(axis=0)))

    @property
    def reach_ras(self) -> NDArray[np.float64]:
        """Half the size of the box around the ellipsoid, mm."""
        turned = rotation(self.rotation_degrees) * np.array(self.radii_mm)
        return np.asarray(np.sqrt((turned**2).sum(axis=1)))

    def hu(self, norm: Array) -> Array:
        """HU inside the ellipsoid, from :meth:`norm`."""
        outer, inner = {
            NoduleKind.PART_SOLID: (GROUND_GLASS_HU, SOLID_HU),
            NoduleKind.GROUND_GLASS: (GROUND_GLASS_HU, GROUND_GLASS_HU),
            NoduleKind.CALCIFIED: (SOLID_HU, CALCIUM_HU),
            NoduleKind.FAT: (SOLID_HU, FAT_HU),
        }.get(self.kind, (SOLID_HU, SOLID_HU))
        return np.where(norm < self.core, inner, outer)

    @property
    def attached(self) -> tuple[Rod, ...]:
        """Vessel or threads that touch the nodule without being part of it."""
        rng = np.random.default_rng([self.seed, 11])
        if self.kind is NoduleKind.JUXTAVASCULAR:
            return (_passing_vessel(self, rng),)
        if self.kind is NoduleKind.SPICULATED:
            return _threads(self, rng)
        return ()


def nodule_of(kind: NoduleKind, centre_ras: Vector, diameter_mm: float, *, seed: int = 0) -> Nodule:
    """Draw a nodule whose mean radius is half of ``diameter_mm``: half-axes vary by 12 %, turned at random.

    The three half-axes multiply to that of a sphere of this diameter, so the volume is its volume.
    """
    rng = np.random.default_rng([seed, 5])
    shape = rng.uniform(0.88, 1.12, 3)
    shape /= np.prod(shape) ** (1 / 3)
    a, b, c = (float(r) for r in shape * diameter_mm / 2)
    turn = tuple(float(t) for t in rng.uniform(-40, 40, 3))
    core = 0.5 if diameter_mm >= 8 else 0.6
    return Nodule(kind, centre_ras, (a, b, c), (turn[0], turn[1], turn[2]), core, seed)


def _unit(rng: np.random.Generator) -> NDArray[np.float64]:
    direction = rng.standard_normal(3)
    return np.asarray(direction / np.linalg.norm(direction))


def _passing_vessel(nodule: Nodule, rng: np.random.Generator) -> Rod:
    # Its axis runs along the surface, so half of the vessel lies inside the nodule where they touch.
    smallest = min(nodule.radii_mm)
    out, along = _unit(rng), _unit(rng)
    along -= out * (along @ out)
    along /= np.linalg.norm(along)
    turn = rotation(nodule.rotation_degrees)
    away = 1 / np.linalg.norm((turn.T @ out) / np.array(nodule.radii_mm))
    middle = np.array(nodule.centre_ras) + out * away
    radius = float(np.clip(0.3 * smallest, 0.8, 2.5))
    start, end = (_vector(middle + along * side) for side in (-28.0, 28.0))
    return Rod(start, end, (radius, 0.85 * radius))


def _threads(nodule: Nodule, rng: np.random.Generator) -> tuple[Rod, ...]:
    size = float(np.mean(nodule.radii_mm))
    turn = rotation(nodule.rotation_degrees)
    rods = []
    for _ in range(18):
        out = _unit(rng)
        away = 1 / np.linalg.norm((turn.T @ out) / np.array(nodule.radii_mm))
        foot = np.array(nodule.centre_ras) + out * (away - 0.5)
        tip = foot + out * size * rng.uniform(0.4, 0.8)
        rods.append(Rod(_vector(foot), _vector(tip), (0.7, 0.35)))
    return tuple(rods)


def _vector(values: NDArray[np.float64]) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z
