"""Guidelines as tables of rows, each row with the document it was verified against, and their lookup.

A row fits when every one of its criteria fits what was stated. Exactly one row may fit; when none does,
the guideline is refused for this case with the reason, never stretched.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.scores.nodule_inputs import (
    refuse_outside,
    refuse_unless_member,
    refuse_unless_yes_or_no,
    unstated,
)

#: Youngest and oldest age that is no typing error; children are asked for too, to be refused with a reason.
_AGES_YEARS = (0.0, 120.0)

Range = Mapping[str, float]


class SizeBy(StrEnum):
    """Which size chooses the row."""

    DIAMETER = "diameter"
    VOLUME = "volume"


class PriorCt(StrEnum):
    """Whether there is an earlier CT of the chest, and whether this one was compared with it."""

    NONE = "none"
    COMPARED = "compared"
    BEING_LOCATED = "being located"


class CancerHistory(StrEnum):
    """Known or suspected cancer."""

    NONE = "none"
    LUNG = "lung"
    OTHER = "other"


#: The questions by which a guideline is found to apply, in words for the reader.
QUESTIONS: Mapping[str, str] = MappingProxyType(
    {
        "screening": "Is this a lung cancer screening CT (yes), or was the nodule found incidentally (no)?",
        "age_years": "How old is the patient?",
        "cancer": "Is a cancer known or suspected: none, lung, other?",
        "immunosuppressed": "Is the patient immunosuppressed?",
        "prior_ct": "Is there an earlier chest CT: none, compared, being located?",
    }
)


@dataclass(frozen=True)
class Applicability:
    """Answers to :data:`QUESTIONS`; ``None`` is "not stated" and keeps every guideline shut.

    Raises
    ------
    WrongUseError
        An answer of the wrong kind, or an age outside 0 to 120 years.
    """

    screening: bool | None = None
    age_years: float | None = None
    cancer: CancerHistory | None = None
    immunosuppressed: bool | None = None
    prior_ct: PriorCt | None = None

    def __post_init__(self) -> None:
        refuse_unless_yes_or_no(self, ("screening", "immunosuppressed"))
        refuse_outside("age", self.age_years, _AGES_YEARS, "years")
        refuse_unless_member(self, "cancer", CancerHistory)
        refuse_unless_member(self, "prior_ct", PriorCt)

    @property
    def open_questions(self) -> tuple[str, ...]:
        """Keys of :data:`QUESTIONS` that are not answered."""
        return unstated(self, QUESTIONS)


@dataclass(frozen=True)
class Source:
    """A document that was read: its key in the table, its name, its address."""

    key: str
    name: str
    url: str


@dataclass(frozen=True)
class Row:
    """One row of a guideline.

    Parameters
    ----------
    key
        Machine name, unique in its table.
    result
        Category or recommendation.
    text
        The criteria in words.
    when
        Fact -> the values that fit.
    sizes
        Name of a size -> its range: ``from`` and ``to`` include the end, ``below`` and ``above`` do not.
    verified_against
        Keys of the sources in which this row was read; empty when it was read in none.
    note
        What must be known of this row.
    """

    key: str
    result: str
    text: str
    when: Mapping[str, tuple[Any, ...]]
    sizes: Mapping[str, Range] = field(default_factory=dict)
    verified_against: tuple[str, ...] = ()
    note: str = ""

    def fits(self, facts: Mapping[str, Any], size_by: SizeBy) -> bool:
        """Say whether every criterion fits; a volume stands in for a diameter where the row gives one."""
        if not all(facts.get(name) in allowed for name, allowed in self.when.items()):
            return False
        return all(_inside(facts.get(name), limits) for name, limits in self._asked(size_by).items())

    def _asked(self, size_by: SizeBy) -> Mapping[str, Range]:
        asked = dict(self.sizes)
        for diameter, volume in (("diameter_mm", "volume_mm3"), ("solid_diameter_mm", "solid_volume_mm3")):
            if volume in asked:
                asked.pop(diameter if size_by is SizeBy.VOLUME else volume)
        return asked


@dataclass(frozen=True)
class Guideline:
    """A guideline as data, as its TOML file states it."""

    name: str
    document: str
    url: str
    statement: str
    sources: Mapping[str, Source]
    rows: tuple[Row, ...]
    categories: Mapping[str, Mapping[str, str]]
    quotes: Mapping[str, str]

    def row(self, key: str) -> Row:
        """Return one row by its key."""
        return next(row for row in self.rows if row.key == key)

    def find(self, facts: Mapping[str, Any], size_by: SizeBy) -> Row | None:
        """Return the one row that fits, or none.

        Raises
        ------
        ValueError
            Two rows fit: the table contradicts itself.
        """
        fitting = [row for row in self.rows if row.fits(facts, size_by)]
        if len(fitting) > 1:
            msg = f"{self.name}: rows {[row.key for row in fitting]} all fit {dict(facts)}"
            raise ValueError(msg)
        return fitting[0] if fitting else None

    def provenance(self, row: Row) -> str:
        """Say in a sentence what a row was verified against."""
        if not row.verified_against:
            return f"Row {row.key}: NOT VERIFIED against any document."
        names = "; ".join(self.sources[key].name for key in row.verified_against)
        return f"Row {row.key}: verified against {names}."


@dataclass(frozen=True)
class Lookup:
    """What a guideline says of one nodule: its row, quoted, and all that must be read with it.

    Parameters
    ----------
    guideline, document
        Name and citation of the guideline.
    result
        Category or recommendation.
    row
        The row that was found.
    basis
        The size that chose the row, as it was rounded.
    statements
        Notes, provenance and limits.
    base_row
        The row by size, where a statement of the reader has led to another (4X).
    """

    guideline: str
    document: str
    result: str
    row: Row
    basis: str
    statements: tuple[str, ...]
    base_row: Row | None = None

    @property
    def verified(self) -> bool:
        """Whether every row that was used was read in a document."""
        return all(row.verified_against for row in (self.row, self.base_row) if row is not None)

    @property
    def all_statements(self) -> tuple[str, ...]:
        """Return the statements with the one that is never left out."""
        return (*self.statements, RESEARCH_USE_ONLY)


@cache
def read_guideline(file_name: str) -> Guideline:
    """Read a guideline from its table in this package.

    Raises
    ------
    ValueError
        A row is named twice or names a source that is not listed.
    """
    text = files("ctinsight.scores").joinpath(file_name).read_text(encoding="utf-8")
    table = tomllib.loads(text)
    sources = {key: Source(key, **entry) for key, entry in table["sources"].items()}
    rows = tuple(_row(entry) for entry in table["rows"])
    keys = [row.key for row in rows]
    unknown = {key for row in rows for key in row.verified_against} - set(sources)
    if len(set(keys)) != len(keys) or unknown:
        msg = f"{file_name}: a row key occurs twice, or sources are unknown: {sorted(unknown)}"
        raise ValueError(msg)
    return Guideline(
        **table["document"],
        sources=MappingProxyType(sources),
        rows=rows,
        categories=MappingProxyType(table.get("categories", {})),
        quotes=MappingProxyType(table.get("quotes", {})),
    )


def _row(entry: dict[str, Any]) -> Row:
    when = {name: tuple(values) for name, values in entry.pop("when").items()}
    verified = tuple(entry.pop("verified_against"))
    return Row(when=MappingProxyType(when), verified_against=verified, **entry)


def _inside(value: float | None, limits: Range) -> bool:
    if value is None:
        return False
    tests = {
        "from": lambda limit: value >= limit,
        "above": lambda limit: value > limit,
        "to": lambda limit: value <= limit,
        "below": lambda limit: value < limit,
    }
    return all(tests[name](limit) for name, limit in limits.items())
