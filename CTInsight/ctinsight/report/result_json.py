"""``result.json``: a case result as a document, and back."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, fields, is_dataclass, replace
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.errors import UnreadableFileError
from ctinsight.finding import Check, Column, Finding, Interval, MeasuredLine, Outcome, Segment, Table
from ctinsight.result import CaseResult, Segmentation
from ctinsight.terms import Code, terms
from ctinsight.version import VERSION
from ctinsight.volume import Acquisition, Grid, Scan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

SCHEMA = "ctinsight.result"
SCHEMA_VERSION = 1
_QUOTED = re.compile(r"'[^']*'")


def to_document(result: CaseResult, scan: Scan, files: Mapping[str, str]) -> dict[str, Any]:
    """Turn a result into plain values that JSON can hold.

    Parameters
    ----------
    result
        What the task found.
    scan
        The CT it was found in; only its geometry and acquisition are stored here.
    files
        Role of each file -> its name beside ``result.json``.

    Returns
    -------
    dict
        Strings, finite numbers, booleans, None, lists and dicts only.

    Raises
    ------
    ValueError
        A value is NaN, infinite or of a type that has no plain form; the message names its place.
    """
    grid = result.segmentation.grid
    document = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "software": {"name": "CT Insight", "version": VERSION},
        "research_use_only": RESEARCH_USE_ONLY,
        "task": result.task,
        "findings": result.findings,
        "tables": result.tables,
        "checks": result.checks,
        "lines": [{**asdict(line), "length_mm": line.length_mm} for line in result.lines],
        "segments": [
            _segment_document(result.segmentation, segment) for segment in result.segmentation.segments
        ],
        "grid": {
            "shape_kji": grid.shape_kji,
            "ijk_to_ras": grid.ijk_to_ras,
            "spacing_ijk_mm": grid.spacing_ijk_mm,
            "voxel_volume_mm3": grid.voxel_volume_mm3,
        },
        "acquisition": without_free_text(scan.acquisition),
        "statements": result.statements,
        "manifest": result.manifest,
        "files": files,
    }
    plain = _plain(document, "result")
    if not isinstance(plain, dict):
        msg = "a result document is a dict"
        raise TypeError(msg)
    return plain


def without_free_text(acquisition: Acquisition) -> Acquisition:
    """Leave out what a person may have typed into a header: a name can stand there.

    The series description goes, and of the notes whatever stands between quotation marks.

    Examples
    --------
    >>> typed = Acquisition("DICOM", series_description="HEAD Doe", notes=("Not read: 'Doe'",))
    >>> without_free_text(typed).notes
    ("Not read: '…'",)
    """
    notes = tuple(_QUOTED.sub("'…'", note) for note in acquisition.notes)
    return replace(acquisition, series_description=None, notes=notes)


def _segment_document(segmentation: Segmentation, segment: Segment) -> dict[str, Any]:
    term = terms()[segment.term]
    voxels = int(np.count_nonzero(segmentation.labelmap_kji == segment.label))
    return {
        **asdict(segment),
        "color_rgb": term.color_rgb,
        "category": term.category,
        "type": term.type,
        "region": term.region,
        "voxels": voxels,
        "volume_ml": voxels * segmentation.grid.voxel_volume_ml,
    }


def _plain(value: Any, place: str) -> Any:
    if isinstance(value, Enum | PurePath):
        return str(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist(), place)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name), f"{place}.{f.name}") for f in fields(value)}
    return _plain_container(value, place)


def _plain_container(value: Any, place: str) -> Any:
    if isinstance(value, float) and math.isfinite(value):
        return value
    if hasattr(value, "items"):
        return {str(key): _plain(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{place}[{index}]") for index, item in enumerate(value)]
    msg = f"{place} = {value!r} cannot be written: a result holds finite numbers, words, lists and dicts"
    raise ValueError(msg)


def from_document(
    document: Mapping[str, Any], labelmap_kji: NDArray[np.uint8], grid: Grid
) -> tuple[CaseResult, Acquisition]:
    """Rebuild a result from its document and its labelmap.

    Parameters
    ----------
    document
        What :func:`to_document` made.
    labelmap_kji
        (slices, rows, columns), the labels of the segments.
    grid
        The grid of the labelmap; it must be the grid that the document states.

    Raises
    ------
    UnreadableFileError
        Another schema, a missing entry, or a labelmap on another grid.
    """
    try:
        _refuse_other_grid(document["grid"], grid)
        result = CaseResult(
            segmentation=Segmentation(labelmap_kji, grid, segments_of(document)), **parts_of(document)
        )
        return result, _acquisition(document["acquisition"])
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableFileError(
            found=f"a result.json without a usable entry {error}",
            expected=f"a result of schema {SCHEMA} version {SCHEMA_VERSION}",
            remedy="Run the task again, or open the folder with the version of CT Insight that wrote it.",
        ) from error


def parts_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Rebuild what a document says without its labelmap: every field of ``CaseResult`` but the segmentation.

    A missing or unusable entry raises ``KeyError``, ``TypeError`` or ``AttributeError``.
    """
    return {
        "task": document["task"],
        "findings": tuple(_finding(entry) for entry in document["findings"]),
        "tables": tuple(_table(entry) for entry in document["tables"]),
        "checks": tuple(
            Check(**{**entry, "outcome": Outcome(entry["outcome"])}) for entry in document["checks"]
        ),
        "lines": tuple(_line(entry) for entry in document["lines"]),
        "statements": tuple(document["statements"]),
        "manifest": document["manifest"],
    }


def segments_of(document: Mapping[str, Any]) -> tuple[Segment, ...]:
    """Rebuild the segments that a document names."""
    return tuple(
        Segment(s["label"], s["key"], s["name"], s["term"], s["extra"]) for s in document["segments"]
    )


def _refuse_other_grid(stated: Mapping[str, Any], grid: Grid) -> None:
    written = Grid(tuple(stated["shape_kji"]), np.array(stated["ijk_to_ras"], dtype=np.float64))
    if not written.same_as(grid, tolerance_mm=0.01):
        raise UnreadableFileError(
            found=f"a segmentation on a grid of {grid.shape_kji}, spacing {grid.spacing_ijk_mm} mm",
            expected=f"the grid of result.json, {written.shape_kji}, spacing {written.spacing_ijk_mm} mm",
            remedy="The files of two runs were mixed, or the segmentation was edited on another grid: "
            "run the task again into an empty folder.",
        )


def _code(entry: Mapping[str, str] | None) -> Code | None:
    return Code(entry["scheme"], entry["value"], entry["meaning"]) if entry else None


def _finding(entry: Mapping[str, Any]) -> Finding:
    interval = Interval(**entry["interval"]) if entry["interval"] else None
    return Finding(**{**entry, "code": _code(entry["code"]), "interval": interval})


def _table(entry: Mapping[str, Any]) -> Table:
    columns = tuple(Column(**{**column, "code": _code(column["code"])}) for column in entry["columns"])
    return Table(entry["key"], entry["title"], columns, tuple(tuple(row) for row in entry["rows"]))


def _line(entry: Mapping[str, Any]) -> MeasuredLine:
    return MeasuredLine(entry["key"], entry["name"], tuple(entry["start_ras"]), tuple(entry["end_ras"]))


def _acquisition(entry: Mapping[str, Any]) -> Acquisition:
    lists = {
        "slice_positions_mm": tuple(entry["slice_positions_mm"]),
        "gaps": tuple((low, high) for low, high in entry["gaps"]),
        "notes": tuple(entry["notes"]),
    }
    return Acquisition(**{**entry, **lists})
