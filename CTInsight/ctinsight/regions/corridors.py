"""Where the large vessels of the anterior circulation are looked for: our own centrelines in template space.

``corridors.csv`` holds landmarks of the right side, each with its reason and uncertainty; the left is their
mirror image. They were read by this project from the public CT template and are nobody's anatomy: a
corridor of 6 mm around them is where evidence is gathered, no outline of a vessel.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.finding import Side

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Evidence is gathered this near to a centreline, mm: the largest uncertainty of a landmark.
RADIUS_MM = 6.0
#: Distance of points along a centreline, mm.
STEP_MM = 0.5


@dataclass(frozen=True)
class Landmark:
    """One point of a centreline at the head's right, with what is known about it."""

    vessel: str
    position_ras: tuple[float, float, float]
    uncertainty_mm: float
    reason: str


@dataclass(frozen=True, eq=False)
class Centreline:
    """A way along one vessel in template space: points (n, 3) in RAS (mm), ``STEP_MM`` apart."""

    vessel: str
    side: Side
    points_ras: NDArray[np.float64]


@cache
def landmarks(template: str) -> tuple[Landmark, ...]:
    """Return the landmarks of a template, in the order of the file; empty for an unknown one."""
    text = files("ctinsight.regions").joinpath("corridors.csv").read_text(encoding="utf-8")
    found = []
    for row in csv.DictReader(text.splitlines()):
        if row["template"] == template:
            place = (float(row["right_mm"]), float(row["anterior_mm"]), float(row["superior_mm"]))
            found.append(Landmark(row["vessel"], place, float(row["uncertainty_mm"]), row["reason"]))
    return tuple(found)


def centrelines(template: str) -> tuple[Centreline, ...]:
    """Return the centrelines of a template, each vessel on the left and on the right."""
    vessels = dict.fromkeys(mark.vessel for mark in landmarks(template))
    found = []
    for vessel in vessels:
        knots = np.array([mark.position_ras for mark in landmarks(template) if mark.vessel == vessel])
        for side, sign in ((Side.LEFT, -1.0), (Side.RIGHT, 1.0)):
            found.append(Centreline(vessel, side, _along(knots * (sign, 1.0, 1.0))))
    return tuple(found)


def _along(knots: NDArray[np.float64]) -> NDArray[np.float64]:
    parts = []
    for start, end in pairwise(knots):
        count = max(1, int(np.ceil(float(np.linalg.norm(end - start)) / STEP_MM)))
        parts.append(start + (end - start) * np.arange(count)[:, None] / count)
    return np.vstack([*parts, knots[-1:]])
