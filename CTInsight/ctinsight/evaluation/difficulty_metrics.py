"""What DeepDCR counts beside :mod:`ctinsight.evaluation.classification`, as its program counts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

#: As published: bootstrap repetitions and seed.
REPETITIONS, SEED = 2000, 42
#: Grid of the best-F1 threshold of the network's folds.
_GRID = np.arange(0.05, 0.95, 0.01)


def average_precision(truth: ArrayLike, chances: ArrayLike) -> float:
    """Return the area under the precision-recall curve as a sum of steps, ties together."""
    y, p = _pair(truth, chances)
    order = np.argsort(-p, kind="stable")
    last = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)
    hits = np.cumsum(y[order])[last]
    return float((np.diff(np.concatenate([[0.0], hits / y.sum()])) * hits / (last + 1)).sum())


def bootstrap_interval(
    truth: ArrayLike, chances: ArrayLike, statistic: Callable[[ArrayLike, ArrayLike], float]
) -> tuple[float, float]:
    """Return the 2.5th and 97.5th percentile over 2000 draws of cases; draws of one class are left out."""
    y, p = _pair(truth, chances)
    rng = np.random.default_rng(SEED)
    found = []
    for _ in range(REPETITIONS):
        drawn = rng.integers(0, len(y), len(y))
        if 0 < y[drawn].sum() < len(y):
            found.append(statistic(y[drawn], p[drawn]))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def calibration_line(truth: ArrayLike, chances: ArrayLike) -> tuple[float, float]:
    """Return slope and intercept of the logistic regression of the truth on the log-odds; 1 and 0 fit."""
    y, p = _pair(truth, chances)
    clipped = np.clip(p, 1e-12, 1 - 1e-12)
    inputs = np.column_stack([np.ones(len(y)), np.log(clipped / (1 - clipped))])
    found = np.zeros(2)
    for _ in range(100):
        chance = 1 / (1 + np.exp(-inputs @ found))
        curvature = (inputs * (chance * (1 - chance))[:, None]).T @ inputs
        step = np.linalg.solve(curvature, inputs.T @ (y - chance))
        found += step
        if np.abs(step).max() < 1e-12:
            break
    return float(found[1]), float(found[0])


def best_f1_threshold(truth: ArrayLike, chances: ArrayLike) -> float:
    """Return the first of the thresholds 0.05, 0.06 ... 0.94 with the greatest F1."""
    y, p = _pair(truth, chances)
    scores = [2 * ((p >= t) & (y == 1)).sum() / max((p >= t).sum() + y.sum(), 1) for t in _GRID]
    return float(_GRID[int(np.argmax(scores))])


def focal_loss(truth: ArrayLike, logits: ArrayLike, *, alpha: float = 0.75, gamma: float = 2.0) -> float:
    """Return the mean focal loss as published: ``alpha`` weighs both classes, so it only scales the loss."""
    y, x = np.asarray(truth, dtype=np.float64), np.asarray(logits, dtype=np.float64)
    entropy = np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))
    return float((alpha * (1 - np.exp(-entropy)) ** gamma * entropy).mean())


def _pair(truth: ArrayLike, chances: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    y, p = np.asarray(truth, dtype=np.int64), np.asarray(chances, dtype=np.float64)
    if y.shape != p.shape or not 0 < int(y.sum()) < len(y):
        raise WrongUseError(
            found=f"{y.shape} truths with {int(y.sum())} positives for {p.shape} chances",
            expected="one truth of 0 or 1 for each chance, both kinds among them",
            remedy="Take cases of both kinds.",
        )
    return y, p
