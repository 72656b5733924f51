"""Measure the three weight-free hematoma methods on cases with known truth; print the table of the README.

Cases: the 20 standard phantoms (in the tissue, along the skull), the same heads without their bleed, 24 fresh
bleeds of 5 to 30 mL on the three grids of the 2 % limit, nine fresh ones along the skull, one real head CT
without a bleed, and that head with a real lesion's shape put into it (semi-synthetic). The brain is found by
the program each time.

    python Testing/Benchmarks/hematoma_accuracy.py [--shared FOLDER] [--details FILE] [--part NAME ...]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.files import read_labelmap, read_scan
from ctinsight.finding import Side
from ctinsight.measure import dice, volume_ml
from ctinsight.phantoms import standard_phantoms
from ctinsight.phantoms.cranium import Cranium
from ctinsight.phantoms.head import HeadSpec, clinical_grid, head_grid, head_phantom, isotropic_head_grid
from ctinsight.phantoms.implant import implant_lesion
from ctinsight.phantoms.lesions import Ellipsoid, ExtraAxial, Lobulated, crescent, epidural
from ctinsight.phantoms.placement import ImplantRecipe
from ctinsight.regions.brain import extract_brain
from ctinsight.tasks.hematoma import Method, Parameters
from ctinsight.tasks.hematoma.findings import measure_mask
from ctinsight.tasks.hematoma.outline import outline_blood

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from ctinsight.volume import Volume

METHODS = {
    Method.THRESHOLD: "Seeded threshold",
    Method.FUZZY_C_MEANS: "Fuzzy c-means",
    Method.ACTIVE_CONTOUR: "Active contour",
}
TISSUE, LAYER, LIMIT, FRESH_LAYER, EMPTY, REAL_EMPTY, SEMI = (
    "phantom, blood in the tissue",
    "phantom, blood along the skull",
    "fresh phantom of 5 to 30 mL",
    "fresh phantom, blood along the skull",
    "phantom without bleed",
    "real head without bleed",
    "semi-synthetic",
)


@dataclass(frozen=True)
class Case:
    """One CT with its truth (None where there is no blood)."""

    kind: str
    name: str
    volume: Volume
    truth_kji: NDArray[np.bool_] | None = None
    truth_ml: float = 0.0


@dataclass(frozen=True)
class Score:
    """What one method gave on one case."""

    kind: str
    name: str
    method: Method
    truth_ml: float
    found_ml: float
    weighed_ml: float
    dice: float | None
    seconds: float

    @property
    def error_ml(self) -> float:
        """Found minus true, mL."""
        return self.found_ml - self.truth_ml

    def percent(self, value_ml: float) -> float:
        """Return the error of a volume in % of the truth."""
        return 100 * (value_ml / self.truth_ml - 1)


def phantoms() -> Iterator[Case]:
    """Draw the standard set, and every other head once more without its bleed."""
    for number, standard in enumerate(standard_phantoms()):
        drawn = standard.draw()
        layer = any(isinstance(lesion, ExtraAxial) for lesion in standard.spec.lesions)
        yield Case(LAYER if layer else TISSUE, standard.name, drawn.volume, drawn.truth_kji, drawn.truth_ml)
        if number % 2 == 0:
            empty = head_phantom(replace(standard.spec, lesions=(), streak_hu=2 * standard.spec.streak_hu))
            yield Case(EMPTY, f"{standard.name}, no bleed, double streaks", empty.volume)


def limit_phantoms() -> Iterator[Case]:
    """Draw bleeds of 5 to 9 and 9 to 30 mL by turns: 0.45 x 0.45 x 5 mm, 1 mm straight and oblique.

    Rules and constants were set on other seeds (1, not 9).
    """
    grids = {
        "0.45 x 0.45 x 5 mm": clinical_grid(),
        "1 mm": isotropic_head_grid(1.0),
        "1 mm oblique": isotropic_head_grid(1.0, rotation_degrees=(12.0, 8.0, -5.0)),
    }
    for number in range(24):
        rng = np.random.default_rng([78, 9, number])
        volume = float(rng.uniform(5.2, 9) if number % 2 == 0 else rng.uniform(9, 30))
        sign = 1 if rng.random() < 0.5 else -1
        mean_hu = float(rng.uniform(55, 72))
        center = (sign * float(rng.uniform(28, 34)), float(rng.uniform(-20, 4)), float(rng.uniform(12, 24)))
        lesion: Lobulated | Ellipsoid
        if rng.random() < 0.5:
            lesion = Lobulated.of_volume(center, volume, seed=int(rng.integers(1 << 30)), mean_hu=mean_hu)
        else:
            shape = rng.uniform([0.8, 1, 0.7], [1, 1.4, 1])
            a, b, c = (volume * 1000 / (4 / 3 * np.pi * np.prod(shape))) ** (1 / 3) * shape
            x, y, z = rng.uniform(-30, 30, 3)
            lesion = Ellipsoid(
                center, (float(a), float(b), float(c)), (float(x), float(y), float(z)), mean_hu
            )
        name, grid = list(grids.items())[number // 2 % 3]
        spec = HeadSpec(grid, 900 + number, (lesion,), noise_hu=float(rng.uniform(3, 6)))
        drawn = head_phantom(spec)
        yield Case(LIMIT, f"{volume:.1f} mL, {name}", drawn.volume, drawn.truth_kji, drawn.truth_ml)


def layer_phantoms() -> Iterator[Case]:
    """Draw nine fresh bleeds along the skull: crescents of 6 to 14 mm, every third a lens of 12 to 28 mm."""
    grids = (
        head_grid((0.9, 0.9, 5.0)),
        isotropic_head_grid(1.0),
        head_grid((0.9, 0.9, 5.0), rotation_degrees=(12, 8, 0)),
        head_grid((0.9, 0.9, 2.5)),
        clinical_grid(),
    )
    for number in range(9):
        rng = np.random.default_rng([77, 9, number])
        side = (Side.LEFT, Side.RIGHT)[int(rng.integers(2))]
        x, y, z = (float(s) for s in rng.uniform(0.94, 1.02, 3))
        cranium = Cranium((x, y, z))
        mean_hu = float(rng.uniform(55, 72))
        make, depths = (epidural, (12, 28)) if number % 3 == 2 else (crescent, (6, 14))
        lesion = make(side, float(rng.uniform(*depths)), mean_hu=mean_hu, cranium=cranium)
        noise_hu = float(rng.uniform(3, 6))
        drawn = head_phantom(
            HeadSpec(grids[number % 5], 900 + number, (lesion,), noise_hu=noise_hu, cranium=cranium)
        )
        name = f"{lesion.name} of {lesion.thickness_mm:.0f} mm"
        yield Case(FRESH_LAYER, name, drawn.volume, drawn.truth_kji, drawn.truth_ml)


def real_cases(shared: Path) -> Iterator[Case]:
    """Read the real head without a bleed, and put the lesion into it at three sizes and on both sides."""
    head = read_scan(shared / "data" / "head_ncct_ge" / "dicom").volume
    yield Case(REAL_EMPTY, "head_ncct_ge", head)
    brain = extract_brain(head).mask_kji
    lesion = read_labelmap(shared / "data" / "head_lesion_mask" / "scan_0_segmentation.nii.gz")
    for side, scale, mean_hu in ((Side.RIGHT, 1.0, 60.0), (Side.LEFT, 0.7, 65.0), (Side.RIGHT, 0.5, 55.0)):
        made = implant_lesion(
            head, brain, *lesion, recipe=ImplantRecipe(side=side, scale=scale, mean_hu=mean_hu)
        )
        name = f"lesion into head_ncct_ge, {side.value}, scale {scale:g}, {mean_hu:g} HU"
        yield Case(SEMI, name, made.volume, made.truth_kji, made.truth_ml)


def score(case: Case) -> Iterator[Score]:
    """Run every method on one case."""
    brain = extract_brain(case.volume).mask_kji
    for method in METHODS:
        start = time.perf_counter()
        mask = outline_blood(case.volume, brain, Parameters(method=method)).mask_kji
        seconds = time.perf_counter() - start
        overlap = None if case.truth_kji is None else dice(mask, case.truth_kji)
        found = volume_ml(mask, case.volume.grid)
        weighed = sum(part.volume_ml for part in measure_mask(mask, case.volume, None).weighed)
        yield Score(case.kind, case.name, method, case.truth_ml, found, weighed, overlap, seconds)


def table(scores: list[Score]) -> str:
    """Write the table: median and range of Dice and mL error, per method and kind of case."""
    lines = [
        "| Cases | Method | n | Dice, median (range) | mL error | % error | weighed, % error | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind in dict.fromkeys(s.kind for s in scores):
        for method, name in METHODS.items():
            own = [s for s in scores if s.kind == kind and s.method is method]
            overlaps = [s.dice for s in own if s.dice is not None and s.truth_ml > 0]
            errors, seconds = [s.error_ml for s in own], float(np.median([s.seconds for s in own]))
            overlap = _spread(overlaps, "{:.3f}") if overlaps else "no blood to overlap"
            real = [s for s in own if s.truth_ml > 0]
            percent = _spread([s.percent(s.found_ml) for s in real], "{:+.1f}") if real else ""
            weighed = _spread([s.percent(s.weighed_ml) for s in real], "{:+.1f}") if real else ""
            ml = _spread(errors, "{:+.2f}")
            lines.append(
                f"| {kind} | {name} | {len(own)} | {overlap} | {ml} | {percent} | {weighed} | {seconds:.1f} |"
            )
    return "\n".join(lines)


def _spread(values: list[float], form: str) -> str:
    middle = form.format(float(np.median(values)))
    return f"{middle} ({form.format(min(values))} to {form.format(max(values))})"


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    beside = Path(__file__).resolve().parents[3] / "shared"
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("CTINSIGHT_SHARED", beside)))
    parser.add_argument("--part", nargs="+", choices=("real", "standard", "limit", "layer"), default=None)
    parser.add_argument("--details", type=Path, help="also write one line per case and method into this file")
    options = parser.parse_args()
    scores: list[Score] = []
    details = ["case,method,truth_ml,found_ml,weighed_ml,dice,seconds"]
    parts: dict[str, Iterable[Case]] = {
        "real": real_cases(options.shared) if options.shared.is_dir() else (),
        "standard": phantoms(),
        "limit": limit_phantoms(),
        "layer": layer_phantoms(),
    }
    for case in chain.from_iterable(parts[name] for name in options.part or parts):
        for found in score(case):
            scores.append(found)
            overlap = "" if found.dice is None else f"{found.dice:.4f}"
            numbers = f"{found.truth_ml:.3f},{found.found_ml:.3f},{found.weighed_ml:.3f},{overlap}"
            details.append(f'"{found.name}",{found.method.value},{numbers},{found.seconds:.2f}')
            if options.details:
                options.details.write_text("\n".join(details) + "\n", encoding="utf-8")
    sys.stdout.write(table(scores) + "\n")


if __name__ == "__main__":
    main()
