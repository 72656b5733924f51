"""Check every key of a catalogue while reading it; an error names the entry and the key."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, urlsplit

from ctinsight.errors import CatalogueError, UnsafeArchiveError
from ctinsight.models.archives import safe_path
from ctinsight.models.catalogue import (
    NAME,
    SHA256,
    Catalogue,
    DerivedFile,
    Entry,
    GoldenCase,
    HuggingFaceSource,
    InputContract,
    Kind,
    PublishedFile,
    Terms,
    Training,
)

if TYPE_CHECKING:
    from collections.abc import Callable

#: Layout of catalogue.toml.
SCHEMA = 1
_WHOLE = "(the whole file)"
MODULES = ("DeepDCRModule", "HematomaVolume", "LVODetect", "LungNoduleRisk")
_VERSION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def read_catalogue(text: str) -> Catalogue:
    """Read and check a catalogue.

    Raises
    ------
    CatalogueError
        Not TOML, or an entry does not hold together; the entry and the key are named.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _fault(_WHOLE, "", str(error), "a TOML file") from error
    if content.pop("schema", None) != SCHEMA:
        raise _fault(_WHOLE, "schema", "another layout", f"schema = {SCHEMA}")
    entries: dict[str, Entry] = {}
    for kind in content:
        if kind not in list(Kind) or not isinstance(content[kind], dict):
            raise _fault(_WHOLE, "", kind, "tables [model.NAME], [atlas.NAME] and [sample.NAME]")
        for name, table in content[kind].items():
            if name in entries:
                raise _fault(name, "", "the name twice", "each name once")
            entries[name] = _entry(name, Kind(kind), _Table(name, "", _completed(name, table, content[kind])))
    _check_variants(entries)
    return Catalogue(entries)


def _completed(name: str, table: object, siblings: dict[str, Any]) -> object:
    """Add what an entry takes over from the one that it is like."""
    if not isinstance(table, dict) or "like" not in table:
        return table
    model = siblings.get(table["like"])
    if not isinstance(model, dict) or "like" in model:
        raise _fault(name, "like", table["like"], "an entry of the same kind that is like no other")
    return {**model, **{key: value for key, value in table.items() if key != "like"}}


def _fault(entry: str, key: str, found: object, expected: str) -> CatalogueError:
    where = f"catalogue entry {entry!r}" + (f", key {key!r}" if key else "")
    return CatalogueError(
        found=f"{where}: {found}",
        expected=expected,
        remedy="Correct the entry; if you never changed the catalogue, install CT Insight again.",
    )


class _Table:
    """One TOML table whose keys must all be asked for."""

    def __init__(self, entry: str, path: str, content: object) -> None:
        self.entry, self.path = entry, path
        if not isinstance(content, dict):
            self.path = ""
            self.refuse(path, content, "a table")
        self._content: dict[str, Any] = dict(content)

    def refuse(self, key: str, found: object, expected: str) -> NoReturn:
        raise _fault(self.entry, f"{self.path}{key}", repr(found), expected)

    def take(self, key: str, what: str, accept: Callable[[Any], bool], default: Any = None) -> Any:
        if key not in self._content:
            if default is None:
                raise _fault(self.entry, f"{self.path}{key}", "is missing", what)
            return default
        value = self._content.pop(key)
        if not accept(value):
            self.refuse(key, value, what)
        return value

    def text(self, key: str, default: str | None = None) -> str:
        found = self.take(key, "a text", lambda v: isinstance(v, str) and bool(v.strip()), default)
        return str(found).strip()

    def matching(self, key: str, pattern: re.Pattern[str], what: str) -> str:
        return str(self.take(key, what, lambda v: isinstance(v, str) and bool(pattern.fullmatch(v))))

    def count(self, key: str, default: int | None = None) -> int:
        return int(self.take(key, "a whole number above 0", lambda v: type(v) is int and v > 0, default))

    def flag(self, key: str) -> bool:
        return bool(self.take(key, "true or false", lambda v: isinstance(v, bool), default=False))

    def texts(self, key: str, default: list[str] | None = None) -> tuple[str, ...]:
        def accept(value: Any) -> bool:
            return isinstance(value, list) and bool(value) and all(isinstance(v, str) and v for v in value)

        return tuple(self.take(key, "a list of texts", accept, default))

    def numbers(self, key: str, *, least: float, length: int | None = None) -> tuple[float, ...] | None:
        def accept(value: Any) -> bool:
            right = isinstance(value, list) and (len(value) == length if length else bool(value))
            return right and all(type(v) in (int, float) and v >= least for v in value)

        if key not in self._content:
            return None
        what = f"{length or 'some'} numbers of at least {least:g}"
        return tuple(self.take(key, what, accept))

    def table(self, key: str) -> _Table | None:
        if key not in self._content:
            return None
        return _Table(self.entry, f"{self.path}{key}.", self._content.pop(key))

    def tables(self, key: str) -> list[_Table]:
        rows = self.take(key, "a list of tables", lambda v: isinstance(v, list), [])
        return [_Table(self.entry, f"{self.path}{key}[{i}].", row) for i, row in enumerate(rows)]

    def done(self) -> None:
        for key, value in self._content.items():
            self.refuse(key, value, "no such key; see ctinsight/models/catalogue.py")


