"""Requests and answers about nodules as JSON: one schema for command, worker and web page.

``docs/nodule-request.md`` explains it and ``docs/nodule-request.schema.json`` states it for machines.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.errors import WrongUseError
from ctinsight.tasks.nodule.parameters import REQUEST_SCHEMA, VERSION, Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctinsight.errors import CTInsightError

ANSWER_SCHEMA = "ctinsight.nodule-answer"
#: A request is a page of text; what is larger is no request.
MOST_BYTES = 1 << 20
_REMEDY = "See docs/nodule-request.md."
_IMAGE_KEYS = {"path", "series", "allow_gaps"}


@dataclass(frozen=True)
class ImageSource:
    """Where an image lies: a path as commands take it, which DICOM series, whether gaps are allowed."""

    path: Path
    series: str | None = None
    allow_gaps: bool = False


@dataclass(frozen=True)
class Request:
    """One request: the CT, the earlier CT, and everything else."""

    ct: ImageSource
    prior: ImageSource | None
    parameters: Parameters


def load_request(path: Path) -> Request:
    """Read a request from a file; relative paths in it are relative to its folder.

    Raises
    ------
    WrongUseError
        No such file, no JSON, or not as the schema says.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise _wrong(found=f"{path.name}: more than {MOST_BYTES} bytes")
        text = content.decode("utf-8-sig")
        document = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_doubles)
    except OSError as error:
        raise _wrong(found=f"{path.name}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise _wrong(found=f"{path.name} is no JSON: {str(error)[:80]}") from error
    return read_request(document, path.parent)


def read_request(document: Any, folder: Path | None = None) -> Request:
    """Read a request from its document.

    Parameters
    ----------
    document
        As JSON holds it.
    folder
        To which relative paths are relative; the current folder when ``None``.

    Raises
    ------
    WrongUseError
        Not as the schema says; the first misfit is named.
    """
    if not isinstance(document, dict):
        raise _wrong(found=f"JSON of type {type(document).__name__}")
    stated = document.get("schema"), document.get("version")
    if stated != (REQUEST_SCHEMA, VERSION) or isinstance(document.get("version"), bool):
        raise _wrong(found=f"schema {str(stated[0])[:40]!r}, version {str(stated[1])[:10]!r}")
    rest = {key: value for key, value in document.items() if key not in {"schema", "version", "ct"}}
    ct = _image(document.get("ct"), "ct", folder)
    prior = None
    if isinstance(rest.get("prior"), dict):
        rest["prior"] = dict(rest["prior"])
        if (entry := rest["prior"].pop("ct", None)) is not None:
            prior = _image(entry, "prior.ct", folder)
    if not isinstance(rest.get("nodules"), list) or not rest["nodules"]:
        raise _wrong(found="no list of nodules")
    parameters = Parameters.from_dict(rest)
    return Request(ct, prior, parameters)


def answer_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """Wrap a result's document (see :mod:`ctinsight.report.result_json`) as an answer."""
    return _answer("done") | {"result": document}


def error_document(error: CTInsightError) -> dict[str, Any]:
    """Wrap an error as an answer; the same names as in the worker's ``error`` event."""
    return _answer("error") | {"error": error_entry(error)}


def error_entry(error: CTInsightError) -> dict[str, Any]:
    """Return an error as plain values."""
    return {
        "kind": type(error).__name__,
        "found": error.found,
        "expected": error.expected,
        "remedy": error.remedy,
        "exit_code": error.exit_code,
    }


def _answer(status: str) -> dict[str, Any]:
    return {
        "schema": ANSWER_SCHEMA,
        "version": VERSION,
        "research_use_only": RESEARCH_USE_ONLY,
        "status": status,
    }


def _image(entry: Any, name: str, folder: Path | None) -> ImageSource:
    good = isinstance(entry, dict) and isinstance(entry.get("path"), str) and bool(entry["path"].strip())
    if not good or entry.keys() - _IMAGE_KEYS:
        raise _wrong(
            found=f"{name} = {str(entry)[:80]}", expected='{"path": "FILE or FOLDER", "series": "..."}'
        )
    series, gaps = entry.get("series"), entry.get("allow_gaps", False)
    if not isinstance(gaps, bool) or not (series is None or isinstance(series, str)) or "\0" in entry["path"]:
        raise _wrong(found=f"{name} = {str(entry)[:80]}", expected="series as text, allow_gaps true or false")
    return ImageSource((folder or Path()) / entry["path"], series, gaps)


def _no_constant(text: str) -> float:
    # NaN and Infinity are no JSON; Python reads them all the same.
    msg = f"{text} is no number"
    raise ValueError(msg)


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Python would take the last of two and pass over the first.
    found = dict(pairs)
    if len(found) < len(pairs):
        msg = "a name stands twice in one object"
        raise ValueError(msg)
    return found


def _wrong(*, found: str, expected: str = "") -> WrongUseError:
    return WrongUseError(
        found=found,
        expected=expected
        or f'a JSON object with "schema": "{REQUEST_SCHEMA}", "version": {VERSION}, "ct" and "nodules"',
        remedy=_REMEDY,
    )
