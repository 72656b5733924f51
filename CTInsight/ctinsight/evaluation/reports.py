"""The three evaluations as files: a row for each case, a summary, figures, and one page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.errors import WrongUseError
from ctinsight.evaluation import classification as classes
from ctinsight.evaluation import plots
from ctinsight.evaluation.masks import DISTANCES, MaskOptions, compare_masks, summarise
from ctinsight.evaluation.overlap import MEASURES
from ctinsight.evaluation.page import Page, PageTable, write_page
from ctinsight.evaluation.statistics import proportion
from ctinsight.evaluation.table_file import numbers, read_columns, write_rows
from ctinsight.evaluation.volumes import by_group

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ctinsight.evaluation.statistics import Estimate
    from ctinsight.evaluation.volumes import Agreement
    from ctinsight.progress import Progress

PAGE = "evaluation.html"
_PUBLISHED = (
    "Sums as the program of DR-UNet makes them: slice by slice on resized pictures, averaged over slices; a "
    "slice that is empty in mask and reference counts as Dice 0."
)
_CORRECTED = (
    "Each case once, on its own grid in three dimensions. A measure that divides by nothing is left out of "
    "the mean, never counted as 0; n says how many cases define it. Intervals: bootstrap over cases."
)
#: Columns of a table of volumes that are no method.
_SECONDS = "_seconds"


@dataclass(frozen=True)
class Written:
    """What an evaluation says at once, and where its files lie."""

    lines: tuple[str, ...]
    folder: Path


def prepare_folder(folder: Path, *, overwrite: bool) -> None:
    """Make the folder; refuse one that holds an evaluation.

    Raises
    ------
    WrongUseError
        There is one, and it may not be overwritten.
    """
    if (folder / PAGE).exists() and not overwrite:
        raise WrongUseError(
            found=f"{folder} holds an evaluation",
            expected="a new folder",
            remedy="Choose another name or add --overwrite.",
        )
    folder.mkdir(parents=True, exist_ok=True)


def evaluate_masks(
    methods: Mapping[str, Path], references: Path, options: MaskOptions, folder: Path, *, progress: Progress
) -> Written:
    """Compare masks with references and write metrics.csv, summary.csv, box_plots.png and the page."""
    rows = compare_masks(methods, references, options, progress)
    names = MEASURES if options.as_published else (*MEASURES, *DISTANCES)
    note = f"{_PUBLISHED if options.as_published else _CORRECTED} {RESEARCH_USE_ONLY}"
    cells = [
        [name, *(row.get(key) for key in ("case", *names))] for name, found in rows.items() for row in found
    ]
    write_rows(folder / "metrics.csv", ["method", "case", *names], cells, note)
    summaries = {name: summarise(found) for name, found in rows.items()}
    _write_estimates(folder / "summary.csv", summaries, note)
    plots.box_plots(rows, folder / "box_plots.png")
    shown = [m for m in (*MEASURES, *DISTANCES[:2]) if any(s[m].n for s in summaries.values())]
    table = PageTable(
        "Mean (95 % interval)",
        ["measure", *methods],
        [[measure, *(summaries[name][measure].text() for name in methods)] for measure in shown],
    )
    figures = [("Six measures by method", folder / "box_plots.png")]
    statement = _PUBLISHED if options.as_published else _CORRECTED
    write_page(Page("Masks against references", [statement], [table], figures), folder / PAGE)
    lines = [f"{name}: Dice {summaries[name]['dice'].text()}" for name in methods]
    return Written(tuple(lines), folder)


def evaluate_volumes(table: Path, folder: Path) -> Written:
    """Compare volumes: columns ``reference_ml`` and one for each method, ``NAME_seconds`` beside it if known.

    Raises
    ------
    WrongUseError
        Columns are missing or hold no numbers.
    """
    columns = read_columns(table)
    reference = numbers(columns, "reference_ml")
    kept = {"case", "reference_ml"}
    methods = [name for name in columns if name not in kept and not name.endswith(_SECONDS)]
    if not methods:
        raise WrongUseError(
            found=f"columns {', '.join(columns)}",
            expected="reference_ml and a column in mL for each method",
            remedy="Add the measured volumes.",
        )
    measured = {name: numbers(columns, name) for name in methods}
    groups = {
        name: by_group(
            values,
            reference,
            numbers(columns, name + _SECONDS, may_be_empty=True) if name + _SECONDS in columns else None,
        )
        for name, values in measured.items()
    }
    _write_agreements(folder / "summary.csv", groups)
    plots.volume_figure(measured, reference, folder / "volumes.png")
    plots.bland_altman(measured, reference, folder / "bland_altman.png")
    tables = [_agreement_table(name, found) for name, found in groups.items()]
    figures = [("Volumes", folder / "volumes.png"), ("Bland and Altman", folder / "bland_altman.png")]
    statement = "Errors are measured minus reference. Limits of agreement: bias and 1.96 standard deviations."
    write_page(Page("Volumes against references", [statement], tables, figures), folder / PAGE)
    return Written(tuple(_agreement_line(name, found["all"]) for name, found in groups.items()), folder)


def evaluate_classification(table: Path, folder: Path, *, threshold: float | None) -> Written:
    """Judge scores: columns ``truth`` (0 or 1) and ``score``, ``fold`` for held-out thresholds.

    With the columns ``truth`` and ``found`` (names of classes) the confusion of classes is counted instead.
    """
    columns = read_columns(table)
    if "found" in columns and "score" not in columns:
        return _evaluate_classes(columns, folder)
    truth_numbers, scores = numbers(columns, "truth"), numbers(columns, "score")
    if not np.isin(truth_numbers, (0, 1)).all():
        raise WrongUseError(
            found="a column truth with other numbers than 0 and 1",
            expected="1 for the condition, 0 without it",
            remedy="Code the truth so, or give the columns truth and found with names of classes.",
        )
    truth = truth_numbers == 1
    if truth.all() or not truth.any():
        raise WrongUseError(
            found=f"{len(truth)} rows of one class", expected="both classes", remedy="Complete the table."
        )
    estimates = {"AUC": classes.auc_estimate(scores, truth)}
    unit = bool(scores.min() >= 0 and scores.max() <= 1)
    if unit:
        estimates["Brier score"] = classes.brier(scores, truth)
    statements = [f"{int(truth.sum())} of {len(truth)} rows have the condition."]
    point = _point(columns, scores, truth, threshold)
    if point is None:
        statements.append("No threshold was named and no column fold is there: sensitivity is not given.")
    else:
        statements.append(f"Threshold {point.threshold:g}: {point.origin}.")
        for name in ("sensitivity", "specificity", "ppv", "npv", "accuracy"):
            estimates[name] = getattr(point, name)
    if not unit:
        statements.append("Scores are not from 0 to 1: no calibration, Brier score or decision curve.")
    _write_estimates(folder / "summary.csv", {"score": estimates}, RESEARCH_USE_ONLY)
    plots.classification_figure(scores, truth, folder / "curves.png")
    rows = [[name, estimate.text(), estimate.method] for name, estimate in estimates.items()]
    page_table = PageTable("Estimates (95 % interval)", ["measure", "value", "interval"], rows)
    page = Page("Scores against the truth", statements, [page_table], [("Curves", folder / "curves.png")])
    write_page(page, folder / PAGE)
    return Written((*statements, *(f"{n}: {e.text()}" for n, e in estimates.items())), folder)


def _point(
    columns: Mapping[str, Sequence[str]],
    scores: classes.Floats,
    truth: classes.Truths,
    threshold: float | None,
) -> classes.Operating | None:
    if threshold is not None:
        return classes.operating_point(scores, truth, threshold, "named by the user")
    if "fold" in columns:
        return classes.held_out_point(scores, truth, np.array(columns["fold"]))
    return None


def _evaluate_classes(columns: Mapping[str, Sequence[str]], folder: Path) -> Written:
    if "truth" not in columns:
        raise WrongUseError(
            found=f"columns {', '.join(columns)}", expected="truth and found", remedy="Add the truth."
        )
    names, counts = classes.confusion(columns["found"], columns["truth"])
    right = proportion(int(np.trace(counts)), int(counts.sum()))
    estimates = {"accuracy": right}
    for index, name in enumerate(names):
        row = counts[index]
        estimates[f"recall of {name}"] = proportion(int(row[index]), int(row.sum()))
    write_rows(
        folder / "confusion.csv",
        ["truth / found", *names],
        [[name, *map(int, row)] for name, row in zip(names, counts, strict=True)],
        RESEARCH_USE_ONLY,
    )
    _write_estimates(folder / "summary.csv", {"classes": estimates}, RESEARCH_USE_ONLY)
    tables = [
        PageTable(
            "Confusion (rows: truth)",
            ["", *names],
            [[n, *map(str, r)] for n, r in zip(names, counts, strict=True)],
        ),
        PageTable("Estimates", ["measure", "value"], [[n, e.text()] for n, e in estimates.items()]),
    ]
    write_page(Page("Classes against the truth", [], tables, []), folder / PAGE)
    return Written(tuple(f"{n}: {e.text()}" for n, e in estimates.items()), folder)


def _write_estimates(path: Path, groups: Mapping[str, Mapping[str, Estimate]], note: str) -> None:
    rows = [
        [group, name, e.value, e.low, e.high, e.n, e.method]
        for group, found in groups.items()
        for name, e in found.items()
    ]
    write_rows(path, ["method", "measure", "value", "low_95", "high_95", "n", "interval"], rows, note)


def _write_agreements(path: Path, groups: Mapping[str, Mapping[str, Agreement | None]]) -> None:
    rows, header = [], ["method", "group"]
    for name, found in groups.items():
        for group, agreed in found.items():
            facts = {} if agreed is None else asdict(agreed)
            limits = facts.pop("limits_ml", None) or (None, None)
            facts |= {"limit_low_ml": limits[0], "limit_high_ml": limits[1]}
            header = ["method", "group", *facts] if len(facts) + 2 > len(header) else header
            rows.append({"method": name, "group": group, **facts})
    write_rows(path, header, [[row.get(key) for key in header] for row in rows], RESEARCH_USE_ONLY)


def _agreement_table(name: str, groups: Mapping[str, Agreement | None]) -> PageTable:
    header = ["group", "n", "RMSE mL", "SD mL", "MAE mL", "bias mL", "limits mL", "R²", "CCC", "s per scan"]
    rows = []
    for group, agreed in groups.items():
        if agreed is None:
            rows.append([group, "0", *[""] * (len(header) - 2)])
            continue
        limits = (
            "" if agreed.limits_ml is None else f"{agreed.limits_ml[0]:+.1f} to {agreed.limits_ml[1]:+.1f}"
        )
        numbers_of = (agreed.rmse_ml, agreed.sd_ml, agreed.mae_ml, agreed.bias_ml)
        shown = ["" if n is None else f"{n:.2f}" for n in numbers_of]
        rest = ["" if n is None else f"{n:.3f}" for n in (agreed.r2, agreed.concordance)]
        seconds = "" if agreed.seconds is None else f"{agreed.seconds:.1f}"
        rows.append([group, str(agreed.n), *shown, limits, *rest, seconds])
    return PageTable(name, header, rows)


def _agreement_line(name: str, agreed: Agreement | None) -> str:
    if agreed is None:
        return f"{name}: no case"
    errors = f"bias {agreed.bias_ml:+.2f} mL, MAE {agreed.mae_ml:.2f}, RMSE {agreed.rmse_ml:.2f}"
    return f"{name}: {errors}, n = {agreed.n}"
