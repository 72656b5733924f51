"""What can be had: models, atlas and sample data, each with its source, terms and input contract.

The facts stand in ``catalogue.toml``; :mod:`ctinsight.models.catalogue_reader` checks every one of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Lower-case words and numbers with hyphens: a folder name that is the same on every system.
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
#: Folders and lock files are called by it; file systems end at 255 bytes, Windows paths at 260 characters.
LONGEST_NAME = 80
SHA256 = re.compile(r"[0-9a-f]{64}")


class Kind(StrEnum):
    """What an entry holds."""

    MODEL = "model"
    ATLAS = "atlas"
    SAMPLE = "sample"


@dataclass(frozen=True)
class PublishedFile:
    """One file that a public source offers: its name in our folder, size, SHA-256 and addresses."""

    name: str
    size_bytes: int
    sha256: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class DerivedFile:
    """What is made from a published file on this machine; ``voxel_sha256`` is of its values, i fastest."""

    name: str
    made_from: str
    how: str
    voxel_sha256: str


@dataclass(frozen=True)
class HuggingFaceSource:
    """A repository on the Hugging Face Hub and the files wanted from it.

    ``patterns`` are shell patterns on the path in the repository; every file that matches one is fetched.
    ``most_bytes`` bounds the whole, as no size is published in the catalogue.
    """

    repository: str
    revision: str
    patterns: tuple[str, ...]
    most_bytes: int


@dataclass(frozen=True)
class Terms:
    """The licence in a word, what it asks, the patent if any, and whether the user must accept first."""

    licence: str
    statement: str
    patent: str = ""
    must_accept: bool = False


@dataclass(frozen=True)
class InputContract:
    """What a model must be given.

    Parameters
    ----------
    channels
        In this order.
    spacing_mm
        Voxel size along (i, j, k) of the array; None means the scan's own.
    size
        Array size, slowest axis first; a number is fixed, 0 means any.
    window_hu
        (center, width); None where the values are not windowed.
    values
        From HU to what the network sees, in words.
    orientation
        Axis order and directions, in words.
    """

    modality: str
    channels: tuple[str, ...]
    spacing_mm: tuple[float, ...] | None
    size: tuple[int, ...]
    window_hu: tuple[float, float] | None
    values: str
    orientation: str


@dataclass(frozen=True)
class GoldenCase:
    """Numbers that a right import reproduces: keys in an .npz file and the largest difference allowed.

    ``file`` is empty while no trained weights exist: then the user names one with ``--golden``.
    """

    input: str
    output: str
    atol: float
    file: str = ""


@dataclass(frozen=True)
class Training:
    """Who trained on what; ``cases`` is n, None where nobody published it."""

    data: str
    cases: int | None


@dataclass(frozen=True)
class Entry:
    """One thing that the store can hold.

    ``ask`` says where to ask for what has no download address, and how to import it by hand. ``published``
    names the origin as repository, commit and path. ``variant_of`` names the model whose contract a set of
    weights of our own training shares.
    """

    name: str
    kind: Kind
    title: str
    modules: tuple[str, ...]
    version: str
    format: str
    terms: Terms
    citation: str
    published: str
    ask: str = ""
    files: tuple[PublishedFile, ...] = ()
    derived: tuple[DerivedFile, ...] = ()
    hugging_face: HuggingFaceSource | None = None
    input: InputContract | None = None
    training: Training | None = None
    golden: GoldenCase | None = None
    variant_of: str | None = None

    @property
    def downloadable(self) -> bool:
        """True when the catalogue knows an address."""
        return bool(self.files) or self.hugging_face is not None

    @property
    def repair_words(self) -> str:
        """What to do when an installed file is no longer as it was: fetch only what has an address."""
        if self.downloadable:
            return f"Install it again: ctinsight models get {self.name}, or import the file again."
        return f"Import the file again: ctinsight models import FILE --model {self.name}."

    @property
    def size_bytes(self) -> int | None:
        """Bytes of all published files; None where only the source knows."""
        return sum(file.size_bytes for file in self.files) if self.files else None


@dataclass(frozen=True)
class Catalogue:
    """All entries by name."""

    entries: Mapping[str, Entry]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())

    def entry(self, name: str) -> Entry:
        """Return the entry of that name, or of the model that ``name`` is a variant of (name-suffix).

        Raises
        ------
        WrongUseError
            No such name; the nearest ones are proposed.
        """
        if name in self.entries:
            return self.entries[name]
        bases = [base for base in self.entries if name.startswith(f"{base}-") and _is_name(name)]
        if bases and self.entries[max(bases, key=len)].kind is Kind.MODEL:
            return self.entries[max(bases, key=len)]
        near = get_close_matches(name, self.entries, n=3, cutoff=0.4)
        raise WrongUseError(
            found=f"no entry {name[: LONGEST_NAME + 1]!r} in the catalogue",
            expected=" or ".join(near) if near else "a name from the list",
            remedy="See all names with: ctinsight models list",
        )

    def file_with_sha256(self, sha256: str) -> tuple[Entry, PublishedFile] | None:
        """Return the published file with that checksum, whatever name it goes by."""
        for entry in self:
            for file in entry.files:
                if file.sha256 == sha256:
                    return entry, file
        return None


def _is_name(text: str) -> bool:
    return len(text) <= LONGEST_NAME and NAME.fullmatch(text) is not None


@cache
def catalogue() -> Catalogue:
    """Read the catalogue that ships with this version.

    Raises
    ------
    CatalogueError
        An entry does not hold together; it and the key are named.
    """
    from ctinsight.models.catalogue_reader import read_catalogue

    text = files("ctinsight.models").joinpath("catalogue.toml").read_text(encoding="utf-8")
    return read_catalogue(text)
