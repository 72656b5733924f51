"""Loaded networks that stay in memory for the next case, within a budget, the least recently used out first.

A worker that answers case after case loads a network once. Nothing here runs in the background: a network
goes when another needs its place, when its file was changed, or when it is told to.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import nn

T = TypeVar("T")

BUDGET_VARIABLE = "CTINSIGHT_RESIDENT_MB"
#: The nine EMV networks take 0.99 GB, an nnU-Net fold 0.12 GB, DR-UNet 0.04 GB (counted).
DEFAULT_BUDGET_BYTES = 2_000_000_000


@dataclass(frozen=True)
class ModelKey:
    """What makes a loaded network the same: its file, that file's checksum, and how it was prepared.

    Parameters
    ----------
    variant
        Whatever else went into it, such as the mode of batch normalisation.
    """

    path: Path
    sha256: str
    variant: str = ""


@dataclass(frozen=True, eq=False)
class Loaded(Generic[T]):
    """A loaded network (with its card, if the loader likes) and the memory that it takes."""

    value: T
    size_bytes: int


class ResidentModels:
    """Loaded networks by key, within a memory budget.

    Parameters
    ----------
    budget_bytes
        What all of them together may take; a network larger than that is used and not kept. 0 keeps none.

    Examples
    --------
    >>> from pathlib import Path
    >>> models = ResidentModels(budget_bytes=10)
    >>> key = ModelKey(Path("a"), "1")
    >>> models.get(key, lambda: Loaded("network", 6)), models.get(key, lambda: Loaded("not asked", 6))
    ('network', 'network')
    """

    def __init__(self, budget_bytes: int = DEFAULT_BUDGET_BYTES) -> None:
        self.budget_bytes = budget_bytes
        # In the order of use, the least recent first.
        self._kept: dict[ModelKey, Loaded[Any]] = {}

    @property
    def used_bytes(self) -> int:
        """Memory of all networks that are kept."""
        return sum(loaded.size_bytes for loaded in self._kept.values())

    @property
    def keys(self) -> tuple[ModelKey, ...]:
        """What is kept, the least recently used first."""
        return tuple(self._kept)

    def get(self, key: ModelKey, load: Callable[[], Loaded[T]], *, expected_bytes: int = 0) -> T:
        """Return a network that is kept, or load it.

        What ``load`` raises is passed on, and nothing is kept then.

        Parameters
        ----------
        expected_bytes
            Room to make before loading, so that old and new do not fill the memory together; the size of the
            file is a fair guess.
        """
        if key in self._kept:
            loaded = self._kept[key] = self._kept.pop(key)
            return cast("T", loaded.value)
        # The same file with another checksum: it was replaced, the old network serves nobody.
        for old in [old for old in self._kept if old.path == key.path and old.sha256 != key.sha256]:
            del self._kept[old]
        self._make_room(expected_bytes)
        fresh = load()
        if fresh.size_bytes <= self.budget_bytes:
            self._make_room(fresh.size_bytes)
            self._kept[key] = fresh
        return fresh.value

    def clear(self) -> None:
        """Let go of everything: memory ran out, or the user wants it back."""
        self._kept.clear()

    def _make_room(self, size_bytes: int) -> None:
        while self._kept and self.used_bytes + size_bytes > self.budget_bytes:
            del self._kept[next(iter(self._kept))]


@cache
def resident_models() -> ResidentModels:
    """Return the networks of this process; its budget is read once, from CTINSIGHT_RESIDENT_MB.

    Raises
    ------
    WrongUseError
        The variable holds no whole number of megabytes.
    """
    return ResidentModels(budget_from(os.environ))


def budget_from(environ: Mapping[str, str]) -> int:
    """Return the memory budget in bytes.

    Raises
    ------
    WrongUseError
        The variable holds no whole number of megabytes.
    """
    text = environ.get(BUDGET_VARIABLE, "").strip()
    if not text:
        return DEFAULT_BUDGET_BYTES
    if not (text.isascii() and text.isdigit()):
        raise WrongUseError(
            found=f"{BUDGET_VARIABLE}={text}",
            expected="whole megabytes; 0 keeps no network",
            remedy="Correct or take away this environment variable.",
        )
    return int(text) * 10**6


def network_bytes(net: nn.Module) -> int:
    """Return the memory of a network's parameters and statistics."""
    return sum(tensor.numel() * tensor.element_size() for tensor in net.state_dict().values())
