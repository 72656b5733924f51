"""Measure LVODetect without weights on cases with known truth; print the tables as Markdown.

Forty phantoms, twenty with a dense M1 of known side, length and attenuation, on four slice thicknesses,
turned, oblique, flipped in storage, written as NIfTI (RAS) or NRRD (LPS) and read back; and copies of the
public CT template moved by known affine maps and smooth warps, on which registration and our landmarks are
checked.

    python Testing/Benchmarks/lvo_accuracy.py --part vessels [--first N --last N]
    python Testing/Benchmarks/lvo_accuracy.py --part template --atlas FOLDER
    python Testing/Benchmarks/lvo_accuracy.py --part network
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.files import read_scan, write_volume
from ctinsight.finding import Side
from ctinsight.phantoms import HeadSpec, Pose, head_grid, head_phantom
from ctinsight.phantoms.cranium import Cranium
from ctinsight.phantoms.lesions import rotation
from ctinsight.phantoms.vessels import DenseVessel, dense_basilar, dense_m1
from ctinsight.progress import Progress
from ctinsight.regions.arterial_atlas import mni_template
from ctinsight.regions.brain import extract_brain
from ctinsight.regions.corridors import landmarks
from ctinsight.regions.midline import midsagittal_plane
from ctinsight.regions.registration import Head, align
from ctinsight.tasks.lvo import EvidenceRules, Parameters, prepare
from ctinsight.tasks.lvo.evidence import Site, gather_evidence
from ctinsight.volume import Volume

if TYPE_CHECKING:
    from ctinsight.regions.template import Template

COUNT = 40
SPACINGS = ((0.8, 0.8, 1.0), (0.8, 0.8, 1.25), (0.8, 0.8, 2.5), (0.8, 0.8, 5.0))


def write(text: str) -> None:
    """Print at once, so that a long run shows where it stands."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Case:
    """One phantom: its number, its recipe, its clot or None."""

    number: int
    spec: HeadSpec
    clot: DenseVessel | None
    side: Side
    storage: str


