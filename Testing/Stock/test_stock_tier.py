"""The weight-free tier with nothing but the packages that 3D Slicer ships."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ctinsight.files import read_scan, write_volume
from ctinsight.measure import dice
from ctinsight.phantoms import Ellipsoid, HeadSpec, PhantomCase, head_phantom
from ctinsight.progress import Progress
from ctinsight.report import write_result
from ctinsight.tasks.hematoma import Method, Parameters, run
from ctinsight.volume import Acquisition, Scan
from CTInsightLib.WorkerProcess import WorkerProcess, workerEnvironment

if TYPE_CHECKING:
    from pathlib import Path

WEIGHT_FREE = (Method.THRESHOLD, Method.FUZZY_C_MEANS, Method.ACTIVE_CONTOUR)


@pytest.fixture(scope="module")
def a_bleed() -> PhantomCase:
    """Return a head with an ellipsoid of blood, radii 16, 20 and 15 mm: 20.1 mL."""
    return head_phantom(HeadSpec(lesions=(Ellipsoid((-25.0, 5.0, 25.0), (16.0, 20.0, 15.0)),)))


def test_the_environment_is_bare() -> None:
    """Nothing is importable here that Slicer does not ship."""
    foreign = ("torch", "skimage", "typer", "matplotlib", "h5py", "safetensors", "nibabel", "slicer")
    assert [name for name in foreign if find_spec(name)] == []


@pytest.mark.parametrize("method", WEIGHT_FREE)
def test_a_bleed_is_found_without_weights(a_bleed: PhantomCase, method: Method) -> None:
    """Each method finds an easy bleed of 20.1 mL with a Dice above 0.8."""
    scan = Scan(a_bleed.volume, Acquisition("phantom"))
    result = run(scan, Parameters(method=method), Progress())
    assert dice(result.segmentation.labelmap_kji > 0, a_bleed.truth_kji) > 0.8


def test_files_go_in_and_out(a_bleed: PhantomCase, tmp_path: Path) -> None:
    """A NIfTI file is read, measured and written; the picture is left out in words."""
    write_volume(a_bleed.volume, tmp_path / "head.nii.gz")
    scan = read_scan(tmp_path / "head.nii.gz")
    written = write_result(run(scan, Parameters(), Progress()), scan, tmp_path / "out")
    document = json.loads((tmp_path / "out/result.json").read_text(encoding="utf-8"))
    assert document["research_use_only"] == "Research use only. Not a medical device."
    assert "matplotlib" in written.notes[0]


def test_the_worker_answers(a_bleed: PhantomCase) -> None:
    """The resident worker measures the same case through its protocol."""
    worker = WorkerProcess([sys.executable, "-m", "ctinsight", "worker"])
    worker.run(
        "hematoma", a_bleed.volume.array_kji, a_bleed.volume.ijk_to_ras, parameters={"method": "threshold"}
    )
    events, deadline = [], time.monotonic() + 120
    while worker.busy and time.monotonic() < deadline:
        events += worker.poll()
        time.sleep(0.02)
    labelmap = np.array(worker.loadArray(events[-1]["labelmap"]))
    worker.stop()
    assert dice(labelmap > 0, a_bleed.truth_kji) > 0.8


def test_the_command_line_says_what_is_missing() -> None:
    """Without Typer the command line names the package and how to install it, with exit code 5."""
    done = subprocess.run(
        [sys.executable, "-m", "ctinsight", "--help"],
        capture_output=True,
        text=True,
        check=False,
        env=workerEnvironment(),
    )
    assert done.returncode == 5
    assert "typer" in done.stderr
