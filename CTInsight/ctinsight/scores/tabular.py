"""A calibrated linear classifier of a table, kept as numbers in JSON: evaluate, explain, ask what if.

The form holds what scikit-learn's pipeline of imputation (with indicators of what is missing), scaling,
one-hot coding and a sigmoid-calibrated linear support vector machine learns, and nothing that could run.
Nothing here needs scikit-learn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Value = float | int | str | None


@dataclass(frozen=True)
class NumericFeature:
    """A number of the table and what training learnt of it.

    Parameters
    ----------
    name, unit
        As the table has it; UCUM unit or "".
    median
        Stands in for a missing value.
    mean, scale
        For the z-score.
    low, high
        Smallest and largest value of training.
    indicator
        Mean and scale of the indicator of a missing value; ``None`` when training had none missing.
    """

    name: str
    unit: str
    median: float
    mean: float
    scale: float
    low: float
    high: float
    indicator: tuple[float, float] | None = None


@dataclass(frozen=True)
class CategoricalFeature:
    """A word of the table: its categories in order, the one that stands in for a missing value, and codes.

    ``codes`` says how a model's data coded the words of a form: ``{"left": "0", "right": "1"}``.
    """

    name: str
    categories: tuple[str, ...]
    mode: str
    codes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Member:
    """One linear machine: decision d = weights . inputs + intercept, probability 1 / (1 + exp(a d + b))."""

    weights: NDArray[np.float64]
    intercept: float
    a: float
    b: float


@dataclass(frozen=True)
class Accuracy:
    """A published accuracy; never shown without n, positives and cohort."""

    measure: str
    value: float
    low: float | None
    high: float | None
    n: int
    positives: int
    cohort: str

    @property
    def words(self) -> str:
        """The accuracy in words, with everything that it rests on."""
        known = self.low is not None and self.high is not None
        interval = f"95 % CI {self.low:.3g} to {self.high:.3g}" if known else "no interval published"
        behind = f"n = {self.n}, {self.positives} positive; {self.cohort}"
        return f"{self.measure} {self.value:.3g} ({interval}; {behind})"


@dataclass(frozen=True, eq=False)
class TabularModel:
    """A calibrated linear classifier.

    Parameters
    ----------
    name, outcome
        What it is called, and what it predicts.
    numeric, categorical
        The table, in the order of the inputs: numbers, indicators of missing numbers, categories.
    members
        Their probabilities are averaged.
    threshold
        From it on the outcome is called; ``None`` when none was chosen.
    calibration
        On which cases the sigmoids were fitted, in words; empty means that the output is a score.
    accuracies
        As measured by who made it.
    """

    name: str
    outcome: str
    numeric: tuple[NumericFeature, ...]
    categorical: tuple[CategoricalFeature, ...]
    members: tuple[Member, ...]
    threshold: float | None = None
    calibration: str = ""
    accuracies: tuple[Accuracy, ...] = ()

    def __post_init__(self) -> None:
        indicators = sum(feature.indicator is not None for feature in self.numeric)
        inputs = len(self.numeric) + indicators + sum(len(f.categories) for f in self.categorical)
        wrong = [len(member.weights) for member in self.members if len(member.weights) != inputs]
        if wrong or not self.members:
            msg = f"{wrong[:1] or 'no'} weights for {inputs} inputs"
            raise ValueError(msg)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all features."""
        return (*(f.name for f in self.numeric), *(f.name for f in self.categorical))


@dataclass(frozen=True)
class Contribution:
    """What one feature of a case does to the answer.

    Parameters
    ----------
    name, value, unit
        As given; ``None`` is a missing value.
    used
        What the model used for it.
    log_odds
        How much it moves the log-odds away from those of a case with training's mean, or its commonest
        category.
    in_range
        Whether the value lies within training's.
    """

    name: str
    value: Value
    unit: str
    used: float | str
    log_odds: float
    in_range: bool

    @property
    def direction(self) -> str:
        """Whether it speaks for or against the outcome."""
        if abs(self.log_odds) < 1e-9:
            return "neither"
        return "for" if self.log_odds > 0 else "against"


@dataclass(frozen=True, eq=False)
class Answer:
    """A model's answer to one case, with the spread of its members and the features by their weight."""

    probability: float
    member_probabilities: tuple[float, ...]
    contributions: tuple[Contribution, ...]
    missing: tuple[str, ...]


def answer(model: TabularModel, values: Mapping[str, Value]) -> Answer:
    """Evaluate one case.

    Parameters
    ----------
    model
        The classifier.
    values
        Name -> number or word; a name that is absent or ``None`` is missing and gets its stand-in.

    Raises
    ------
    WrongUseError
        A name that is no feature, a category that training did not know, or a number that is not finite.
    """
    coded = _coded(model, values)
    inputs = _inputs(model, coded)
    decisions = [float(member.weights @ inputs) + member.intercept for member in model.members]
    chances = tuple(_sigmoid(m.a * d + m.b) for m, d in zip(model.members, decisions, strict=True))
    missing = tuple(name for name in model.names if coded.get(name) is None)
    contributions = _contributions(model, values, coded)
    return Answer(float(np.mean(chances)), chances, contributions, missing)


