"""A worker whose hematoma task takes every voxel of 50 HU or more for blood and measures that as usual.

Run as a program in place of ``python -m ctinsight worker``: the protocol, the measuring and the result are
the real ones, only the search for brain and blood is left out, so that a run takes a fraction of a second. A
run with ``range_hu = (0, 1)`` takes a minute, one with ``(0, 2)`` is refused.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight import worker
from ctinsight.errors import InputRefusedError
from ctinsight.finding import Check, Outcome
from ctinsight.tasks.hematoma import Known, Parameters, measure_segmentation

if TYPE_CHECKING:
    from ctinsight.progress import Progress
    from ctinsight.result import CaseResult
    from ctinsight.volume import Scan

#: The worker asks its task module for them.
__all__ = ["Parameters", "measure_labelmap", "run"]

BLOOD_HU = 50
SLOW_RANGE, REFUSED_RANGE = (0.0, 1.0), (0.0, 2.0)
CHECKS = (
    Check("modality_hu", "Modality", Outcome.PASS, "CT in HU", "CT in HU"),
    Check("slice_spacing", "Slice spacing", Outcome.WARN, "6.0 mm", "at most 5.0 mm", "Use thinner slices."),
)


def run(scan: Scan, parameters: Parameters, progress: Progress) -> CaseResult:
    """Measure what is bright."""
    progress.report("outlining blood", 0.3)
    if parameters.range_hu == SLOW_RANGE:
        time.sleep(60)
    if parameters.range_hu == REFUSED_RANGE:
        raise InputRefusedError(found="a pear", expected="a head", remedy="Choose a head CT.")
    mask_kji = np.asarray(scan.volume.array_kji >= BLOOD_HU)
    return measure_segmentation(scan, mask_kji, parameters, Known(CHECKS), progress=progress)


def measure_labelmap(
    scan: Scan, labelmap_kji: Any, parameters: Parameters, known: dict[str, Any], *, progress: Progress
) -> CaseResult:
    """Measure what a person marked."""
    known_facts = Known(CHECKS, model_card=known.get("model_card"))
    return measure_segmentation(scan, labelmap_kji == 1, parameters, known_facts, progress=progress)


if __name__ == "__main__":
    sys.modules["quick_hematoma"] = sys.modules["__main__"]
    worker.TASKS["hematoma"] = "quick_hematoma"
    sys.exit(worker.main(sys.argv[1:]))
