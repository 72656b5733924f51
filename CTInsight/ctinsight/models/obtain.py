"""Get an entry of the catalogue: from the mirror if one is set, else from its public source."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from ctinsight.errors import (
    DownloadFailedError,
    OfflineError,
    TermsNotAcceptedError,
    WeightsMissingError,
    WrongWeightsError,
)
from ctinsight.models import hugging_face
from ctinsight.models.archives import safe_path
from ctinsight.models.card import CARD_NAME, FileRecord, ModelCard, file_records, folder_records
from ctinsight.models.catalogue import Kind
from ctinsight.models.download import Address, Wanted, copy_checked, download
from ctinsight.models.http_stream import Limits, Request, TransferFault, fetch_small
from ctinsight.models.installed import LIST_NAME, Installed, now, read_installed
from ctinsight.models.meter import Meter, TransferEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    #: Reads foreign weights (file or folder) of a named model, writes our own files into the last folder.
    Converter = Callable[[Path, str, Path], ModelCard]

    from ctinsight.models.catalogue import Entry
    from ctinsight.models.settings import Settings
    from ctinsight.models.store import Store


@dataclass(frozen=True)
class How:
    """How to get things: the machine's settings, the user's acceptance, who listens, how patient to be.

    ``convert`` brings weights into our own form where the source has another; None keeps them as they are.
    """

    settings: Settings
    accept_terms: bool = False
    listener: Callable[[TransferEvent], None] = lambda _event: None
    limits: Limits = field(default_factory=Limits)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    convert: Converter | None = None


@dataclass(frozen=True)
class _Plan:
    """What to fetch, from where, to become what.

    ``folder`` is set when the files lie on this machine; ``hub_entry`` when a refusal of the Hub has to say
    where to ask.
    """

    files: tuple[Wanted, ...]
    origin: str
    folder: Path | None = None
    hub_entry: Entry | None = None


@dataclass(frozen=True)
class _Line:
    """The line to the listener, and how patient to be on the one to the server.

    ``converts`` wants every file in the folder of files under way, as a converter reads them there.
    """

    meter: Meter
    limits: Limits
    converts: bool = False


def require_terms(entry: Entry, *, accepted: bool) -> str:
    """Return when the terms were accepted, empty when nothing has to be.

    Raises
    ------
    TermsNotAcceptedError
        They have to be accepted first; they are in the message.
    """
    if not entry.terms.must_accept:
        return ""
    if not accepted:
        raise TermsNotAcceptedError(
            found=f"{entry.name} is under terms that must be accepted: {entry.terms.licence}. "
            f"{entry.terms.statement} {entry.terms.patent}".strip(),
            expected="your acceptance, before the files are fetched or imported",
            remedy="If you accept the terms, repeat the command with --accept-terms.",
        )
    return now()


def obtain(store: Store, name: str, how: How) -> Installed:
    """Install an entry, or return it when it is installed and unchanged; nothing is fetched unasked.

    Two processes asking for the same name fetch it once. Files that are right already are not fetched again.

    Raises
    ------
    WrongUseError
        There is no such name.
    TermsNotAcceptedError
        The entry's terms must be accepted.
    WeightsMissingError
        No public address: where to ask and how to import.
    OfflineError
        Only the network could give it, and the offline switch is on.
    DownloadFailedError, NotEnoughSpaceError, StoreUnusableError, Cancelled
        See :func:`~ctinsight.models.download.download` and :class:`~ctinsight.models.store.Store`.
    """
    entry = store.catalogue.entry(name)
    meter = Meter(name, listener=how.listener)
    present = store.intact(name, meter.beat)
    if present is not None:
        return present
    accepted = require_terms(entry, accepted=how.accept_terms)
    if entry.name != name:
        raise not_public(entry, name)
    meter.say("waiting for another process")
    with store.lock(name, meter.beat) as waited:
        present = store.intact(name, meter.beat) if waited else None
        if present is not None:
            return present
        plan = _plan(entry, meter, how)
        item = Installed(name, entry.version, (), plan.origin, now(), accepted)
        convert = how.convert if _foreign(entry, plan) else None
        fetched = _fetch(store, plan, item, _Line(meter, how.limits, convert is not None))
        meter.say("installing" if convert is None else "converting")
        if convert is None:
            return store.place(store.incoming(name, entry.version), fetched)
        return _converted(store, entry, fetched, convert)


def not_public(entry: Entry, name: str) -> WeightsMissingError:
    """Return the error for a model without a public address: where to ask, how to import."""
    return WeightsMissingError(
        found=f"{name} has no public download address",
        expected=f"the files of {entry.title}",
        remedy=f"{entry.ask} Import by hand: ctinsight models import FILE --model {name}",
    )


def _plan(entry: Entry, meter: Meter, how: How) -> _Plan:
    mirror = how.settings.mirror
    folder = how.settings.mirror_folder
    if folder is not None:
        return _mirror_folder_plan(entry, folder / entry.name / entry.version)
    if how.settings.offline:
        raise OfflineError(
            found=f"{entry.name} is not installed, and the offline switch is on",
            expected="the network, a mirror folder, or the files themselves",
            remedy="Import a file, folder or kit: ctinsight models import PATH. Or set a mirror folder, or "
            "switch offline off: ctinsight models where --online",
        )
    if mirror:
        return _mirror_address_plan(entry, f"{mirror}/{quote(entry.name)}/{quote(entry.version)}", meter, how)
    if entry.hugging_face is not None:
        if hugging_face.hub_offline(how.environ):
            raise hugging_face.no_files(entry, "HF_HUB_OFFLINE forbids to ask the Hugging Face Hub")
        meter.say("asking Hugging Face")
        listing = hugging_face.list_files(entry, meter, how.limits, how.environ)
        return _Plan(listing.files, listing.origin, hub_entry=entry)
    if not entry.files:
        raise not_public(entry, entry.name)
    files = tuple(
        Wanted(file.name, tuple(Address(url) for url in file.urls), file.size_bytes, file.sha256)
        for file in entry.files
    )
    return _Plan(files, "published")


def _mirror_folder_plan(entry: Entry, folder: Path) -> _Plan:
    try:
        files = _mirrored(entry, lambda: (folder / LIST_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _not_in_mirror(entry, str(folder), str(error)) from error
    return _Plan(files, f"mirror {folder.parents[1]}", folder)


def _mirror_address_plan(entry: Entry, base: str, meter: Meter, how: How) -> _Plan:
    meter.say("asking the mirror")
    request = Request(f"{base}/{LIST_NAME}")
    try:
        files = _mirrored(entry, lambda: fetch_small(request, meter, how.limits).decode())
    except TransferFault as fault:
        raise _not_in_mirror(entry, base, fault.why) from fault
    except ValueError as error:
        raise _not_in_mirror(entry, base, str(error)) from error
    files = tuple(replace(file, addresses=(Address(f"{base}/{quote(file.name)}"),)) for file in files)
    return _Plan(files, f"mirror {how.settings.mirror}")


def _mirrored(entry: Entry, read_list: Callable[[], str]) -> tuple[Wanted, ...]:
    """Return what a mirror is asked for: the catalogue's files, else those in the mirror's own list."""
    if entry.files:
        return tuple(Wanted(file.name, (), file.size_bytes, file.sha256) for file in entry.files)
    found = read_installed(read_list())
    if found.name != entry.name:
        raise ValueError(f"it lists {found.name}")  # noqa: EM102 - becomes the error's text
    return tuple(Wanted(file.name, (), file.size_bytes, file.sha256) for file in found.files)


def _not_in_mirror(entry: Entry, place: str, why: str) -> WeightsMissingError:
    return WeightsMissingError(
        found=f"the mirror has no {entry.name}: {place}: {why}",
        expected=f"{LIST_NAME} and the files beside it, as a model folder has them",
        remedy="Copy that folder of a machine that has it into the mirror, or take the mirror away: "
        "ctinsight models where --mirror ''",
    )


def _fetch(store: Store, plan: _Plan, item: Installed, line: _Line) -> Installed:
    """Bring every file of a plan into the folder of files under way, or see that it is installed already."""
    meter = line.meter
    incoming = store.incoming(item.name, item.version)
    target = store.path_of(item.name, item.version)
    meter.total_bytes = sum(file.size_bytes for file in plan.files)
    folders = (incoming,) if line.converts else (target, incoming)
    had = {file.name: _had(file, *folders) for file in plan.files}
    store.require_space(
        sum(file.size_bytes for file in plan.files if had[file.name] is None) - _begun(incoming)
    )
    records = []
    for file in plan.files:
        record = had[file.name]
        if record is None:
            record = _fetch_one(file, incoming, plan, line)
        else:
            meter.advance(record.size_bytes)
        records.append(record)
    return replace(item, files=tuple(records))


def _foreign(entry: Entry, plan: _Plan) -> bool:
    """Whether these are weights in another form than ours; a mirror may have them in ours already."""
    return entry.kind is Kind.MODEL and not any(file.name.endswith(".safetensors") for file in plan.files)


def _converted(store: Store, entry: Entry, item: Installed, convert: Converter) -> Installed:
    """Install our own form of fetched weights; the fetched files go. Hold the lock.

    What cannot be converted for want of a package stays, so that it need not be fetched again.
    """
    store.require_space(item.size_bytes)
    incoming = store.incoming(item.name, item.version)
    made = store.incoming(item.name, f"{item.version}.converted")
    shutil.rmtree(made)
    made.mkdir()
    try:
        card = convert(incoming, item.name, made)
    except (WrongWeightsError, WeightsMissingError):
        store.discard_incoming(item.name)
        raise
    _describe(made / CARD_NAME, entry)
    placed = store.place(
        made,
        replace(
            item, files=folder_records(made), converted_from=item.files, notes=(*item.notes, *card.notes)
        ),
    )
    store.discard_incoming(item.name)
    return placed


def _describe(path: Path, entry: Entry) -> None:
    """Write what the catalogue knows into the card of converted weights."""
    card = ModelCard.from_json(path.read_text(encoding="utf-8"))
    training = entry.training
    described = replace(
        card,
        version=entry.version,
        licence=entry.terms.licence,
        training_data=training.data if training else card.training_data,
        training_cases=training.cases if training else None,
    )
    path.write_text(described.to_json(), encoding="utf-8")


def _fetch_one(file: Wanted, incoming: Path, plan: _Plan, line: _Line) -> FileRecord:
    target = incoming.joinpath(*safe_path(file.name).parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    if plan.folder is not None:
        line.meter.say("copying", file.name)
        return copy_checked(plan.folder.joinpath(*safe_path(file.name).parts), file, target, line.meter)
    try:
        return download(file, target, line.meter, line.limits)
    except DownloadFailedError as error:
        fault = error.__cause__
        if (
            isinstance(fault, TransferFault)
            and fault.status in {401, 403, 404}
            and plan.hub_entry is not None
        ):
            raise hugging_face.refusal(plan.hub_entry, fault) from error
        raise


def _had(file: Wanted, *folders: Path) -> FileRecord | None:
    """Return the record of a file that is there already, whole and right."""
    for folder in folders:
        path = folder.joinpath(*safe_path(file.name).parts)
        if file.sha256 and path.is_file() and path.stat().st_size == file.size_bytes:
            record = replace(file_records([path])[0], name=file.name)
            if record.sha256 == file.sha256:
                return record
    return None


def _begun(incoming: Path) -> int:
    return sum(path.stat().st_size for path in incoming.rglob("*.part"))
