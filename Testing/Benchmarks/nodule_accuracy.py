"""Measure the nodule outline on cases with known truth; print the tables as Markdown.

Phantoms of five kinds at two slice thicknesses, a real chest CT with four readers' contours from jittered
clicks, drawn nodules put into that chest (semi-synthetic), and clicks on what is no nodule.

    python Testing/Benchmarks/nodule_accuracy.py [--shared FOLDER] [--part phantoms|real|implants|clicks]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.errors import CTInsightError
from ctinsight.files import read_labelmap, read_scan
from ctinsight.measure import dice
from ctinsight.measure.planes import three_plane_diameters
from ctinsight.phantoms.chest import ChestSpec, chest_grid, chest_phantom, pleural_nodule, truth_of
from ctinsight.phantoms.nodule_implant import Lung, implant_nodule
from ctinsight.phantoms.nodules import NoduleKind, nodule_of
from ctinsight.regions.lungs import find_lungs, lung_patch
from ctinsight.tasks.nodule.leak import attachment, leak_check, level_interval
from ctinsight.tasks.nodule.parameters import Parameters
from ctinsight.tasks.nodule.reading import filled_voxels, shape_of
from ctinsight.tasks.nodule.segment import outline_nodule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ctinsight.regions.lungs import LungField
    from ctinsight.volume import Volume

KINDS = (
    NoduleKind.SOLID,
    NoduleKind.PART_SOLID,
    NoduleKind.GROUND_GLASS,
    NoduleKind.JUXTAPLEURAL,
    NoduleKind.JUXTAVASCULAR,
)
DIAMETERS_MM = (5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0)
SPACINGS = ((0.7, 0.7, 1.0), (0.7, 0.7, 2.5))
#: Phantoms below this number were looked at while rules were set; the tables are made of others.
FIRST_UNSEEN = 50


@dataclass(frozen=True)
class Score:
    """One nodule: volume error in percent, diameter error in mm, processor seconds; or a refusal."""

    kind: str
    group: str
    diameter_mm: float
    volume_percent: float = np.nan
    diameter_error_mm: float = np.nan
    seconds: float = np.nan
    warned: bool = False
    refused: str = ""


def write(text: str) -> None:
    """Print at once, so that a long run shows where it stands."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def measured(volume: Volume, field: LungField, point: tuple[float, float, float], truth: tuple[float, float]):
    """Outline, then errors against (mm³, mean diameter in mm)."""
    start = time.process_time()
    outline = outline_nodule(volume, field, point)
    shape = shape_of(outline, point, Parameters())
    diameter = max(p.mean_mm for p in three_plane_diameters(shape.mask_kji, shape.cube.grid))
    seconds = time.process_time() - start
    check = leak_check(1, outline, diameter, level_interval(outline))
    error = 100 * (shape.volume_mm3 / truth[0] - 1)
    return {
        "volume_percent": error,
        "diameter_error_mm": diameter - truth[1],
        "seconds": seconds,
        "warned": check.outcome.value != "pass",
    }


def phantom_tables(repeats: int, slice_mm: float | None) -> Iterator[str]:
    """Write one row per voxel size, diameter and kind as soon as it is measured."""
    yield _heading(
        "voxel mm, kind, diameter mm, n, volume error %: median (range)",
        "mean diameter error mm: median (range)",
        "within 5 %, within 0.5 mm, warned, refused, processor seconds",
    )
    yield "|" + "---|" * 11
    for spacing in (s for s in SPACINGS if slice_mm in (None, s[2])):
        for diameter in DIAMETERS_MM:
            for kind in KINDS:
                own = [phantom_score(spacing, diameter, kind, repeat) for repeat in range(repeats)]
                yield f"| {own[0].group} | {kind} | {diameter:g} | {_cells(own)} |"


def phantom_score(spacing, diameter: float, kind: NoduleKind, repeat: int) -> Score:
    """Draw and measure one phantom nodule."""
    seed = 100 * int(diameter) + FIRST_UNSEEN + repeat
    rng = np.random.default_rng([seed, 9])
    x, y, z = (float(v) for v in rng.uniform(-0.5, 0.5, 3) * spacing)
    nodule = nodule_of(kind, (82 + x, 5 + y, 20 + z), diameter, seed=seed)
    if kind is NoduleKind.JUXTAPLEURAL:
        nodule = pleural_nodule((-1.0, 0.2 + 0.3 * x, 0.1 + 0.2 * z), diameter, seed=seed)
    grid = chest_grid(spacing, size_mm=(110, 110, 110), centre_ras=nodule.centre_ras)
    case = chest_phantom(ChestSpec(grid=grid, seed=seed, nodules=(nodule,)))
    truth = case.truths[0]
    name = f"{spacing[0]:g} x {spacing[1]:g} x {spacing[2]:g}"
    try:
        found = measured(
            case.volume,
            find_lungs(case.volume),
            nodule.centre_ras,
            (truth.volume_mm3, truth.mean_diameter_mm),
        )
    except CTInsightError as error:
        return Score(kind.value, name, diameter, refused=str(error.found))
    return Score(kind.value, name, diameter, **found)


