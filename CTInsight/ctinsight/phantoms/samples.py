"""Ready-made phantoms: one to show, and the standard set that the accuracy table is made with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ctinsight.finding import Side
from ctinsight.phantoms.cranium import Cranium
from ctinsight.phantoms.head import HeadSpec, PhantomCase, Pose, head_grid, head_phantom
from ctinsight.phantoms.lesions import Ellipsoid, Lesion, Lobulated, crescent, epidural

if TYPE_CHECKING:
    from ctinsight.phantoms.shapes import Vector
    from ctinsight.volume import Grid


def demo_head(seed: int = 0) -> PhantomCase:
    """Draw the head that ``./run demo`` shows: a lobulated bleed of 25 mL in the left basal ganglia."""
    return head_phantom(demo_head_spec(seed))


def demo_head_spec(seed: int = 0) -> HeadSpec:
    """Return the recipe of :func:`demo_head`."""
    bleed = Lobulated.of_volume((-27.0, -4.0, 8.0), 25.0, seed=7, mean_hu=62.0)
    return HeadSpec(grid=head_grid((0.9, 0.9, 5.0)), seed=seed, lesions=(bleed,))


@dataclass(frozen=True, eq=False)
class StandardPhantom:
    """One of the standard set: its name, and the recipe that :func:`head_phantom` draws."""

    name: str
    spec: HeadSpec

    def draw(self) -> PhantomCase:
        """Draw it; takes seconds, so cases are drawn one at a time."""
        return head_phantom(self.spec)


class _Recipe(NamedTuple):
    """``size`` is mL for ellipsoid and lobulated, greatest depth in mm for crescent and epidural."""

    kind: str
    side: Side
    size: float
    mean_hu: float


_RECIPES = (
    _Recipe("ellipsoid", Side.LEFT, 1.0, 66),
    _Recipe("ellipsoid", Side.RIGHT, 3.0, 60),
    _Recipe("ellipsoid", Side.LEFT, 6.0, 58),
    _Recipe("ellipsoid", Side.RIGHT, 12.0, 70),
    _Recipe("ellipsoid", Side.LEFT, 25.0, 62),
    _Recipe("ellipsoid", Side.RIGHT, 40.0, 55),
    _Recipe("ellipsoid", Side.LEFT, 60.0, 64),
    _Recipe("lobulated", Side.RIGHT, 2.0, 64),
    _Recipe("lobulated", Side.LEFT, 5.5, 60),
    _Recipe("lobulated", Side.RIGHT, 10.0, 57),
    _Recipe("lobulated", Side.LEFT, 18.0, 68),
    _Recipe("lobulated", Side.RIGHT, 30.0, 61),
    _Recipe("lobulated", Side.LEFT, 50.0, 56),
    _Recipe("lobulated", Side.RIGHT, 80.0, 63),
    _Recipe("crescent", Side.LEFT, 6.0, 65),
    _Recipe("crescent", Side.RIGHT, 9.0, 60),
    _Recipe("crescent", Side.LEFT, 13.0, 57),
    _Recipe("epidural", Side.RIGHT, 14.0, 66),
    _Recipe("epidural", Side.LEFT, 20.0, 62),
    _Recipe("epidural", Side.RIGHT, 28.0, 60),
)


def standard_phantoms() -> tuple[StandardPhantom, ...]:
    """Return the 20 recipes of the accuracy table: 1 to 80 mL, four shapes, both sides, four kinds of grid.

    Nothing is drawn yet. Grids take turns: 0.9 x 0.9 x 5 mm, 1 mm isotropic, 0.9 x 0.9 x 5 mm oblique by
    12 and 8 degrees, 0.9 x 0.9 x 2.5 mm with the head turned by up to 8 degrees.
    """
    return tuple(_standard(number, recipe) for number, recipe in enumerate(_RECIPES))


def _standard(number: int, recipe: _Recipe) -> StandardPhantom:
    rng = np.random.default_rng([2026, number])
    x, y, z = (float(s) for s in rng.uniform(0.94, 1.02, 3))
    cranium = Cranium((x, y, z))
    grid, pose = _view(number, rng)
    lesion = _lesion(recipe, cranium, rng)
    noise = (3.0, 4.0, 5.0)[number % 3]
    spec = HeadSpec(grid, number, (lesion,), noise_hu=noise, cranium=cranium, pose=pose)
    return StandardPhantom(f"{number + 1:02d}-{recipe.kind}-{recipe.side.value}", spec)


def _view(number: int, rng: np.random.Generator) -> tuple[Grid, Pose]:
    match number % 4:
        case 0:
            return head_grid((0.9, 0.9, 5.0)), Pose()
        case 1:
            return head_grid((1.0, 1.0, 1.0)), Pose()
        case 2:
            return head_grid((0.9, 0.9, 5.0), rotation_degrees=(12.0, 8.0, 0.0)), Pose()
    a, b, c = (float(d) for d in rng.uniform(-8, 8, 3))
    return head_grid((0.9, 0.9, 2.5)), Pose((a, b, c), (3.0, -2.0, 1.0))


def _lesion(recipe: _Recipe, cranium: Cranium, rng: np.random.Generator) -> Lesion:
    kind, side, size, mean_hu = recipe
    if kind == "crescent":
        return crescent(side, size, mean_hu=mean_hu, cranium=cranium)
    if kind == "epidural":
        return epidural(side, size, mean_hu=mean_hu, cranium=cranium)
    sign = -1.0 if side is Side.LEFT else 1.0
    shift = rng.uniform(-1, 1, 3) * (3, 14, 6) * (1 - size / 100)
    centre: Vector = (
        sign * (31.0 + float(shift[0])),
        -8.0 + float(shift[1]),
        18.0 + float(shift[2]),
    )
    if kind == "lobulated":
        return Lobulated.of_volume(centre, size, seed=int(rng.integers(1 << 30)), mean_hu=mean_hu)
    shape = rng.uniform([0.8, 1.0, 0.7], [1.0, 1.4, 1.0])
    radius = (size * 1000 / (4 / 3 * np.pi * np.prod(shape))) ** (1 / 3)
    a, b, c = (float(r) for r in shape * radius)
    turn = float(rng.uniform(-30, 30))
    return Ellipsoid(centre, (a, b, c), (0.0, 0.0, turn), mean_hu)
