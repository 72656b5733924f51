"""Measure the three weight-free hematoma methods on cases with known truth; print the table of the README.

Cases: the 20 standard phantoms, the same heads without their bleed, one real head CT without a bleed, and
that head with a real lesion's shape put into it (semi-synthetic). The brain is found by the program each
time.

    python Testing/Benchmarks/hematoma_accuracy.py [--shared FOLDER] [--details FILE]
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
from ctinsight.phantoms.head import head_phantom
from ctinsight.phantoms.implant import implant_lesion
from ctinsight.phantoms.placement import ImplantRecipe
from ctinsight.regions.brain import extract_brain
from ctinsight.tasks.hematoma import Method, Parameters
from ctinsight.tasks.hematoma.outline import outline_blood

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ctinsight.volume import Volume

METHODS = {
    Method.THRESHOLD: "Seeded threshold",
    Method.FUZZY_C_MEANS: "Fuzzy c-means",
    Method.ACTIVE_CONTOUR: "Active contour",
}
PHANTOM, EMPTY, REAL_EMPTY, SEMI = (
    "phantom",
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
    dice: float | None
    seconds: float

    @property
    def error_ml(self) -> float:
        """Found minus true, mL."""
        return self.found_ml - self.truth_ml


def phantoms() -> Iterator[Case]:
    """Draw the standard set, and every other head once more without its bleed."""
    for number, standard in enumerate(standard_phantoms()):
        drawn = standard.draw()
        yield Case(PHANTOM, standard.name, drawn.volume, drawn.truth_kji, drawn.truth_ml)
        if number % 2 == 0:
            empty = head_phantom(replace(standard.spec, lesions=(), streak_hu=2 * standard.spec.streak_hu))
            yield Case(EMPTY, f"{standard.name}, no bleed, double streaks", empty.volume)


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
        yield Score(case.kind, case.name, method, case.truth_ml, found, overlap, seconds)


def table(scores: list[Score]) -> str:
    """Write the table: median and range of Dice and mL error, per method and kind of case."""
    lines = [
        "| Cases | Method | n | Dice, median (range) | mL error, median (range) | seconds, median |",
        "|---|---|---|---|---|---|",
    ]
    for kind in dict.fromkeys(s.kind for s in scores):
        for method, name in METHODS.items():
            own = [s for s in scores if s.kind == kind and s.method is method]
            overlaps = [s.dice for s in own if s.dice is not None and s.truth_ml > 0]
            errors, seconds = [s.error_ml for s in own], float(np.median([s.seconds for s in own]))
            overlap = _spread(overlaps, "{:.3f}") if overlaps else "no blood to overlap"
            lines.append(
                f"| {kind} | {name} | {len(own)} | {overlap} | {_spread(errors, '{:+.2f}')} | {seconds:.1f} |"
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
    parser.add_argument("--details", type=Path, help="also write one line per case and method into this file")
    options = parser.parse_args()
    scores: list[Score] = []
    details = ["case,method,truth_ml,found_ml,dice,seconds"]
    real = real_cases(options.shared) if options.shared.is_dir() else ()
    for case in chain(real, phantoms()):
        for found in score(case):
            scores.append(found)
            overlap = "" if found.dice is None else f"{found.dice:.4f}"
            numbers = f"{found.truth_ml:.3f},{found.found_ml:.3f},{overlap},{found.seconds:.2f}"
            details.append(f'"{found.name}",{found.method.value},{numbers}')
            if options.details:
                options.details.write_text("\n".join(details) + "\n", encoding="utf-8")
    sys.stdout.write(table(scores) + "\n")


if __name__ == "__main__":
    main()
