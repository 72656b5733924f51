"""Fleischner 2017 for nodules found incidentally, as a lookup that quotes its row.

Not for screening, patients younger than 35, known or suspected cancer, or immunosuppression. The mean
diameter is rounded to the whole millimetre before the row is chosen (5.5 mm is read as 6). Volumes are the
guideline's own 100 and 250 mm³, not those of spheres of 6 and 8 mm.

References
----------
MacMahon et al., Radiology 2017;284:228-243, https://doi.org/10.1148/radiol.2017161659
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ctinsight.errors import NotApplicableError, WrongUseError
from ctinsight.scores.guideline import (
    QUESTIONS,
    Applicability,
    CancerHistory,
    Guideline,
    Lookup,
    PriorCt,
    Row,
    SizeBy,
    read_guideline,
)
from ctinsight.scores.nodule_inputs import (
    LARGEST_MM,
    NoduleType,
    refuse_outside,
    refuse_unless_member,
    refuse_unless_yes_or_no,
    refuse_unstated,
    round_half_up,
    stated,
    unstated,
)

#: The youngest patient the guideline covers.
YOUNGEST_YEARS = 35.0

#: Above this a lesion is a mass and no nodule (Hansell et al. 2008, https://doi.org/10.1148/radiol.2462070712).
NODULE_LARGEST_MM, NODULE_LARGEST_MM3 = 30.0, 14137.0

_LARGEST_MM3 = 4.2e6  # a sphere of 200 mm


class Risk(StrEnum):
    """The reader's estimate of the patient's risk of lung cancer, as the guideline asks for it."""

    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True)
class FleischnerNodule:
    """What the table asks of the nodule; ``None`` is "not stated".

    Parameters
    ----------
    nodule_type
        Solid, part-solid or non-solid.
    multiple
        Whether there are several nodules; the sizes are then those of the most suspicious one.
    risk
        Asked for solid nodules only.
    diameter_mm
        Mean of long and short axis.
    volume_mm3
        Asked when ``size_by`` is the volume.
    solid_diameter_mm
        Mean diameter of the solid component; asked for a single part-solid nodule of 6 mm or more.
    suspicious
        Whether the reader sees particularly suspicious morphology (lobulated margins, cystic components) or
        a growing solid component; asked for a solid component of 6 to 8 mm.
    size_by
        Whether diameter or volume chooses the row.

    Raises
    ------
    WrongUseError
        A value outside its range, or a solid component larger than its nodule.
    """

    nodule_type: NoduleType | None = None
    multiple: bool | None = None
    risk: Risk | None = None
    diameter_mm: float | None = None
    volume_mm3: float | None = None
    solid_diameter_mm: float | None = None
    suspicious: bool | None = None
    size_by: SizeBy = SizeBy.DIAMETER

    def __post_init__(self) -> None:
        refuse_unless_member(self, "nodule_type", NoduleType)
        refuse_unless_member(self, "risk", Risk)
        refuse_unless_member(self, "size_by", SizeBy)
        refuse_unless_yes_or_no(self, ("multiple", "suspicious"))
        refuse_outside("mean diameter", self.diameter_mm, (0.1, LARGEST_MM), "mm")
        refuse_outside("volume", self.volume_mm3, (0.1, _LARGEST_MM3), "mm³")
        refuse_outside("solid component", self.solid_diameter_mm, (0.0, LARGEST_MM), "mm")
        if None not in (self.diameter_mm, self.solid_diameter_mm) and (
            stated(self.solid_diameter_mm) > stated(self.diameter_mm)
        ):
            raise WrongUseError(
                found=f"a solid component of {self.solid_diameter_mm} mm in {self.diameter_mm} mm",
                expected="a component no larger than its nodule",
                remedy="Correct the diameters.",
            )


def fleischner_table() -> Guideline:
    """Return the table with every row and its sources."""
    return read_guideline("fleischner.toml")


def open_questions(context: Applicability, nodule: FleischnerNodule) -> tuple[str, ...]:
    """Return the names of everything the guideline still asks, of the patient and of the nodule."""
    size = "volume_mm3" if nodule.size_by is SizeBy.VOLUME else "diameter_mm"
    asked = ["nodule_type", "multiple", size]
    if nodule.nodule_type is NoduleType.SOLID:
        asked.append("risk")
    elif nodule.nodule_type is NoduleType.PART_SOLID and nodule.multiple is False:
        asked += _asked_of_part_solid(nodule)
    return (*context.open_questions, *unstated(nodule, asked))


def fleischner(context: Applicability, nodule: FleischnerNodule) -> Lookup:
    """Look a nodule up.

    Raises
    ------
    UnansweredError
        A question is open; all open ones are named.
    NotApplicableError
        The guideline does not cover the patient or the nodule, with the reason.
    """
    _refuse_outside_guideline(context)
    missing = open_questions(context, nodule)
    refuse_unstated("Fleischner 2017", [QUESTIONS.get(name, name) for name in missing])
    table = fleischner_table()
    row = _find(table, nodule)
    statements = [table.statement, table.provenance(row), *_notes(context, nodule)]
    return Lookup(
        table.name, f"{table.document}, {table.url}", row.result, row, _basis(nodule), tuple(statements)
    )


def _refuse_outside_guideline(context: Applicability) -> None:
    age = context.age_years
    reasons = {
        "a screening CT": context.screening is True,
        f"an age of {age} years": age is not None and age < YOUNGEST_YEARS,
        f"a known or suspected cancer ({context.cancer})": context.cancer not in (None, CancerHistory.NONE),
        "immunosuppression": context.immunosuppressed is True,
    }
    found = [reason for reason, met in reasons.items() if met]
    if found:
        raise NotApplicableError(
            found=" and ".join(found),
            expected=(
                "a nodule found incidentally in a patient of 35 years or more, without known or suspected "
                "cancer and without immunosuppression: Fleischner 2017 covers no others"
            ),
            remedy="Go on without Fleischner 2017.",
        )


def _find(table: Guideline, nodule: FleischnerNodule) -> Row:
    facts = _facts(nodule)
    volume = nodule.size_by is SizeBy.VOLUME
    size, largest = (
        (facts["volume_mm3"], NODULE_LARGEST_MM3) if volume else (facts["diameter_mm"], NODULE_LARGEST_MM)
    )
    row = table.find(facts, nodule.size_by) if size <= largest else None
    if row is None:
        raise NotApplicableError(
            found=f"a lesion of {_basis(nodule)}",
            expected="a nodule of at most 30 mm that a row of the table covers",
            remedy="Go on without Fleischner 2017.",
        )
    return row


def _facts(nodule: FleischnerNodule) -> dict[str, Any]:
    return {
        "type": nodule.nodule_type,
        "multiple": nodule.multiple,
        "risk": nodule.risk,
        "suspicious": nodule.suspicious,
        "diameter_mm": _whole(nodule.diameter_mm),
        "volume_mm3": _whole(nodule.volume_mm3),
        "solid_diameter_mm": _whole(nodule.solid_diameter_mm),
    }


def _whole(value: float | None) -> float | None:
    return None if value is None else round_half_up(value)


def _asked_of_part_solid(nodule: FleischnerNodule) -> list[str]:
    whole = _facts(nodule)
    by_volume = nodule.size_by is SizeBy.VOLUME
    size, smallest = (whole["volume_mm3"], 100.0) if by_volume else (whole["diameter_mm"], 6.0)
    if size is None or size < smallest:
        return []
    solid = whole["solid_diameter_mm"]
    return (
        ["solid_diameter_mm", "suspicious"]
        if solid is not None and 6.0 <= solid <= 8.0
        else ["solid_diameter_mm"]
    )


def _basis(nodule: FleischnerNodule) -> str:
    whole = _facts(nodule)
    if nodule.size_by is SizeBy.VOLUME:
        size = f"{whole['volume_mm3']:g} mm³"
    else:
        size = f"{whole['diameter_mm']:g} mm mean diameter, rounded to the whole mm"
    solid = whole["solid_diameter_mm"]
    if nodule.nodule_type is NoduleType.PART_SOLID and solid is not None:
        size += f"; solid component {solid:g} mm"
    return size


def _notes(context: Applicability, nodule: FleischnerNodule) -> list[str]:
    notes = []
    if context.prior_ct is PriorCt.COMPARED:
        notes.append(
            "The rows are for a nodule at first detection; change since the earlier CT is not part of them."
        )
    if context.prior_ct is PriorCt.BEING_LOCATED:
        notes.append("An earlier chest CT is still being located.")
    if nodule.multiple:
        notes.append("Several nodules: the sizes are taken to be those of the most suspicious one.")
    return notes
