"""``ctinsight models``: list, show, get, verify, remove, where, kit and import."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from ctinsight.models.catalogue import Entry
    from ctinsight.models.installed import Installed
    from ctinsight.models.meter import TransferEvent
    from ctinsight.models.obtain import How
    from ctinsight.models.settings import Settings
    from ctinsight.models.store import Store

models_app = typer.Typer(
    name="models",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Weights, atlas and sample data: what there is, where it lies; get, check, carry them.",
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name from: ctinsight models list")]
AcceptTerms = Annotated[
    bool, typer.Option("--accept-terms", help="I have read the terms (models show NAME) and accept them.")
]


@models_app.command("list")
def list_models() -> None:
    """List every model, atlas and sample with its state, size and licence."""
    store, _settings = _open()
    use = store.disk_use()
    typer.echo(f"{'NAME':30} {'STATE':15} {'SIZE':>9}  {'LICENCE':28} WHAT IT IS")
    for entry in store.catalogue:
        found = store.find(entry.name)
        state = "installed" if found else _how_to_get(entry)
        size = use.get(entry.name, entry.size_bytes)
        typer.echo(
            f"{entry.name:30} {state:15} {_megabytes(size):>9}  {entry.terms.licence:28} {entry.title}"
        )
    for item in store.installed():
        if item.name not in store.catalogue.entries:
            typer.echo(f"{item.name:30} {'installed':15} {_megabytes(item.size_bytes):>9}  {item.origin}")
    _say_room(store, use)


@models_app.command()
def show(name: Name) -> None:
    """Show source, terms, paper, training data and input contract of one entry."""
    store, _settings = _open()
    entry = store.catalogue.entry(name)
    for line in _described(entry):
        typer.echo(line)
    for item in store.versions(name):
        typer.echo(f"Installed: {item.version}, {item.origin}, {item.installed_at}")
        for record in item.files[:20]:
            typer.echo(f"  {record.sha256}  {record.size_bytes:>12}  {record.name}")


@models_app.command()
def get(name: Name, *, accept_terms: AcceptTerms = False) -> None:
    """Download an entry; an interrupted download goes on where it broke."""
    from ctinsight.models.obtain import obtain

    store, settings = _open()
    item = obtain(store, name, _how(settings, name, accept_terms=accept_terms))
    _say_installed(store, item)


@models_app.command("import")
def import_files(
    path: Annotated[Path, typer.Argument(help="File, folder, zip or kit; read only, never changed.")],
    *,
    model: Annotated[
        str | None, typer.Option(help="The model they are for; not needed for published files.")
    ] = None,
    accept_terms: AcceptTerms = False,
) -> None:
    """Install files that are on this machine already; nothing touches the network."""
    from ctinsight.models.architectures import convert
    from ctinsight.models.supply import Supply, import_path

    store, _settings = _open()
    line = _TransferLine()
    for item in import_path(store, path, Supply(model, accept_terms, convert, line)):
        _say_installed(store, item)


@models_app.command()
def verify(
    what: Annotated[str, typer.Argument(metavar="NAME|FILE", help="An installed name, or a weight file.")],
    *,
    model: Annotated[str | None, typer.Option(help="The model that FILE is for.")] = None,
    golden: Annotated[Path | None, typer.Option(help="An .npz with input and reference output.")] = None,
    golden_input: Annotated[
        str | None, typer.Option(metavar="FILE:KEY", help="Where the input is, if in another .npz.")
    ] = None,
    key_in: Annotated[str | None, typer.Option("--input", help="Key of the input.")] = None,
    key_out: Annotated[str | None, typer.Option("--output", help="Key of the reference output.")] = None,
    atol: Annotated[float | None, typer.Option(help="Largest absolute difference allowed.")] = None,
) -> None:
    """Compare installed files with their SHA-256, and what a network computes with a golden case.

    Reference arrays may have their channels last or second; what could be read in two ways is refused.
    """
    from ctinsight.models.verification import GoldenWish, Verification

    store, _settings = _open()
    verification = Verification(store, GoldenWish(golden, golden_input, key_in, key_out, atol), typer.echo)
    is_file = Path(what).exists()
    if (store.find(what) is not None and not (model and is_file)) or not (model or is_file):
        verification.installed(what)
    else:
        verification.file(Path(what), model)


@models_app.command()
def remove(
    name: Name,
    *,
    version: Annotated[str | None, typer.Option(help="Which version; default: the one in use.")] = None,
) -> None:
    """Delete an installed entry; files that CT Insight did not put there stay."""
    store, _settings = _open()
    removal = store.remove(name, version)
    typer.echo(f"Deleted {len(removal.deleted)} files of {name}.")
    for path in removal.kept:
        typer.echo(f"Kept, not ours: {path}")


@models_app.command()
def where(
    *,
    folder: Annotated[Path | None, typer.Option(help="Keep models in this folder from now on.")] = None,
    mirror: Annotated[
        str | None, typer.Option(help="Folder or address to fetch from instead of public ones; '' for none.")
    ] = None,
    offline: Annotated[
        bool | None, typer.Option("--offline/--online", help="Never, or again, touch the network.")
    ] = None,
) -> None:
    """Show, or set, the model folder, the mirror and the offline switch."""
    from ctinsight.models.settings import load_settings, save_settings

    store, settings = _open()
    chosen = replace(
        settings,
        models_folder=settings.models_folder if folder is None else folder.expanduser().absolute(),
        mirror=settings.mirror if mirror is None else mirror,
        offline=settings.offline if offline is None else offline,
    )
    if chosen != settings:
        typer.echo(f"Written to {save_settings(chosen)}")
        settings = load_settings()
    typer.echo(f"Models:  {settings.models_folder}")
    typer.echo(f"Mirror:  {settings.mirror or '(none: the public sources)'}")
    typer.echo(f"Network: {'off' if settings.offline else 'only when you ask for a download'}")
    if settings != chosen:
        typer.echo("An environment variable (CTINSIGHT_MODELS, _MIRROR, _OFFLINE) overrules what was set.")
    _say_room(store, store.disk_use())


@models_app.command()
def kit(
    out: Annotated[Path, typer.Argument(metavar="OUT.zip")],
    *,
    name: Annotated[list[str] | None, typer.Option(help="Only these; default: everything installed.")] = None,
    wheels: Annotated[
        bool, typer.Option("--wheels", help="Let pip download the Python packages too.")
    ] = False,
    wheels_from: Annotated[Path | None, typer.Option(help="Take the wheels in this folder along.")] = None,
    pip_option: Annotated[list[str] | None, typer.Option(help="Passed on to pip download.")] = None,
) -> None:
    """Gather installed models for a machine without a network; import the zip there."""
    from tempfile import TemporaryDirectory

    from ctinsight.models.kit import gather_wheels, make_kit
    from ctinsight.models.meter import Meter

    store, settings = _open()
    if wheels and settings.offline:
        raise WrongUseError(
            found="--wheels while the offline switch is on",
            expected="wheels that are here already",
            remedy="Name their folder with --wheels-from, or switch to --online.",
        )
    meter = Meter(out.name, listener=_TransferLine())
    with TemporaryDirectory(prefix="ctinsight-wheels-") as folder:
        if wheels:
            gather_wheels(Path(folder), options=tuple(pip_option or ()))
            wheels_from = Path(folder)
        content = make_kit(store, out, names=tuple(name or ()), wheels=wheels_from, meter=meter)
    for item in content.models:
        typer.echo(f"{item.name} {item.version} {_megabytes(item.size_bytes)}")
    typer.echo(
        f"{len(content.models)} entries and {len(content.wheels)} wheels in {out}. {RESEARCH_USE_ONLY}"
    )


class _TransferLine:
    """Shows a transfer on one terminal line, or a line per phase when nobody watches."""

    def __init__(self) -> None:
        self._phase = ""
        self._live = sys.stderr.isatty()

    def __call__(self, event: TransferEvent) -> None:
        if self._live:
            typer.echo(f"\r\033[K{transfer_text(event)}", err=True, nl=event.phase == "installing")
        elif event.phase != self._phase and event.phase not in {"connecting", "checking"}:
            typer.echo(transfer_text(event), err=True)
        self._phase = event.phase


def transfer_text(event: TransferEvent) -> str:
    """Word a transfer's state: phase, file, megabytes, speed and time left."""
    parts = [f"{event.name}: {event.phase}", event.file]
    if event.bytes_total:
        parts.append(f"{event.bytes_done / 1e6:.1f} of {event.bytes_total / 1e6:.1f} MB")
    if event.bytes_per_second is not None:
        parts.append(f"{event.bytes_per_second / 1e6:.1f} MB/s")
    if event.seconds_left is not None:
        parts.append(f"{event.seconds_left:.0f} s left")
    return ", ".join(part for part in parts if part)


