"""Measure the resident worker: cost over a direct call, gain of a second case, growth over many requests.

    python Testing/Benchmarks/worker_soak.py [--requests 500] [--repeats 21] [--dims 32]

Prints Markdown; a count of 0 leaves that part out. Every tenth request of the soak is a click in the air,
which is refused; the last five are cancelled in the middle, each followed by a new worker. Processor-seconds
do not depend on what else the machine does; wall-clock times do. Linux only (reads /proc). The network is
DR-UNet with random weights: its time is real, its scores mean nothing.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.phantoms import HeadSpec, PhantomCase, head_grid, head_phantom
from ctinsight.tasks.hematoma import Parameters, run
from ctinsight.volume import Acquisition, Scan
from CTInsightLib.WorkerProcess import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

FAKE_TASKS = Path(__file__).resolve().parents[1] / "Core" / "fake_tasks.py"
IN_THE_AIR = {"point_ras": [500.0, 0.0, 0.0]}


def main() -> None:
    """Run what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=500, help="of the soak")
    parser.add_argument("--repeats", type=int, default=21, help="of the comparison with a direct call")
    parser.add_argument("--dims", type=int, default=32, help="width of the network")
    options = parser.parse_args()
    case = head_phantom(HeadSpec(grid=head_grid((3.0, 3.0, 5.0)), sample_mm=3.0))
    parts = (
        (options.repeats, lambda worker: _overhead(worker, case, options.repeats)),
        (options.dims, lambda worker: _network(worker, case, options.dims)),
        (options.requests, lambda worker: _soak(worker, case, options.requests)),
    )
    for count, part in parts:
        if count:
            worker = WorkerProcess([sys.executable, "-m", "ctinsight", "worker"])
            try:
                _say(part(worker))
            finally:
                worker.stop()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _ask(worker: WorkerProcess, case: PhantomCase, parameters: dict[str, Any]) -> dict[str, Any]:
    worker.run("hematoma", case.volume.array_kji, case.volume.ijk_to_ras, parameters=parameters)
    return _answer(worker)


def _answer(worker: WorkerProcess) -> dict[str, Any]:
    while True:
        for event in worker.poll():
            if event["event"] in ("result", "error", "pong"):
                return event
        time.sleep(0.005)


def _overhead(worker: WorkerProcess, case: PhantomCase, repeats: int) -> str:
    scan = Scan(case.volume, Acquisition("phantom"))
    _ping(worker)
    fresh_mb = _memory_mb(worker)
    first = _seconds(lambda: _ask(worker, case, {}))
    idle_mb = _memory_mb(worker)
    ping_ms = [1000 * _seconds(lambda: _ping(worker)) for _ in range(51)]
    run(scan, Parameters())
    walls, processors = [], []
    for _ in range(repeats):
        before = time.process_time()
        direct = _seconds(lambda: run(scan, Parameters()))
        between, child = time.process_time(), _processor_seconds(worker)
        walls.append((direct, _seconds(lambda: _ask(worker, case, {}))))
        asked = time.process_time() - between + _processor_seconds(worker) - child
        processors.append((between - before, asked))
    return (
        "| what | value |\n|---|---|\n"
        f"| first case of a worker, imports included | {first:.2f} s |\n"
        f"| a ping, there and back, median of 51 | {statistics.median(ping_ms):.1f} ms |\n"
        f"| a case of no work, 512 x 512 x 40 voxels, median of 21 | {_no_work_ms():.0f} ms |\n"
        f"| {_compared('wall clock', walls)} |\n"
        f"| {_compared('processor', processors)} |\n"
        f"| memory of the idle worker, just started | {fresh_mb:.0f} MB |\n"
        f"| memory of the idle worker after a case, no model loaded | {idle_mb:.0f} MB |\n"
    )


def _compared(what: str, pairs: list[tuple[float, float]]) -> str:
    direct, asked = (statistics.median(column) for column in zip(*pairs, strict=True))
    extra_ms = sorted(1000 * (b - a) for a, b in pairs)
    low, middle, high = (extra_ms[int(q * (len(extra_ms) - 1))] for q in (0.25, 0.5, 0.75))
    return (
        f"{what}: direct, through the worker, difference (quartiles) of {len(pairs)} pairs | "
        f"{direct:.2f} s, {asked:.2f} s, {middle:.0f} ms ({low:.0f} to {high:.0f})"
    )


