"""How a module words its results in its panel: the first lines, and which table stands below them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Glance:
    """The first lines of a result: the number, its interval, what stands beside it, how it was made."""

    headline: str
    interval: str
    second: str
    method: str


@dataclass(frozen=True)
class TableLook:
    """Which table a panel shows: its key, (column, short title) in order, and where a row lies (R, A, S)."""

    key: str
    columns: tuple[tuple[str, str], ...]
    position: tuple[str, str, str]
