"""A worker whose tasks do what tests ask for: succeed, wait, crash, fill the disk, print rubbish.

Run as a program in place of ``python -m ctinsight worker``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight import worker
from ctinsight.errors import InputRefusedError
from ctinsight.finding import Finding
from ctinsight.result import CaseResult, Segmentation

if TYPE_CHECKING:
    from ctinsight.progress import Progress
    from ctinsight.volume import Scan


@dataclass(frozen=True)
class Parameters:
    """What the fake task shall do."""

    fault: str = ""
    seconds: float = 0.0

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Parameters:
        """Take plain values."""
        return cls(**values)


def run(scan: Scan, parameters: Parameters, progress: Progress) -> CaseResult:
    """Do what the parameters say, then return the mean HU."""
    progress.report("working", 0.5)
    _FAULTS[parameters.fault](parameters, progress)
    array = scan.volume.array_kji
    labels = np.zeros(array.shape, np.uint8)
    finding = Finding("mean_hu", "Mean", float(array.mean()), "[hnsf'U]")
    return CaseResult("fake", (finding,), (), (), Segmentation(labels, scan.volume.grid, ()))


def measure_labelmap(
    scan: Scan, labelmap_kji: Any, _: Parameters, known: dict[str, Any], *, progress: Progress
) -> CaseResult:
    """Count the voxels that were marked."""
    progress.report("measuring", 0.9)
    finding = Finding("voxels", "Voxels", int(np.count_nonzero(labelmap_kji)), "1")
    labels = np.zeros(labelmap_kji.shape, np.uint8)
    segmentation = Segmentation(labels, scan.volume.grid, ())
    return CaseResult("fake", (finding,), (), (), segmentation, manifest=known)


def _refuse(_: Parameters, __: Progress) -> None:
    raise InputRefusedError(found="a pear", expected="an apple", remedy="Choose an apple.")


def _print_rubbish(_: Parameters, __: Progress) -> None:
    os.write(1, b"\xff\x00{not json}\n" * 200_000)


def _spawn(parameters: Parameters, progress: Progress) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as grandchild:
        progress.report(str(grandchild.pid), 0.6)
        time.sleep(parameters.seconds)


def _allocate(_: Parameters, __: Progress) -> None:
    raise MemoryError


def _lose_folder(_: Parameters, __: Progress) -> None:
    raise OSError(28, "No space left on device")


_FAULTS = {
    "": lambda parameters, _: time.sleep(parameters.seconds),
    "refuse": _refuse,
    "value error": lambda _, __: int("x"),
    "crash": lambda _, __: os.abort(),
    "kill": lambda _, __: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda _, __: os._exit(7),
    "memory": _allocate,
    "disk": _lose_folder,
    "rubbish": _print_rubbish,
    "spawn": _spawn,
}

if __name__ == "__main__":
    sys.modules["fake_tasks"] = sys.modules["__main__"]
    worker.TASKS["fake"] = "fake_tasks"
    sys.exit(worker.main(sys.argv[1:]))