def _open() -> tuple[Store, Settings]:
    from ctinsight.models.catalogue import catalogue
    from ctinsight.models.settings import load_settings
    from ctinsight.models.store import Store

    settings = load_settings()
    return Store(settings.models_folder, catalogue()), settings


def _how(settings: Settings, name: str, *, accept_terms: bool) -> How:
    from ctinsight.models.architectures import convert, has_importer
    from ctinsight.models.obtain import How

    converter = convert if has_importer(name) else None
    return How(settings, accept_terms=accept_terms, listener=_TransferLine(), convert=converter)


def _described(entry: Entry) -> list[str]:
    lines = [
        f"{entry.name} {entry.version}: {entry.title}",
        f"For:      {', '.join(entry.modules)}",
        f"Format:   {entry.format}",
        f"Licence:  {entry.terms.licence}. {entry.terms.statement}",
    ]
    if entry.terms.patent:
        lines.append(f"Patent:   {entry.terms.patent}")
    lines += [f"Cite:     {entry.citation}", f"Source:   {entry.published}"]
    if entry.training is not None:
        count = f", n = {entry.training.cases}" if entry.training.cases else ""
        lines.append(f"Training: {entry.training.data}{count}")
    if entry.input is not None:
        spacing = " x ".join(f"{mm:g}" for mm in entry.input.spacing_mm or ()) or "the scan's own"
        size = " x ".join(str(n) if n else "any" for n in entry.input.size)
        lines.append(f"Input:    {entry.input.modality}; {', '.join(entry.input.channels)}; {size} voxels")
        lines.append(f"          spacing {spacing} mm; {entry.input.values}; {entry.input.orientation}")
    return lines + _source_lines(entry)


