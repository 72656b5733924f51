"""Give the store what lies on this machine already: a file, a folder, a zip, or a kit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ctinsight.errors import UnreadableFileError, WrongUseError
from ctinsight.models.archives import ArchiveLimits, extract, is_archive
from ctinsight.models.card import FileRecord, file_records
from ctinsight.models.catalogue import Kind
from ctinsight.models.download import Wanted, copy_checked
from ctinsight.models.installed import Installed, now
from ctinsight.models.kit import is_kit, restore_kit
from ctinsight.models.meter import Meter
from ctinsight.models.obtain import require_terms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ctinsight.models.card import ModelCard
    from ctinsight.models.catalogue import Entry
    from ctinsight.models.meter import TransferEvent
    from ctinsight.models.store import Store

    #: Reads foreign weights (file or folder) of a named model, writes our own files into the last folder.
    Converter = Callable[[Path, str, Path], ModelCard]


@dataclass(frozen=True)
class Supply:
    """What the user says about the files.

    Parameters
    ----------
    model
        The name they are for; None when the checksums have to tell.
    convert
        Reads foreign weights and writes our own format; None takes only files that need no conversion.
    """

    model: str | None = None
    accept_terms: bool = False
    convert: Converter | None = None
    listener: Callable[[TransferEvent], None] = lambda _event: None


def import_path(store: Store, path: Path, supply: Supply | None = None) -> tuple[Installed, ...]:
    """Install what a path holds; the original is read, never moved or changed.

    Files whose SHA-256 the catalogue publishes are recognised under any name. Other weights need the name of
    the model and a converter; their checksum is kept in the card as the user's own.

    Raises
    ------
    UnreadableFileError
        There is no such path, or the archive is damaged.
    WrongUseError
        Nothing in it is known, or files of an entry are missing; they are named.
    TermsNotAcceptedError, UnsafeArchiveError, NotEnoughSpaceError, StoreUnusableError, Cancelled
        As in :mod:`~ctinsight.models.obtain` and :mod:`~ctinsight.models.archives`.
    """
    how = supply or Supply()
    meter = Meter(how.model or path.name, listener=how.listener)
    if not path.exists():
        raise UnreadableFileError(
            found=f"there is no {path}", expected="a file, folder or zip", remedy="Check the path."
        )
    if is_kit(path):
        return restore_kit(store, path, accept_terms=how.accept_terms, meter=meter)
    if not is_archive(path):
        return _import_plain(store, path, how, meter)
    with store.scratch(meter.beat) as folder:
        free = store.free_bytes()
        meter.say("unpacking", path.name)
        limits = replace(ArchiveLimits(), total_bytes=min(ArchiveLimits().total_bytes, free // 2))
        extract(path, folder, limits=limits, beat=lambda _count: meter.beat())
        return _import_plain(store, folder, how, meter)


def add_own_files(store: Store, name: str, source: Path, item: Installed) -> Installed:
    """Install files that were just made here (by a converter): all of ``source``, moved into the store."""
    paths = sorted(path for path in source.rglob("*") if path.is_file())
    records = tuple(_record(path, source) for path in paths)
    with store.lock(name):
        return store.place(source, replace(item, name=name, files=records))


def _import_plain(store: Store, path: Path, how: Supply, meter: Meter) -> tuple[Installed, ...]:
    paths = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    known, entries = _recognise(store, paths, meter)
    if how.model is not None and how.model not in entries:
        return (_convert(store, path, how, meter),)
    if not entries:
        raise WrongUseError(
            found=f"nothing in {path.name} has a checksum that the catalogue knows",
            expected="a published file, a kit, or weights together with the name of their model",
            remedy="Name the model: ctinsight models import PATH --model NAME (see ctinsight models list).",
        )
    chosen = [entry for name, entry in entries.items() if how.model in {None, name}]
    accepted = {entry.name: require_terms(entry, accepted=how.accept_terms) for entry in chosen}
    return tuple(
        _install_known(store, entry, known, accepted=accepted[entry.name], meter=meter) for entry in chosen
    )


def _recognise(store: Store, paths: list[Path], meter: Meter) -> tuple[dict[str, Path], dict[str, Entry]]:
    """Return path by SHA-256, and the entries to which at least one of them belongs."""
    known: dict[str, Path] = {}
    entries: dict[str, Entry] = {}
    for path in paths:
        meter.say("checking", path.name)
        (record,) = file_records([path])
        found = store.catalogue.file_with_sha256(record.sha256)
        if found is not None:
            known[record.sha256] = path
            entries[found[0].name] = found[0]
    return known, entries


def _install_known(
    store: Store, entry: Entry, known: dict[str, Path], accepted: str, meter: Meter
) -> Installed:
    missing = [file.name for file in entry.files if file.sha256 not in known]
    if missing:
        raise WrongUseError(
            found=f"of {entry.name} these files are missing: {', '.join(missing[:5])}"
            + (" ..." if missing[5:] else ""),
            expected=f"all {len(entry.files)} files of {entry.name}",
            remedy="Put all its files into one folder or zip and import that.",
        )
    meter.total_bytes = sum(file.size_bytes for file in entry.files)
    with store.lock(entry.name, meter.beat):
        store.require_space(meter.total_bytes)
        incoming = store.incoming(entry.name, entry.version)
        records = []
        for file in entry.files:
            meter.say("copying", file.name)
            target = incoming / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            wanted = Wanted(file.name, (), file.size_bytes, file.sha256)
            records.append(copy_checked(known[file.sha256], wanted, target, meter))
        item = Installed(entry.name, entry.version, tuple(records), "published, imported", now(), accepted)
        return store.place(incoming, item)


def _convert(store: Store, path: Path, how: Supply, meter: Meter) -> Installed:
    name = str(how.model)
    entry = store.catalogue.entry(name)
    if entry.kind is not Kind.MODEL or how.convert is None:
        raise WrongUseError(
            found=f"{path.name} is not one of the files that the catalogue publishes for {name}",
            expected="the published files, recognised by their SHA-256",
            remedy="Get them again from their source, unchanged.",
        )
    accepted = require_terms(entry, accepted=how.accept_terms)
    with store.scratch(meter.beat) as folder:
        meter.say("converting", path.name)
        card = how.convert(path, name, folder)
        source = card.origin_sha256 or card.sha256
        item = Installed(
            name,
            f"user-{card.sha256[:8]}",
            (),
            "user-supplied",
            now(),
            accepted,
            (f"SHA-256 of what was imported: {source}",),
        )
        return add_own_files(store, name, folder, item)


def _record(path: Path, folder: Path) -> FileRecord:
    return replace(file_records([path])[0], name=path.relative_to(folder).as_posix())
