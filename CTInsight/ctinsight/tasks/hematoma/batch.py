"""A folder of patients to one CSV: resumable, a status per case, and one bad case stops nothing."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import asdict, dataclass, fields
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.errors import (
    Cancelled,
    CTInsightError,
    InputRefusedError,
    ProcessingFailedError,
    WrongUseError,
)
from ctinsight.files import ReadOptions, read_scan
from ctinsight.files.spreadsheet import CSV_ENCODING, csv_cell
from ctinsight.finding import Outcome
from ctinsight.manifest import Provenance, provenance_of
from ctinsight.progress import Progress
from ctinsight.tasks.hematoma.parameters import Method
from ctinsight.tasks.hematoma.run import require_weights, run
from ctinsight.tasks.hematoma.statements import METHOD_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ctinsight.result import CaseResult
    from ctinsight.tasks.hematoma.parameters import Parameters
    from ctinsight.volume import Scan

TABLE_NAME = "batch.csv"
STAMP_NAME = "batch_case.json"
#: The files of one result as ``ctinsight.report`` names them; a report is no part of this layer.
RESULT_NAMES = (
    "result.json",
    "measurements.csv",
    "segmentation.seg.nrrd",
    "ct.nrrd",
    "overview_axial.png",
    "scene.mrb",
    "overview.png",
)

#: Findings that become columns of the table, in this order.
COLUMNS = (
    "volume_ml",
    "volume_low_ml",
    "volume_high_ml",
    "volume_partial_ml",
    "component_count",
    "largest_volume_ml",
    "largest_side",
    "mean_hu",
    "abc2_simple_ml",
    "abc2_weighted_ml",
    "abc3_ml",
    "two_thirds_sh_ml",
)
#: Header of the table. Units stand in the names; volumes are in mL, attenuation in HU.
TABLE_COLUMNS = (
    *("case", "status", *COLUMNS, "message"),
    *("method", "weights", "weights_sha256", "software_version", "research_use_only"),
)


class WriteResult(Protocol):
    """Writes one result into a folder; ``ctinsight.report.write_result`` is one."""

    def __call__(self, result: CaseResult, scan: Scan, folder: Path, *, overwrite: bool = ...) -> object:
        """Write."""


@dataclass(frozen=True)
class BatchCase:
    """One row of the table.

    ``status`` is done, warn (done, but an input check warns), refused (the input must not be measured) or
    error; ``message`` says why. ``values`` holds the findings of ``COLUMNS``, ``made_by`` the method, the
    weights, their SHA-256 and the version; a case without a result has what was chosen for it.
    """

    name: str
    status: str
    message: str
    values: tuple[float | int | str | None, ...] = (None,) * len(COLUMNS)
    made_by: tuple[str, str, str, str] = ("", "", "", "")
    resumed: bool = False


@dataclass(frozen=True)
class _Job:
    parameters: Parameters
    options: ReadOptions
    write: WriteResult
    progress: Callable[[str], Progress]
    planned: Provenance


def run_batch(
    folder: Path,
    out: Path,
    parameters: Parameters,
    *,
    options: ReadOptions | None = None,
    write: WriteResult,
    progress: Callable[[str], Progress] = lambda _name: Progress(),
) -> Iterator[BatchCase]:
    """Measure every patient of a folder, one after the other, by the same code as a single case.

    Each sub-folder (or image file) of ``folder`` is one case; its result goes to ``out/<name>`` and its row
    to ``out/batch.csv``, which is replaced as a whole after each case. Cases that were finished with the
    same files, options, parameters, weights and version are not computed again. A case that fails gets its
    row, and the next one begins; a result that an earlier batch had for it is outdated and moves to
    ``out/<name>/outdated-1``, which its message says. :func:`batch_exit_code` turns the statuses
    into the exit code of a command.

    The table is UTF-8 with a mark at its start, comma-separated, with the research-use sentence in each row;
    text that a spreadsheet program would take for a formula has an apostrophe in front.

    Yields
    ------
    BatchCase
        Each case when it is finished, in the order of names.

    Raises
    ------
    WrongUseError
        ``folder`` holds no case, or is not a folder.
    WeightsMissingError
        DR-UNet was chosen and has no weights; no case is begun.
    """
    cases = _cases(Path(folder), Path(out))
    require_weights(parameters)
    job = _Job(parameters, options or ReadOptions(), write, progress, _planned(parameters))
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    rows: dict[str, BatchCase] = {}
    for name, source in cases:
        rows[name] = _one(name, source, out / name, job)
        _write_table(out / TABLE_NAME, rows)
        yield rows[name]


def batch_exit_code(statuses: Iterable[str]) -> int:
    """Return the exit code of a batch that came to its end.

    0 when every case is done or warns. Otherwise the code that the worst case would have had alone: 5 when
    one is an error, or else 3 when one is refused; the table names each. Every other case is measured all
    the same.
    """
    found = set(statuses)
    if "error" in found:
        return ProcessingFailedError.exit_code
    return InputRefusedError.exit_code if "refused" in found else 0


def _cases(folder: Path, out: Path) -> list[tuple[str, Path]]:
    if not folder.is_dir():
        raise WrongUseError(
            found=f"{folder} is not a folder",
            expected="a folder with one sub-folder per patient",
            remedy="Name that folder, or measure a single case without --batch.",
        )
    found = [
        p for p in sorted(folder.iterdir()) if not p.name.startswith(".") and p.resolve() != out.resolve()
    ]
    cases = [(_name(p), p) for p in found if p.is_dir() or p.name.lower().endswith(_IMAGE_ENDINGS)]
    names = [name for name, _path in cases]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if not cases or doubled:
        raise WrongUseError(
            found=f"{folder} with no patient" if not cases else f"several cases named {', '.join(doubled)}",
            expected="one sub-folder or image file per patient, each with its own name",
            remedy="Put each patient's images into a folder of their own.",
        )
    return cases


_IMAGE_ENDINGS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".zip")


def _name(path: Path) -> str:
    name = path.name
    for ending in sorted(_IMAGE_ENDINGS, key=len, reverse=True):
        if path.is_file() and name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def _one(name: str, source: Path, folder: Path, job: _Job) -> BatchCase:
    stamp = _stamp(source, job)
    earlier = _finished_before(folder, stamp)
    if earlier is not None:
        return earlier
    try:
        scan = read_scan(source, job.options)
        result = run(scan, job.parameters, job.progress(name))
        job.write(result, scan, folder, overwrite=True)
    except Cancelled:
        raise
    except (CTInsightError, OSError, MemoryError) as error:
        return _failed(name, error, folder, job)
    case = _row(name, result)
    _write_whole(folder / STAMP_NAME, json.dumps({"stamp": stamp, **asdict(case)}, indent=1))
    return case


def _failed(name: str, error: BaseException, folder: Path, job: _Job) -> BatchCase:
    status = "refused" if isinstance(error, InputRefusedError) else "error"
    message = _sentence(error) + _set_aside(folder)
    return BatchCase(name, status, message, made_by=_cells(job.planned))


def _cells(made: Provenance) -> tuple[str, str, str, str]:
    return made.method, made.weights, made.weights_sha256, made.version


def _set_aside(folder: Path) -> str:
    """Move the result of an earlier batch, which this case no longer has; returns what to say of it.

    It goes into a sub-folder of its own, so nothing is lost. A result without this module's stamp was made
    by a person and stays.
    """
    if not (folder / STAMP_NAME).is_file():
        here = (folder / "result.json").is_file()
        return f" The result in {folder.name} is older and not of this batch." if here else ""
    try:
        aside = next(p for n in count(1) if not (p := folder / f"outdated-{n}").exists())
        aside.mkdir()
        # result.json goes first, as a folder that has one counts as complete.
        for name in (*RESULT_NAMES, STAMP_NAME):
            if (folder / name).is_file():
                (folder / name).replace(aside / name)
    except OSError as error:
        return f" The earlier result in {folder.name} is outdated and could not be moved ({error.strerror})."
    return f" The earlier result is outdated and was moved to {folder.name}/{aside.name}."


def _row(name: str, result: CaseResult) -> BatchCase:
    warned = [c for c in result.checks if c.outcome is Outcome.WARN]
    message = "; ".join(f"{c.name}: {c.measured} (expected {c.expected})" for c in warned)
    found = {f.key: f.value for f in result.findings}
    interval = next((f.interval for f in result.findings if f.key == "volume_ml"), None)
    if interval is not None:
        found |= {"volume_low_ml": interval.low, "volume_high_ml": interval.high}
    values = tuple(found.get(key) for key in COLUMNS)
    made_by = _cells(provenance_of(result.manifest))
    return BatchCase(name, "warn" if warned else "done", message, values, made_by)


def _sentence(error: BaseException) -> str:
    if isinstance(error, CTInsightError):
        return f"{error.found}; expected {error.expected}. {error.remedy}"
    return f"{type(error).__name__}: {error}"


def _stamp(source: Path, job: _Job) -> str:
    """Return a checksum of the input's files (name, size, time) and of everything that decides the result."""
    files = sorted(p for p in source.rglob("*") if p.is_file()) if source.is_dir() else [source]
    listing = [(str(p.relative_to(source)), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    choice = [job.parameters.as_dict(), asdict(job.options), job.planned.version, job.planned.weights_sha256]
    return hashlib.sha256(json.dumps([listing, choice], default=str, sort_keys=True).encode()).hexdigest()


def _planned(parameters: Parameters) -> Provenance:
    """Return what will make the results; of weights, given or installed, what is in them now."""
    method = METHOD_NAMES[parameters.method]
    if parameters.method is not Method.DRUNET:
        return Provenance(method)
    from ctinsight.models.drunet_weights import DRUNET, DRUNET_NAME
    from ctinsight.models.importers.weights_file import weights_sha256
    from ctinsight.tasks.hematoma.drunet import find_weights

    return Provenance(method, DRUNET_NAME, weights_sha256(find_weights(parameters.weights), DRUNET))


def _finished_before(folder: Path, stamp: str) -> BatchCase | None:
    try:
        earlier: dict[str, Any] = json.loads((folder / STAMP_NAME).read_text(encoding="utf-8"))
        if earlier.pop("stamp") != stamp or not (folder / "result.json").is_file():
            return None
        values, made_by = tuple(earlier.pop("values")), tuple(earlier.pop("made_by"))
        whole = len(values) == len(COLUMNS) and len(made_by) == len(fields(Provenance))
        return (
            BatchCase(**{**earlier, "values": values, "made_by": made_by, "resumed": True}) if whole else None
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # No stamp, or one cut short: the case is computed again.
        return None


def _write_table(path: Path, rows: dict[str, BatchCase]) -> None:
    lines: list[tuple[float | int | str | None, ...]] = [TABLE_COLUMNS]
    lines += [(r.name, r.status, *r.values, r.message, *r.made_by, RESEARCH_USE_ONLY) for r in rows.values()]
    part = path.with_suffix(".part")
    with part.open("w", newline="", encoding=CSV_ENCODING) as stream:
        csv.writer(stream).writerows([csv_cell(cell) for cell in line] for line in lines)
    part.replace(path)


def _write_whole(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
