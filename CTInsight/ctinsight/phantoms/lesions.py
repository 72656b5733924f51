"""Bleeds with a volume known before any voxel is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ctinsight.errors import WrongUseError
from ctinsight.finding import Side
from ctinsight.phantoms.cranium import (
    STANDARD_CRANIUM,
    VAULT_CENTRE,
    VAULT_RADII,
    Cranium,
    vault_frame,
    vault_level,
)
from ctinsight.phantoms.shapes import Points, Vector, coverage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.phantoms.shapes import Array

#: Attenuation of acute blood in HU that a lesion may have.
BLOOD_HU = (30.0, 100.0)
#: Points per lesion for a volume that has no closed form: its error is then below 0.05 %.
INTEGRATION_POINTS = 3_000_000


class Lesion(Protocol):
    """A bleed in the coordinates of the head (RAS in mm when the head is not turned)."""

    @property
    def mean_hu(self) -> float:
        """Attenuation in HU before noise."""

    @property
    def name(self) -> str:
        """Kind of lesion."""

    @property
    def volume_ml(self) -> float:
        """True volume in mL."""

    @property
    def bounds(self) -> tuple[Vector, Vector]:
        """Lowest and highest corner of a box that holds the lesion, mm."""

    def level(self, p: Points) -> Array:
        """Level at points: negative inside, about mm at the surface."""


def rotation(degrees_xyz: Vector) -> NDArray[np.float64]:
    """Return the 3 x 3 matrix that turns about R, then A, then S, by degrees, counter-clockwise."""
    a, b, c = np.radians(degrees_xyz)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def _refuse_odd_blood(mean_hu: float) -> None:
    if not BLOOD_HU[0] <= mean_hu <= BLOOD_HU[1]:
        raise WrongUseError(
            found=f"a lesion of {mean_hu:g} HU",
            expected=f"{BLOOD_HU[0]:g} to {BLOOD_HU[1]:g} HU",
            remedy="Choose an attenuation that blood can have.",
        )


@dataclass(frozen=True)
class Ellipsoid:
    """A round bleed of exactly 4/3·π·a·b·c.

    Examples
    --------
    >>> round(Ellipsoid((0, 0, 0), (10, 20, 30)).volume_ml, 4)
    25.1327
    """

    centre: Vector
    radii_mm: Vector
    rotation_degrees: Vector = (0.0, 0.0, 0.0)
    mean_hu: float = 60.0
    name: str = field(default="ellipsoid", init=False)

    def __post_init__(self) -> None:
        _refuse_odd_blood(self.mean_hu)

    @property
    def volume_ml(self) -> float:
        """Exact volume in mL."""
        return float(4 / 3 * np.pi * np.prod(self.radii_mm) / 1000)

    @property
    def bounds(self) -> tuple[Vector, Vector]:
        """Corners of the box that holds the lesion, mm."""
        reach = np.sqrt(((rotation(self.rotation_degrees) * np.array(self.radii_mm)) ** 2).sum(axis=1))
        return _vector(np.subtract(self.centre, reach)), _vector(np.add(self.centre, reach))

    def level(self, p: Points) -> Array:
        """Level at points, mm at the surface."""
        moved = np.stack([a - c for a, c in zip((p.x, p.y, p.z), self.centre, strict=True)])
        own = (rotation(self.rotation_degrees).T @ moved) / np.array(self.radii_mm)[:, None]
        norm = np.sqrt((own**2).sum(axis=0)) + 1e-9
        slope = np.sqrt(((own / np.array(self.radii_mm)[:, None]) ** 2).sum(axis=0)) + 1e-9
        return np.asarray((norm - 1) * norm / slope)


@dataclass(frozen=True)
class Lobulated:
    """A bleed of several overlapping spheres; its volume is integrated once and kept."""

    centres: tuple[Vector, ...]
    radii_mm: tuple[float, ...]
    mean_hu: float = 60.0
    name: str = field(default="lobulated", init=False)

    def __post_init__(self) -> None:
        _refuse_odd_blood(self.mean_hu)

    @classmethod
    def of_volume(cls, centre: Vector, volume_ml: float, *, seed: int, mean_hu: float = 60.0) -> Lobulated:
        """Draw a core with five lobes about ``centre`` and scale it to ``volume_ml``."""
        rng = np.random.default_rng(seed)
        away = rng.standard_normal((5, 3))
        away *= rng.uniform(0.55, 1.0, (5, 1)) / np.linalg.norm(away, axis=1, keepdims=True)
        offsets = np.vstack([np.zeros(3), away]) * 10
        radii = np.concatenate([[9.0], rng.uniform(4.5, 8.0, 5)])
        trial = cls(tuple(_vector(o) for o in offsets), tuple(radii.tolist()), mean_hu)
        grow = (volume_ml / trial.volume_ml) ** (1 / 3)
        placed = tuple(_vector(np.add(centre, o * grow)) for o in offsets)
        return cls(placed, tuple((radii * grow).tolist()), mean_hu)

    @property
    def volume_ml(self) -> float:
        """Volume in mL, integrated to 0.1 %."""
        return integrated_volume_ml(self)

    @property
    def bounds(self) -> tuple[Vector, Vector]:
        """Corners of the box that holds the lesion, mm."""
        centres, radii = np.array(self.centres), np.array(self.radii_mm)[:, None]
        return _vector((centres - radii).min(axis=0)), _vector((centres + radii).max(axis=0))

    def level(self, p: Points) -> Array:
        """Level at points: the distance to the nearest sphere's surface, mm."""
        best = np.full(p.x.shape, np.inf)
        for (x, y, z), radius in zip(self.centres, self.radii_mm, strict=True):
            best = np.minimum(best, np.sqrt((p.x - x) ** 2 + (p.y - y) ** 2 + (p.z - z) ** 2) - radius)
        return best


