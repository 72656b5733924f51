"""Scores against known classes: discrimination, calibration, and what a threshold would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from ctinsight.errors import WrongUseError
from ctinsight.evaluation.statistics import Estimate, bootstrapped, proportion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Truths = NDArray[np.bool_]

_BINS = 10


@dataclass(frozen=True)
class Operating:
    """What a threshold does: counts, and proportions with Wilson's intervals.

    ``origin`` says where the threshold comes from.
    """

    threshold: float
    origin: str
    tp: int
    fp: int
    tn: int
    fn: int

    @property
    def sensitivity(self) -> Estimate:
        """Of those with the condition, how many are above."""
        return proportion(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> Estimate:
        """Of those without, how many are not."""
        return proportion(self.tn, self.tn + self.fp)

    @property
    def ppv(self) -> Estimate:
        """Of those above, how many have it: at this table's prevalence."""
        return proportion(self.tp, self.tp + self.fp)

    @property
    def npv(self) -> Estimate:
        """Of those not above, how many do not: at this table's prevalence."""
        return proportion(self.tn, self.tn + self.fn)

    @property
    def accuracy(self) -> Estimate:
        """How many are right."""
        return proportion(self.tp + self.tn, self.tp + self.tn + self.fp + self.fn)


def auc(scores: Floats, truth: Truths) -> float:
    """Return the area under the ROC curve: how often a case scores above a control, ties half.

    Without both classes it is nan.

    Examples
    --------
    >>> auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    0.75
    """
    cases, controls = scores[truth], scores[~truth]
    if len(cases) == 0 or len(controls) == 0:
        return float("nan")
    return float(stats.mannwhitneyu(cases, controls).statistic / (len(cases) * len(controls)))


def auc_estimate(scores: Floats, truth: Truths) -> Estimate:
    """Return the AUC with its bootstrap interval."""
    return bootstrapped([scores, truth], auc)


def brier(scores: Floats, truth: Truths) -> Estimate:
    """Return the mean squared distance of scores from 0 or 1; only scores from 0 to 1 have one."""
    _refuse_beyond_unit(scores)
    return bootstrapped([scores, truth], lambda s, t: float(np.mean((s - t) ** 2)))


def operating_point(scores: Floats, truth: Truths, threshold: float, origin: str) -> Operating:
    """Count what a threshold does; a score at the threshold is above it."""
    above = scores >= threshold
    return Operating(
        threshold,
        origin,
        tp=int(np.count_nonzero(above & truth)),
        fp=int(np.count_nonzero(above & ~truth)),
        tn=int(np.count_nonzero(~above & ~truth)),
        fn=int(np.count_nonzero(~above & truth)),
    )


def youden_threshold(scores: Floats, truth: Truths) -> float:
    """Return the score at which sensitivity plus specificity is greatest; of several the highest."""
    candidates = np.unique(scores)
    cases, controls = np.sort(scores[truth]), np.sort(scores[~truth])
    sensitivity = 1 - np.searchsorted(cases, candidates) / max(len(cases), 1)
    specificity = np.searchsorted(controls, candidates) / max(len(controls), 1)
    total = sensitivity + specificity
    # Equal sums may differ in their last bit.
    return float(candidates[np.flatnonzero(total >= total.max() - 1e-12)[-1]])


def held_out_point(scores: Floats, truth: Truths, folds: NDArray[np.str_]) -> Operating:
    """Judge every fold by the threshold that the other folds choose, and add the counts up.

    A threshold chosen on the cases that it is judged by looks better than it is.

    Raises
    ------
    WrongUseError
        Fewer than two folds, or folds whose others hold one class only.
    """
    names = np.unique(folds)
    counts = np.zeros(4, dtype=int)
    chosen = []
    for name in names:
        others = folds != name
        if len(names) < 2 or truth[others].all() or not truth[others].any():
            raise WrongUseError(
                found=f"folds {', '.join(map(str, names))}, of which one cannot be judged by the others",
                expected="two folds or more, both classes among the others of each",
                remedy="Name a threshold with --threshold, or correct the column fold.",
            )
        threshold = youden_threshold(scores[others], truth[others])
        point = operating_point(scores[~others], truth[~others], threshold, "")
        counts += (point.tp, point.fp, point.tn, point.fn)
        chosen.append(threshold)
    origin = (
        f"greatest Youden index of the other folds, {len(names)} folds ({min(chosen):g} to {max(chosen):g})"
    )
    tp, fp, tn, fn = (int(n) for n in counts)
    return Operating(float(np.median(chosen)), origin, tp, fp, tn, fn)


def calibration_bins(scores: Floats, truth: Truths) -> tuple[tuple[float, Estimate], ...]:
    """Return (mean score, observed proportion) in bins of about equal size, for a calibration plot."""
    _refuse_beyond_unit(scores)
    parts = np.array_split(np.argsort(scores, kind="stable"), min(_BINS, max(1, len(scores) // 5)))
    return tuple(
        (float(scores[part].mean()), proportion(int(truth[part].sum()), len(part)))
        for part in parts
        if len(part)
    )


def net_benefit(scores: Floats, truth: Truths, thresholds: Sequence[float]) -> tuple[Floats, Floats]:
    """Return net benefit of acting by the score, and of acting on everybody, for a decision curve.

    References
    ----------
    Vickers AJ, Elkin EB. Decision curve analysis. Med Decis Making 2006;26:565.
    https://doi.org/10.1177/0272989X06295361
    """
    odds = np.asarray(thresholds) / (1 - np.asarray(thresholds))
    n, prevalence = len(truth), float(truth.mean())
    above = scores[:, None] >= np.asarray(thresholds)[None, :]
    tp = (above & truth[:, None]).sum(axis=0) / n
    fp = (above & ~truth[:, None]).sum(axis=0) / n
    return tp - fp * odds, prevalence - (1 - prevalence) * odds


def confusion(found: Sequence[str], truth: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the classes, sorted, and counts: rows are the truth, columns what was found."""
    classes = tuple(sorted(set(found) | set(truth)))
    place = {name: index for index, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for mine, true in zip(found, truth, strict=True):
        counts[place[true], place[mine]] += 1
    return classes, counts


def _refuse_beyond_unit(scores: Floats) -> None:
    if len(scores) and (scores.min() < 0 or scores.max() > 1):
        raise WrongUseError(
            found=f"scores from {scores.min():g} to {scores.max():g}",
            expected="scores from 0 to 1 for calibration and Brier score",
            remedy="Leave them out, or give probabilities.",
        )
