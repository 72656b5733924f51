"""Measure the resident worker: cost over a direct call, gain of a second case, growth over many requests.

    python Testing/Benchmarks/worker_soak.py [--requests 500] [--repeats 21] [--dims 32]

Prints Markdown; a count of 0 leaves that part out. Every tenth request of the soak is a click in the air,
which is refused; the last five are cancelled in the middle, each followed by a new worker. Linux only (reads
/proc). The network is DR-UNet with random weights: its time is real, its scores mean nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctinsight.phantoms import HeadSpec, PhantomCase, head_grid, head_phantom
from ctinsight.tasks.hematoma import Parameters, run
from ctinsight.volume import Acquisition, Scan
from CTInsightLib.WorkerProcess import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

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
    direct, through = [], []
    for _ in range(repeats):
        direct.append(_seconds(lambda: run(scan, Parameters())))
        through.append(_seconds(lambda: _ask(worker, case, {})))
    extra_ms = [1000 * (b - a) for a, b in zip(direct, through, strict=True)]
    return (
        "| what | value |\n|---|---|\n"
        f"| first case of a worker, imports included | {first:.2f} s |\n"
        f"| a ping, there and back, median of 51 | {statistics.median(ping_ms):.1f} ms |\n"
        f"| direct call, median of {repeats} | {statistics.median(direct):.2f} s |\n"
        f"| later case through the worker, median | {statistics.median(through):.2f} s |\n"
        f"| overhead of the worker, median (range) | {statistics.median(extra_ms):.0f} ms "
        f"({min(extra_ms):.0f} to {max(extra_ms):.0f}) |\n"
        f"| memory of the idle worker, just started | {fresh_mb:.0f} MB |\n"
        f"| memory of the idle worker after a case, no model loaded | {idle_mb:.0f} MB |\n"
    )


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
        seconds = [_seconds(lambda: _ask(worker, case, parameters)) for _ in range(6)]
    return (
        f"| DR-UNet, dims {dims}, random weights | value |\n|---|---|\n"
        f"| first case: start, imports, load | {seconds[0]:.2f} s |\n"
        f"| later cases, median of 5 (range) | {statistics.median(seconds[1:]):.2f} s "
        f"({min(seconds[1:]):.2f} to {max(seconds[1:]):.2f}) |\n"
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
        if number == 1 or number % max(requests // 10, 1) == 0:
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


def _memory_mb(worker: WorkerProcess) -> float:
    lines = Path(f"/proc/{worker.pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()
