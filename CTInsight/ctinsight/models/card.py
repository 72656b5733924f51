"""What is known of a set of weights: where it comes from, its checksum, what it was trained on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from ctinsight.errors import WrongWeightsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: Layout of the JSON card; a reader refuses a higher one.
CARD_VERSION = 1
#: The card of an installed model, beside its safetensors files.
CARD_NAME = "model.json"
USER_SUPPLIED = "user-supplied"
UNKNOWN = "unknown (user-supplied)"
_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class FileRecord:
    """One file of a model: name without folder, size in bytes, SHA-256 in hexadecimal."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class ModelCard:
    """The facts about a set of weights that travel with every result.

    Parameters
    ----------
    name
        The model's name in the catalogue: ``hematoma-drunet``.
    format
        In words, with what the reader met: "Keras .h5, weights".
    sha256
        Of the file; of several files see :func:`combined_sha256`.
    width
        Channels of the first stage (``dims`` of DR-UNet).
    parameters
        Stored numbers, moving statistics included.
    training_cases
        Number of training cases (n); None when unknown.
    origin_sha256
        Checksum of the file that was converted into this one, when it was.
    facts
        What only models of this format have, as JSON holds it: of nnU-Net trainer, configuration, folds,
        mirroring axes.
    """

    name: str
    format: str
    sha256: str
    files: tuple[FileRecord, ...]
    width: int
    parameters: int
    version: str = USER_SUPPLIED
    licence: str = UNKNOWN
    training_data: str = UNKNOWN
    training_cases: int | None = None
    origin_sha256: str | None = None
    notes: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def as_manifest(self) -> dict[str, Any]:
        """Return the entry for a result's manifest; file names stay out, as they can name a person."""
        kept = ("name", "version", "sha256", "format", "licence", "training_data", "width", "parameters")
        return {key: getattr(self, key) for key in kept} | {
            "n": self.training_cases,
            "origin_sha256": self.origin_sha256,
        }

    def to_json(self) -> str:
        """Write the card as JSON text."""
        return json.dumps({"card_version": CARD_VERSION, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a card.

        Raises
        ------
        WrongWeightsError
            No JSON, a newer layout, or fields that are missing or unknown.
        """
        try:
            content = json.loads(text)
            if content.pop("card_version") != CARD_VERSION or content.keys() - {f.name for f in fields(cls)}:
                msg = "card_version or fields of another layout"
                raise ValueError(msg)
            content["files"] = tuple(FileRecord(**record) for record in content["files"])
            content["notes"] = tuple(content["notes"])
            content["facts"] = dict(content.get("facts", {}))
            return cls(**content)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise WrongWeightsError(
                found=f"a model card that cannot be read ({error})",
                expected=f"a JSON card of layout {CARD_VERSION}",
                remedy="Import the original weight file again.",
            ) from error


def file_records(paths: Iterable[Path]) -> tuple[FileRecord, ...]:
    """Measure files and compute their checksums."""
    return tuple(FileRecord(path.name, path.stat().st_size, _sha256(path)) for path in paths)


def folder_records(folder: Path) -> tuple[FileRecord, ...]:
    """Measure every file in and below a folder; names are relative to it, with slashes."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    found = zip(file_records(paths), paths, strict=True)
    return tuple(replace(record, name=path.relative_to(folder).as_posix()) for record, path in found)


def combined_sha256(records: tuple[FileRecord, ...]) -> str:
    """Return one checksum for a model.

    That of the file itself when there is one; for several, the SHA-256 of the lines
    ``checksum, two spaces, name``, sorted by name, as ``sha256sum NAMES | sha256sum`` gives it.
    """
    if len(records) == 1:
        return records[0].sha256
    lines = [f"{record.sha256}  {record.name}\n" for record in sorted(records, key=lambda r: r.name)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def refuse_other_sha256(found: str, expected: str | None) -> None:
    """Stop when a stated checksum is not the file's own.

    Raises
    ------
    WrongWeightsError
        They differ.
    """
    if expected is not None and found.lower() != expected.strip().lower():
        raise WrongWeightsError(
            found=f"SHA-256 {found}",
            expected=f"SHA-256 {expected}",
            remedy="The file was changed or cut short. Get it again, or import it as a new model.",
        )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
