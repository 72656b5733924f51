"""One folder per result: written as a whole or not at all, and read back."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import (
    DependencyMissingError,
    ProcessingFailedError,
    UnreadableFileError,
    WrongUseError,
)
from ctinsight.files import read_labelmap, read_scan, write_segmentation, write_volume
from ctinsight.files.polydata import read_surface, write_surface
from ctinsight.files.spreadsheet import CSV_ENCODING
from ctinsight.report.measurements_csv import measurements_csv
from ctinsight.report.result_json import SCHEMA, SCHEMA_VERSION, from_document, to_document
from ctinsight.volume import Scan

if TYPE_CHECKING:
    from ctinsight.result import CaseResult

#: Role -> file name. The last two are added by ``python -m CTInsightLib``.
RESULT_FILES = {
    "result": "result.json",
    "measurements": "measurements.csv",
    "segmentation": "segmentation.seg.nrrd",
    "ct": "ct.nrrd",
    "axial_picture": "overview_axial.png",
    "scene": "scene.mrb",
    "overview": "overview.png",
}
#: Further layers and images that a task may add, by their keys.
LAYER_FILES = {
    "territories": "territories.seg.nrrd",
    "arteries": "arteries.seg.nrrd",
    "arteries_picture": "overview_arteries.png",
    "hemispheres": "hemispheres.seg.nrrd",
    "vessels": "vessels.seg.nrrd",
    "culprit": "culprit.seg.nrrd",
    "difference": "hemispheric_difference.nrrd",
    "mca_prior": "mca_prior_percent.nrrd",
    "vessel_mip": "vessel_mip.nrrd",
    "channel_ct": "channel_1_ct.nrrd",
    "channel_vessels": "channel_2_vessels.nrrd",
    "channel_prior": "channel_3_prior.nrrd",
    "channel_difference": "channel_4_difference.nrrd",
    "surface": "surface.vtk",
    "surface_picture": "thickness.png",
}
_ALL_FILES = {**RESULT_FILES, **LAYER_FILES}
#: Beginning of the name of the folder that holds the files while they are written.
_UNFINISHED = ".unfinished-"
#: No run takes so long to write: a folder untouched for longer belongs to one that was killed.
_STALE_SECONDS = 3600.0
_CORE_ROLES = ("measurements", "segmentation", "ct", "axial_picture", *LAYER_FILES)


@dataclass(frozen=True)
class ResultFiles:
    """What was written where; ``notes`` are sentences about anything that was left out."""

    folder: Path
    files: dict[str, Path]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class StoredResult:
    """A result as it was read back from its folder, with its CT."""

    folder: Path
    result: CaseResult
    scan: Scan


def write_result(result: CaseResult, scan: Scan, folder: Path, *, overwrite: bool = False) -> ResultFiles:
    """Write a result into a folder, all files or none.

    Parameters
    ----------
    result
        What a task found.
    scan
        The CT it was found in, on the grid of the segmentation.
    folder
        Made when absent. Files in it that are no result of ours stay as they are; what a run that was killed
        more than an hour ago left half written is removed.
    overwrite
        Whether an earlier result in the folder may be replaced.

    Returns
    -------
    ResultFiles
        The files, and a note when the picture was left out because matplotlib is missing.

    Raises
    ------
    WrongUseError
        The folder holds an earlier result, or its name belongs to a file.
    ProcessingFailedError
        The folder cannot be made or written to, or has no space.
    """
    folder = Path(folder)
    refuse_existing(folder, overwrite=overwrite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=folder) as name:
            unfinished = Path(name)
            notes = _write_files(result, scan, unfinished)
            refuse_existing(folder, overwrite=overwrite)  # another run may have finished meanwhile
            _replace(unfinished, folder)
    except OSError as error:
        raise ProcessingFailedError(
            found=f"the result could not be written into {folder} ({error.strerror or error})",
            expected="a folder with free space that may be written to",
            remedy="Free some space, name another folder, or ask for the right to write there.",
        ) from error
    files = {role: folder / name for role, name in _ALL_FILES.items() if (folder / name).is_file()}
    return ResultFiles(folder, files, notes)


def refuse_existing(folder: Path, *, overwrite: bool = False) -> None:
    """Refuse a folder that holds an earlier result, before any work is done for it.

    Raises
    ------
    WrongUseError
        The folder holds an earlier result and ``overwrite`` is false, or its name belongs to a file.
    """
    nearest = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    if nearest.exists() and not nearest.is_dir():
        raise WrongUseError(
            found=f"{nearest} is a file", expected="a folder for the result", remedy="Name another folder."
        )
    present = [name for name in _ALL_FILES.values() if (folder / name).exists()]
    folders = [name for name in present if (folder / name).is_dir()]
    if folders or (present and not overwrite):
        raise WrongUseError(
            found=f"{folder} already holds {', '.join(present)}",
            expected="a folder without an earlier result",
            remedy="Name another folder, move the earlier result away, or allow overwriting it (--overwrite)."
            if not folders
            else "Name another folder: a folder of that name is not replaced.",
        )


def _sweep(folder: Path) -> None:
    """Remove what killed runs left half written; anything that is not surely ours stays."""
    for left in folder.glob(_UNFINISHED + "*"):
        # What cannot be looked at or removed now must not stop the new result.
        with suppress(OSError):
            if not left.is_dir() or left.is_symlink():
                continue
            files = list(left.iterdir())
            newest = max(path.lstat().st_mtime for path in (left, *files))
            ours = all(path.is_file() and path.name in _ALL_FILES.values() for path in files)
            if ours and time.time() - newest > _STALE_SECONDS:
                shutil.rmtree(left)


def _write_files(result: CaseResult, scan: Scan, folder: Path) -> tuple[str, ...]:
    write_segmentation(result.segmentation, folder / RESULT_FILES["segmentation"])
    write_volume(scan.volume, folder / RESULT_FILES["ct"])
    # csv brings its own line ends.
    csv_file = folder / RESULT_FILES["measurements"]
    csv_file.write_text(measurements_csv(result), encoding=CSV_ENCODING, newline="")
    notes = _write_picture(result, scan, folder / RESULT_FILES["axial_picture"])
    notes += _write_layers(result, scan, folder)
    written = {role: _ALL_FILES[role] for role in _CORE_ROLES if (folder / _ALL_FILES[role]).is_file()}
    document = to_document(result, scan, written)
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / RESULT_FILES["result"]).write_text(text + "\n", encoding="utf-8")
    return notes


def _write_picture(result: CaseResult, scan: Scan, path: Path) -> tuple[str, ...]:
    from ctinsight.report.axial_picture import write_axial_picture

    try:
        write_axial_picture(result, scan, path)
    except DependencyMissingError as missing:
        return (f"{path.name} was left out: {missing.found}. {missing.remedy}",)
    return ()


def _write_layers(result: CaseResult, scan: Scan, folder: Path) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    for layer in result.layers:
        write_segmentation(layer.segmentation, folder / LAYER_FILES[layer.key])
        if layer.pictured:
            shown = replace(result, segmentation=layer.segmentation, lines=())
            notes += _write_picture(shown, scan, folder / LAYER_FILES[f"{layer.key}_picture"])
    if result.surface is not None:
        write_surface(result.surface, folder / LAYER_FILES["surface"])
        notes += _write_surface_picture(result, folder / LAYER_FILES["surface_picture"])
    for image in result.images:
        write_volume(image.volume, folder / LAYER_FILES[image.key])
    return notes


def _write_surface_picture(result: CaseResult, path: Path) -> tuple[str, ...]:
    from ctinsight.report.thickness_picture import write_thickness_picture

    try:
        write_thickness_picture(result, path)
    except DependencyMissingError as missing:
        return (f"{path.name} was left out: {missing.found}. {missing.remedy}",)
    return ()


def _replace(unfinished: Path, folder: Path) -> None:
    # result.json goes first and comes last: a folder that has one is complete. The scene and the overview
    # of an earlier run would no longer be true, so they go too.
    for name in _ALL_FILES.values():
        if name == RESULT_FILES["result"] or not (unfinished / name).exists():
            (folder / name).unlink(missing_ok=True)
    for role in (*_CORE_ROLES, "result"):
        source = unfinished / _ALL_FILES[role]
        if source.exists():
            shutil.move(source, folder / source.name)


def read_result(folder: Path) -> StoredResult:
    """Read a result folder back: the findings, the segmentation and the CT.

    Parameters
    ----------
    folder
        A folder that :func:`write_result` filled.

    Raises
    ------
    WrongUseError
        The folder is absent, or holds no ``result.json``.
    UnreadableFileError
        A file is damaged, missing, of another schema, or of another run.
    """
    folder = Path(folder)
    document = _read_document(folder)
    labelmap_kji, grid = read_labelmap(_listed(folder, document, "segmentation"))
    scan = read_scan(_listed(folder, document, "ct"))
    result, acquisition = from_document(document, labelmap_kji.astype(np.uint8), grid)
    if not scan.volume.grid.same_as(grid, tolerance_mm=0.01):
        raise UnreadableFileError(
            found=f"a CT of {scan.volume.grid.shape_kji} voxels, a segmentation of {grid.shape_kji}",
            expected="the same grid for both",
            remedy="The files of two runs were mixed: run the task again into an empty folder.",
        )
    if "surface" in document["files"]:
        result = replace(result, surface=read_surface(_listed(folder, document, "surface")))
    return StoredResult(folder, result, Scan(scan.volume, acquisition))


def _read_document(folder: Path) -> dict[str, Any]:
    path = folder / RESULT_FILES["result"]
    if not path.is_file():
        raise WrongUseError(
            found=f"no result.json in {folder}" if folder.is_dir() else f"{folder} is not a folder",
            expected="a result folder, as `ctinsight hematoma CASE -o FOLDER` writes it",
            remedy="Name the folder that was given with -o, or run the task first.",
        )
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UnreadableFileError(
            found=f"{path} is no JSON: {error}",
            expected="the file as it was written",
            remedy="Run the task again.",
        ) from error
    known = isinstance(document, dict) and document.get("schema") == SCHEMA
    if not known or document.get("schema_version") != SCHEMA_VERSION:
        stated = (
            f"{document.get('schema')} version {document.get('schema_version')}"
            if known
            else "another document"
        )
        raise UnreadableFileError(
            found=f"{path} is {stated}",
            expected=f"schema {SCHEMA} version {SCHEMA_VERSION}",
            remedy="Name a result folder, or run the task again with this version of CT Insight.",
        )
    return document


def _listed(folder: Path, document: dict[str, Any], role: str) -> Path:
    path = folder / _ALL_FILES[role]
    if role not in document.get("files", {}) or not path.is_file():
        raise UnreadableFileError(
            found=f"{path.name} is missing in {folder}",
            expected="all files of the result side by side",
            remedy="Copy the whole result folder, or run the task again.",
        )
    return path
