"""The command line: options in, files and one summary out. No arithmetic."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from ctinsight import RESEARCH_USE_ONLY, __version__
from ctinsight.cli.dcr import dcr
from ctinsight.cli.evaluate import evaluate_app
from ctinsight.cli.hematoma import hematoma
from ctinsight.cli.lvo import lvo
from ctinsight.cli.models import models_app
from ctinsight.cli.nodule import nodule
from ctinsight.cli.options import AllowGaps, CasePath, Series
from ctinsight.cli.phantom import phantom_app
from ctinsight.cli.train import dataset_app, train_app
from ctinsight.cli.words import describe, worded_check
from ctinsight.errors import DependencyMissingError, WrongUseError
from ctinsight.finding import Outcome

app = typer.Typer(
    name="ctinsight",
    help=f"Four published CT methods on your own machine. {RESEARCH_USE_ONLY}",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(hematoma)
app.command()(nodule)
app.command()(lvo)
app.command()(dcr)
app.add_typer(phantom_app, name="phantom")
app.add_typer(models_app, name="models")
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(dataset_app, name="dataset")
app.add_typer(train_app, name="train")

#: Typer's (vendored) base class of every wrong call; only this child of it is public.
_UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__bases__[0])

#: What Typer returns in place of a KeyboardInterrupt.
_STOPPED = 130


def run_command_line(arguments: list[str]) -> int:
    """Run one command; a wrong call becomes a :class:`WrongUseError` with the usage in its remedy."""
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments or ["--help"], prog_name="ctinsight", standalone_mode=False)
    except _UsageError as error:
        context = getattr(error, "ctx", None)
        usage = context.get_usage().removeprefix("Usage: ") if context else "ctinsight --help"
        message = error.format_message()
        raise WrongUseError(
            found="no command was given" if message.startswith("Usage:") else message,
            expected=usage,
            remedy=f"Call {context.command_path if context else 'ctinsight'} --help.",
        ) from error
    if code == _STOPPED:
        raise KeyboardInterrupt
    return int(code or 0)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(f"CT Insight {__version__}. {RESEARCH_USE_ONLY}")


@app.command()
def info(case: CasePath, *, series: Series = None, allow_gaps: AllowGaps = False) -> None:
    """Show how a CT was read, and the input checks of a head CT that need no brain; 3 where one refuses."""
    from ctinsight.checks import check_head_ct, refuse_if_unsuitable
    from ctinsight.files import ReadOptions, read_scan

    scan = read_scan(case, ReadOptions(series=series, allow_gaps=allow_gaps))
    describe(scan)
    checks = check_head_ct(scan, None)
    for check in checks:
        typer.echo(worded_check(check))
    refuse_if_unsuitable(checks)


@app.command()
def doctor(
    *,
    network: Annotated[bool, typer.Option("--network", help="Also ask whether the hosts answer.")] = False,
    timing: Annotated[bool, typer.Option("--timing", help="Also time a network on this machine.")] = False,
) -> None:
    """Look at this machine before the first case: one line each, with what to do."""
    from ctinsight.doctor import Questions, examine

    checks = examine(Questions(network=network, timing=timing))
    for check in checks:
        typer.echo(worded_check(check))
    if any(check.outcome is Outcome.REFUSE for check in checks):
        raise typer.Exit(DependencyMissingError.exit_code)
