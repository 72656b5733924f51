"""Measure the resident worker: cost over a direct call, memory when idle, and growth over many requests.

    python Testing/Benchmarks/worker_soak.py [--requests 500]

Prints Markdown. Every tenth request is a click in the air, which is refused; the last five are cancelled in
the middle, each followed by a new worker. Linux only (reads /proc).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctinsight.phantoms import HeadSpec, PhantomCase, demo_head, head_grid, head_phantom
from ctinsight.tasks.hematoma import Parameters, run
from ctinsight.volume import Acquisition, Scan
from CTInsightLib.WorkerProcess import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

IN_THE_AIR = {"point_ras": [500.0, 0.0, 0.0]}


def main() -> None:
    """Run both measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    worker = WorkerProcess([sys.executable, "-m", "ctinsight", "worker"])
    try:
        _say(_overhead(worker, demo_head(), options.repeats))
        _say(_soak(worker, options.requests))
    finally:
        worker.stop()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _ask(worker: WorkerProcess, case: PhantomCase, parameters: dict[str, Any]) -> dict[str, Any]:
    worker.run("hematoma", case.volume.array_kji, case.volume.ijk_to_ras, parameters=parameters)
    while True:
        for event in worker.poll():
            if event["event"] in ("result", "error"):
                return event
        time.sleep(0.005)


def _overhead(worker: WorkerProcess, case: PhantomCase, repeats: int) -> str:
    scan = Scan(case.volume, Acquisition("phantom"))
    started = time.perf_counter()
    _ask(worker, case, {})
    first = time.perf_counter() - started
    idle_mb = _memory_mb(worker)
    run(scan, Parameters())
    direct, through = [], []
    for _ in range(repeats):
        direct.append(_seconds(lambda: run(scan, Parameters())))
        through.append(_seconds(lambda: _ask(worker, case, {})))
    extra_ms = [1000 * (b - a) for a, b in zip(direct, through, strict=True)]
    return (
        "| what | value |\n|---|---|\n"
        f"| first case, start and imports included | {first:.2f} s |\n"
        f"| direct call, median of {repeats} | {statistics.median(direct):.2f} s |\n"
        f"| later case through the worker, median | {statistics.median(through):.2f} s |\n"
        f"| overhead of the worker, median (range) | {statistics.median(extra_ms):.0f} ms "
        f"({min(extra_ms):.0f} to {max(extra_ms):.0f}) |\n"
        f"| memory of the idle worker, no model loaded | {idle_mb:.0f} MB |\n"
    )


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _soak(worker: WorkerProcess, requests: int) -> str:
    case = head_phantom(HeadSpec(grid=head_grid((3.0, 3.0, 5.0)), sample_mm=3.0))
    lines = ["| requests | memory MB | open files | threads | files in folder |", "|---|---|---|---|---|"]
    refused = cancelled = 0
    for number in range(1, requests + 1):
        if number > requests - 5:
            worker.run("hematoma", case.volume.array_kji, case.volume.ijk_to_ras, parameters={})
            time.sleep(0.1)
            worker.cancel()
            cancelled += 1
            continue
        event = _ask(worker, case, IN_THE_AIR if number % 10 == 0 else {})
        refused += event["event"] == "error"
        if number % max(requests // 10, 1) == 0:
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
