"""Give the store what lies on this machine already: a file, a folder, a zip, or a kit."""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ctinsight.errors import NotEnoughSpaceError, UnreadableFileError, WrongUseError
from ctinsight.models.archives import ArchiveLimits, extract, is_archive
from ctinsight.models.card import FileRecord, file_records, folder_records
from ctinsight.models.catalogue import Kind
from ctinsight.models.download import Wanted, copy_checked
from ctinsight.models.installed import Installed, now
from ctinsight.models.kit import is_kit, restore_kit
from ctinsight.models.meter import Meter
from ctinsight.models.obtain import require_terms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ctinsight.models.catalogue import Entry, PublishedFile
    from ctinsight.models.meter import TransferEvent
    from ctinsight.models.obtain import Converter
    from ctinsight.models.store import Store


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
        There is no such path, it cannot be read, or the archive is damaged.
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
    try:
        if is_kit(path):
            return restore_kit(store, path, accept_terms=how.accept_terms, meter=meter)
        with store.scratch(meter.beat) as scratch:
            if is_archive(path):
                path = _unpack(store, path, scratch / "unpacked", meter)
            return _Import(store, how, meter, scratch / "converted").run(path)
    except OSError as error:
        # The store words its own troubles; what is left is a source that cannot be read, or a full disk.
        raise _told(error, path) from error


def _told(error: OSError, path: Path) -> NotEnoughSpaceError | UnreadableFileError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NotEnoughSpaceError(
            found="the disk of the model folder is full",
            expected="room for the files and for what is made of them",
            remedy="Free some space, or choose another folder: ctinsight models where --folder FOLDER",
        )
    return UnreadableFileError(
        found=f"{error.filename or path} cannot be read: {error.strerror or error}",
        expected="files that may be read, and that stay where they are while they are imported",
        remedy="Copy them into a folder of your own and import that.",
    )


def add_own_files(store: Store, name: str, source: Path, item: Installed) -> Installed:
    """Install files that were just made here (by a converter): all of ``source``, moved into the store."""
    with store.lock(name):
        return store.place(source, replace(item, name=name, files=folder_records(source)))


def _unpack(store: Store, path: Path, folder: Path, meter: Meter) -> Path:
    """Unpack an archive; return the folder, or what alone lies in it."""
    meter.say("unpacking", path.name)
    most = min(ArchiveLimits().total_bytes, max(store.free_bytes() // 2, 1))
    extract(path, folder, limits=ArchiveLimits(total_bytes=most), beat=lambda _count: meter.beat())
    while folder.is_dir() and len(inside := list(folder.iterdir())) == 1:
        folder = inside[0]
    return folder


@dataclass(frozen=True)
class _Import:
    """One import of files that are no archive any more; ``scratch`` is where a converter may write."""

    store: Store
    supply: Supply
    meter: Meter
    scratch: Path

    def run(self, path: Path) -> tuple[Installed, ...]:
        """Install the published files in ``path``, or convert it for the named model."""
        model = self.supply.model
        known, entries = self._recognise(path)
        if model is not None and model not in entries:
            return (self._convert(path, model),)
        if not entries:
            raise WrongUseError(
                found=f"nothing in {path.name} has a checksum that the catalogue knows",
                expected="a published file, a kit, or weights together with the name of their model",
                remedy="Name the model: ctinsight models import PATH --model NAME (see models list).",
            )
        chosen = [entry for name, entry in entries.items() if model in {None, name}]
        accepted = [require_terms(entry, accepted=self.supply.accept_terms) for entry in chosen]
        return tuple(self._install(entry, known, when) for entry, when in zip(chosen, accepted, strict=True))

    def _recognise(self, path: Path) -> tuple[dict[str, Path], dict[str, Entry]]:
        """Return path by SHA-256, and the entries to which at least one of them belongs."""
        sizes = {file.size_bytes for entry in self.store.catalogue for file in entry.files}
        known: dict[str, Path] = {}
        entries: dict[str, Entry] = {}
        for candidate in [path] if path.is_file() else sorted(path.rglob("*")):
            self.meter.beat()
            if not candidate.is_file() or candidate.stat().st_size not in sizes:
                continue
            self.meter.say("checking", candidate.name)
            (record,) = file_records([candidate])
            found = self.store.catalogue.file_with_sha256(record.sha256)
            if found is not None:
                known[record.sha256] = candidate
                entries[found[0].name] = found[0]
        return known, entries

    def _install(self, entry: Entry, known: dict[str, Path], accepted: str) -> Installed:
        missing = [file.name for file in entry.files if file.sha256 not in known]
        if missing:
            raise WrongUseError(
                found=f"of {entry.name} these files are missing: {', '.join(missing[:5])}"
                + (" ..." if missing[5:] else ""),
                expected=f"all {len(entry.files)} files of {entry.name}",
                remedy="Put all its files into one folder or zip and import that.",
            )
        store, needed = self.store, sum(file.size_bytes for file in entry.files)
        self.meter.total_bytes = self.meter.done_bytes + needed
        with store.lock(entry.name, self.meter.beat):
            store.require_space(needed)
            incoming = store.incoming(entry.name, entry.version)
            records = tuple(self._copy(file, known[file.sha256], incoming) for file in entry.files)
            item = Installed(entry.name, entry.version, records, "published, imported", now(), accepted)
            return store.place(incoming, item)

    def _copy(self, file: PublishedFile, source: Path, incoming: Path) -> FileRecord:
        self.meter.say("copying", file.name)
        target = incoming / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        return copy_checked(source, Wanted(file.name, (), file.size_bytes, file.sha256), target, self.meter)

    def _convert(self, path: Path, name: str) -> Installed:
        entry, convert = self.store.catalogue.entry(name), self.supply.convert
        if entry.kind is not Kind.MODEL or convert is None:
            raise WrongUseError(
                found=f"{path.name} is not one of the files that the catalogue publishes for {name}",
                expected="the published files, recognised by their SHA-256",
                remedy="Get them again from their source, unchanged.",
            )
        accepted = require_terms(entry, accepted=self.supply.accept_terms)
        self.meter.say("converting", path.name)
        self.scratch.mkdir()
        card = convert(path, name, self.scratch)
        note = f"SHA-256 of what was imported: {card.origin_sha256 or card.sha256}"
        version = f"user-{card.sha256[:8]}"
        item = Installed(name, version, (), "user-supplied", now(), accepted, (note, *card.notes))
        return add_own_files(self.store, name, self.scratch, item)
