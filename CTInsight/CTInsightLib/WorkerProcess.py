"""The parent's side of the resident worker: starts it, asks it, looks for its events, kills it.

Nothing here blocks for long, starts a thread or needs Qt: a panel's timer calls :meth:`WorkerProcess.poll`.
``docs/worker-protocol.md`` is the contract.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctinsight.errors import ProcessingFailedError, WrongUseError
from ctinsight.worker import EVENTS_FILE, LOG_FILE, MARKER_FILE, PROTOCOL, events_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

#: Folders of workers are called ctinsight-worker-<pid of the parent>-<random>.
FOLDER_PREFIX = "ctinsight-worker-"
#: How long a killed process tree may take to be gone.
KILL_SECONDS = 2.0
LOG_TAIL_BYTES = 4000


def findPython() -> str:
    """Return the Python that runs the worker: Slicer's ``PythonSlicer`` on the path, else this one.

    In Slicer ``sys.executable`` is the application itself, so it is never guessed from that.

    Raises
    ------
    ProcessingFailedError
        Inside Slicer, but no PythonSlicer on the path.
    """
    found = shutil.which("PythonSlicer")
    if found is not None:
        return found
    if "python" in Path(sys.executable).name.lower():
        return sys.executable
    raise ProcessingFailedError(
        found=f"no PythonSlicer on the path, and {Path(sys.executable).name} is no Python",
        expected="3D Slicer's own Python, PythonSlicer, on the path as 3D Slicer sets it",
        remedy="Start 3D Slicer by its launcher, not by SlicerApp-real.",
    )


def workerEnvironment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the child's environment: the parent's, our package first on its path, UTF-8, unbuffered."""
    import ctinsight

    packages = str(Path(ctinsight.__file__).resolve().parents[1])
    environment = dict(os.environ if base is None else base)
    paths = [packages, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    environment.update(PYTHONPATH=os.pathsep.join(paths), PYTHONUNBUFFERED="1", PYTHONUTF8="1")
    # Waiting threads of torch otherwise spin: on two busy cores ResNet-60 took 2.1 s instead of 0.9 s.
    environment.setdefault("OMP_WAIT_POLICY", "passive")
    return environment


@dataclass
class _EventFile:
    """A file of events that grows; each call reads what is new."""

    path: Path
    offset: int = 0
    partial: bytes = b""

    def read(self) -> list[dict[str, Any]]:
        if not self.path.is_file():
            return []
        with self.path.open("rb") as stream:
            stream.seek(self.offset)
            new = stream.read()
        self.offset += len(new)
        *lines, self.partial = (self.partial + new).split(b"\n")
        return [json.loads(line) for line in lines]


@dataclass(frozen=True, eq=False)
class EditedLabelmap:
    """Outlines of a person: uint8 (slices, rows, columns), and what is known of the run before.

    ``known`` may hold the ``model_card`` of the network that made the first outline.
    """

    labelmap_kji: NDArray[np.uint8]
    known: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class WorkerProcess:
    """One resident worker, started when it is first needed.

    Parameters
    ----------
    command
        Program and arguments before ``--folder``; the default runs ``python -m ctinsight worker``.
    """

    command: list[str] | None = None
    _process: subprocess.Popen[bytes] | None = None
    _folder: Path | None = None
    _general: _EventFile | None = None
    _answers: _EventFile | None = None
    _pending: str | None = None
    _numbers: Any = field(default_factory=lambda: count(1))

    @property
    def folder(self) -> Path | None:
        """The private folder, while a worker lives."""
        return self._folder

    @property
    def pid(self) -> int | None:
        """The process id, while a worker lives."""
        return None if self._process is None else self._process.pid

    @property
    def busy(self) -> bool:
        """Whether a request waits for its answer."""
        return self._pending is not None

    def ping(self) -> str:
        """Ask for a sign of life; the ``pong`` comes by :meth:`poll`."""
        return self._send({"command": "ping"})

    def run(
        self,
        task: str,
        arrayKJI: NDArray[Any] | Path,
        ijkToRAS: NDArray[np.float64],
        *,
        parameters: Mapping[str, Any],
        edited: EditedLabelmap | None = None,
        acquisition: Mapping[str, Any] | None = None,
    ) -> str:
        """Ask for one case.

        Parameters
        ----------
        task
            "hematoma".
        arrayKJI
            (slices, rows, columns), HU; or where it was written, see :meth:`newInput`.
        ijkToRAS
            4 x 4, voxel index to RAS in mm.
        parameters
            Plain values of the task's ``Parameters``.
        edited
            Outlines that a person drew or edited: they are measured, nothing is outlined anew.
        acquisition
            Plain values of ``ctinsight.volume.Acquisition``: how the image was made, notes for the result.

        Returns
        -------
        str
            The id that the events of this request carry.
        """
        import numpy as np

        path = arrayKJI if isinstance(arrayKJI, Path) else self.newInput()
        if path is not arrayKJI:
            np.save(path, arrayKJI, allow_pickle=False)
        volume = {"array": path.name, "ijk_to_ras": np.asarray(ijkToRAS, dtype=float).tolist()}
        request = {"command": "run", "task": task, "volume": volume, "parameters": dict(parameters)}
        request["acquisition"] = dict(acquisition or {})
        if edited is not None:
            path = self.newInput()
            np.save(path, edited.labelmap_kji, allow_pickle=False)
            request.update(labelmap=path.name, known=dict(edited.known))
        return self._send(request)

    def newInput(self) -> Path:
        """Return where to write the next array that is sent; it is gone after the answer."""
        self._refuseWhenBusy()
        return self._ensureStarted() / f"input-{next(self._numbers)}.npy"

    def do(self, job: str, values: Mapping[str, Any]) -> str:
        """Ask for a job of ``ctinsight.worker.JOBS``; a ``done`` event with its values answers."""
        self._refuseWhenBusy()
        return self._send({"command": "do", "job": job, "values": dict(values)})

    def loadArray(self, name: str) -> NDArray[Any]:
        """Map an array that an event names."""
        import numpy as np

        if self._folder is None or Path(name).name != name:
            raise WrongUseError(
                found=f"array {name!r}",
                expected="an array of the living worker",
                remedy="Take it before stop().",
            )
        return np.load(self._folder / name, mmap_mode="r", allow_pickle=False)

    def poll(self) -> list[dict[str, Any]]:
        """Return the events since the last call, oldest first; a dead worker gives one ``error`` event."""
        if self._process is None:
            return []
        ended = self._process.poll() is not None
        events = self._readEvents()
        if ended:
            events.extend(self._buryDeadWorker())
        return events

    def cancel(self) -> None:
        """Kill the worker and everything it started; idle again afterwards, nothing left behind."""
        self._kill()
        self._forget()

    def stop(self) -> None:
        """End the worker kindly, or by force when it does not listen."""
        if self._process is None:
            return
        if self._pending is None:
            self._send({"command": "shutdown"})
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(KILL_SECONDS)
        self.cancel()

    def logTail(self) -> str:
        """Return the end of what the worker's libraries printed."""
        if self._folder is None or not (self._folder / LOG_FILE).is_file():
            return ""
        with (self._folder / LOG_FILE).open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - LOG_TAIL_BYTES))
            return stream.read().decode(errors="replace")

    def _ensureStarted(self) -> Path:
        if self._process is not None and self._process.poll() is None and self._folder is not None:
            return self._folder
        self.cancel()
        sweepStaleFolders()
        self._folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-"))
        (self._folder / MARKER_FILE).touch()
        self._general = _EventFile(self._folder / EVENTS_FILE)
        command = self.command or [findPython(), "-m", "ctinsight", "worker"]
        with (self._folder / LOG_FILE).open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--folder", str(self._folder)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=workerEnvironment(),
                **ownProcessGroup(),
            )
        return self._folder

    def _send(self, request: dict[str, Any]) -> str:
        self._refuseWhenBusy()
        self._ensureStarted()
        identity = str(next(self._numbers))
        line = json.dumps({"protocol": PROTOCOL, "id": identity, **request}) + "\n"
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except OSError as error:
            raise ProcessingFailedError(
                found=f"the worker does not listen: {error}",
                expected="a living worker",
                remedy="Try again; a new worker is started. Its last words: " + self.logTail()[-400:],
            ) from error
        self._pending, self._answers = identity, _EventFile(self._folder / events_file(identity))
        return identity

    def _refuseWhenBusy(self) -> None:
        if self._pending is not None:
            raise WrongUseError(
                found=f"request {self._pending} is still running",
                expected="one request at a time",
                remedy="Wait for its answer or cancel it.",
            )

    def _readEvents(self) -> list[dict[str, Any]]:
        events = self._general.read() + (self._answers.read() if self._answers else [])
        answers = {"result", "done", "error", "pong"}
        if any(e["event"] in answers and e["id"] in (self._pending, None) for e in events):
            self._finishRequest()
        return events

    def _finishRequest(self) -> None:
        # What the request brought along is used up; the labelmap stays until the next request.
        self._pending = None
        for path in (self._answers.path, *self._folder.glob("input-*.npy")):
            with suppress(OSError):  # on Windows the worker may hold its mapping a little longer
                path.unlink(missing_ok=True)
        self._answers = None

    def _buryDeadWorker(self) -> list[dict[str, Any]]:
        code, pending, tail = self._process.returncode, self._pending, self.logTail().strip()
        self.cancel()
        if pending is None:
            return []
        return [{"protocol": PROTOCOL, "event": "error", "id": pending, **_death(code, tail)}]

    def _kill(self) -> None:
        if self._process is None:
            return
        killTree(self._process)
        if self._process.stdin is not None:
            with suppress(OSError):  # the pipe of a dead process cannot be flushed; nothing is lost with it
                self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):  # an uninterruptible system call: it is reaped later
            self._process.wait(KILL_SECONDS)

    def _forget(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._process, self._folder, self._pending = None, None, None
        self._general, self._answers = None, None


def ownProcessGroup() -> dict[str, Any]:
    """Return the options of ``Popen`` that let a child's whole tree be killed."""
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def killTree(process: subprocess.Popen[bytes]) -> None:
    """Kill a child that was started with :func:`ownProcessGroup`, and everything it started."""
    if os.name == "nt":
        subprocess.run(
            [_windowsTool("taskkill"), "/T", "/F", "/PID", str(process.pid)], capture_output=True, check=False
        )
        return
    with suppress(ProcessLookupError):  # it is gone already
        os.killpg(process.pid, signal.SIGKILL)


def _windowsTool(name: str) -> str:
    return str(Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / f"{name}.exe")


def _death(code: int, tail: str) -> dict[str, Any]:
    outOfMemory = code in (-signal.SIGTERM, 137) or code == -getattr(signal, "SIGKILL", 9)
    return {
        "kind": "ProcessingFailedError",
        "found": f"the worker ended in the middle of the run (exit code {code})"
        + (f"; its last words: {tail[-400:]}" if tail else ""),
        "expected": "a result",
        "remedy": "The system may have ended it because memory ran out: close other programs and try again."
        if outOfMemory
        else "Try again; a new worker is started. If it happens again, report it with these words.",
        "exit_code": 5,
    }


def sweepStaleFolders(now: float | None = None) -> list[Path]:
    """Remove private folders whose parent process is gone; return them.

    Folders younger than a minute are left alone, so that a parent that is just starting keeps its own.
    """
    now = time.time() if now is None else now
    removed = []
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        owner = folder.name.removeprefix(FOLDER_PREFIX).split("-")[0]
        if owner.isdigit() and not _alive(int(owner)) and now - folder.stat().st_mtime > 60:
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
    return removed


def _alive(pid: int) -> bool:
    if os.name == "nt":
        listed = subprocess.run(
            [_windowsTool("tasklist"), "/FI", f"PID eq {pid}", "/NH"],
            capture_output=True,
            text=True,
            check=False,
        )
        return str(pid) in listed.stdout
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
