"""``ctinsight phantom``: synthetic CTs with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ctinsight.cli.options import Overwrite
from ctinsight.errors import WrongUseError

phantom_app = typer.Typer(
    no_args_is_help=True, help="Make synthetic CTs with known truth.", rich_markup_mode=None
)

Out = Annotated[Path, typer.Option("--out", "-o", help="File to write (.nii.gz, .nrrd, .mha).")]
Masks = Annotated[Path, typer.Option(help="File to write the masks to (.nii.gz, .nrrd, .mha).")]
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
def chest(*, out: Out, seed: Seed = 0, overwrite: Overwrite = False) -> None:
    """Write a synthetic chest CT with nodules of known size; their centres are printed for --point."""
    from ctinsight.files import write_volume
    from ctinsight.phantoms.chest import demo_chest

    _refuse_existing(out, overwrite=overwrite)
    case = demo_chest(seed)
    write_volume(case.volume, out)
    typer.echo(f"Synthetic chest CT: {out}")
    for truth in case.truths:
        right, anterior, superior = truth.nodule.centre_ras
        point = f"--point={right:g},{anterior:g},{superior:g}"
        typer.echo(f"{truth.nodule.kind.value:14} {truth.mean_diameter_mm:5.1f} mm  {point}")


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
