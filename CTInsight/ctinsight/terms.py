"""Codes, names and colours of everything we segment or measure, read from ``terms.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_TYPE_LIST = "Segmentation category and type - 3D Slicer General Anatomy list"
_REGION_LIST = "Anatomic codes - DICOM master list"
_NO_CODE = "^^"


@dataclass(frozen=True)
class Code:
    """A coded concept as DICOM writes it: scheme designator, value, meaning."""

    scheme: str
    value: str
    meaning: str

    def __str__(self) -> str:
        return f"{self.scheme}^{self.value}^{self.meaning}"


@dataclass(frozen=True)
class Term:
    """The coded name and the colour of one kind of segment.

    ``color_rgb`` runs from 0 to 255; ``region`` is the anatomic region, when the type alone does not say it.
    """

    key: str
    name: str
    category: Code
    type: Code
    region: Code | None
    color_rgb: tuple[int, int, int]

    @property
    def slicer_entry(self) -> str:
        """The terminology entry that 3D Slicer stores with a segment.

        Seven parts joined by ``~``: list, category, type, type modifier, region list, region and region
        modifier. The lists are those that Slicer ships; the entry reads the same where they are absent.

        Examples
        --------
        >>> terms()["hematoma"].slicer_entry.split("~")[2]
        'SCT^35566002^Hematoma'
        """
        region = str(self.region) if self.region else _NO_CODE
        parts = (_TYPE_LIST, str(self.category), str(self.type), _NO_CODE, _REGION_LIST, region, _NO_CODE)
        return "~".join(parts)


@cache
def terms() -> dict[str, Term]:
    """Read every entry of ``terms.toml``, by key."""
    table = tomllib.loads(files("ctinsight").joinpath("terms.toml").read_text(encoding="utf-8"))
    return {key: _term(key, entry) for key, entry in table.items()}


def _term(key: str, entry: dict[str, object]) -> Term:
    def code(name: str) -> Code | None:
        value = entry.get(name)
        return Code(*value) if isinstance(value, list) else None

    category, kind, color = code("category"), code("type"), entry["color"]
    if category is None or kind is None or not isinstance(color, list) or len(color) != 3:
        msg = f"terms.toml: entry {key!r} needs category, type and color"
        raise ValueError(msg)
    return Term(key, str(entry["name"]), category, kind, code("region"), (color[0], color[1], color[2]))
