"""The resident child process: JSON requests in on stdin, JSON events out into a file.

``docs/worker-protocol.md`` is the contract. Slicer's own process never computes and never imports torch; it
starts this program once, and later cases pay neither start nor imports again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import queue
import re
import shutil
import sys
import threading
import traceback
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ctinsight.errors import CTInsightError, ProcessingFailedError, WrongUseError
from ctinsight.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ctinsight.progress import ProgressEvent
    from ctinsight.volume import Acquisition, Scan

PROTOCOL = 1
EVENTS_FILE, LOG_FILE, MARKER_FILE = "events.jsonl", "worker.log", "ctinsight-private"
#: The log is cut to its newest half above this size.
MAX_LOG_BYTES = 1 << 20
IDLE_MINUTES = 30.0

#: Task name -> module with ``Parameters`` and ``run(scan, parameters, progress)``.
TASKS = {
    "dcr": "ctinsight.tasks.dcr",
    "hematoma": "ctinsight.tasks.hematoma",
    "lvo": "ctinsight.tasks.lvo",
    "nodule": "ctinsight.tasks.nodule",
}
#: Job name -> "module:function" of ``function(values, tell, folder)``: it gets plain values, tells each
#: ``ProgressEvent``, may leave arrays in the private folder, and returns plain values.
JOBS = {
    "doctor": "ctinsight.doctor:job",
    "head-phantom": "ctinsight.phantoms.jobs:draw_head",
    "models-get": "ctinsight.models.jobs:get",
    "models-import": "ctinsight.models.jobs:import_files",
    "models-remove": "ctinsight.models.jobs:remove",
    "models-verify": "ctinsight.models.jobs:verify",
}

_END_OF_INPUT = ""


@dataclass(frozen=True)
class Worker:
    """One worker and its private folder.

    Parameters
    ----------
    folder
        Private folder of this worker and its parent.
    idle_minutes
        It ends by itself after so many minutes without a request.
    """

    folder: Path
    idle_minutes: float = IDLE_MINUTES

    def serve(self, requests: IO[str]) -> str:
        """Answer requests until told to stop, idle for long, or without parent; return which."""
        self._emit("ready", None, pid=os.getpid(), version=VERSION)
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(requests, lines), daemon=True).start()
        reason = ""
        while not reason:
            try:
                line = lines.get(timeout=self.idle_minutes * 60)
            except queue.Empty:
                reason = "idle"
                break
            reason = self._answer(line)
            shorten_log(self.folder / LOG_FILE)
        self._emit("bye", None, reason=reason)
        return reason

    def _read(self, requests: Iterable[str], lines: queue.SimpleQueue[str]) -> None:
        # The end of stdin means that the parent is gone, whatever the main thread is computing just now.
        for line in requests:
            if line.strip():
                lines.put(line)
        shutil.rmtree(self.folder, ignore_errors=True)
        os._exit(0)

    def _answer(self, line: str) -> str:
        identity: str | None = None
        try:
            request = parse_request(line)
            identity = request["id"]
            if request["command"] == "shutdown":
                return "told"
            if request["command"] == "ping":
                self._emit("pong", identity)
            elif request["command"] == "do":
                self._do(request)
            else:
                self._run(request)
        except CTInsightError as error:
            self._report(identity, error)
        except Exception as error:  # noqa: BLE001 - the worker's one boundary: it must answer and live on
            traceback.print_exc()
            self._report(identity, unforeseen(error))
        return ""

    def _do(self, request: dict[str, Any]) -> None:
        identity = request["id"]
        job = find_job(request.get("job"))
        self._sweep_arrays()
        values = job(request.get("values", {}), lambda event: self._progress(identity, event), self.folder)
        self._emit("done", identity, values=values)

    def _sweep_arrays(self) -> None:
        """Delete what the parent has fetched: the arrays of the answer before."""
        for pattern in ("*-labelmap.npy", "*-volume.npy"):
            for earlier in self.folder.glob(pattern):
                earlier.unlink(missing_ok=True)

    def _run(self, request: dict[str, Any]) -> None:
        import numpy as np

        from ctinsight.manifest import refuse_odd_card
        from ctinsight.progress import Progress
        from ctinsight.report.result_json import to_document
        from ctinsight.result import as_labelmap

        identity = request["id"]
        self._sweep_arrays()
        task = find_task(request.get("task"))
        scan = read_scan_of(request, self.folder)
        parameters = task.Parameters.from_dict(request.get("parameters", {}))
        progress = Progress(lambda event: self._progress(identity, event))
        more = {"prior": read_scan_of(request["prior"], self.folder)} if "prior" in request else {}
        if "labelmap" in request:
            known = request.get("known", {})
            refuse_odd_card(known.get("model_card"))
            drawn = as_labelmap(load_array(request["labelmap"], self.folder), scan.volume.grid.shape_kji)
            result = task.measure_labelmap(scan, drawn, parameters, known, progress=progress, **more)
        else:
            result = task.run(scan, parameters, progress, **more)
        labelmap = f"{identity}-labelmap.npy"
        np.save(self.folder / labelmap, result.segmentation.labelmap_kji, allow_pickle=False)
        self._emit("result", identity, document=to_document(result, scan, {}), labelmap=labelmap)

    def _progress(self, identity: str, event: ProgressEvent) -> None:
        self._emit(
            "progress", identity, phase=event.phase, fraction=event.fraction, seconds_left=event.seconds_left
        )

    def _report(self, identity: str | None, error: CTInsightError) -> None:
        said = {key: getattr(error, key) for key in ("found", "expected", "remedy", "exit_code")}
        self._emit("error", identity, kind=type(error).__name__, **said)

    def _emit(self, event: str, identity: str | None, **values: Any) -> None:
        line = json.dumps(
            {"protocol": PROTOCOL, "event": event, "id": identity, **values}, ensure_ascii=False
        )
        # One write per line, so that a reader never meets half an event that is not also without line end.
        # A lone surrogate, as JSON may hold it, becomes its JSON escape again.
        with (self.folder / events_file(identity)).open("ab") as stream:
            stream.write(line.encode(errors="backslashreplace") + b"\n")


def events_file(identity: str | None) -> str:
    """Return the name of the file that takes the events of a request, or those of no request."""
    return EVENTS_FILE if identity is None else f"events-{identity}.jsonl"


def parse_request(line: str) -> dict[str, Any]:
    """Read one request line.

    Raises
    ------
    WrongUseError
        No JSON object, another protocol, no id, or an unknown command.
    """
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _wrong_request(found=f"a line that is no JSON: {line[:80]!r}") from error
    if not isinstance(request, dict):
        raise _wrong_request(found=f"JSON of type {type(request).__name__}")
    if request.get("protocol") != PROTOCOL:
        raise _wrong_request(found=f"protocol {request.get('protocol')!r}")
    identity = request.get("id")
    if not isinstance(identity, str) or not re.fullmatch(r"[A-Za-z0-9]{1,64}", identity):
        raise _wrong_request(found=f"id {str(identity)[:80]!r}")
    if request.get("command") not in ("ping", "run", "do", "shutdown"):
        raise _wrong_request(found=f"command {request.get('command')!r}")
    for key in ("parameters", "values", "known", "prior"):
        if not isinstance(request.get(key, {}), dict):
            raise _wrong_request(found=f"{key} {request[key]!r}")
    return request


def _wrong_request(*, found: str) -> WrongUseError:
    return WrongUseError(
        found=found,
        expected=f'one line of JSON with "protocol": {PROTOCOL}, an "id" of 1 to 64 ASCII letters and digits '
        'and a "command"',
        remedy="Use the same version of CT Insight on both sides (docs/worker-protocol.md).",
    )


def find_task(name: object) -> Any:
    """Import the module of a task; an unknown one raises ``WrongUseError``."""
    return import_module(_chosen(TASKS, name, "task"))


def find_job(name: object) -> Any:
    """Import the function of a job; an unknown one raises ``WrongUseError``."""
    module, function = _chosen(JOBS, name, "job").split(":")
    return getattr(import_module(module), function)


def _chosen(table: dict[str, str], name: object, what: str) -> str:
    if not isinstance(name, str) or name not in table:
        remedy = f"Choose one of these {what}s."
        raise WrongUseError(found=f"{what} {name!r}", expected=", ".join(table), remedy=remedy)
    return table[name]


def load_array(name: object, folder: Path) -> Any:
    """Map an array of the private folder.

    Raises
    ------
    WrongUseError
        No such array, or a name that leads out of the folder.
    """
    import numpy as np

    if not isinstance(name, str) or Path(name).name != name:
        raise WrongUseError(
            found=f"array {name!r}",
            expected="the name of an .npy file in the private folder",
            remedy="Write the voxels with numpy.save into the worker's folder and name the file.",
        )
    try:
        return np.load(folder / name, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise WrongUseError(
            found=f"{name}: {error}",
            expected="an array written by numpy.save",
            remedy="Start the run again; the private folder may have been cleaned by another program.",
        ) from error


def read_scan_of(request: dict[str, Any], folder: Path) -> Scan:
    """Map the request's array and geometry into a scan.

    Parameters
    ----------
    request
        Its ``volume`` names an ``.npy`` file of the private folder, (slice, row, column) in HU.
    folder
        The private folder.

    Raises
    ------
    WrongUseError
        No such array, or a name that leads out of the folder.
    GeometryError
        See :class:`ctinsight.volume.Grid`.
    """
    import numpy as np

    from ctinsight.volume import Scan, Volume

    entry = request.get("volume")
    if not isinstance(entry, dict):
        raise WrongUseError(
            found=f"volume = {entry!r}",
            expected='{"array": "NAME.npy", "ijk_to_ras": 4 x 4 numbers}, the file in the private folder',
            remedy="Write the voxels with numpy.save into the worker's folder and name the file.",
        )
    array = load_array(entry.get("array"), folder)
    try:
        matrix = np.array(entry.get("ijk_to_ras"), dtype=float)
    except (TypeError, ValueError) as error:
        raise WrongUseError(
            found=f"ijk_to_ras = {entry.get('ijk_to_ras')!r}",
            expected="4 rows of 4 numbers",
            remedy="Send the matrix from voxel index (i, j, k) to RAS in mm.",
        ) from error
    return Scan(Volume(array, matrix), acquisition_of(request))


def acquisition_of(request: dict[str, Any]) -> Acquisition:
    """Read what a request says of how its image was made; keys that are not known are passed over.

    Raises
    ------
    WrongUseError
        A value of another type than :class:`ctinsight.volume.Acquisition` has.
    """
    from ctinsight.volume import Acquisition

    entry = request.get("acquisition", {})
    known = {field.name: str(field.type) for field in fields(Acquisition)}
    stated = {k: v for k, v in entry.items() if k in known} if isinstance(entry, dict) else {}
    facts = {key: _tuples(value) for key, value in stated.items()}
    wrong = [key for key, value in facts.items() if not _is_a(value, known[key])]
    if wrong or not isinstance(entry, dict):
        raise WrongUseError(
            found="; ".join(f"{key} = {stated[key]!r}" for key in wrong) or f"acquisition = {entry!r}",
            expected="; ".join(f"{key}: {known[key]}" for key in wrong) or "an object with named values",
            remedy="Send the values of ctinsight.volume.Acquisition (docs/worker-protocol.md).",
        )
    return Acquisition(**{"file_format": "MRML", **facts})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _is_a(value: Any, kind: str) -> bool:
    """Whether a value that came as JSON is of a type as it is annotated in ``Acquisition``."""
    if kind.endswith(" | None") and value is None:
        return True
    kind = kind.removesuffix(" | None")
    if kind.startswith("tuple["):
        inner = kind[len("tuple[") : -1]
        if inner == "float, float":
            return isinstance(value, tuple) and len(value) == 2 and all(_is_a(v, "float") for v in value)
        return isinstance(value, tuple) and all(_is_a(v, inner.removesuffix(", ...")) for v in value)
    if kind == "float":
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, {"str": str, "bool": bool}[kind])


def unforeseen(error: Exception) -> CTInsightError:
    """Word an error that nobody raised on purpose; memory and disk have remedies of their own."""
    if isinstance(error, MemoryError):
        return ProcessingFailedError(
            found="the machine ran out of memory",
            expected="enough free memory for this volume",
            remedy="Close other programs, or crop the volume to the head first.",
        )
    if isinstance(error, OSError):
        return ProcessingFailedError(
            found=f"the private folder cannot be used: {error}",
            expected="a readable and writable temporary folder with free space",
            remedy="Free some disk space, then start the run again.",
        )
    return ProcessingFailedError(
        found=f"an error that nobody foresaw: {type(error).__name__}: {error}",
        expected="a result",
        remedy="Please report it with the log of the worker; it holds no patient identity.",
    )


def shorten_log(path: Path, limit: int = MAX_LOG_BYTES) -> None:
    """Cut a log to its newest half when it has grown above ``limit`` bytes; it may be open for appending."""
    if not path.is_file() or path.stat().st_size <= limit:
        return
    with path.open("r+b") as stream:
        stream.seek(-limit // 2, os.SEEK_END)
        newest = stream.read()
        stream.seek(0)
        stream.write(newest)
        stream.truncate()


def _refuse_foreign_folder(folder: Path) -> None:
    # The worker deletes this folder when its parent is gone, so it must be one that was made for that.
    if not (folder / MARKER_FILE).is_file():
        raise WrongUseError(
            found=f"{folder} without a file {MARKER_FILE}",
            expected="a private folder that the parent has made and marked; the worker deletes it at the end",
            remedy=f"Make a new temporary folder with an empty file {MARKER_FILE} in it.",
        )


def main(arguments: list[str]) -> int:
    """Run a worker in ``--folder``; it reads requests from stdin."""
    parser = argparse.ArgumentParser(prog="ctinsight worker", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="private folder of parent and worker")
    parser.add_argument("--idle-minutes", type=float, default=IDLE_MINUTES)
    options = parser.parse_args(arguments)
    _refuse_foreign_folder(options.folder)
    Worker(options.folder, options.idle_minutes).serve(sys.stdin)
    return 0