def _heading(*words: str) -> str:
    return "| " + " | ".join(", ".join(words).split(", ")) + " |"


def _cells(own: list[Score]) -> str:
    good = [s for s in own if not s.refused]
    volumes, diameters = [s.volume_percent for s in good], [s.diameter_error_mm for s in good]
    return " | ".join(
        [
            str(len(own)),
            _spread(volumes, "{:+.1f}"),
            _spread(diameters, "{:+.2f}"),
            f"{sum(abs(v) <= 5 for v in volumes)}/{len(own)}",
            f"{sum(abs(d) <= 0.5 for d in diameters)}/{len(own)}",
            str(sum(s.warned for s in good)),
            str(len(own) - len(good)),
            _spread([s.seconds for s in good], "{:.1f}"),
        ]
    )


def _spread(values: list[float], form: str) -> str:
    if not values:
        return "-"
    middle = form.format(float(np.median(values)))
    return f"{middle} ({form.format(min(values))} to {form.format(max(values))})"


def real_table(shared: Path, count: int) -> str:
    """Dice against the majority of four readers, from clicks within 3 mm of the centre."""
    folder = shared / "data" / "chest_lidc_0001"
    volume = read_scan(folder / "dicom_133_slices.zip").volume
    majority = read_labelmap(folder / "nodule_mask_majority.nii.gz")[0] > 0
    votes = read_labelmap(folder / "nodule_votes.nii.gz")[0]
    field = find_lungs(volume)
    rng = np.random.default_rng(20)
    centre = np.array((-56.3, -86.4, -115.9))
    overlaps, volumes, seconds = [], [], []
    for _ in range(count):
        out = rng.standard_normal(3)
        click = centre + out / np.linalg.norm(out) * 3.0 * rng.random() ** (1 / 3)
        start = time.process_time()
        r, a, s = (float(v) for v in click)
        outline = outline_nodule(volume, field, (r, a, s))
        seconds.append(time.process_time() - start)
        mask = filled_voxels(outline.cube, outline.mask_kji, volume.grid)
        overlaps.append(dice(mask, majority) or 0.0)
        volumes.append(float(outline.mask_kji.sum()) * outline.cube.spacing_mm**3)
    readers = [dice(votes >= n, majority) or 0.0 for n in (1, 3, 4)]
    truth = float(majority.sum()) * volume.grid.voxel_volume_mm3
    return (
        f"{count} clicks: Dice median {np.median(overlaps):.3f} ({min(overlaps):.3f} to {max(overlaps):.3f});"
        f" volume {np.median(volumes):.0f} mm3 ({min(volumes):.0f} to {max(volumes):.0f}), readers' majority"
        f" {truth:.0f} mm3; median {np.median(seconds):.1f} processor seconds."
        f" Majority and >= 1, >= 3, 4 of 4 readers: {readers[0]:.3f}, {readers[1]:.3f}, {readers[2]:.3f}."
    )


