"""How well thickness, volumes, distances and sides are met on midface phantoms with known truth.

    python Testing/Benchmarks/dcr_accuracy.py [--quick]

Prints Markdown tables: thickness in 3-D for walls of 1 to 8 mm, straight and oblique, on 0.5 mm and on
0.6 x 0.7 x 1.5 mm, each at several places between the voxels; volumes; distances; and the side in every
storage order. Research use only. Not a medical device.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from itertools import permutations, product

import numpy as np

from ctinsight.finding import Side
from ctinsight.measure.thickness import surface_thickness
from ctinsight.phantoms.midface import (
    MidfaceSide,
    MidfaceSpec,
    SideTruth,
    midface_grid,
    midface_labels,
    midface_phantom,
    side_truth,
)
from ctinsight.tasks.dcr.anatomy import Anatomy, anatomy_of, r_mm, sac_sides
from ctinsight.tasks.dcr.corrected import SideFeatures, measure_side
from ctinsight.tasks.dcr.published import published_features
from ctinsight.volume import Grid, Volume

SPACINGS = {"0.5 mm": (0.5, 0.5, 0.5), "0.6 x 0.7 x 1.5 mm": (0.6, 0.7, 1.5)}
WALLS_MM = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
OBLIQUE = ((0.0, 0.0), (6.0, 4.0), (12.0, -8.0), (20.0, 15.0), (25.0, -20.0))
SHIFTS_MM = ((0.0, 0.0, 0.0), (0.13, 0.21, 0.35), (0.29, 0.08, 0.6))
#: Rims of the wall, where thickness is not that of the wall, end here.
INNER_MM = (6.0, 9.0)


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def drawn(spacing, wall_mm, oblique, shift) -> tuple[Anatomy, SideTruth]:
    """Draw the right side alone."""
    centre = tuple(np.add((20.0, 40.0, 0.0), shift))
    grid = midface_grid(spacing, size_mm=(64.0, 62.0, 36.0), centre_ras=centre)
    side = MidfaceSide(wall_mm, oblique)
    labels = midface_labels(MidfaceSpec(grid, side, side))
    labels[np.broadcast_to(r_mm(grid) < 0, labels.shape)] = 0
    return Anatomy(labels == 1, labels == 2, labels == 3, grid), side_truth(Side.RIGHT, side)


def wall_errors(anatomy: Anatomy, truth: SideTruth) -> np.ndarray:
    """Return the errors in mm at all vertices of the two faces of the wall, rims left out."""
    found = surface_thickness(anatomy.maxilla_kji, anatomy.grid)
    local = (found.mesh.vertices_ras - np.array(truth.wall_centre_ras)) @ truth.wall_frame.T
    inner = (np.abs(local[:, 1]) < INNER_MM[0]) & (np.abs(local[:, 2]) < INNER_MM[1])
    return found.thickness_mm[inner & found.measured] - truth.wall_mm


def thickness(quick: bool) -> None:
    """Print the errors of thickness."""
    shifts = SHIFTS_MM[:1] if quick else SHIFTS_MM
    say("\n| voxels | wall | turned | mean error mm | 95 % of errors below mm | median of the side mm |")
    say("|---|---|---|---|---|---|")
    for (name, spacing), oblique in product(SPACINGS.items(), OBLIQUE):
        for wall in WALLS_MM if not quick else WALLS_MM[::3]:
            errors, medians = [], []
            for shift in shifts:
                anatomy, truth = drawn(spacing, wall, oblique, shift)
                errors.append(wall_errors(anatomy, truth))
                medians.append(measure_side(anatomy).features.wall_thickness_median_mm)
            joined = np.concatenate(errors)
            far = np.percentile(np.abs(joined), 95)
            middle = " ".join(f"{m:.2f}" for m in medians)
            say(f"| {name} | {wall:.0f} mm | {oblique} | {joined.mean():+.3f} | {far:.3f} | {middle} |")


def volumes(quick: bool) -> None:
    """Print the errors of volumes, distances, and the published thickness beside them."""
    shifts = SHIFTS_MM[:1] if quick else SHIFTS_MM
    say("\n| voxels | wall | sac % | maxilla % | nasal % | sac to nose | bone on way | published mean |")
    say("|---|---|---|---|---|---|---|---|")
    for (name, spacing), wall in product(SPACINGS.items(), WALLS_MM):
        rows = []
        for shift in shifts:
            anatomy, truth = drawn(spacing, wall, (12.0, -8.0), shift)
            found = measure_side(anatomy).features
            rows.append((*_volume_errors(found, truth), *_distance_errors(found, truth, anatomy)))
        worst = np.array(rows)[np.argmax(np.abs(rows), axis=0), range(6)]
        say(f"| {name} | {wall:.0f} mm | " + " | ".join(f"{v:+.2f}" for v in worst) + " |")


def _volume_errors(found: SideFeatures, truth: SideTruth) -> tuple[float, ...]:
    pairs = (
        (found.sac_volume_mm3, truth.sac_volume_mm3),
        (found.maxilla_volume_mm3, truth.maxilla_volume_mm3),
        (found.nasal_volume_mm3, truth.nasal_volume_mm3),
    )
    return tuple(100 * (value / known - 1) for value, known in pairs)


def _distance_errors(found: SideFeatures, truth: SideTruth, anatomy: Anatomy) -> tuple[float, ...]:
    # The image is cut out about one side: its middle column is no middle of the face.
    whole = replace(anatomy.lps(), middle_column=-1.0)
    published = published_features(whole).maxilla_thickness_mean_mm or np.nan
    away = found.sac_nasal_distance_mm - truth.sac_nasal_distance_mm
    return away, found.bone_on_path_mm - truth.wall_mm, published - truth.wall_mm


def sides() -> None:
    """Print in how many storage orders the side of a single sac is right."""
    case = midface_phantom(MidfaceSpec(midface_grid((1.0, 1.0, 1.0))))
    tried = right = 0
    orders = product(permutations(range(3)), product((1, -1), repeat=3))
    for side, (axes, flips) in product((Side.LEFT, Side.RIGHT), orders):
        volume, labels = _stored(case.volume, case.labels_kji, axes, flips)
        own = np.broadcast_to(r_mm(volume.grid) > 0, labels.shape) == (side is Side.RIGHT)
        tried += 1
        right += sac_sides(anatomy_of(np.where(own, labels, 0), volume)) == (side,)
    for turned in ((10.0, -8.0, 12.0), (-15.0, 10.0, -15.0), (0.0, 0.0, 20.0)):
        grid = midface_grid((1.0, 1.0, 1.0), rotation_degrees=turned)
        oblique = midface_phantom(MidfaceSpec(grid))
        for side in (Side.LEFT, Side.RIGHT):
            own = np.broadcast_to(r_mm(grid) > 0, oblique.labels_kji.shape) == (side is Side.RIGHT)
            tried += 1
            anatomy = anatomy_of(np.where(own, oblique.labels_kji, 0), oblique.volume)
            right += sac_sides(anatomy) == (side,)
    say(f"\nSide right in {right} of {tried} storages: 48 orders and 3 oblique grids, each side by itself.")


def _stored(volume: Volume, labels: np.ndarray, axes, flips) -> tuple[Volume, np.ndarray]:
    turn = tuple(slice(None, None, f) for f in flips)
    matrix = volume.ijk_to_ras[:, [*(2 - np.array(axes))[::-1], 3]].copy()
    shape = np.array(volume.array_kji.shape)[list(axes)]
    for axis, flip in enumerate(flips):
        if flip < 0:
            matrix[:3, 3] += matrix[:3, 2 - axis] * (shape[axis] - 1)
            matrix[:3, 2 - axis] *= -1
    array = np.transpose(volume.array_kji, axes)[turn]
    Grid(array.shape, matrix)
    return Volume(array, matrix), np.transpose(labels, axes)[turn]


def main() -> None:
    """Print every table."""
    started = time.monotonic()
    quick = "--quick" in sys.argv
    thickness(quick)
    volumes(quick)
    sides()
    say(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
