"""What is installed: the list that lies in each model's folder, and the check of a file against it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ctinsight.errors import UnsafeArchiveError
from ctinsight.models.archives import safe_path
from ctinsight.models.card import FileRecord, file_records
from ctinsight.models.catalogue import NAME, SHA256

if TYPE_CHECKING:
    from pathlib import Path

#: Layout of installed.json; a reader refuses a higher one.
LAYOUT = 1
LIST_NAME = "installed.json"


@dataclass(frozen=True)
class Installed:
    """One installed entry: its files with their checksums, and where they came from.

    Parameters
    ----------
    origin
        In words: "published", "Hugging Face owner/name at COMMIT", "user-supplied".
    terms_accepted
        When the user accepted the terms (UTC), empty where none have to be.
    converted_from
        The source's files, where ``files`` were made of them here; they are not kept.
    """

    name: str
    version: str
    files: tuple[FileRecord, ...]
    origin: str
    installed_at: str
    terms_accepted: str = ""
    notes: tuple[str, ...] = ()
    converted_from: tuple[FileRecord, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size_bytes for file in self.files)

    def to_json(self) -> str:
        """Write as ``installed.json`` has it."""
        return json.dumps({"layout": LAYOUT, **asdict(self)}, indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class FileCheck:
    """One file against what is written of it; ``wrong`` is empty when it is unchanged."""

    name: str
    sha256: str
    wrong: str


@dataclass(frozen=True)
class Removal:
    """What a removal deleted, and what it left because it is not ours."""

    deleted: tuple[Path, ...]
    kept: tuple[Path, ...]


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_installed(text: str) -> Installed:
    """Read ``installed.json``.

    Raises
    ------
    ValueError
        Another layout, wrong fields, or file names that lead out of the folder.
    """
    try:
        content: dict[str, Any] = json.loads(text)
        if content.pop("layout") != LAYOUT:
            raise ValueError("another layout")  # noqa: EM101
        for key in ("files", "converted_from"):
            content[key] = tuple(FileRecord(**record) for record in content.get(key, ()))
        content["notes"] = tuple(content.get("notes", ()))
        found = Installed(**content)
        _check_values(found)
    except (TypeError, KeyError, AttributeError, UnsafeArchiveError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error  # noqa: EM102
    return found


def _check_values(item: Installed) -> None:
    """Refuse what could lead out of the folder or stop a sum: the list may come from a stranger's kit."""
    if not NAME.fullmatch(item.name) or len(safe_path(item.version).parts) != 1:
        raise ValueError(f"name {item.name!r} or version {item.version!r}")  # noqa: EM102
    for file in (*item.files, *item.converted_from):
        safe_path(file.name)
        if type(file.size_bytes) is not int or file.size_bytes < 0 or not SHA256.fullmatch(file.sha256):
            raise ValueError(f"size or checksum of {file.name}")  # noqa: EM102


def check_file(folder: Path, record: FileRecord) -> FileCheck:
    """Compare size and SHA-256 of one file with what is written of it."""
    path = folder.joinpath(*safe_path(record.name).parts)
    try:
        if path.stat().st_size != record.size_bytes:
            return FileCheck(record.name, "", f"has {path.stat().st_size} bytes, not {record.size_bytes}")
        (found,) = file_records([path])
    except FileNotFoundError:
        return FileCheck(record.name, "", "is missing")
    except OSError as error:
        return FileCheck(record.name, "", f"cannot be read: {error.strerror or error}")
    wrong = "" if found.sha256 == record.sha256 else f"SHA-256 is {found.sha256}, not {record.sha256}"
    return FileCheck(record.name, found.sha256, wrong)