@dataclass(frozen=True)
class ExtraAxial:
    """Blood on the inner table: a crescent (subdural) or a lens (epidural).

    It fills the depth ``thickness_mm * (1 - e**power)`` beneath the vault's inner table, where ``e`` is
    the elliptic angular distance from its thickest point, 1 at its rim.

    Parameters
    ----------
    side
        The patient's side.
    thickness_mm
        Greatest depth beneath the inner table.
    direction_degrees
        Thickest point, seen from the vault's centre: azimuth from the side to anterior, elevation.
    extent_degrees
        Half-angle along azimuth and along elevation.
    power
        2 gives a lens, 4 an evenly thick crescent.
    cranium
        The size of the head; must be the size of the head it is put into.
    """

    side: Side
    thickness_mm: float
    direction_degrees: tuple[float, float]
    extent_degrees: tuple[float, float]
    power: float
    mean_hu: float = 60.0
    cranium: Cranium = STANDARD_CRANIUM
    name: str = "extra-axial"

    def __post_init__(self) -> None:
        _refuse_odd_blood(self.mean_hu)

    @property
    def volume_ml(self) -> float:
        """Volume in mL, integrated to 0.1 %."""
        return integrated_volume_ml(self)

    @property
    def bounds(self) -> tuple[Vector, Vector]:
        """Corners of the box that holds the lesion, mm."""
        return _extra_axial_bounds(self)

    def axes(self) -> NDArray[np.float64]:
        """Rows: unit vectors of the thickest point, along azimuth and along elevation."""
        azimuth, elevation = np.radians(self.direction_degrees)
        sign = -1.0 if self.side is Side.LEFT else 1.0
        out = np.array([sign * np.cos(azimuth), np.sin(azimuth), 0.0])
        along = np.array([-sign * np.sin(azimuth), np.cos(azimuth), 0.0])
        up = np.array([0.0, 0.0, 1.0])
        thickest = np.cos(elevation) * out + np.sin(elevation) * up
        return np.stack([thickest, along, np.cross(thickest, along) * sign])

    def level(self, p: Points) -> Array:
        """Level at points, about mm at the surface."""
        q = self.cranium.standard(p)
        frame = vault_frame(q)
        sphere = np.stack(
            [
                (a - c) / r
                for a, c, r in zip((frame.x, frame.y, frame.z), VAULT_CENTRE, VAULT_RADII, strict=True)
            ]
        )
        out, along, up = self.axes() @ sphere
        e1 = np.arctan2(along, out) / np.radians(self.extent_degrees[0])
        e2 = np.arctan2(up, out) / np.radians(self.extent_degrees[1])
        rim = np.clip(e1 * e1 + e2 * e2, 0, 4) ** (self.power / 2)
        outside = vault_level(q)
        inward = -outside - self.thickness_mm * (1 - rim)
        return np.asarray(np.maximum(outside, inward))


def crescent(
    side: Side, thickness_mm: float, *, mean_hu: float = 60.0, cranium: Cranium = STANDARD_CRANIUM
) -> ExtraAxial:
    """Make a subdural crescent over a convexity: long, thin and concave towards the brain."""
    return ExtraAxial(side, thickness_mm, (8.0, 24.0), (58.0, 34.0), 4.0, mean_hu, cranium, "crescent")


def epidural(
    side: Side, thickness_mm: float, *, mean_hu: float = 60.0, cranium: Cranium = STANDARD_CRANIUM
) -> ExtraAxial:
    """Make an epidural lens at a temple: short, thick and convex towards the brain."""
    return ExtraAxial(side, thickness_mm, (15.0, 18.0), (30.0, 26.0), 2.0, mean_hu, cranium, "epidural")


@lru_cache(maxsize=256)
def integrated_volume_ml(lesion: Lobulated | ExtraAxial, points: int = INTEGRATION_POINTS) -> float:
    """Integrate a lesion's volume in mL over a lattice of about ``points`` points, each with a soft edge."""
    low, high = (np.array(corner) for corner in lesion.bounds)
    step_mm = float((np.prod(high - low) / points) ** (1 / 3))
    counts = np.ceil((high - low) / step_mm).astype(int)
    xs, ys, zs = (low[a] + (np.arange(counts[a]) + 0.5) * (high[a] - low[a]) / counts[a] for a in range(3))
    x, y = (a.ravel() for a in np.meshgrid(xs, ys, indexing="ij"))
    inside = sum(
        float(coverage(lesion.level(Points(x, y, np.full_like(x, z))), step_mm / 2).sum()) for z in zs
    )
    return float(inside * np.prod((high - low) / counts) / 1000)


@lru_cache(maxsize=256)
def _extra_axial_bounds(lesion: ExtraAxial) -> tuple[Vector, Vector]:
    """Box around an extra-axial lesion, found on a 3 mm lattice of the vault with a margin of 4 mm."""
    scale = np.array(lesion.cranium.scale_ras)
    reach = (np.array(VAULT_RADII) * (1.12, 1.0, 1.0) + 3) * scale
    middle = np.array(VAULT_CENTRE) * scale
    lattice = [np.arange(c - r, c + r, 3.0) for c, r in zip(middle, reach, strict=True)]
    x, y, z = (a.ravel() for a in np.meshgrid(*lattice, indexing="ij"))
    near = lesion.level(Points(x, y, z)) < 2.0
    found = np.stack([x[near], y[near], z[near]])
    if found.size == 0:
        return _vector(middle), _vector(middle)
    return _vector(found.min(axis=1) - 4), _vector(found.max(axis=1) + 4)


def _vector(values: NDArray[np.float64]) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z