def case_of(number: int) -> Case:
    """Decide everything about one phantom from its number; the first of each pair has a clot."""
    rng = np.random.default_rng([5, number])
    side = (Side.LEFT, Side.RIGHT)[(number // 2) % 2]
    length, hu = float(rng.uniform(7, 18)), float(rng.uniform(55, 78))
    start_mm = float(rng.uniform(0, 20.5 - length))
    clot = dense_m1(side, length, mean_hu=hu, start_mm=start_mm) if number % 2 == 0 else None
    lesions = (clot,) if clot else ((dense_basilar(),) if number % 4 == 1 else ())
    turn = tuple(float(v) for v in rng.uniform(-10, 10, 3))
    pose = Pose(turn, tuple(float(v) for v in rng.uniform(-8, 8, 3)))
    flips = tuple(bool(v) for v in rng.integers(0, 2, 3))
    oblique = tuple(float(v) for v in rng.uniform(-10, 10, 3)) if number % 3 == 0 else (0.0, 0.0, 0.0)
    grid = head_grid(SPACINGS[(number // 4) % 4], flip_ijk=flips, rotation_degrees=oblique)
    cranium = Cranium(tuple(float(v) for v in rng.uniform(0.94, 1.02, 3)))
    scaled = tuple(_scaled(lesion, cranium) for lesion in lesions)
    spec = HeadSpec(
        grid=grid,
        seed=number,
        lesions=scaled,
        pose=pose,
        cranium=cranium,
        noise_hu=(3.0, 4.0, 5.0)[number % 3],
        sample_mm=2.5,
    )
    return Case(number, spec, scaled[0] if clot else None, side, ("nii.gz", "nrrd")[(number // 2) % 2])


def _scaled(vessel: DenseVessel, cranium: Cranium) -> DenseVessel:
    ends = [tuple(float(v) for v in np.multiply(p, cranium.scale_ras)) for p in (vessel.start, vessel.end)]
    return DenseVessel(ends[0], ends[1], vessel.radius_mm, vessel.mean_hu, vessel.name)


def vessels(first: int, last: int) -> None:
    """Print one row for each phantom: found, missed or false, with the numbers beside the truth."""
    write("| n | slices mm | truth | found | length mm | HU | ratio | TRE mm | score | s |")
    write("|---|---|---|---|---|---|---|---|---|---|")
    for number in range(first, last):
        case = case_of(number)
        phantom = head_phantom(case.spec)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"head.{case.storage}")
            write_volume(phantom.volume, path)
            scan = read_scan(path)
        start = time.perf_counter()
        done = prepare(scan, Parameters(template="phantom", despite_bleed=True), Progress())
        site = Site(scan.volume, done.brain_kji, done.midplane, done.alignment, done.template.name)
        found = gather_evidence(site, EvidenceRules()).candidates
        seconds = time.perf_counter() - start
        kji = np.argwhere(phantom.brain_kji)[::5000]
        ras = phantom.volume.grid.ras_from_ijk(kji[:, ::-1])
        truth = case.spec.pose.to_head(ras) / case.spec.cranium.scale_ras
        error = np.linalg.norm(done.alignment.to_template(ras) - truth, axis=1).mean()
        clot = case.clot
        words = f"{case.side}, {clot.length_mm:.1f} mm, {clot.mean_hu:.0f} HU" if clot else "none"
        said = "; ".join(f"{c.vessel} {c.side}" for c in found) or "none"
        numbers = ["; ".join(f(c) for c in found) for f in (_length, _hu, _ratio)]
        write(
            f"| {number} | {case.spec.grid.spacing_ijk_mm[2]:g} | {words} | {said} | {' | '.join(numbers)}"
            f" | {error:.2f} | {done.alignment.quality.score:.2f} | {seconds:.0f} |"
        )


def _length(c) -> str:
    return f"{c.length_mm:.1f}"


def _hu(c) -> str:
    return f"{c.core_hu:.0f}/{c.contralateral_hu:.0f}"


def _ratio(c) -> str:
    return f"{c.ratio:.2f}"


def moved_template(template: Template, seed: int, warp_mm: float):
    """Return a copy of the template's CT, moved and warped, and the true map from copy to template."""
    rng = np.random.default_rng(seed)
    grid = template.volume.grid
    matrix = np.diag(rng.uniform(0.94, 1.06, 3)) @ rotation(tuple(rng.uniform(-12, 12, 3)))
    shift = rng.uniform(-12, 12, 3)
    field = np.stack(
        [ndimage.gaussian_filter(rng.standard_normal(grid.shape_kji), 12) for _axis in range(3)], -1
    )
    field *= warp_mm / np.linalg.norm(field, axis=-1).mean()

    def true(points: np.ndarray) -> np.ndarray:
        straight = (points - shift) @ matrix.T
        kji = np.moveaxis(grid.ijk_from_ras(straight)[..., ::-1], -1, 0)
        moves = [ndimage.map_coordinates(field[..., a], kji, order=1, mode="nearest") for a in range(3)]
        return straight + np.stack(moves, axis=-1)

    target = head_grid((0.9, 0.9, 2.5), size_mm=(224, 240, 190))
    hu = np.empty(target.shape_kji, np.int16)
    j, i = np.indices(target.shape_kji[1:])
    for k in range(target.shape_kji[0]):
        points = true(target.ras_from_ijk(np.stack([i, j, np.full_like(i, k)], axis=-1)))
        kji = np.moveaxis(grid.ijk_from_ras(points)[..., ::-1], -1, 0)
        values = ndimage.map_coordinates(template.volume.array_kji, kji, order=1, cval=-1024)
        hu[k] = np.rint(values + rng.normal(0, 4, i.shape))
    return Volume(hu, target.ijk_to_ras), true


def template_copies(atlas: Path, count: int, warp_mm: float) -> None:
    """Print registration and landmark errors on moved copies of the public template."""
    template = mni_template(atlas / "scct.nii", _atlas_file(atlas))
    marks = np.array([m.position_ras for m in landmarks(template.name)])
    marks = np.vstack([marks, marks * (-1, 1, 1)])
    write("| copy | way | s | TRE mean / p95 mm | landmarks mean / largest mm | brain Dice | correlation |")
    write("|---|---|---|---|---|---|---|")
    for seed in range(count):
        volume, true = moved_template(template, seed, warp_mm)
        brain = extract_brain(volume).mask_kji
        head = Head(volume, brain, midsagittal_plane(volume, brain))
        points = volume.grid.ras_from_ijk(np.argwhere(brain)[::3000][:, ::-1])
        for deformable in (False, True):
            start = time.perf_counter()
            found = align(head, template, deformable=deformable)
            seconds = time.perf_counter() - start
            error = np.linalg.norm(found.to_template(points) - true(points), axis=1)
            # Where our way back puts a landmark, and where the truth says that place belongs.
            off = np.linalg.norm(true(found.to_patient(marks)) - marks, axis=1)
            write(
                f"| {seed} | {'deformed' if deformable else 'affine'} | {seconds:.1f} | {error.mean():.2f} /"
                f" {np.percentile(error, 95):.2f} | {off.mean():.2f} / {off.max():.2f} |"
                f" {found.quality.brain_dice:.3f} | {found.quality.correlation:.3f} |"
            )


def _atlas_file(atlas: Path) -> Path:
    names = ("ArterialAtlas_padding.nii.gz", "ArterialAtlas_padding_182.nii.gz")
    return next(atlas / name for name in names if (atlas / name).is_file())


def network(threads: int) -> None:
    """Print seconds and peak memory of McResNet at its published size, with random weights."""
    import torch

    from ctinsight.inference.wholehead import PUBLISHED_SHAPE, head_logit
    from ctinsight.nets.mcresnet import McResNet

    torch.set_num_threads(threads)
    net = McResNet().eval()
    channels = np.random.default_rng(0).random((4, *PUBLISHED_SHAPE), dtype=np.float32)
    start = time.perf_counter()
    head_logit(net, channels)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds = time.perf_counter() - start
    write(f"McResNet, 4 x 512 x 512 x 200: {seconds:.1f} s on {threads} threads, peak {peak:.1f} GB")


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("vessels", "template", "network"), required=True)
    parser.add_argument("--atlas", type=Path)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int, default=COUNT)
    parser.add_argument("--copies", type=int, default=10)
    parser.add_argument("--warp-mm", type=float, default=4.0)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    if chosen.part == "vessels":
        vessels(chosen.first, chosen.last)
    elif chosen.part == "template":
        template_copies(chosen.atlas, chosen.copies, chosen.warp_mm)
    else:
        network(chosen.threads)


if __name__ == "__main__":
    main()