def implant_scores(shared: Path, count: int) -> Iterator[Score]:
    """Put drawn nodules of 4 to 30 mm into the real chest, one at a time, and click their centres."""
    volume = read_scan(shared / "data" / "chest_lidc_0001" / "dicom_133_slices.zip").volume
    field = find_lungs(volume)
    rng = np.random.default_rng(40)
    sizes = np.geomspace(4.0, 30.0, count // len(KINDS))
    for kind in KINDS:
        for number, size in enumerate(sizes):
            yield implant_score(volume, field, rng, kind, float(size), number)


def implant_score(volume, field, rng, kind: NoduleKind, size: float, number: int) -> Score:
    """Place, implant and measure one nodule."""
    centre, lung = free_place(volume, field, rng, kind, size)
    nodule = nodule_of(kind, centre, size, seed=number)
    made = implant_nodule(volume, nodule, lung, seed=number)
    click = tuple(float(v) for v in np.array(centre) + rng.uniform(-0.15, 0.15, 3) * size)
    diameter = truth_of(nodule).mean_diameter_mm if kind is not NoduleKind.JUXTAPLEURAL else np.nan
    try:
        found = measured(made.volume, field, click, (made.volume_mm3, diameter))
    except CTInsightError as error:
        return Score(kind.value, "implant", size, refused=str(error.found))
    return Score(kind.value, "implant", size, **found)


def free_place(volume, field: LungField, rng, kind: NoduleKind, size: float):
    """Find a place that suits the kind: plain lung, the pleura, or beside a vessel of the host."""
    air = np.argwhere(field.air_zyx)
    matrix = field.sheet.ras_from_zyx
    for _ in range(3000):
        zyx = air[rng.integers(len(air))]
        centre = tuple(float(v) for v in matrix[:3, :3] @ zyx + matrix[:3, 3])
        patch = lung_patch(volume, field, centre)
        radius = size / 2
        if kind is NoduleKind.JUXTAPLEURAL:
            centre = _to_pleura(patch, centre, radius)
        elif kind is NoduleKind.JUXTAVASCULAR:
            centre = _to_vessel(patch, centre, radius, rng)
        if centre is not None and _suits(patch, centre, radius, kind):
            return centre, Lung(patch.closed_kji, patch.grid)
    message = f"no place for {kind} of {size:.1f} mm"
    raise SystemExit(message)


def _to_pleura(patch, centre, radius: float):
    depth = patch.depth_mm(centre)
    if not radius < depth < 25:
        return None
    gradient = np.array(np.gradient(ndimage.gaussian_filter(patch.depth_kji, 2.0)))
    k, j, i = (round(float(v)) for v in patch.grid.ijk_from_ras(centre)[::-1])
    inward = gradient[:, k, j, i][::-1]
    inward /= max(float(np.linalg.norm(inward)), 1e-6)
    moved = np.array(centre) - inward * (depth - 0.35 * radius)
    return tuple(float(v) for v in moved)


def _to_vessel(patch, centre, radius: float, rng):
    dense = (patch.hu_kji > -300) & patch.closed_kji & (patch.depth_kji > radius + 4)
    away = ndimage.distance_transform_edt(dense)
    thick = dense & (away >= 1.0) & (away <= max(1.0, min(2.5, 0.45 * radius)))
    voxels = np.argwhere(thick)
    if len(voxels) == 0:
        return None
    vessel = patch.grid.ras_from_ijk(voxels[rng.integers(len(voxels))][::-1])
    out = rng.standard_normal(3)
    return tuple(float(v) for v in vessel + out / np.linalg.norm(out) * radius)


def _suits(patch, centre, radius: float, kind: NoduleKind) -> bool:
    index = patch.grid.ijk_from_ras(centre)[::-1]
    k, j, i = np.indices(patch.hu_kji.shape)
    away = np.sqrt((k - index[0]) ** 2 + (j - index[1]) ** 2 + (i - index[2]) ** 2)
    depth = patch.depth_mm(centre)
    dense = ndimage.gaussian_filter(patch.hu_kji, 0.7) > -550
    ball, rim = away <= radius, (away > radius) & (away <= radius + 2)
    if kind is NoduleKind.JUXTAPLEURAL:
        inside = ball & patch.closed_kji
        return bool(
            0.2 * radius < depth < 0.5 * radius and dense[inside & (patch.depth_kji > 2)].mean() < 0.05
        )
    if depth < radius + 4:
        return False
    if kind is NoduleKind.JUXTAVASCULAR:
        return bool(dense[ball].mean() < 0.15 and 0.01 < dense[rim].mean() < 0.2)
    return bool(dense[ball | rim].mean() < 0.02)


def implant_table(scores: Iterator[Score]) -> Iterator[str]:
    """Write every nodule as soon as it is measured, then one row per kind."""
    kept: list[Score] = []
    for score in scores:
        kept.append(score)
        said = f"refused: {score.refused}" if score.refused else f"{score.volume_percent:+.1f} %"
        yield f"- {score.kind} {score.diameter_mm:.1f} mm: {said}{' (warned)' if score.warned else ''}"
    yield "\n" + _heading(
        "kind, n, volume error %: median (range), within 10 %, leaks (> +25 %), lost (< -25 %)",
        "of these said by a check, refused",
    )
    yield "|" + "---|" * 8
    for kind in dict.fromkeys(s.kind for s in kept):
        own = [s for s in kept if s.kind == kind]
        good = [s for s in own if not s.refused]
        bad = [s for s in good if abs(s.volume_percent) > 25]
        leaks = sum(s.volume_percent > 25 for s in good)
        close = sum(abs(s.volume_percent) <= 10 for s in good)
        yield (
            f"| {kind} | {len(own)} | {_spread([s.volume_percent for s in good], '{:+.1f}')} |"
            f" {close}/{len(own)} | {leaks} | {len(bad) - leaks} |"
            f" {sum(s.warned for s in bad)}/{len(bad)} | {len(own) - len(good)} |"
        )


#: What lies there (looked up in the pictures of the real chest) -> R, A, S in mm.
CLICKS = {
    "ascending aorta": (2.0, 26.0, -120.0),
    "descending aorta": (-21.0, -52.0, -120.0),
    "spine": (0.0, -76.0, -120.0),
    "heart": (-40.0, 15.0, -190.0),
    "liver under the diaphragm": (45.0, 20.0, -190.0),
    "chest wall, left": (-130.0, -20.0, -120.0),
    "pleura, right": (103.5, 10.0, -120.0),
    "air outside": (0.0, 140.0, -120.0),
    "trachea": (0.0, 7.0, -60.0),
    "normal lung, right": (62.0, -14.0, -120.0),
    "normal lung, left": (-90.0, 10.0, -100.0),
}


def click_table(shared: Path) -> Iterator[str]:
    """Click on what is no nodule, and on 12 random voxels of vessels in each of three calibres."""
    volume = read_scan(shared / "data" / "chest_lidc_0001" / "dicom_133_slices.zip").volume
    field = find_lungs(volume)
    yield "| click on | answer |\n|---|---|"
    for name, point in CLICKS.items():
        yield f"| {name} | {answer(volume, field, point)} |"
    rng = np.random.default_rng(3)
    for low, high in ((0.8, 1.5), (1.5, 2.5), (2.5, 4.5)):
        answers = [answer(volume, field, p) for p in vessel_points(volume, field, rng, (low, high), 12)]
        counts = Counter(a.split(":")[0] for a in answers)
        words = ", ".join(f"{word} {count}" for word, count in counts.items())
        yield f"| vessel, radius {low:g} to {high:g} mm, n = {len(answers)} | {words} |"


def answer(volume, field: LungField, point) -> str:
    """Say what the program answers to a click."""
    try:
        outline = outline_nodule(volume, field, point)
    except CTInsightError as error:
        return f"refused: {error.found}"
    diameter = max(p.mean_mm for p in three_plane_diameters(outline.mask_kji, outline.cube.grid))
    check = leak_check(1, outline, diameter, level_interval(outline))
    words = "measured, no warning" if check.outcome.value == "pass" else "measured with a warning"
    return f"{words}: {diameter:.1f} mm, {100 * attachment(outline).cut_share:.0f} % cut"


def vessel_points(volume, field: LungField, rng, radii: tuple[float, float], count: int):
    """Middle voxels of dense tubes inside the lung: long within 12 mm, thin across."""
    points: list[tuple[float, float, float]] = []
    air = np.argwhere(field.air_zyx)
    matrix = field.sheet.ras_from_zyx
    while len(points) < count:
        zyx = air[rng.integers(len(air))]
        centre = tuple(float(v) for v in matrix[:3, :3] @ zyx + matrix[:3, 3])
        patch = lung_patch(volume, field, centre)
        dense = (patch.hu_kji > -300) & (patch.depth_kji > 6)
        thick = ndimage.distance_transform_edt(dense)
        ridge = np.argwhere(
            dense & (thick == ndimage.maximum_filter(thick, 3)) & (thick >= radii[0]) & (thick < radii[1])
        )
        nodule = np.array((-56.3, -86.4, -115.9))
        ridge = [v for v in ridge if np.linalg.norm(patch.grid.ras_from_ijk(v[::-1]) - nodule) > 30]
        if ridge:
            r, a, s = patch.grid.ras_from_ijk(ridge[rng.integers(len(ridge))][::-1])
            points.append((float(r), float(a), float(s)))
    return points


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    beside = Path(__file__).resolve().parents[3] / "shared"
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("CTINSIGHT_SHARED", beside)))
    parser.add_argument("--part", choices=("phantoms", "real", "implants", "clicks"))
    parser.add_argument("--repeats", type=int, default=3, help="phantoms of each kind and size")
    parser.add_argument(
        "--slice-mm", type=float, choices=[s[2] for s in SPACINGS], help="phantoms of these only"
    )
    options = parser.parse_args()
    parts = {
        "phantoms": ("Phantoms, noise SD 20 HU", lambda: phantom_tables(options.repeats, options.slice_mm)),
        "real": ("Real nodule, four readers", lambda: [real_table(options.shared, 20)]),
        "implants": (
            "Drawn nodules in a real chest",
            lambda: implant_table(implant_scores(options.shared, 40)),
        ),
        "clicks": ("Clicks on what is no nodule", lambda: click_table(options.shared)),
    }
    for part, (title, lines) in parts.items():
        if options.part in (None, part) and (part == "phantoms" or options.shared.is_dir()):
            write(f"\n## {title}\n")
            for line in lines():
                write(line)


if __name__ == "__main__":
    main()