def what_if(
    model: TabularModel, values: Mapping[str, Value], name: str, *, steps: int = 25
) -> list[tuple[Value, float, bool]]:
    """Vary one feature and keep the others: (value, probability, whether training had such values).

    A number runs over training's range and a quarter of it beyond both ends.
    """
    for feature in model.numeric:
        if feature.name == name:
            margin = 0.25 * (feature.high - feature.low)
            grid = np.linspace(feature.low - margin, feature.high + margin, steps)
            return [
                (
                    float(value),
                    answer(model, {**values, name: float(value)}).probability,
                    feature.low - 1e-9 <= value <= feature.high + 1e-9,
                )
                for value in grid
            ]
    for category in model.categorical:
        if category.name == name:
            words = [word for word, _ in category.codes] or list(category.categories)
            return [(word, answer(model, {**values, name: word}).probability, True) for word in words]
    raise _wrong(found=f"the feature {name!r}", expected="one of " + ", ".join(model.names))


def _coded(model: TabularModel, values: Mapping[str, Value]) -> dict[str, Value]:
    unknown = sorted(set(values) - set(model.names))
    if unknown:
        raise _wrong(found=f"features {', '.join(unknown)}", expected="only " + ", ".join(model.names))
    coded: dict[str, Value] = {}
    for feature in model.numeric:
        value = values.get(feature.name)
        if value is not None and (isinstance(value, str) or not math.isfinite(value)):
            raise _wrong(found=f"{feature.name} = {value!r}", expected="a finite number, or nothing")
        coded[feature.name] = value
    for category in model.categorical:
        value = values.get(category.name)
        word = None if value is None else dict(category.codes).get(str(value), str(value))
        if word is not None and word not in category.categories:
            known = ", ".join(w for w, _ in category.codes) or ", ".join(category.categories)
            raise _wrong(
                found=f"{category.name} = {value!r}", expected=f"one of {known}: training knew no other"
            )
        coded[category.name] = word
    return coded


def _inputs(model: TabularModel, coded: Mapping[str, Value]) -> NDArray[np.float64]:
    numbers, indicators, categories = [], [], []
    for feature in model.numeric:
        value = coded[feature.name]
        number = feature.median if value is None else float(value)
        numbers.append((number - feature.mean) / feature.scale)
        if feature.indicator is not None:
            mean, scale = feature.indicator
            indicators.append((float(value is None) - mean) / scale)
    for category in model.categorical:
        word = coded[category.name]
        word = category.mode if word is None else word
        categories += [float(word == known) for known in category.categories]
    return np.array([*numbers, *indicators, *categories], dtype=np.float64)


def _contributions(
    model: TabularModel, values: Mapping[str, Value], coded: Mapping[str, Value]
) -> tuple[Contribution, ...]:
    slope = np.mean([-member.a * member.weights for member in model.members], axis=0)
    places = _places(model)
    inputs = _inputs(model, coded)
    found = []
    for feature in model.numeric:
        value = coded[feature.name]
        moved = float(slope[places[feature.name]] @ inputs[places[feature.name]])
        used = feature.median if value is None else float(value)
        inside = value is None or feature.low - 1e-9 <= float(value) <= feature.high + 1e-9
        found.append(Contribution(feature.name, values.get(feature.name), feature.unit, used, moved, inside))
    for category in model.categorical:
        part = slope[places[category.name]]
        usual = category.categories.index(category.mode)
        word = coded[category.name]
        used_word = category.mode if word is None else str(word)
        moved = float(part[category.categories.index(used_word)] - part[usual])
        used_word = next((shown for shown, code in category.codes if code == used_word), used_word)
        found.append(Contribution(category.name, values.get(category.name), "", used_word, moved, True))
    return tuple(sorted(found, key=lambda c: -abs(c.log_odds)))


def _places(model: TabularModel) -> dict[str, list[int]]:
    """Return the inputs of each feature: its number and its indicator, or its categories."""
    places = {feature.name: [n] for n, feature in enumerate(model.numeric)}
    at = len(model.numeric)
    for feature in model.numeric:
        if feature.indicator is not None:
            places[feature.name].append(at)
            at += 1
    for category in model.categorical:
        places[category.name] = list(range(at, at + len(category.categories)))
        at += len(category.categories)
    return places


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(min(x, 700.0)))


def _wrong(*, found: str, expected: str) -> WrongUseError:
    return WrongUseError(found=found, expected=expected, remedy="Correct the table or the clinical form.")
