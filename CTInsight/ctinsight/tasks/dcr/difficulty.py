"""DeepDCR v1's difficulty: clinical form, 16 measurements, 30 embeddings, calibrated linear machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctinsight.errors import WeightsMissingError, WrongWeightsError
from ctinsight.finding import Check, Column, Finding, Interval, Outcome, Table
from ctinsight.scores.tabular import answer, what_if
from ctinsight.scores.tabular_form import read_tabular
from ctinsight.tasks.dcr.clinical import VARIABLES, clinical_values
from ctinsight.tasks.dcr.published import PublishedFeatures
from ctinsight.tasks.dcr.sensitivity import MEANING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ctinsight.finding import Side
    from ctinsight.scores.tabular import Answer, TabularModel

    Value = float | int | str | None

NAME = "dcr-difficulty-v1"
#: Principal components of the fine network's bottleneck; nothing stands in for them but training's median.
EMBEDDINGS = tuple(f"dl_{n:02d}" for n in range(30))
#: Features whose "what if" is written out, and how many values each gets.
WHAT_IF_FEATURES, WHAT_IF_STEPS = 8, 13
_NUMBERS = {"no": 0.0, "yes": 1.0}
_ASK = "Import one with: ctinsight models import FILE.json --model dcr-difficulty-v1, or leave --model away."


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model with the facts that every result names."""

    model: TabularModel
    card: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Difficulty:
    """What a model says of one case, ready to be added to a result."""

    findings: tuple[Finding, ...]
    tables: tuple[Table, ...]
    checks: tuple[Check, ...]
    statements: tuple[str, ...]
    card: Mapping[str, Any]


def load_difficulty(given: str) -> LoadedModel:
    """Load an installed model, or a file.

    Raises
    ------
    WeightsMissingError
        Neither is there.
    WrongWeightsError
        Another form, a changed file, or features that cannot be had here.
    """
    path = Path(given)
    if path.is_file():
        from ctinsight.models.card import file_records

        records = file_records([path])
        card: dict[str, Any] = {"name": NAME, "version": "user-supplied", "sha256": records[0].sha256}
    elif given.startswith(NAME):
        path, card = _installed(given)
    else:
        raise WeightsMissingError(found=f"no file {given}", expected="a difficulty model", remedy=_ASK)
    model = read_tabular(path)
    known = {v.name for v in VARIABLES} | set(PublishedFeatures().as_dict()) | set(EMBEDDINGS)
    foreign = [name for name in model.names if name not in known]
    if foreign:
        raise WrongWeightsError(
            found=f"{path.name} asks for {', '.join(foreign[:5])}",
            expected="features of DeepDCR v1: 8 clinical variables, 16 measurements, dl_00 to dl_29",
            remedy="Export the model with the names of the published schema.",
        )
    return LoadedModel(model, {**card, "model": model.name, "outcome": model.outcome})


def _installed(name: str) -> tuple[Path, dict[str, Any]]:
    from ctinsight.models.store import user_store
    from ctinsight.models.tabular_weights import TABLE_NAME

    store = user_store()
    if store.find(name) is None:
        raise WeightsMissingError(
            found=f"no model {name} in {store.folder}", expected="a difficulty model", remedy=_ASK
        )
    _folder, found = store.locate(name)
    path = store.checked_file(name, TABLE_NAME)
    digest = next(record.sha256 for record in found.files if record.name == TABLE_NAME)
    return path, {"name": name, "version": found.version, "sha256": digest}


@dataclass(frozen=True, eq=False)
class DifficultyInput:
    """Clinical form (may be ``None``), the published measurements, and those of larger and smaller masks."""

    clinical: Mapping[str, Any] | None
    published: Sequence[Mapping[str, float | None]]
    side: Side


def assess(loaded: LoadedModel, given: DifficultyInput) -> Difficulty:
    """Answer one case, with reasons, what-if and everything that is missing.

    Raises
    ------
    WrongUseError
        A clinical form that does not fit, or a category that the model does not know.
    """
    model = loaded.model
    clinical = clinical_values(given.clinical or {}, given.side)
    rows = [_row(model, clinical, published) for published in given.published]
    own = answer(model, rows[0])
    # Where smaller masks hold nothing, the stand-in would say something else, so that one does not count.
    same = [row for row in rows if {k for k, v in row.items() if v is None} == set(own.missing)]
    chances = [answer(model, row).probability for row in same]
    interval = Interval(min(chances), max(chances), MEANING) if len(chances) > 1 else None
    return Difficulty(
        _findings(model, own, interval),
        (_contribution_table(own), _what_if_table(model, rows[0], own)),
        (_missing_check(own), _range_check(own)),
        _statements(loaded, own),
        loaded.card,
    )


