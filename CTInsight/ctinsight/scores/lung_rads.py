"""Lung-RADS v2022 for screening CT, as a lookup that quotes its row.

Mean diameters are read to one decimal, volumes to the whole mm³. Category 0 for likely infection, the
suspicious features of 4X and the modifier S are stated by the reader, never computed. A case that no row
covers is refused.

References
----------
Christensen et al., https://doi.org/10.1016/j.jacr.2023.09.009
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ctinsight.errors import NotApplicableError, WrongUseError
from ctinsight.scores.growth import Growth, growth_by_diameter
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
from ctinsight.scores.lung_rads_nodule import (
    UNASKED,
    Airway,
    Change,
    Incomplete,
    LungRadsNodule,
    ReaderStatements,
    basis,
    nodule_facts,
    nodule_questions,
    other_size,
)
from ctinsight.scores.nodule_inputs import NoduleType, refuse_unstated, round_half_up, stated, unstated

__all__ = [
    "Airway",
    "Change",
    "Incomplete",
    "LungRadsNodule",
    "ReaderStatements",
    "change_by_diameter",
    "lung_rads",
    "lung_rads_table",
    "open_questions",
]

#: Children are not screened.
YOUNGEST_YEARS = 18.0

#: Ages for which screening is recommended in the United States (USPSTF 2021); programmes differ, so others
#: are looked up too, and it is said.
SCREENED_YEARS = (50.0, 80.0)

#: Diameters at which a category changes, by type; for the solid component of a part-solid nodule, 6 and 8 mm.
THRESHOLDS_MM = {
    NoduleType.SOLID: (6.0, 8.0, 15.0),
    NoduleType.PART_SOLID: (6.0,),
    NoduleType.NON_SOLID: (30.0,),
}

#: Categories that suspicious features turn into 4X.
_RAISED_BY_FEATURES = ("3", "4A", "4B")


def lung_rads_table() -> Guideline:
    """Return the table with every row, category and source."""
    return read_guideline("lung_rads.toml")


def open_questions(
    context: Applicability, nodule: LungRadsNodule | None, reader: ReaderStatements | None = None
) -> tuple[str, ...]:
    """Return the names of everything that is still asked, of the person and of the nodule."""
    if nodule is None or _stated_finding(context, nodule, reader or ReaderStatements()) is not None:
        return context.open_questions
    return (*context.open_questions, *nodule_questions(nodule, context.prior_ct))


def lung_rads(
    context: Applicability, nodule: LungRadsNodule | None, reader: ReaderStatements | None = None
) -> Lookup:
    """Look a nodule up; ``None`` is a screening CT without nodules.

    Raises
    ------
    UnansweredError
        A question is open; all open ones are named.
    NotApplicableError
        Not a screening CT, known lung cancer, a child, or a case that no row covers.
    WrongUseError
        Answers that contradict each other.

    Examples
    --------
    >>> someone = Applicability(True, 62, CancerHistory.NONE, False, PriorCt.NONE)
    >>> lung_rads(someone, LungRadsNodule(NoduleType.SOLID, diameter_mm=7.9)).result
    '3'
    """
    reader = reader or ReaderStatements()
    _refuse_outside_guideline(context)
    missing = open_questions(context, nodule, reader)
    refuse_unstated("Lung-RADS v2022", [QUESTIONS.get(name, name) for name in missing])
    table = lung_rads_table()
    finding = _stated_finding(context, nodule, reader)
    if finding is not None or nodule is None:
        row = _only_row(table, {"finding": finding})
        return _result(table, row, ("stated by the reader", _notes(table, context, None)), reader)
    _refuse_contradiction(context, nodule)
    row = _find(table, context, nodule)
    notes = _notes(table, context, nodule) + _other_size_notes(table, context, nodule, row)
    return _result(table, row, (basis(nodule), notes), reader)


def change_by_diameter(
    nodule_type: NoduleType, prior_mm: float, current_mm: float, interval_days: float
) -> Change:
    """Derive the change of a nodule from its mean diameters in two CTs.

    Growing by the rule is :attr:`Change.GROWING`; reaching a size threshold without it is
    :attr:`Change.CROSSED`; the rest is :attr:`Change.STABLE`. Slow growth over several examinations cannot
    be seen in two and is the reader's to state.

    Raises
    ------
    NotApplicableError
        The interval is longer than 12 months and the rule cannot be decided.
    """
    growth = growth_by_diameter(prior_mm, current_mm, interval_days)
    if growth is Growth.UNDECIDED:
        raise NotApplicableError(
            found=f"from {prior_mm:g} to {current_mm:g} mm in {interval_days:g} days",
            expected="an interval of at most 12 months, for which the growth rule is written",
            remedy="Compare with a CT of the last 12 months, or state the change yourself.",
        )
    if growth is Growth.MET:
        return Change.GROWING
    before, now = round_half_up(prior_mm, 1), round_half_up(current_mm, 1)
    crossed = any(before < limit <= now for limit in THRESHOLDS_MM[NoduleType(nodule_type)])
    return Change.CROSSED if crossed else Change.STABLE


def _refuse_outside_guideline(context: Applicability) -> None:
    age = context.age_years
    reasons = {
        "a nodule found incidentally": context.screening is False,
        f"an age of {age} years": age is not None and age < YOUNGEST_YEARS,
        "known or suspected lung cancer": context.cancer is CancerHistory.LUNG,
    }
    found = [reason for reason, met in reasons.items() if met]
    if found:
        raise NotApplicableError(
            found=" and ".join(found),
            expected="a lung cancer screening CT of an adult without known lung cancer",
            remedy="Go on without Lung-RADS.",
        )


def _stated_finding(
    context: Applicability, nodule: LungRadsNodule | None, reader: ReaderStatements
) -> str | None:
    if reader.incomplete is not None:
        return str(reader.incomplete)
    if context.prior_ct is PriorCt.BEING_LOCATED:
        return "prior being located"
    if nodule is None:
        return "no nodule"
    if nodule.benign_calcification:
        return "benign calcification"
    return "fat" if nodule.fat else None


def _refuse_contradiction(context: Applicability, nodule: LungRadsNodule) -> None:
    baseline = nodule.change in (None, Change.BASELINE)
    if baseline != (context.prior_ct is PriorCt.NONE):
        raise WrongUseError(
            found=f"a change of {nodule.change} with an earlier CT: {context.prior_ct}",
            expected="baseline without an earlier CT; new, stable, growing or another change with one",
            remedy="Correct the change or the answer about the earlier CT.",
        )


def _find(table: Guideline, context: Applicability, nodule: LungRadsNodule) -> Row:
    facts = nodule_facts(nodule)
    for finding in _findings(nodule):
        row = table.find({**facts, "finding": finding}, nodule.size_by)
        if row is not None:
            return row
    if facts["change"] is Change.STABLE and nodule.airway in (None, Airway.NONE):
        asked = [name for name in ("prior_category", "months_since_prior") if getattr(nodule, name) is None]
        refuse_unstated("Lung-RADS v2022, a nodule that has not changed", asked)
    raise NotApplicableError(
        found=f"{facts['type']} nodule, {facts['change']}, {basis(nodule)} ({context.prior_ct} earlier CT)",
        expected="a case that a row of the table covers",
        remedy="Classify this nodule by the ACR's own document.",
    )


def _findings(nodule: LungRadsNodule) -> tuple[str, ...]:
    if nodule.airway in (Airway.SUBSEGMENTAL, Airway.SEGMENTAL):
        return ("airway",)
    return ("juxtapleural", "nodule", "step") if nodule.juxtapleural_benign_shape else ("nodule", "step")


def _only_row(table: Guideline, facts: dict[str, Any]) -> Row:
    return stated(table.find(facts, SizeBy.DIAMETER))


def _result(
    table: Guideline, row: Row, basis_and_notes: tuple[str, list[str]], reader: ReaderStatements
) -> Lookup:
    size, notes = basis_and_notes
    base, final = None, row
    if reader.suspicious_features and row.result in _RAISED_BY_FEATURES:
        base, final = row, _only_row(table, {"finding": "4X"})
        notes = [*notes, f"Features stated by the reader: {', '.join(reader.suspicious_features)}."]
    elif reader.suspicious_features:
        notes = [
            *notes,
            f"Suspicious features were stated and not used: 4X is for 3 and 4, the row is {row.result}.",
        ]
    category = table.categories[final.result]
    quoted = (
        f"{final.result}: {category['descriptor']}. Management: {category['management']}. Probability of "
    )
    quoted += f"malignancy: {category['malignancy']}."
    used = [r for r in (base, final) if r is not None]
    said = [
        quoted,
        table.statement,
        *(table.provenance(r) for r in used),
        *(r.note for r in used if r.note),
        *notes,
    ]
    label = final.result + ("S" if reader.significant_other_finding else "")
    document = f"{table.document}, {table.url}"
    return Lookup(table.name, document, label, final, size, tuple(said), base)


def _notes(table: Guideline, context: Applicability, nodule: LungRadsNodule | None) -> list[str]:
    notes = []
    youngest, oldest = SCREENED_YEARS
    if not youngest <= stated(context.age_years) <= oldest:
        notes.append(
            f"{context.age_years:g} years is outside the {youngest:g} to {oldest:g} years for which the "
            "USPSTF (2021) recommends screening; programmes differ."
        )
    if context.cancer is CancerHistory.OTHER:
        notes.append("A cancer other than lung cancer is known; the rows do not speak of metastases.")
    if nodule is None:
        return notes
    silent = [name.replace("_", " ") for name in unstated(nodule, UNASKED)]
    if silent:
        notes.append(f"Not stated, so rows for it were not used: {', '.join(silent)}.")
    if nodule.change in (Change.GROWING, Change.SLOWLY_GROWING, Change.STABLE, Change.CROSSED):
        notes.append(f"Quoted: {table.quotes['growth']}.")
    if Change.CROSSED in (nodule.change, nodule.solid_change):
        notes.append(f"Quoted: {table.quotes['threshold']}.")
    if nodule.juxtapleural_benign_shape:
        notes.append(f"{table.quotes['juxtapleural']}.")
    if context.immunosuppressed and nodule.change is Change.NEW:
        notes.append(f"Quoted: {table.quotes['infection']}; that is the reader's to state.")
    return notes


def _other_size_notes(
    table: Guideline, context: Applicability, nodule: LungRadsNodule, row: Row
) -> list[str]:
    other = other_size(nodule.size_by)
    twin = replace(nodule, size_by=other)
    if nodule_questions(twin, context.prior_ct):
        return []
    try:
        found = _find(table, context, twin).result
    except NotApplicableError:
        found = "no row"
    if found == row.result:
        return []
    return [
        f"DISAGREEMENT: by {other} ({basis(twin)}) the table gives {found}, by {nodule.size_by} {row.result}."
    ]