def _entry(name: str, kind: Kind, table: _Table) -> Entry:
    if not NAME.fullmatch(name):
        raise _fault(name, "", name, "lower-case words and numbers with hyphens")
    modules = table.texts("modules")
    for module in modules:
        if module not in MODULES:
            table.refuse("modules", module, " or ".join(MODULES))
    entry = Entry(
        name=name,
        kind=kind,
        title=table.text("title"),
        modules=modules,
        version=table.matching("version", _VERSION, "letters, digits, dots, hyphens"),
        format=table.text("format"),
        terms=_terms(table),
        citation=table.text("citation"),
        published=table.text("published"),
        ask=table.text("ask", ""),
        files=_published_files(table),
        derived=_derived(table),
        hugging_face=_hugging_face(table),
        input=_input(table),
        training=_training(table),
        golden=_golden(table),
        variant_of=table.text("variant_of", "") or None,
    )
    table.done()
    _check_whole(entry)
    return entry


def _check_whole(entry: Entry) -> None:
    if not entry.files and not entry.ask:
        raise _fault(entry.name, "ask", "is missing", "where to ask, as no file has a published address")
    if entry.kind is Kind.MODEL:
        for key in ("input", "training", "golden"):
            if getattr(entry, key) is None:
                raise _fault(entry.name, key, "is missing", "a table, as this is a model")
    if entry.files and entry.hugging_face:
        raise _fault(entry.name, "hugging_face", "beside files", "one kind of source")


def _check_variants(entries: dict[str, Entry]) -> None:
    for entry in entries.values():
        base = entry.variant_of
        if base is None:
            continue
        if base not in entries or entries[base].variant_of or not entry.name.startswith(f"{base}-"):
            raise _fault(entry.name, "variant_of", base, f"a model whose name with a suffix is {entry.name}")


def _terms(table: _Table) -> Terms:
    part = table.table("terms")
    if part is None:
        table.refuse("terms", None, "a table with licence and statement")
    terms = Terms(
        part.text("licence"), part.text("statement"), part.text("patent", ""), part.flag("must_accept")
    )
    part.done()
    return terms


def _published_files(table: _Table) -> tuple[PublishedFile, ...]:
    bases = (table.text("base", ""), *table.texts("mirrors", []))
    found = tuple(_published_file(row, bases) for row in table.tables("files"))
    names = [file.name.casefold() for file in found]
    for name in names:
        if names.count(name) > 1:
            table.refuse("files", name, "each file name once")
    return found


def _published_file(row: _Table, bases: tuple[str, ...]) -> PublishedFile:
    name = row.text("name")
    try:
        safe_path(name)
    except UnsafeArchiveError as error:
        raise _fault(row.entry, f"{row.path}name", name, error.expected) from error
    path = row.text("path", name)
    own = row.text("url", "")
    urls = (own,) if own else tuple(f"{base}{quote(path)}" for base in bases if base)
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
            row.refuse("url", url, "an https address")
    if not urls:
        row.refuse("url", None, "an address, or 'base' on the entry")
    size = row.count("bytes")
    sha256 = row.matching("sha256", SHA256, "64 lower-case hexadecimal digits")
    row.done()
    return PublishedFile(name, size, sha256, urls)


def _derived(table: _Table) -> tuple[DerivedFile, ...]:
    found = []
    for row in table.tables("derived"):
        sha256 = row.matching("voxel_sha256", SHA256, "64 lower-case hexadecimal digits")
        found.append(DerivedFile(row.text("name"), row.text("made_from"), row.text("how"), sha256))
        row.done()
    return tuple(found)


def _hugging_face(table: _Table) -> HuggingFaceSource | None:
    part = table.table("hugging_face")
    if part is None:
        return None
    source = HuggingFaceSource(
        part.matching("repository", _REPOSITORY, "owner/name"),
        part.text("revision"),
        part.texts("patterns"),
        part.count("most_bytes"),
    )
    part.done()
    return source


def _input(table: _Table) -> InputContract | None:
    part = table.table("input")
    if part is None:
        return None
    size = part.numbers("size", least=0) or part.refuse("size", None, "whole numbers, 0 for any")
    window = part.numbers("window_hu", least=-32768, length=2)
    contract = InputContract(
        part.text("modality"),
        part.texts("channels"),
        part.numbers("spacing_mm", least=0.01),
        tuple(int(n) for n in size),
        None if window is None else (window[0], window[1]),
        part.text("values"),
        part.text("orientation"),
    )
    part.done()
    return contract


def _training(table: _Table) -> Training | None:
    part = table.table("training")
    if part is None:
        return None
    training = Training(part.text("data"), part.count("cases", 0) or None)
    part.done()
    return training


def _golden(table: _Table) -> GoldenCase | None:
    part = table.table("golden")
    if part is None:
        return None
    atol = float(part.take("atol", "a number above 0", lambda v: type(v) is float and 0 < v < 1))
    golden = GoldenCase(part.text("input"), part.text("output"), atol, part.text("file", ""))
    part.done()
    return golden