def _row(
    model: TabularModel, clinical: Mapping[str, Value], published: Mapping[str, float | None]
) -> dict[str, Value]:
    numeric = {feature.name for feature in model.numeric}
    row: dict[str, Value] = {}
    for name in model.names:
        value = published[name] if name in published else clinical.get(name)
        if isinstance(value, str) and name in numeric:
            value = _NUMBERS[value] if value in _NUMBERS else float(value)
        row[name] = value
    return row


def _findings(model: TabularModel, own: Answer, interval: Interval | None) -> tuple[Finding, ...]:
    calibrated = bool(model.calibration)
    key = "difficulty_probability" if calibrated else "difficulty_score"
    name = "Probability of a difficult operation" if calibrated else "Difficulty score, uncalibrated"
    note = f"calibrated on: {model.calibration}" if calibrated else "0 to 1; not a probability"
    low, high = min(own.member_probabilities), max(own.member_probabilities)
    spread = Interval(low, high, f"its {len(own.member_probabilities)} calibrated machines")
    found = [
        Finding(key, name, own.probability, "1", interval=interval, note=note),
        Finding("difficulty_spread", f"{name}, by machine", own.probability, "1", interval=spread),
    ]
    threshold = model.threshold
    call = None if threshold is None else "difficult" if own.probability >= threshold else "not difficult"
    why = "the model has no threshold" if threshold is None else f"threshold {threshold:.3g} of the model"
    return (*found, Finding("difficulty_call", "Difficulty by the threshold", call, note=why))


def _contribution_table(own: Answer) -> Table:
    columns = (
        Column("feature", "Feature"),
        Column("value", "Value", "", "empty: missing"),
        Column("used", "Used", "", "training's median or commonest category where missing"),
        Column("log_odds", "Log-odds", "1", "away from training's mean or commonest category"),
        Column("direction", "Speaks", "", "for or against a difficult operation"),
        Column("in_range", "In training's range"),
    )
    rows = tuple(
        (c.name, c.value, c.used, c.log_odds, c.direction, "yes" if c.in_range else "no")
        for c in own.contributions
    )
    return Table("contributions", "What speaks for and against", columns, rows)


def _what_if_table(model: TabularModel, row: Mapping[str, Value], own: Answer) -> Table:
    columns = (
        Column("feature", "Feature"),
        Column("value", "If it were"),
        Column("probability", "The answer would be", "1"),
        Column("in_range", "In training's range"),
    )
    known = [c.name for c in own.contributions if c.value is not None][:WHAT_IF_FEATURES]
    rows = [
        (name, value, probability, "yes" if inside else "no")
        for name in known
        for value, probability, inside in what_if(model, row, name, steps=WHAT_IF_STEPS)
    ]
    return Table("what_if", "What if one value were another", columns, tuple(rows))


def _missing_check(own: Answer) -> Check:
    count = len(own.contributions)
    embeddings = [name for name in own.missing if name in EMBEDDINGS]
    others = [name for name in own.missing if name not in EMBEDDINGS]
    words = [f"{len(embeddings)} embeddings of a network that is not here"] if embeddings else []
    words += [", ".join(others)] if others else []
    outcome = Outcome.WARN if own.missing else Outcome.PASS
    remedy = "The model puts stand-ins there and was told so; fill in the clinical form, draw all masks."
    return Check(
        "difficulty_missing",
        "Missing values for the difficulty model",
        outcome,
        f"{len(own.missing)} of {count}" + (f": {'; '.join(words)}" if words else ""),
        "none",
        remedy if own.missing else "",
    )


def _range_check(own: Answer) -> Check:
    outside = [c.name for c in own.contributions if not c.in_range]
    remedy = "The model never saw such values: its answer is a guess beyond its data."
    return Check(
        "difficulty_range",
        "Values within the training's range",
        Outcome.WARN if outside else Outcome.PASS,
        ", ".join(outside) or "all",
        "all",
        remedy if outside else "",
    )


def _statements(loaded: LoadedModel, own: Answer) -> tuple[str, ...]:
    model = loaded.model
    name = f"{model.name}, {loaded.card['version']} (SHA-256 {str(loaded.card['sha256'])[:12]})"
    accuracies = tuple(accuracy.words for accuracy in model.accuracies)
    known = (
        "How well it does: " + "; ".join(accuracies) + "."
        if accuracies
        else "How well this model does is not known: its file states no accuracy, no n and no cohort."
    )
    missing = (
        (f"{len(own.missing)} of its values are missing and were imputed, never taken as 0.",)
        if own.missing
        else ()
    )
    return (f"Difficulty is from {name}; it predicts: {model.outcome}.", known, *missing)
