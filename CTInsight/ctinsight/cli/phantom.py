"""``ctinsight phantom``: synthetic CTs with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctinsight.cli.options import Overwrite
from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from ctinsight.phantoms.chest import ChestCase

phantom_app = typer.Typer(
    no_args_is_help=True, help="Make synthetic CTs with known truth.", rich_markup_mode=None
)

Out = Annotated[Path, typer.Option("--out", "-o", help="File to write (.nii.gz, .nrrd, .mha).")]
Masks = Annotated[Path, typer.Option(help="File to write the masks to (.nii.gz, .nrrd, .mha).")]
Right = Annotated[bool, typer.Option("--right", help="At the patient's right instead of left.")]
Earlier = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Also write the chest as it was 180 days earlier.")
]
Seed = Annotated[int, typer.Option(min=0, help="Another seed is another noise.")]


@phantom_app.command()
def head(*, out: Out, seed: Seed = 0, overwrite: Overwrite = False) -> None:
    """Write a synthetic head CT with a bleed of exactly known volume."""
    from ctinsight.files import write_volume
    from ctinsight.phantoms import demo_head

    _refuse_existing(out, overwrite=overwrite)
    case = demo_head(seed)
    write_volume(case.volume, out)
    typer.echo(f"Synthetic head CT with a bleed of {case.truth_ml:.2f} mL: {out}")


@phantom_app.command()
def vessel(*, out: Out, seed: Seed = 0, right: Right = False, overwrite: Overwrite = False) -> None:
    """Write a synthetic head CT with a dense M1 of known side, length and attenuation."""
    from ctinsight.files import write_volume
    from ctinsight.finding import Side
    from ctinsight.phantoms.vessels import demo_lvo_head

    _refuse_existing(out, overwrite=overwrite)
    side = Side.RIGHT if right else Side.LEFT
    case, clot = demo_lvo_head(seed, side=side)
    write_volume(case.volume, out)
    typer.echo(
        f"Synthetic head CT, M1 dense at the patient's {side}: {clot.length_mm:.1f} mm long,"
        f" {clot.mean_hu:.0f} HU: {out}"
    )


@phantom_app.command()
def chest(*, out: Out, earlier: Earlier = None, seed: Seed = 0, overwrite: Overwrite = False) -> None:
    """Write a synthetic chest CT with nodules of known size; their centres are printed for --point."""
    from ctinsight.files import write_volume
    from ctinsight.phantoms.chest import demo_chest

    for path in (out, earlier):
        if path is not None:
            _refuse_existing(path, overwrite=overwrite)
    case = demo_chest(seed)
    write_volume(case.volume, out)
    typer.echo(f"Synthetic chest CT: {out}")
    for truth in case.truths:
        right, anterior, superior = truth.nodule.centre_ras
        point = f"--point={right:g},{anterior:g},{superior:g}"
        typer.echo(f"{truth.nodule.kind.value:14} {truth.mean_diameter_mm:5.1f} mm  {point}")
    if earlier is not None:
        _write_earlier(earlier, seed, case)


def _write_earlier(path: Path, seed: int, now: ChestCase) -> None:
    from ctinsight.files import write_volume
    from ctinsight.phantoms.chest_earlier import DAYS, demo_earlier_chest

    before = demo_earlier_chest(seed, now)
    write_volume(before.volume, path)
    typer.echo(f"The same chest {DAYS} days earlier, the patient lying otherwise: {path}")
    for number, centre in enumerate(before.centres_ras, start=1):
        growth = now.truths[number - 1].volume_mm3 / before.case.truths[number - 1].volume_mm3
        right, anterior, superior = centre
        point = f"--prior-point={number}={right:.1f},{anterior:.1f},{superior:.1f}"
        typer.echo(f"volume x {growth:.2f} since then  {point}")


@phantom_app.command()
def midface(*, out: Out, masks: Masks, seed: Seed = 0, overwrite: Overwrite = False) -> None:
    """Write a synthetic midface with bony walls of known thickness, and its masks for ctinsight dcr."""
    from ctinsight.files import write_volume
    from ctinsight.phantoms.midface import demo_midface
    from ctinsight.volume import Volume

    _refuse_existing(out, overwrite=overwrite)
    _refuse_existing(masks, overwrite=overwrite)
    case = demo_midface(seed)
    write_volume(case.volume, out)
    write_volume(Volume(case.labels_kji, case.volume.ijk_to_ras), masks)
    typer.echo(f"Synthetic midface CT: {out}\nIts masks: {masks}")
    for side, truth in case.truth.items():
        right, anterior, superior = truth.sac_centre_ras
        point = f"--sac-point={right:.1f},{anterior:.1f},{superior:.1f}"
        typer.echo(f"{side.value:5} wall {truth.wall_mm:.1f} mm, sac {truth.sac_volume_mm3:.0f} mm³  {point}")


def _refuse_existing(out: Path, *, overwrite: bool) -> None:
    if out.exists() and not overwrite:
        raise WrongUseError(
            found=f"{out} exists already",
            expected="a new file",
            remedy="Choose another name or add --overwrite.",
        )