def _no_work_ms() -> float:
    """Return what writing, mapping, answering and reading cost where the task itself does nothing."""
    array = np.zeros((40, 512, 512), np.int16)
    matrix = np.diag([-0.5, -0.5, 5.0, 1.0])
    worker = WorkerProcess([sys.executable, str(FAKE_TASKS)])

    def ask() -> None:
        worker.run("fake", array, matrix, parameters={})
        _answer(worker)

    try:
        ask()
        return 1000 * statistics.median(_seconds(ask) for _ in range(21))
    finally:
        worker.stop()


def _ping(worker: WorkerProcess) -> None:
    worker.ping()
    _answer(worker)


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _network(worker: WorkerProcess, case: PhantomCase, dims: int) -> str:
    from ctinsight.models.card import ModelCard
    from ctinsight.models.importers.weights_file import save_weights
    from ctinsight.nets.drunet import DRUNet, parameter_count

    net = DRUNet(dims)
    card = ModelCard("hematoma-drunet", "random", "0" * 64, (), dims, parameter_count(net))
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "model.safetensors"
        save_weights(net, card, weights)
        parameters = {"method": "drunet", "weights": str(weights), "network": {"device": "cpu"}}
        _ping(worker)
        seconds, processor = [], [_processor_seconds(worker)]
        for _ in range(6):
            seconds.append(_seconds(lambda: _ask(worker, case, parameters)))
            processor.append(_processor_seconds(worker))
    busy = [b - a for a, b in itertools.pairwise(processor)]
    return (
        f"| DR-UNet, dims {dims}, random weights | value |\n|---|---|\n"
        f"| first case: imports, load, self-test | {seconds[0]:.2f} s, {busy[0]:.2f} processor-seconds |\n"
        f"| later cases, median of 5 (range) | {statistics.median(seconds[1:]):.2f} s "
        f"({min(seconds[1:]):.2f} to {max(seconds[1:]):.2f}), {statistics.median(busy[1:]):.2f} "
        "processor-seconds |\n"
        f"| memory of the idle worker with the network | {_memory_mb(worker):.0f} MB |\n"
    )


def _soak(worker: WorkerProcess, case: PhantomCase, requests: int) -> str:
    lines = ["| requests | memory MB | open files | threads | files in folder |", "|---|---|---|---|---|"]
    refused = cancelled = 0
    started = time.perf_counter()
    for number in range(1, requests + 1):
        if number > requests - 5:
            worker.run("hematoma", case.volume.array_kji, case.volume.ijk_to_ras, parameters={})
            time.sleep(0.1)
            worker.cancel()
            cancelled += 1
            continue
        event = _ask(worker, case, IN_THE_AIR if number % 10 == 0 else {})
        refused += event["event"] == "error"
        if number in (1, requests - 5) or number % max(requests // 10, 1) == 0:
            sys.stderr.write(f"{number} requests in {time.perf_counter() - started:.0f} s\n")
            lines.append(f"| {number} | {_census(worker)} |")
    lines.append(
        f"\n{requests} requests, {refused} refused as meant, {cancelled} cancelled and started anew."
    )
    return "\n".join(lines)


def _census(worker: WorkerProcess) -> str:
    process = Path(f"/proc/{worker.pid}")
    files, threads = len(list((process / "fd").iterdir())), len(list((process / "task").iterdir()))
    in_folder = len(list(worker.folder.iterdir())) if worker.folder else 0
    return f"{_memory_mb(worker):.0f} | {files} | {threads} | {in_folder}"


def _processor_seconds(worker: WorkerProcess) -> float:
    fields = Path(f"/proc/{worker.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    # utime and stime, fields 14 and 15 of proc(5); the two before the bracket are cut off.
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mb(worker: WorkerProcess) -> float:
    lines = Path(f"/proc/{worker.pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()
