"""Figures of an evaluation: box plots, agreement of volumes, discrimination and calibration."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.errors import DependencyMissingError
from ctinsight.evaluation.classification import auc, calibration_bins, net_benefit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ctinsight.evaluation.masks import Row

#: Told apart by colour-blind readers (Okabe and Ito 2008).
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: The six that the paper's figure shows, in its order, with what they are called.
SHOWN = {
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "precision": "Precision",
    "dice": "Dice",
    "jaccard": "Jaccard",
    "voe": "Volumetric overlap error",
}
_DPI = 150
#: Risks at which a decision curve is drawn: beyond 0.9 the odds run away.
_RISKS = np.linspace(0.01, 0.9, 90)

# matplotlib ships no complete types.
Axes = Any


def box_plots(rows: Mapping[str, Sequence[Row]], path: Path) -> None:
    """Draw six measures, a box for each method: median, quartiles, whiskers to 1.5 of their distance."""
    figure, axes = _figure(2, 3, (10.5, 7.0))
    for axis, (key, title) in zip(axes.flat, SHOWN.items(), strict=True):
        values = [[row[key] for row in found if isinstance(row.get(key), float)] for found in rows.values()]
        boxes = axis.boxplot(values, widths=0.6, patch_artist=True, medianprops={"color": "black"})
        for index, box in enumerate(boxes["boxes"]):
            box.set(facecolor=COLORS[index % len(COLORS)], alpha=0.6)
        axis.set_xticks(range(1, len(rows) + 1), list(rows), rotation=20 if len(rows) > 2 else 0)
        axis.set(title=title, ylim=(-0.02, 1.02))
        axis.grid(axis="y", alpha=0.3)
    _save(figure, path)


def volume_figure(
    measured_ml: Mapping[str, NDArray[np.float64]], reference_ml: NDArray[np.float64], path: Path
) -> None:
    """Draw volumes in the order of the reference, correlation, and errors, as the paper does."""
    figure, (curves, scatter, errors) = _figure(1, 3, (14.0, 4.6))
    order = np.argsort(reference_ml, kind="stable")
    cases = np.arange(1, len(order) + 1)
    curves.plot(cases, reference_ml[order], color="black", label="reference", linewidth=2)
    for color, (name, values) in zip(cycle(COLORS), measured_ml.items(), strict=False):
        curves.plot(cases, values[order], color=color, label=name, marker=".", linewidth=1)
        scatter.scatter(reference_ml, values, s=16, color=color, label=name)
        errors.plot(cases, (values - reference_ml)[order], color=color, label=name, marker=".", linewidth=1)
    most = max(float(reference_ml.max()), *(float(v.max()) for v in measured_ml.values()))
    scatter.plot([0, most], [0, most], color="grey", linewidth=1, label="equal")
    errors.axhline(0, color="black", linewidth=1)
    curves.set(title="Volume", xlabel="case, by reference volume", ylabel="mL")
    scatter.set(title="Correlation", xlabel="reference, mL", ylabel="measured, mL")
    errors.set(title="Error (measured minus reference)", xlabel="case, by reference volume", ylabel="mL")
    for axis in (curves, scatter, errors):
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    _save(figure, path)


def bland_altman(
    measured_ml: Mapping[str, NDArray[np.float64]], reference_ml: NDArray[np.float64], path: Path
) -> None:
    """Draw errors over the mean of both, with bias and 95 % limits of agreement, a panel for each method."""
    figure, axes = _figure(1, len(measured_ml), (4.8 * len(measured_ml), 4.4), one_scale=True)
    for color, axis, (name, values) in zip(
        cycle(COLORS), np.atleast_1d(axes), measured_ml.items(), strict=False
    ):
        error = values - reference_ml
        axis.scatter((values + reference_ml) / 2, error, s=16, color=color)
        bias, spread = float(error.mean()), float(error.std(ddof=1)) if len(error) > 1 else 0.0
        axis.axhline(bias, color="black", linewidth=1.5)
        for limit in (bias - 1.96 * spread, bias + 1.96 * spread):
            axis.axhline(limit, color="black", linewidth=1, linestyle="--")
        low, high = bias - 1.96 * spread, bias + 1.96 * spread
        axis.set(
            title=f"{name}: bias {bias:+.1f} mL, limits {low:+.1f} to {high:+.1f}",
            xlabel="mean of both, mL",
            ylabel="measured minus reference, mL",
        )
        axis.title.set_fontsize(9)
        axis.grid(alpha=0.3)
    _save(figure, path)


def classification_figure(scores: NDArray[np.float64], truth: NDArray[np.bool_], path: Path) -> None:
    """Draw ROC, and for scores from 0 to 1 calibration and decision curve."""
    unit = bool(scores.min() >= 0 and scores.max() <= 1)
    figure, axes = _figure(1, 3 if unit else 1, (13.5 if unit else 5.0, 4.6))
    panels = np.atleast_1d(axes)
    _roc(panels[0], scores, truth)
    if unit:
        _calibration(panels[1], scores, truth)
        _decision(panels[2], scores, truth)
    for axis in panels:
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    _save(figure, path)


def _roc(axis: Axes, scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> None:
    steps = np.concatenate([[np.inf], np.sort(np.unique(scores))[::-1]])
    sensitivity = [(scores[truth] >= s).mean() for s in steps]
    false = [(scores[~truth] >= s).mean() for s in steps]
    axis.plot(false, sensitivity, color=COLORS[0], label=f"AUC {auc(scores, truth):.3f}")
    axis.plot([0, 1], [0, 1], color="grey", linewidth=1, label="chance")
    axis.set(title="ROC", xlabel="1 - specificity", ylabel="sensitivity", aspect="equal")


def _calibration(axis: Axes, scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> None:
    bins = [(mean, p) for mean, p in calibration_bins(scores, truth) if p.value is not None]
    means = [mean for mean, _ in bins]
    values = np.array([p.value for _, p in bins], dtype=float)
    low = values - np.array([p.low for _, p in bins], dtype=float)
    high = np.array([p.high for _, p in bins], dtype=float) - values
    axis.errorbar(
        means, values, yerr=np.maximum([low, high], 0), fmt="o", color=COLORS[0], label="observed, Wilson"
    )
    axis.plot([0, 1], [0, 1], color="grey", linewidth=1, label="calibrated")
    axis.set(title="Calibration", xlabel="mean score", ylabel="observed proportion", aspect="equal")


def _decision(axis: Axes, scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> None:
    by_score, everybody = net_benefit(scores, truth, list(_RISKS))
    axis.plot(_RISKS, by_score, color=COLORS[0], label="act by the score")
    axis.plot(_RISKS, everybody, color=COLORS[1], linewidth=1, label="act on everybody")
    axis.axhline(0, color="grey", linewidth=1, label="act on nobody")
    top = float(truth.mean())
    axis.set(
        title="Decision curve", xlabel="threshold", ylabel="net benefit", ylim=(-0.3 * top - 0.01, 1.1 * top)
    )


def _figure(
    rows: int, columns: int, size: tuple[float, float], *, one_scale: bool = False
) -> tuple[Any, Any]:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DependencyMissingError(
            found="no Python package matplotlib",
            expected="matplotlib, which draws the figures",
            remedy='pip install "matplotlib>=3.8" (about 30 MB).',
        ) from error
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, sharey=one_scale)


def _save(figure: Any, path: Path) -> None:
    figure.supxlabel(RESEARCH_USE_ONLY, fontsize=8, color="#555555")
    figure.savefig(path, dpi=_DPI)
