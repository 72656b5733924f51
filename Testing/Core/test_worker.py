"""The worker and its parent, tested from both ends with tasks that misbehave on request."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ctinsight.errors import InputRefusedError, ProcessingFailedError, WrongUseError
from ctinsight.manifest import refuse_odd_card
from ctinsight.result import as_labelmap
from ctinsight.worker import MARKER_FILE, acquisition_of, parse_request, read_scan_of, shorten_log
from CTInsightLib.WorkerProcess import (
    FOLDER_PREFIX,
    EditedLabelmap,
    WorkerProcess,
    findPython,
    sweepStaleFolders,
    workerEnvironment,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

CARD = {"name": "hematoma-drunet", "version": "1", "sha256": "ab12"}
FAKE_TASKS = Path(__file__).parent / "fake_tasks.py"


@pytest.fixture
def a_worker() -> Iterator[WorkerProcess]:
    """Yield a worker with fake tasks; it is gone after the test."""
    worker = WorkerProcess([sys.executable, str(FAKE_TASKS)])
    yield worker
    worker.cancel()


def _private_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "private"
    folder.mkdir()
    (folder / MARKER_FILE).touch()
    return folder


def _runs(pid: int) -> bool:
    """Whether a process computes still: neither gone nor a zombie that nobody has reaped yet."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False


def _ask(worker: WorkerProcess, **parameters: Any) -> str:
    array = np.full((2, 3, 4), 40, np.int16)
    return worker.run("fake", array, np.diag([0.5, 0.5, 5.0, 1.0]), parameters=parameters)


def _wait(worker: WorkerProcess, until: str = "") -> list[dict[str, Any]]:
    """Poll until the request is answered, or until an event of the given kind; return what came."""
    events: list[dict[str, Any]] = []
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        events += worker.poll()
        if not worker.busy or until in {event["event"] for event in events}:
            return events
        time.sleep(0.01)
    pytest.fail(f"no answer within 30 s; the log ends: {worker.logTail()}")


def test_a_case_comes_back_with_progress_and_labelmap(a_worker: WorkerProcess) -> None:
    """A volume of 40 HU has a mean of 40 HU, on the grid that was sent."""
    _ask(a_worker)
    ready, progress, result = _wait(a_worker)
    assert ready["version"]
    assert progress["phase"] == "working"
    assert result["document"]["findings"][0]["value"] == 40.0
    assert result["document"]["grid"]["voxel_volume_mm3"] == pytest.approx(1.25)
    assert a_worker.loadArray(result["labelmap"]).shape == (2, 3, 4)


def test_the_worker_is_resident(a_worker: WorkerProcess) -> None:
    """A second case is answered by the same process."""
    _ask(a_worker)
    _wait(a_worker)
    first = a_worker.pid
    _ask(a_worker)
    _wait(a_worker)
    assert a_worker.pid == first


def test_files_do_not_pile_up(a_worker: WorkerProcess) -> None:
    """After three cases the private folder holds as many files as after one."""
    counts = []
    for _ in range(3):
        _ask(a_worker)
        _wait(a_worker)
        assert a_worker.folder is not None
        counts.append(len(list(a_worker.folder.iterdir())))
    assert counts[0] == counts[2]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("refuse", "a pear"),
        ("value error", "nobody foresaw"),
        ("memory", "out of memory"),
        ("disk", "No space left"),
        ("crash", "ended in the middle"),
        ("kill", "ended in the middle"),
        ("exit", "exit code 7"),
    ],
)
def test_a_fault_gives_one_error_and_the_next_request_works(
    a_worker: WorkerProcess, fault: str, words: str
) -> None:
    """Whatever happens inside, the parent gets one error with a remedy and can ask again."""
    _ask(a_worker, fault=fault)
    error = _wait(a_worker)[-1]
    _ask(a_worker)
    assert error["event"] == "error"
    assert words in error["found"]
    assert error["remedy"]
    assert _wait(a_worker)[-1]["event"] == "result"


def test_rubbish_on_stdout_harms_nobody_and_the_log_stays_small(a_worker: WorkerProcess) -> None:
    """Three megabytes of noise on stdout leave the answer whole and the log below 1 MiB."""
    _ask(a_worker, fault="rubbish")
    assert _wait(a_worker)[-1]["event"] == "result"
    a_worker.ping()
    _wait(a_worker)
    assert a_worker.folder is not None
    assert (a_worker.folder / "worker.log").stat().st_size <= 1 << 20


def test_cancel_kills_the_whole_tree_within_two_seconds(a_worker: WorkerProcess) -> None:
    """A grandchild that sleeps is gone too, the folder is removed, and the parent is idle."""
    _ask(a_worker, fault="spawn", seconds=60)
    grandchild, folder = 0, a_worker.folder
    while not grandchild:
        phases = [e["phase"] for e in _wait(a_worker, until="progress") if e["event"] == "progress"]
        grandchild = next((int(phase) for phase in phases if phase.isdigit()), 0)
    started = time.monotonic()
    a_worker.cancel()
    assert time.monotonic() - started < 2
    assert not _runs(grandchild)
    assert folder is not None
    assert not folder.exists()
    assert not a_worker.busy


