"""``ctinsight evaluate``: masks, volumes and scores against a reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctinsight.cli.options import Overwrite
from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from ctinsight.evaluation.reports import Written

evaluate_app = typer.Typer(
    no_args_is_help=True, help="Compare masks, volumes or scores with a reference.", rich_markup_mode=None
)
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for tables, figures and the page.")]
Table = Annotated[Path, typer.Argument(metavar="TABLE.csv", help="UTF-8, commas, a header line.")]


@evaluate_app.command()
def segmentation(
    masks: Annotated[Path, typer.Argument(help="A mask, or a folder of masks.")],
    reference: Annotated[Path, typer.Argument(help="Their reference, of the same names or numbers.")],
    *,
    out: Out,
    name: Annotated[str, typer.Option(help="What the method is called.")] = "method",
    also: Annotated[
        list[str] | None, typer.Option(metavar="NAME=FOLDER", help="A further method; may be repeated.")
    ] = None,
    label: Annotated[int | None, typer.Option(min=1, help="The label that counts; else all.")] = None,
    resize: Annotated[
        int | None, typer.Option(min=2, max=4096, help="With --as-published: rows and columns, 1400 there.")
    ] = None,
    as_published: Annotated[
        bool, typer.Option("--as-published", help="The sums of the DR-UNet program, slice by slice.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Overlap and surface distances of masks: Dice, Jaccard, VOE, sensitivity, specificity, precision."""
    from ctinsight.evaluation.masks import MaskOptions
    from ctinsight.evaluation.reports import evaluate_masks, prepare_folder
    from ctinsight.progress import Progress

    methods = {name: masks, **dict(_named(text) for text in also or ())}
    if len(methods) != 1 + len(also or ()):
        raise WrongUseError(
            found="two methods of one name", expected="different names", remedy="Rename one of them."
        )
    prepare_folder(out, overwrite=overwrite)
    options = MaskOptions(label, resize, as_published)
    _say(evaluate_masks(methods, reference, options, out, progress=Progress()))


@evaluate_app.command()
def volume(table: Table, *, out: Out, overwrite: Overwrite = False) -> None:
    """Volumes in mL: a column reference_ml and one for each method; RMSE, SD, MAE, bias, limits, by size."""
    from ctinsight.evaluation.reports import evaluate_volumes, prepare_folder

    prepare_folder(out, overwrite=overwrite)
    _say(evaluate_volumes(table, out))


@evaluate_app.command()
def classification(
    table: Table,
    *,
    out: Out,
    threshold: Annotated[
        float | None, typer.Option(help="Scores from here on are positive; else held-out folds choose.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Scores: columns truth and score (and fold), or truth and found with names of classes."""
    from ctinsight.evaluation.reports import evaluate_classification, prepare_folder

    prepare_folder(out, overwrite=overwrite)
    _say(evaluate_classification(table, out, threshold=threshold))


def _named(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not equals or not name or not folder:
        raise WrongUseError(
            found=f"--also {text}", expected="--also NAME=FOLDER", remedy="Name the method before the folder."
        )
    return name, Path(folder)


def _say(written: Written) -> None:
    from ctinsight import RESEARCH_USE_ONLY

    for line in written.lines:
        typer.echo(line)
    typer.echo(f"Tables, figures and evaluation.html: {written.folder}")
    typer.echo(RESEARCH_USE_ONLY)