def _source_lines(entry: Entry) -> list[str]:
    lines = []
    if entry.files:
        lines.append(f"Files:    {len(entry.files)} published, {_megabytes(entry.size_bytes)}")
        lines += [f"  {file.sha256}  {file.size_bytes:>12}  {file.urls[0]}" for file in entry.files[:20]]
    hub = entry.hugging_face
    if hub is not None:
        lines.append(f"Files:    Hugging Face {hub.repository} ({hub.revision}): {', '.join(hub.patterns)}")
    if entry.ask:
        lines.append(f"Or ask:   {entry.ask}" if entry.downloadable else f"Ask:      {entry.ask}")
    return lines + [f"  made here: {made.name}: {made.how}" for made in entry.derived]


def _how_to_get(entry: Entry) -> str:
    if entry.hugging_face is not None:
        return "at Hugging Face"
    return "can be fetched" if entry.files else "ask the authors"


def _say_installed(store: Store, item: Installed) -> None:
    typer.echo(f"{item.name} {item.version} ({item.origin}) is in {store.path_of(item.name, item.version)}")
    for record in item.files[:20]:
        typer.echo(f"  {record.sha256}  {record.name}")
    for note in item.notes:
        typer.echo(f"  {note}")


def _say_room(store: Store, use: dict[str, int]) -> None:
    unfinished = use.get("(unfinished)", 0)
    more = f", {_megabytes(unfinished)} of it unfinished downloads" if unfinished else ""
    typer.echo(
        f"{_megabytes(sum(use.values()))} used in {store.folder}{more}; {_megabytes(store.free_bytes())} free"
    )


def _megabytes(count: int | None) -> str:
    return "?" if count is None else f"{count / 1e6:.1f} MB"
