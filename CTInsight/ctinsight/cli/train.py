"""``ctinsight dataset`` and ``ctinsight train``: from images and masks to weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ctinsight import RESEARCH_USE_ONLY

dataset_app = typer.Typer(no_args_is_help=True, help="Make training data.", rich_markup_mode=None)
train_app = typer.Typer(no_args_is_help=True, help="Train a network.", rich_markup_mode=None)

Out = Annotated[Path, typer.Option("--out", "-o", help="A new folder.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same result.")]


@dataset_app.command("hematoma")
def dataset_hematoma(
    source: Annotated[Path, typer.Argument(help="images/ and masks/, or the authors' TFRecord files.")],
    *,
    out: Out,
    window: Annotated[str, typer.Option(metavar="CENTER,WIDTH", help="HU window for CTs.")] = "40,80",
    validation: Annotated[float, typer.Option(min=0.01, max=0.9, help="Part kept from training.")] = 0.15,
    seed: Seed = 0,
    only_with_blood: Annotated[
        bool, typer.Option("--only-with-blood", help="Leave slices of CTs without blood out.")
    ] = False,
) -> None:
    """Pictures paired by number, NIfTI pairs, or TFRecord to one set of slices, split by patient."""
    from ctinsight.cli.options import numbers
    from ctinsight.training.collect import CollectOptions, collect_slices
    from ctinsight.training.slice_set import write_slice_set

    center, width = numbers("--window", window, 2)
    options = CollectOptions((center, width), validation, seed, keep_empty=not only_with_blood)
    facts = {"description": f"slices of {source.name}", "window_hu": [center, width], "seed": seed}
    count = write_slice_set(collect_slices(source, options), out, facts)
    typer.echo(f"{count} slices: {out}\n{RESEARCH_USE_ONLY}")


@dataset_app.command("synthetic-heads")
def dataset_synthetic_heads(
    *,
    out: Out,
    heads: Annotated[int, typer.Option("--heads", "-n", min=2, max=100000, help="How many.")] = 40,
    seed: Seed = 0,
) -> None:
    """Draw heads with and without bleeds: anatomy, HU, noise, spacing, tilt and pose by chance."""
    from ctinsight.training.slice_set import write_slice_set
    from ctinsight.training.synthetic_heads import DESCRIPTION, synthetic_slices

    facts = {"description": DESCRIPTION, "heads": heads, "seed": seed, "licence": "Apache-2.0"}

    def told(done: int) -> None:
        typer.echo(f"head {done} of {heads}", err=True)

    count = write_slice_set(synthetic_slices(heads, seed, told), out, facts)
    typer.echo(f"{count} slices of {heads} heads: {out}\n{RESEARCH_USE_ONLY}")


@train_app.callback()
def _train() -> None:
    """Train a network: the commands are the models that can be trained."""


@train_app.command("hematoma")
def train_hematoma_command(
    data: Annotated[Path, typer.Argument(help="What ctinsight dataset wrote.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; an unfinished one goes on.")],
    preset: Annotated[str, typer.Option(help="published, or corrected (ours).")] = "published",
    dims: Annotated[int, typer.Option(min=4, help="Width of DR-UNet; 32 in the paper.")] = 32,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the preset's.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Instead of the preset's.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0.0, help="Instead of the preset's.")] = None,
    seed: Seed = 0,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    devices: Annotated[str, typer.Option(help="auto, or how many.")] = "auto",
    nodes: Annotated[int, typer.Option(min=1, help="Machines.")] = 1,
    precision: Annotated[str, typer.Option(help="32-true, 16-mixed or bf16-mixed.")] = "32-true",
    patience: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many epochs without gain.")
    ] = None,
) -> None:
    """Train DR-UNet. Several devices or machines: the same command under torchrun or fabric run."""
    from ctinsight.progress import Progress, ProgressEvent
    from ctinsight.training.hematoma import TrainOptions, train_hematoma
    from ctinsight.training.presets import preset_of
    from ctinsight.training.slice_set import read_slice_set

    named = preset_of(preset)
    chosen = replace(
        named,
        epochs=epochs or named.epochs,
        batch_size=batch_size or named.batch_size,
        learning_rate=named.learning_rate if learning_rate is None else learning_rate,
    )
    options = TrainOptions(chosen, dims, seed, accelerator, devices, nodes, precision, patience)

    def told(event: ProgressEvent) -> None:
        left = "" if event.seconds_left is None else f", {event.seconds_left:.0f} s left"
        typer.echo(f"\r{event.phase}: {event.fraction:.1%}{left}   ", nl=False, err=True)

    found = train_hematoma(read_slice_set(data), out, options, Progress(told))
    typer.echo("", err=True)
    best = f"best validation Dice {found.best_dice:.3f} in epoch {found.best_epoch}"
    typer.echo(f"{found.epochs} epochs; {best}, on the data's own validation slices.")
    typer.echo(f"Weights: {found.weights}")
    typer.echo(f"Install them: ctinsight models import {found.weights} --model hematoma-drunet-NAME")
    typer.echo(RESEARCH_USE_ONLY)
