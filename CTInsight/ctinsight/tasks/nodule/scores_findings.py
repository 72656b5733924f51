"""Scores as findings, tables and statements: each input by its origin, each row quoted, nothing averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctinsight.finding import Column, Finding, Table
from ctinsight.scores.logistic import NOT_CALIBRATED
from ctinsight.tasks.nodule.score_case import Origin, facts_of, patient_facts, word
from ctinsight.tasks.nodule.scores_answer import NOT_IMPLEMENTED, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctinsight.scores.guideline import Guideline
    from ctinsight.tasks.nodule.score_case import ScoreCase
    from ctinsight.tasks.nodule.scores_answer import ScoreAnswer

    #: Number of a nodule -> its scores.
    Scores = Mapping[int, tuple[ScoreAnswer, ...]]

OWN_INPUTS = (
    "Each published score has its own inputs and stands alone; nothing is averaged. Inputs are listed with"
    " their origin: measured, or stated by the user."
)
#: What a model's number is, in its finding's name.
_MODEL_NAME = "{name}, estimate of cancer in the model's own cohort"
_MODEL_KEYS = ("brock_2a", "brock_2b", "mayo")

_NUMBER = Column("nodule", "Nodule", "1", "number of the point")
_SCORE = Column("score", "Score")
_SCORE_COLUMNS = (
    _NUMBER,
    _SCORE,
    Column("status", "Status", "", "computed, not computed, not applicable, contradiction"),
    Column("percent", "Estimate", "%", "of cancer in the model's own cohort; not calibrated here"),
    Column("result", "Result", "", "category or recommendation, quoted"),
    Column("reason", "Why not", "", "names the options that are missing"),
    Column("basis", "Size used"),
    Column("row", "Row", "", "of the guideline, quoted"),
    Column("verified", "Row verified", "", "the documents in which the row was read"),
)
_INPUT_COLUMNS = (
    Column("nodule", "Nodule", "1", "number of the point; empty for the patient"),
    Column("input", "Input"),
    Column("value", "Value"),
    Column("origin", "Origin", "", "measured, or stated by the user"),
    Column("option", "Option", "", "that states it"),
)
_TERM_COLUMNS = (
    _NUMBER,
    _SCORE,
    Column("term", "Term"),
    Column("stated", "Input"),
    Column("coefficient", "Coefficient", "1"),
    Column("contribution", "Contribution", "1", "to the log odds"),
)
_NOTE_COLUMNS = (_NUMBER, _SCORE, Column("note", "Must be read with it"))


def score_findings(scores: Scores) -> tuple[Finding, ...]:
    """One finding for each score of each nodule; without a value its note says what is missing."""
    return tuple(_finding(n, answer) for n, answers in scores.items() for answer in answers)


def _finding(number: int, answer: ScoreAnswer) -> Finding:
    model = answer.key in _MODEL_KEYS
    name = _MODEL_NAME.format(name=answer.name) if model else answer.name
    if answer.status is Status.COMPUTED:
        note = answer.basis if answer.lookup is None else f"{answer.basis}; row: {answer.lookup.row.text}"
        if answer.lookup is not None and not answer.lookup.verified:
            note += "; this row is NOT VERIFIED against a document"
    else:
        note = f"{answer.name} {answer.status}: {answer.reason}"
    return Finding(
        f"nodule_{number}_{answer.key}{'_percent' if model else ''}",
        f"Nodule {number}: {name}",
        answer.value,
        answer.unit,
        note=note,
    )


def score_tables(cases: Mapping[int, ScoreCase], scores: Scores) -> tuple[Table, ...]:
    """Tables of results, of inputs with their origin, of the models' terms, and of notes."""
    rows = [_row(n, answer) for n, answers in scores.items() for answer in answers]
    inputs: list[tuple[float | int | str | None, ...]] = [
        (
            n,
            fact.name,
            None if fact.origin is Origin.MISSING else word(fact.value),
            str(fact.origin),
            fact.flag,
        )
        for n, case in cases.items()
        for fact in facts_of(case)
    ]
    terms = [
        (n, answer.name, term.name, term.stated, term.coefficient, term.contribution)
        for n, answers in scores.items()
        for answer in answers
        for term in answer.terms
    ]
    patient = next(iter(cases.values())).patient if cases else None
    inputs += [
        (
            None,
            fact.name,
            None if fact.value is None else word(fact.value),
            str(fact.origin),
            fact.flag,
        )
        for fact in (patient_facts(patient) if patient else ())
    ]
    notes = [
        (n, answer.name, note) for n, answers in scores.items() for answer in answers for note in answer.notes
    ]
    return (
        Table("scores", "Published scores and guidelines", _SCORE_COLUMNS, tuple(rows)),
        Table("score_inputs", "What the scores were given", _INPUT_COLUMNS, tuple(inputs)),
        Table("score_terms", "Terms of the models", _TERM_COLUMNS, tuple(terms)),
        Table("score_notes", "Notes on the scores", _NOTE_COLUMNS, tuple(notes)),
    )


def _row(number: int, answer: ScoreAnswer) -> tuple[float | int | str | None, ...]:
    percent = answer.value if isinstance(answer.value, float) else None
    result = answer.value if isinstance(answer.value, str) else None
    lookup = answer.lookup
    row = None if lookup is None else lookup.row.text
    if lookup is not None and lookup.base_row is not None:
        row = f"{lookup.row.text}; by size: {lookup.base_row.text}"
    return (
        number,
        answer.name,
        str(answer.status),
        percent,
        result,
        answer.reason or None,
        answer.basis or None,
        row,
        None if lookup is None else _verified(answer),
    )


def _verified(answer: ScoreAnswer) -> str:
    from ctinsight.scores.fleischner import fleischner_table
    from ctinsight.scores.lung_rads import lung_rads_table

    lookup = answer.lookup
    if lookup is None:
        return ""
    table: Guideline = lung_rads_table() if answer.key == "lung_rads" else fleischner_table()
    rows = [row for row in (lookup.row, lookup.base_row) if row is not None]
    return " ".join(table.provenance(row) for row in rows)


def score_statements(scores: Scores) -> tuple[str, ...]:
    """Return what must be read with the scores that were computed."""
    computed = [a for answers in scores.values() for a in answers if a.status is Status.COMPUTED]
    said = [OWN_INPUTS, NOT_IMPLEMENTED]
    if any(answer.lookup is None for answer in computed):
        said.append(f"Brock and Mayo: {NOT_CALIBRATED}")
    documents = {a.lookup.guideline: a.lookup.statements for a in computed if a.lookup is not None}
    said += [f"{name}: {_table_statement(name)}" for name in documents]
    return tuple(said)


def _table_statement(name: str) -> str:
    from ctinsight.scores.fleischner import fleischner_table
    from ctinsight.scores.lung_rads import lung_rads_table

    return next(table.statement for table in (lung_rads_table(), fleischner_table()) if table.name == name)
