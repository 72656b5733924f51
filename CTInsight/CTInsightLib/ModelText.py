"""A catalogue entry in words for the models page: state, size, terms, where it comes from or where to ask."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ctinsight.models.catalogue import Kind
from CTInsightLib.InstalledWeights import openStore

if TYPE_CHECKING:
    from ctinsight.models.catalogue import Entry
    from ctinsight.models.installed import Installed
    from ctinsight.models.store import Store


@dataclass(frozen=True)
class ModelLine:
    """One line of the models page.

    ``entry`` is what the catalogue says, None for weights that only this machine knows; ``installed`` is what
    lies in the model folder, None when nothing does.
    """

    name: str
    title: str
    entry: Entry | None
    installed: Installed | None

    @property
    def state(self) -> str:
        """Say in a word whether it is there and how it can be had, with a sign before it."""
        if self.installed is not None:
            return "✓ installed"
        return "↓ can be fetched" if self.entry.downloadable else "✉ ask the authors"

    @property
    def size(self) -> str:
        """Return its size on disk, or that of the download."""
        size = self.installed.size_bytes if self.installed is not None else self.entry.size_bytes
        return "" if size is None else f"{size / 1e6:.1f} MB"

    @property
    def mustAccept(self) -> bool:
        """Whether the terms must be accepted before it is fetched or imported."""
        return self.entry is not None and self.entry.terms.must_accept and self.installed is None


def modelLines(module: str = "") -> tuple[ModelLine, ...]:
    """Return every entry of the catalogue, and weights of this machine's own, for a module or for all.

    Raises
    ------
    StoreUnusableError, WrongUseError
        The settings are damaged.
    """
    store = openStore()
    lines = [ModelLine(e.name, e.title, e, store.find(e.name)) for e in store.catalogue]
    lines += _ownVariants(store)
    return tuple(line for line in lines if not module or module in _modules(line))


def moduleNames() -> tuple[str, ...]:
    """Return the modules that the catalogue speaks of, in its order."""
    return tuple(dict.fromkeys(name for entry in openStore().catalogue for name in entry.modules))


def modelHtml(line: ModelLine) -> str:
    """Return terms, patent, paper, source and where to ask, as rich text."""
    parts = [f"<b>{escape(line.title)}</b>"]
    if line.installed is not None:
        when = f"{line.installed.version}, {line.installed.origin}, {line.installed.installed_at[:10]}"
        parts.append(f"Installed: {escape(when)}")
    if line.entry is not None:
        parts += _facts(line.entry)
    return "<br>".join(parts)


def downloadQuestion(line: ModelLine) -> str:
    """Return what the user is asked before anything is fetched: what, size, source and terms."""
    terms = line.entry.terms
    size = line.size or "size known only to the source"
    return (
        f"Download '{line.title}' ({size}) from {_hosts(line.entry)}?\n\n"
        f"Licence: {terms.licence}. {terms.statement} {terms.patent}".rstrip()
    )


def _facts(entry: Entry) -> list[str]:
    terms = entry.terms
    parts = [f"Licence: {escape(terms.licence)}. {escape(terms.statement)}"]
    parts += [f"Patent: {escape(terms.patent)}"] if terms.patent else []
    parts.append(f"Paper: {escape(entry.citation)}")
    if entry.training is not None:
        count = f", n = {entry.training.cases}" if entry.training.cases else ""
        parts.append(f"Trained on: {escape(entry.training.data)}{count}")
    parts.append(f"Source: {escape(entry.published)}")
    if entry.ask:
        parts.append(f"Where to ask: {escape(entry.ask)}")
    return parts


def _hosts(entry: Entry) -> str:
    if entry.hugging_face is not None:
        return f"huggingface.co ({entry.hugging_face.repository})"
    hosts = {urlsplit(url).hostname or url for file in entry.files for url in file.urls[:1]}
    return ", ".join(sorted(hosts))


def _ownVariants(store: Store) -> list[ModelLine]:
    """Return installed names that are no entry themselves, such as weights of one's own training."""
    names = {item.name for item in store.installed()} - set(store.catalogue.entries)
    found = [(name, store.find(name)) for name in sorted(names)]
    return [ModelLine(name, name, _baseOf(store, name), item) for name, item in found if item is not None]


def _baseOf(store: Store, name: str) -> Entry | None:
    bases = [e for e in store.catalogue if e.kind is Kind.MODEL and name.startswith(f"{e.name}-")]
    return max(bases, key=lambda entry: len(entry.name), default=None)


def _modules(line: ModelLine) -> tuple[str, ...]:
    return line.entry.modules if line.entry is not None else ()
