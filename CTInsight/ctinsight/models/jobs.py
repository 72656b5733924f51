"""The model folder's work as jobs of the worker: get, import, verify, remove; what each is given and returns.

Each takes plain values, tells its progress, and returns plain values, so that a panel never waits for a disk
or a network.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctinsight.errors import WrongUseError
from ctinsight.models.settings import load_settings
from ctinsight.models.store import user_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ctinsight.models.installed import Installed
    from ctinsight.models.meter import TransferEvent
    from ctinsight.progress import ProgressEvent

    Tell = Callable[[ProgressEvent], None]
    Values = Mapping[str, Any]


def get(values: Values, tell: Tell, _folder: Path) -> dict[str, Any]:
    """Download ``name``; ``accept_terms`` says that the user has read and accepted its terms."""
    from ctinsight.models.architectures import convert, has_importer
    from ctinsight.models.obtain import How, obtain

    name = _text(values, "name")
    how = How(
        load_settings(),
        accept_terms=values.get("accept_terms") is True,
        listener=_listener(tell),
        convert=convert if has_importer(name) else None,
    )
    return {"installed": [_described(obtain(user_store(), name, how))]}


def import_files(values: Values, tell: Tell, _folder: Path) -> dict[str, Any]:
    """Install what lies at ``path``, for the model ``name`` where checksums do not tell; no network."""
    from ctinsight.models.architectures import convert
    from ctinsight.models.supply import Supply, import_path

    accepted = values.get("accept_terms") is True
    supply = Supply(values.get("name"), accepted, convert, _listener(tell))
    found = import_path(user_store(), Path(_text(values, "path")), supply)
    return {"installed": [_described(item) for item in found]}


def verify(values: Values, tell: Tell, _folder: Path) -> dict[str, Any]:
    """Compare every file of the installed ``name`` with its SHA-256; ``wrong`` names those that differ."""
    from ctinsight.models.meter import Meter

    name = _text(values, "name")
    meter = Meter(name, listener=_listener(tell))
    meter.say("checking")
    checks = user_store().verify(name, meter.beat)
    return {
        "files": len(checks),
        "wrong": [f"{check.name}: {check.wrong}" for check in checks if check.wrong],
    }


def remove(values: Values, _tell: Tell, _folder: Path) -> dict[str, Any]:
    """Delete the installed ``name``; files in its folder that are not ours stay and are named."""
    removal = user_store().remove(_text(values, "name"))
    return {"deleted": len(removal.deleted), "kept": [str(path) for path in removal.kept]}


def _listener(tell: Tell) -> Callable[[TransferEvent], None]:
    return lambda event: tell(event.as_progress())


def _described(item: Installed) -> dict[str, Any]:
    return {"name": item.name, "version": item.version, "origin": item.origin, "notes": list(item.notes)}


def _text(values: Values, key: str) -> str:
    text = values.get(key)
    if not isinstance(text, str) or not text:
        raise WrongUseError(found=f"{key} = {text!r}", expected="a text", remedy=f"State {key}.")
    return text
