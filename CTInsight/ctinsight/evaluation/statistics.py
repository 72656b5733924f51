"""Estimates with their uncertainty: bootstrap over cases, Wilson for proportions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

#: Resamples of the bootstrap; its seed is fixed, so that the same table gives the same interval.
RESAMPLES = 2000
_SEED = 20261121
_LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number, its 95 % interval, how many cases stand behind it, and how the interval was made.

    ``value`` is None where no case allows it; the interval is None where there are too few cases.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str

    def text(self, digits: int = 3) -> str:
        """Word it: ``0.861 (0.842 to 0.879), n = 50``."""
        if self.value is None:
            return f"not defined, n = {self.n}"
        interval = ""
        if self.low is not None and self.high is not None:
            interval = f" ({self.low:.{digits}f} to {self.high:.{digits}f})"
        return f"{self.value:.{digits}f}{interval}, n = {self.n}"


def bootstrapped(
    samples: Sequence[NDArray[Any]], statistic: Callable[..., float], *, method: str = "bootstrap over cases"
) -> Estimate:
    """Estimate a statistic of cases, drawing cases with replacement.

    Parameters
    ----------
    samples
        Columns of one length; cases are drawn as whole rows.
    statistic
        Takes the columns; may give nan for a draw that does not allow it.
    method
        How the interval is named.
    """
    n = len(samples[0])
    if n == 0:
        return Estimate(None, None, None, 0, method)
    value = statistic(*samples)
    if n < 3 or not np.isfinite(value):
        return Estimate(value if np.isfinite(value) else None, None, None, n, method)
    numbers = np.random.default_rng(_SEED)
    draws = numbers.integers(0, n, size=(RESAMPLES, n))
    found = np.array([statistic(*(column[draw] for column in samples)) for draw in draws])
    found = found[np.isfinite(found)]
    low, high = np.percentile(found, [50 * (1 - _LEVEL), 50 * (1 + _LEVEL)])
    return Estimate(float(value), float(low), float(high), n, method)


def proportion(hits: int, n: int) -> Estimate:
    """Estimate a proportion with Wilson's interval, which holds for few cases and for 0 and 100 %.

    Examples
    --------
    >>> proportion(11, 11).text(2)
    '1.00 (0.74 to 1.00), n = 11'
    """
    if n == 0:
        return Estimate(None, None, None, 0, "Wilson")
    interval = stats.binomtest(hits, n).proportion_ci(_LEVEL, method="wilson")
    return Estimate(hits / n, float(interval.low), float(interval.high), n, "Wilson")
