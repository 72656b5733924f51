"""A published logistic model at work: its terms, their sum, the probability, and what is said with it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ctinsight import RESEARCH_USE_ONLY

#: Said with every estimate.
NOT_CALIBRATED = (
    "A published model's estimate, made in another cohort and not calibrated for the user's population."
)


@dataclass(frozen=True)
class Term:
    """One summand of the linear predictor.

    ``stated`` is what the user said, ``value`` the number the coefficient is multiplied with (after the
    model's own transformation).
    """

    key: str
    name: str
    stated: str
    coefficient: float
    value: float

    @property
    def contribution(self) -> float:
        """Coefficient times value."""
        return self.coefficient * self.value


@dataclass(frozen=True)
class LogisticEstimate:
    """What a logistic model says of one nodule; never without its cohort and its statements.

    Parameters
    ----------
    model
        Name of the model and its variant.
    terms
        Every summand, the constant first.
    cohort
        Who the model was made from.
    source
        The publication, and where the coefficients were read.
    statements
        What must be read with the number.
    """

    model: str
    terms: tuple[Term, ...]
    cohort: str
    source: str
    statements: tuple[str, ...] = ()

    @property
    def linear_predictor(self) -> float:
        """Sum of the contributions, the log odds."""
        return math.fsum(term.contribution for term in self.terms)

    @property
    def probability_percent(self) -> float:
        """Probability of cancer in the model's cohort in %."""
        return probability_percent(self.linear_predictor)

    @property
    def all_statements(self) -> tuple[str, ...]:
        """Return what is said with every estimate, and with this one."""
        return (NOT_CALIBRATED, *self.statements, RESEARCH_USE_ONLY)


def probability_percent(linear_predictor: float) -> float:
    """Return 100 / (1 + e^-x).

    Examples
    --------
    >>> probability_percent(0.0)
    50.0
    """
    if linear_predictor >= 0:
        return 100.0 / (1.0 + math.exp(-linear_predictor))
    odds = math.exp(linear_predictor)
    return 100.0 * odds / (1.0 + odds)


def constant(value: float) -> Term:
    """Return the constant of a model as its first term."""
    return Term("constant", "constant", "", value, 1.0)


def yes_no(key: str, name: str, answer: bool, coefficient: float) -> Term:
    """Return the term of a yes-or-no item."""
    return Term(key, name, "yes" if answer else "no", coefficient, float(answer))
