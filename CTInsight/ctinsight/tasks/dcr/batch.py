"""The published folder layout to one CSV: images, labels, clinical data; one bad case stops nothing."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.errors import Cancelled, CTInsightError, InputRefusedError, WrongUseError
from ctinsight.files import ReadOptions, read_labelmap, read_scan
from ctinsight.files.spreadsheet import CSV_ENCODING, csv_cell
from ctinsight.finding import Outcome, Side
from ctinsight.resample import resample_labels
from ctinsight.tasks.dcr.clinical import case_name, clinical_values, read_clinical
from ctinsight.tasks.dcr.findings import PUBLISHED_NAMES, SIDE_NAMES
from ctinsight.tasks.dcr.run import measure_segmentation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from ctinsight.result import CaseResult
    from ctinsight.tasks.dcr.parameters import Parameters
    from ctinsight.volume import Grid, Scan

IMAGES, LABELS, CLINICAL, TABLE_NAME = "images", "labels", "clinical_data.csv", "batch.csv"
_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")
#: Findings that become columns of the table, in this order; units stand in the names.
COLUMNS = ("operated_side", *SIDE_NAMES, *PUBLISHED_NAMES, "window_depth_mean_mm", "difficulty_probability")
TABLE_COLUMNS = ("case", "status", *COLUMNS, "message", "research_use_only")


class WriteResult(Protocol):
    """Writes one result into a folder; ``ctinsight.report.write_result`` is one."""

    def __call__(self, result: CaseResult, scan: Scan, folder: Path, *, overwrite: bool = ...) -> object:
        """Write."""


@dataclass(frozen=True)
class BatchCase:
    """One row: done, warn (done, but a check warns), refused, error, or kept (an earlier result stays)."""

    name: str
    status: str
    message: str
    values: tuple[float | int | str | None, ...] = (None,) * len(COLUMNS)


def is_batch(path: Path) -> bool:
    """Whether a folder has the published layout."""
    return (path / IMAGES).is_dir() and (path / LABELS).is_dir()


def run_batch(
    folder: Path, out: Path, parameters: Parameters, *, write: WriteResult, overwrite: bool = False
) -> Iterator[BatchCase]:
    """Measure every image that has a label map; write a result folder per case and one table.

    Parameters
    ----------
    folder
        With ``images/case_0000.nii.gz`` (or without ``_0000``), ``labels/case.nii.gz`` and, if wanted,
        ``clinical_data.csv`` with a ``case_id`` or ``patient_id``. The form's eye is the operated side where
        ``parameters`` state none.
    out
        Takes ``CASE/`` and ``batch.csv``, which is written again after every case.
    parameters
        For all cases.
    write
        Writes one result.
    overwrite
        Whether earlier results are measured again; otherwise they stay as they are.

    Raises
    ------
    WrongUseError
        No images.
    """
    images = sorted(p for p in (folder / IMAGES).iterdir() if p.name.endswith(_ENDINGS))
    if not images:
        raise WrongUseError(
            found=f"no image in {folder / IMAGES}",
            expected="NIfTI, NRRD or MetaImage files",
            remedy="Put the images there.",
        )
    out.mkdir(parents=True, exist_ok=True)
    rows: list[BatchCase] = []
    for image in images:
        name = case_name(image)
        if (out / name / "result.json").is_file() and not overwrite:
            row = _kept(name, out / name / "result.json")
        else:
            row = _row(folder, image, parameters, _Target(out / name, write, overwrite))
        rows.append(row)
        _write_table(rows, out / TABLE_NAME)
        yield row


def exit_code(rows: list[BatchCase]) -> int:
    """Return the worst of all cases: 5 after an error, 3 after a refusal, else 0."""
    states = {row.status for row in rows}
    return 5 if "error" in states else InputRefusedError.exit_code if "refused" in states else 0


@dataclass(frozen=True, eq=False)
class _Target:
    folder: Path
    write: WriteResult
    overwrite: bool


def _row(folder: Path, image: Path, parameters: Parameters, target: _Target) -> BatchCase:
    name = case_name(image)
    try:
        own = _with_form(folder / CLINICAL, name, parameters)
        scan = read_scan(image, ReadOptions())
        labels = on_grid(*read_labelmap(_labels_of(folder, name)), scan.volume.grid)
        result = measure_segmentation(scan, labels, own)
        target.write(result, scan, target.folder, overwrite=target.overwrite)
    except Cancelled:
        raise
    except CTInsightError as error:
        status = "refused" if isinstance(error, InputRefusedError) else "error"
        return BatchCase(name, status, f"{error.found} - expected {error.expected}. {error.remedy}")
    warned = [check.name for check in result.checks if check.outcome is not Outcome.PASS]
    known = {finding.key: finding.value for finding in result.findings}
    return BatchCase(
        name, "warn" if warned else "done", "; ".join(warned), tuple(known.get(column) for column in COLUMNS)
    )


def _kept(name: str, document: Path) -> BatchCase:
    message = "an earlier result stays; measure it again with --overwrite"
    try:
        findings = json.loads(document.read_text(encoding="utf-8"))["findings"]
        known = {finding["key"]: finding["value"] for finding in findings}
    except (OSError, ValueError, KeyError, TypeError):
        return BatchCase(name, "error", f"{document} cannot be read; measure the case again with --overwrite")
    return BatchCase(name, "kept", message, tuple(known.get(column) for column in COLUMNS))


def _with_form(path: Path, name: str, parameters: Parameters) -> Parameters:
    if not path.is_file():
        return parameters
    form = read_clinical(path, name)
    eye = clinical_values(form)["surgical_eye"]
    side = parameters.side or (Side(eye) if isinstance(eye, str) else None)
    return replace(parameters, clinical=form, side=side)


def _labels_of(folder: Path, name: str) -> Path:
    found = [folder / LABELS / f"{name}{ending}" for ending in _ENDINGS]
    return next((path for path in found if path.is_file()), found[0])


def on_grid(labelmap_kji: NDArray[Any], grid: Grid, target: Grid) -> NDArray[np.uint8]:
    """Bring a label map to the grid of the CT by nearest neighbours where it lies on another."""
    if not grid.same_as(target, tolerance_mm=0.01):
        labelmap_kji = resample_labels(labelmap_kji, grid, target)
    return np.asarray(labelmap_kji)


def _write_table(rows: list[BatchCase], path: Path) -> None:
    with path.open("w", encoding=CSV_ENCODING, newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(TABLE_COLUMNS)
        for row in rows:
            cells = (row.name, row.status, *row.values, row.message, RESEARCH_USE_ONLY)
            writer.writerow([csv_cell(cell) for cell in cells])