def test_one_request_at_a_time(a_worker: WorkerProcess) -> None:
    """A second request during a run is refused in words."""
    _ask(a_worker, seconds=5)
    with pytest.raises(WrongUseError, match="still running"):
        _ask(a_worker)


def test_stop_ends_kindly_and_leaves_nothing(a_worker: WorkerProcess) -> None:
    """After ``stop`` neither process nor folder remains."""
    a_worker.ping()
    _wait(a_worker)
    folder, pid = a_worker.folder, a_worker.pid
    a_worker.stop()
    assert a_worker.pid is None
    assert folder is not None
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid or 0, 0)


def test_the_worker_ends_with_its_parent(tmp_path: Path) -> None:
    """When stdin closes, the worker removes its folder and goes, even in the middle of a run."""
    folder = _private_folder(tmp_path)
    command = [sys.executable, "-m", "ctinsight", "worker", "--folder", str(folder)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, env=workerEnvironment())
    deadline = time.monotonic() + 20
    while not (folder / "events.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(10) == 0
    assert not folder.exists()


def test_the_worker_ends_when_idle(tmp_path: Path) -> None:
    """With no request for 0.001 minutes it says goodbye by itself."""
    folder = _private_folder(tmp_path)
    command = [
        sys.executable,
        "-m",
        "ctinsight",
        "worker",
        "--folder",
        str(folder),
        "--idle-minutes",
        "0.001",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=workerEnvironment()) as child:
        assert child.wait(20) == 0
    assert '"reason": "idle"' in (folder / "events.jsonl").read_text(encoding="utf-8")


def test_the_worker_refuses_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    """A folder with somebody's file in it is never used, for it would be deleted at the end."""
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    command = [sys.executable, "-m", "ctinsight", "worker", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=workerEnvironment())
    assert done.returncode == 2
    assert "without a file" in done.stderr
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.parametrize(
    "line", ["rubbish", "[]", '{"protocol": 2}', '{"protocol": 1, "id": "../x", "command": "ping"}',
             '{"protocol": 1, "id": "1", "command": "dance"}',
             '{"protocol": 1, "id": "1", "command": ["ping"]}',
             '{"protocol": 1, "id": "' + "a" * 300 + '", "command": "ping"}',
             '{"protocol": 1, "id": "1", "command": "run", "parameters": []}', "[" * 200_000]
)  # fmt: skip
def test_a_wrong_request_is_refused_in_words(line: str) -> None:
    """Broken JSON, another protocol, an id that makes no file name and an unknown command are each named."""
    with pytest.raises(WrongUseError, match="Expected: one line of JSON"):
        parse_request(line)


@pytest.mark.parametrize(
    "facts", [[], None, {"gaps": 5}, {"gaps": [[1.0]]}, {"slice_positions_mm": "abc"}, {"age_years": "old"},
              {"slice_thickness_mm": float("nan")}, {"file_format": None}, {"notes": [1]}, {"resampled": 1}]
)  # fmt: skip
def test_facts_of_another_type_are_refused_in_words(facts: object) -> None:
    """What is said of the acquisition is checked before it becomes a strange error or part of a result."""
    with pytest.raises(WrongUseError, match="Send the values"):
        acquisition_of({"acquisition": facts})


def test_facts_are_taken_and_strange_names_passed_over() -> None:
    """Numbers, pairs and notes arrive as tuples; a patient's name does not arrive at all."""
    facts = {"gaps": [[1, 2.5]], "notes": ["a"], "age_years": None, "PatientName": "Nobody"}
    acquisition = acquisition_of({"acquisition": facts})
    assert acquisition.gaps == ((1, 2.5),)
    assert acquisition.notes == ("a",)
    assert "Nobody" not in repr(acquisition)


@pytest.mark.parametrize("matrix", ["abc", {}, [[1, 2], [3]]])
def test_a_matrix_of_no_numbers_is_refused_in_words(tmp_path: Path, matrix: object) -> None:
    """Text, an object and rows of different length are wrong use, not an unforeseen error."""
    np.save(tmp_path / "v.npy", np.zeros((2, 2, 2)))
    with pytest.raises(WrongUseError, match="4 rows of 4 numbers"):
        read_scan_of({"volume": {"array": "v.npy", "ijk_to_ras": matrix}}, tmp_path)


def test_a_name_that_no_file_can_have_does_not_end_the_worker(tmp_path: Path) -> None:
    """A lone surrogate in the name of the array is answered by an error, and the next ping by a pong."""
    folder = _private_folder(tmp_path)
    run = (
        '{"protocol": 1, "id": "a", "command": "run", "task": "hematoma", "volume": {"array": "\\ud800.npy"}}'
    )
    ping = '{"protocol": 1, "id": "b", "command": "ping"}'
    command = [sys.executable, "-m", "ctinsight", "worker", "--folder", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=workerEnvironment(), text=True) as child:
        assert child.stdin is not None
        child.stdin.write(f"{run}\n{ping}\n")
        child.stdin.flush()
        deadline = time.monotonic() + 20
        while not (folder / "events-b.jsonl").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert '"event": "error"' in (folder / "events-a.jsonl").read_text(encoding="utf-8")
        assert '"pong"' in (folder / "events-b.jsonl").read_text(encoding="utf-8")


def test_stale_folders_are_swept_and_living_ones_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of a dead parent goes after a minute; one of a living parent stays."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    dead, alive = (tmp_path / f"{FOLDER_PREFIX}{pid}-x" for pid in (gone.pid, os.getpid()))
    dead.mkdir()
    alive.mkdir()
    assert sweepStaleFolders(now=time.time() + 61) == [dead]
    assert alive.exists()


def test_log_is_cut_to_its_newest_half(tmp_path: Path) -> None:
    """Of 0123456789 with a limit of 8 bytes the newest 4 remain."""
    log = tmp_path / "log"
    log.write_bytes(b"0123456789")
    shorten_log(log, limit=8)
    assert log.read_bytes() == b"6789"


def test_python_is_never_guessed_from_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside an application that is no Python, a missing PythonSlicer is said, not guessed."""
    monkeypatch.setattr("sys.executable", "/opt/Slicer/bin/SlicerApp-real")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ProcessingFailedError, match="PythonSlicer"):
        findPython()


def test_an_edited_labelmap_is_measured_and_not_outlined_anew(a_worker: WorkerProcess) -> None:
    """Five voxels of 1.25 mm³ that a person marked come back as five, with the card of the first outline."""
    array = np.full((2, 3, 4), 40, np.int16)
    labels = np.zeros((2, 3, 4), np.uint8)
    labels.flat[:5] = 1
    edited = EditedLabelmap(labels, {"model_card": CARD})
    a_worker.run("fake", array, np.diag([0.5, 0.5, 5.0, 1.0]), parameters={}, edited=edited)
    document = _wait(a_worker)[-1]["document"]
    assert document["findings"][0]["value"] == 5
    assert document["manifest"]["model_card"] == CARD


def test_an_odd_edit_is_refused_in_words(a_worker: WorkerProcess) -> None:
    """Half a label is refused before anything is measured."""
    array = np.full((2, 3, 4), 40, np.int16)
    edited = EditedLabelmap(np.full((2, 3, 4), 0.5), {})
    a_worker.run("fake", array, np.diag([0.5, 0.5, 5.0, 1.0]), parameters={}, edited=edited)
    error = _wait(a_worker)[-1]
    assert (error["kind"], error["exit_code"]) == ("InputRefusedError", 3)
    assert "float64" in error["found"]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (np.full((2, 3, 4), np.nan), "float64"),
        (np.full((2, 3, 4), 300, np.int16), "300 to 300"),
        (np.full((2, 3, 4), -1, np.int8), "-1 to -1"),
        (np.zeros((2, 3, 5), np.uint8), r"\(2, 3, 5\)"),
    ],
)
def test_what_is_no_labelmap_is_never_rounded(labels: Any, found: str) -> None:
    """Not numbers, labels that do not exist and another grid are named, instead of 0 mL."""
    with pytest.raises(InputRefusedError, match=found):
        as_labelmap(labels, (2, 3, 4))


@pytest.mark.parametrize("kind", [np.bool_, np.uint8, np.int16, np.uint32, np.int64])
def test_any_whole_numbers_are_a_labelmap(kind: Any) -> None:
    """Labels of any integer type become the same labels."""
    labels = np.arange(24).reshape(2, 3, 4) % 2
    assert (as_labelmap(labels.astype(kind), (2, 3, 4)) == labels).all()


@pytest.mark.parametrize("card", [3, {}, {"name": "x", "version": "1", "sha256": None}])
def test_a_card_of_no_weights_is_refused(card: Any) -> None:
    """A result never names weights that its card does not name."""
    with pytest.raises(WrongUseError, match="model_card"):
        refuse_odd_card(card)


def test_a_job_answers_with_plain_values(a_worker: WorkerProcess) -> None:
    """The sample job leaves an array in the private folder and names it with its geometry."""
    a_worker.do("head-phantom", {"quick": True})
    done = _wait(a_worker)[-1]
    assert done["event"] == "done"
    assert done["values"]["ijk_to_ras"][3] == [0, 0, 0, 1]
    assert a_worker.loadArray(done["values"]["array"]).shape == (34, 115, 107)


def test_an_unknown_job_is_refused(a_worker: WorkerProcess) -> None:
    """A job that nobody offers is an error that names those there are."""
    a_worker.do("make-coffee", {})
    error = _wait(a_worker)[-1]
    assert error["event"] == "error"
    assert "doctor" in error["expected"]


def test_a_sample_with_an_odd_seed_is_refused(a_worker: WorkerProcess) -> None:
    """A seed that is no whole number is the caller's mistake, said as one."""
    a_worker.do("head-phantom", {"seed": "x"})
    error = _wait(a_worker)[-1]
    assert (error["kind"], error["found"]) == ("WrongUseError", "seed = 'x'")
