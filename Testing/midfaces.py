"""Small midfaces for tests: one drawing for each request, kept for the session."""

from __future__ import annotations

from functools import cache

from ctinsight.phantoms.midface import MidfaceCase, MidfaceSide, MidfaceSpec, midface_grid, midface_phantom
from ctinsight.volume import Acquisition, Scan

LEFT_WALL_MM, RIGHT_WALL_MM = 4.5, 2.5
USUAL = (True, True, False)


@cache
def midface(spacing=(0.75, 0.75, 0.75), turned=(0.0, 0.0, 0.0), flip=USUAL) -> MidfaceCase:
    """Draw 4.5 mm of bone on the left and 2.5 mm on the right, both oblique."""
    grid = midface_grid(spacing, rotation_degrees=turned, flip_ijk=flip)
    left, right = MidfaceSide(LEFT_WALL_MM, (12.0, -8.0)), MidfaceSide(RIGHT_WALL_MM, (8.0, 5.0))
    return midface_phantom(MidfaceSpec(grid=grid, left=left, right=right))


def scan_of(case: MidfaceCase, **facts) -> Scan:
    """Wrap a drawing as it would have been read."""
    return Scan(case.volume, Acquisition("made up", "CT", **facts))
