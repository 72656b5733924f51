"""Slices of synthetic heads, drawn anew for every seed: the ground on which our own weights stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import WrongUseError
from ctinsight.finding import Side
from ctinsight.phantoms.cranium import Cranium
from ctinsight.phantoms.head import HeadSpec, Pose, head_grid, head_phantom
from ctinsight.phantoms.lesions import Ellipsoid, Lobulated, crescent, epidural
from ctinsight.training.collect import square_slice
from ctinsight.training.slice_set import VALIDATION, TrainingSlice, split_of
from ctinsight.window import apply_window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ctinsight.phantoms.lesions import Lesion
    from ctinsight.phantoms.shapes import Vector

DESCRIPTION = (
    "synthetic heads of CT Insight: anatomy, attenuation, noise, streaks, spacing, tilt, pose and window "
    "drawn by chance; no patient"
)
#: mL from small to large, evenly in the logarithm.
_VOLUMES_ML = (0.5, 90.0)
#: Of blood in the first hours; the upper end is clotted.
_BLOOD_HU = (45.0, 85.0)
_KINDS = ("none", "ellipsoid", "lobulated", "lobulated", "crescent", "epidural")
#: A drawn bleed may reach out of the head or into another: so often another one is tried.
_TRIALS = 20
#: Where no patient with that split is drawn, the last head is for validation.
_VALIDATION = 0.15


def synthetic_slices(heads: int, seed: int, told: Callable[[int], None]) -> Iterator[TrainingSlice]:
    """Draw heads one after the other and yield their axial slices that hold brain.

    Parameters
    ----------
    heads, seed
        How many, and of which series: the same pair gives the same slices.
    told
        Called with the number of each head.
    """
    splits = [split_of(f"head {n}", _VALIDATION, seed) for n in range(heads)]
    if VALIDATION not in splits:
        splits[-1] = VALIDATION
    for number in range(heads):
        told(number + 1)
        rng = np.random.default_rng([seed, number])
        case = head_phantom(_spec(rng))
        center, width = rng.uniform(30, 45), rng.uniform(70, 110)
        spacing = case.volume.grid.spacing_ijk_mm
        grey = np.rint(apply_window(case.volume.array_kji, center, width) * 255)
        for k in np.flatnonzero(case.brain_kji.any(axis=(1, 2))):
            image, mask = square_slice(grey[k], spacing), square_slice(case.truth_kji[k] * 255.0, spacing)
            yield TrainingSlice(image, mask, f"head {number}", splits[number], f"seed {seed}, slice {k}")


def _spec(rng: np.random.Generator) -> HeadSpec:
    x, y, z = (float(s) for s in rng.uniform(0.90, 1.04, 3))
    cranium = Cranium((x, y, z))
    in_plane, thick = float(rng.uniform(0.8, 1.0)), float(rng.choice([2.5, 5.0, 5.0, 7.0]))
    tilt = (float(rng.uniform(-15, 15)), float(rng.uniform(-6, 6)), float(rng.uniform(-8, 8)))
    pose = Pose(
        (float(rng.uniform(-8, 8)), float(rng.uniform(-6, 6)), float(rng.uniform(-10, 10))),
        (float(rng.uniform(-8, 8)), float(rng.uniform(-8, 8)), 0.0),
    )
    for _ in range(_TRIALS):
        spec = HeadSpec(
            grid=head_grid((in_plane, in_plane, thick), rotation_degrees=tilt),
            seed=int(rng.integers(1 << 30)),
            lesions=_lesions(rng, cranium),
            noise_hu=float(rng.uniform(2.0, 7.0)),
            streak_hu=float(rng.uniform(0.0, 25.0)),
            cranium=cranium,
            pose=pose,
            sample_mm=2.5,
            calcified=bool(rng.random() < 0.6),
            holder=bool(rng.random() < 0.7),
        )
        if _fits(spec):
            return spec
    return HeadSpec(
        grid=head_grid((in_plane, in_plane, thick)), seed=int(rng.integers(1 << 30)), cranium=cranium
    )


def _fits(spec: HeadSpec) -> bool:
    """Try the lesions on a coarse grid: a refusal costs little there."""
    from dataclasses import replace

    try:
        head_phantom(replace(spec, grid=head_grid((24.0, 24.0, 24.0)), sample_mm=24.0))
    except WrongUseError:
        return False
    return True


def _lesions(rng: np.random.Generator, cranium: Cranium) -> tuple[Lesion, ...]:
    kind = str(rng.choice(_KINDS))
    if kind == "none":
        return ()
    side = Side.LEFT if rng.random() < 0.5 else Side.RIGHT
    hu = float(rng.uniform(*_BLOOD_HU))
    if kind == "crescent":
        return (crescent(side, float(rng.uniform(4, 16)), mean_hu=hu, cranium=cranium),)
    if kind == "epidural":
        return (epidural(side, float(rng.uniform(8, 30)), mean_hu=hu, cranium=cranium),)
    low, high = np.log(_VOLUMES_ML)
    volume_ml = float(np.exp(rng.uniform(low, high)))
    sign = -1.0 if side is Side.LEFT else 1.0
    centre: Vector = (
        sign * float(rng.uniform(10, 45)),
        float(rng.uniform(-60, 45)),
        float(rng.uniform(-20, 55)),
    )
    if kind == "lobulated":
        return (Lobulated.of_volume(centre, volume_ml, seed=int(rng.integers(1 << 30)), mean_hu=hu),)
    shape = rng.uniform(0.6, 1.4, 3)
    radii: Any = shape * (volume_ml * 1000 / (4 / 3 * np.pi * np.prod(shape))) ** (1 / 3)
    turn = (0.0, 0.0, float(rng.uniform(-60, 60)))
    return (Ellipsoid(centre, (float(radii[0]), float(radii[1]), float(radii[2])), turn, hu),)
