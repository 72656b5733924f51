"""DeepDCR v0's difficulty: CT and label map on the published grid, clinical vector, mean of the folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import NotApplicableError
from ctinsight.finding import Check, Column, Finding, Interval, Outcome, Table
from ctinsight.measure import bounding_box
from ctinsight.resample import resample, resample_labels
from ctinsight.tasks.dcr.clinical import clinical_values
from ctinsight.tasks.dcr.difficulty import Difficulty
from ctinsight.volume import Grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ctinsight.finding import Side
    from ctinsight.models.dcr_network import DifficultyNetworks
    from ctinsight.tasks.dcr.anatomy import Anatomy
    from ctinsight.volume import Volume

NAME = "dcr-difficulty-v0"
#: Slices, rows and columns of every published training volume, at 1 mm.
SHAPE_KJI = (64, 256, 256)
#: HU that become 0 and 1.
WINDOW_HU = (-1000.0, 1000.0)
PUBLISHED_ACCURACY = (
    "The published weights: AUC 0.871 (95 % CI 0.720 to 0.978; n = 30, 11 positive; one external test set);"
    " their 100 % sensitivity is 11 of 11, with a lower limit of 74 %."
)
GRID_UNKNOWN = (
    "How the authors brought scans to 64 x 256 x 256 voxels is not published; here the grid is laid about the"
    " masks."
)
_NUMBERS = {"no": 0.0, "yes": 1.0}


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """One case: the CT, the masks of the operated side, and the clinical form."""

    volume: Volume
    own: Anatomy
    clinical: Mapping[str, Any] | None
    side: Side


def published_grid(own: Anatomy, shape_kji: tuple[int, int, int] = SHAPE_KJI) -> Grid:
    """Lay the published grid about the masks: 1 mm, columns to the left, rows backwards, slices upwards.

    How the authors brought their scans to it is not published; here its middle is that of the masks' box.

    Raises
    ------
    NotApplicableError
        Nothing is drawn.
    """
    box = bounding_box(own.labelmap_kji > 0)
    if box is None:
        raise NotApplicableError(
            found="no mask on the operated side",
            expected="sac, maxilla and nasal cavity",
            remedy="Draw them, or leave the difficulty network away.",
        )
    corners = np.array([[s.start, s.stop - 1] for s in box[::-1]], dtype=np.float64)
    middle = own.grid.ras_from_ijk(corners.mean(axis=1))
    matrix = np.diag([-1.0, -1.0, 1.0, 1.0])
    matrix[:3, 3] = middle - matrix[:3, :3] @ ((np.array(shape_kji[::-1]) - 1) / 2)
    return Grid(shape_kji, matrix)


def network_arrays(
    volume: Volume, own: Anatomy, grid: Grid
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return CT (0 to 1) and label map (0 to 3) on a grid, each (slices, rows, columns) float32."""
    hu = resample(volume, grid, order=1, outside=WINDOW_HU[0]).array_kji
    ct = np.clip((hu - WINDOW_HU[0]) / (WINDOW_HU[1] - WINDOW_HU[0]), 0, 1)
    labels = resample_labels(own.labelmap_kji, own.grid, grid)
    return ct.astype(np.float32), labels.astype(np.float32)


def assess_network(loaded: DifficultyNetworks, given: NetworkInput) -> Difficulty:
    """Answer one case.

    Raises
    ------
    UnansweredError
        A clinical value is missing.
    WrongUseError
        A category that training did not know.
    NotApplicableError
        Nothing is drawn on the operated side.
    """
    import torch

    vector = loaded.form.vector(_numbers(loaded, clinical_values(given.clinical or {}, given.side)))
    grid = published_grid(given.own, SHAPE_KJI)
    ct, labels = network_arrays(given.volume, given.own, grid)
    inputs = [torch.from_numpy(a)[None, None] for a in (ct, labels)]
    with torch.inference_mode():
        logits = [float(net(*inputs, torch.from_numpy(vector)[None])) for net in loaded.networks]
    scores = [float(1 / (1 + np.exp(-logit))) for logit in logits]
    return _worded(loaded, scores, _whole(given.own, labels))


def _numbers(loaded: DifficultyNetworks, clinical: Mapping[str, Any]) -> dict[str, Any]:
    numeric = {name for name, _ in loaded.form.numeric}
    return {
        name: _NUMBERS.get(str(value), value) if name in numeric and value is not None else value
        for name, value in clinical.items()
    }


def _whole(own: Anatomy, labels: NDArray[np.float32]) -> float:
    """Share of the masks' volume that lies on the published grid."""
    drawn = float(np.count_nonzero(own.labelmap_kji)) * own.grid.voxel_volume_mm3
    return float(np.count_nonzero(labels)) / drawn


def _worded(loaded: DifficultyNetworks, scores: list[float], share: float) -> Difficulty:
    form, mean = loaded.form, float(np.mean(scores))
    calibrated = bool(form.calibration)
    key = "difficulty_probability" if calibrated else "difficulty_score"
    name = "Probability of a difficult operation" if calibrated else "Difficulty score, uncalibrated"
    note = f"calibrated on: {form.calibration}" if calibrated else "0 to 1; not a probability"
    spread = Interval(min(scores), max(scores), f"{len(scores)} networks") if len(scores) > 1 else None
    threshold, origin = form.chosen_threshold
    call = "difficult" if mean >= threshold else "not difficult"
    findings = (
        Finding(key, name, mean, "1", interval=spread, note=note),
        Finding(
            "difficulty_call",
            "Difficulty by the threshold",
            call,
            note=f"threshold {threshold:.3g}, {origin}",
        ),
    )
    columns = (Column("network", "Network", "1"), Column("score", "Score", "1"))
    table = Table("folds", "Score of each network", columns, tuple(enumerate(scores, start=1)))
    outcome = Outcome.PASS if share > 0.95 else Outcome.WARN
    remedy = (
        "" if share > 0.95 else "The masks reach beyond 64 x 256 x 256 mm: the network sees a part of them."
    )
    check = Check(
        "network_view", "Masks in the network's view", outcome, f"{share:.0%}", "all of them", remedy
    )
    return Difficulty(findings, (table,), (check,), _statements(loaded), loaded.card)


def _statements(loaded: DifficultyNetworks) -> tuple[str, ...]:
    words = "; ".join(accuracy.words for accuracy in loaded.form.accuracies)
    known = f"How well it does: {words}." if words else "How well these weights do is not known."
    digest = str(loaded.card["sha256"])[:12]
    count, version = loaded.card["networks"], loaded.card["version"]
    source = f"Difficulty is from {count} network(s) of DeepDCR v0, {version} (SHA-256 {digest})."
    return source, known, PUBLISHED_ACCURACY, GRID_UNKNOWN
