"""Small catalogues and stores for the tests of the model store."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ctinsight.models.catalogue import (
    Catalogue,
    Entry,
    GoldenCase,
    HuggingFaceSource,
    InputContract,
    Kind,
    PublishedFile,
    Terms,
    Training,
)
from ctinsight.models.http_stream import Limits
from ctinsight.models.obtain import How
from ctinsight.models.settings import Settings
from ctinsight.models.store import Store

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

#: Impatient enough for a test, with the shape of the real ones.
QUICK = Limits(
    connect_seconds=2.0,
    stall_seconds=0.25,
    slow_bytes_per_second=1000.0,
    slow_window_seconds=0.3,
    attempts=3,
    worthwhile_bytes=2**16,
    first_pause_seconds=0.01,
    longest_pause_seconds=0.02,
    redirects=3,
    heartbeat_seconds=0.02,
)
BODY = bytes(range(256)) * 400


def sha256(body: bytes) -> str:
    """Return the checksum of bytes."""
    return hashlib.sha256(body).hexdigest()


def an_entry(name: str = "atlas-made", bodies: dict[str, bytes] | None = None, **changes: Any) -> Entry:
    """Return an entry with files of known content; ``bases`` are the addresses that serve them."""
    bases = changes.pop("bases", ("http://127.0.0.1:9/",))
    files = tuple(
        PublishedFile(key, len(body), sha256(body), tuple(f"{base}{key}" for base in bases))
        for key, body in ({"file": BODY} if bodies is None else bodies).items()
    )
    facts: dict[str, Any] = {
        "kind": Kind.ATLAS,
        "title": "Made for a test",
        "modules": ("LVODetect",),
        "version": "1",
        "format": "bytes",
        "terms": Terms("MIT", "Free."),
        "citation": "nobody",
        "published": "nowhere",
        "ask": "Ask the author of the test.",
        "files": files,
    }
    return Entry(name=name, **(facts | changes))


def a_model(name: str = "made-net", **changes: Any) -> Entry:
    """Return a model without a public address."""
    facts: dict[str, Any] = {
        "kind": Kind.MODEL,
        "input": InputContract("CT", ("CT",), None, (0, 0, 0), None, "HU", "k, j, i"),
        "training": Training("made up", None),
        "golden": GoldenCase("x", "y", 1e-4),
    }
    return an_entry(name, {}, **(facts | changes))


def a_hub_model(name: str = "made-net", **changes: Any) -> Entry:
    """Return a model whose files lie on a (test) Hugging Face Hub."""
    source = HuggingFaceSource(
        "someone/weights", "main", ("*fold_all/checkpoint_*.pth", "*plans.json"), 10**6
    )
    return a_model(name, hugging_face=source, **changes)


def a_store(folder: Path, *entries: Entry, **options: Any) -> Store:
    """Return a store that knows the entries."""
    return Store(folder, Catalogue({entry.name: entry for entry in entries}), **options)


def how(store: Store, **changes: Any) -> How:
    """Return how to get things, impatiently and without the user's own environment."""
    settings = Settings(store.folder, changes.pop("mirror", ""), changes.pop("offline", False))
    return How(settings, **({"limits": QUICK, "environ": {}} | changes))
