"""Stages 1 and 3 by nnU-Net models: vessels on the CT, and the culprit on their projection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.finding import Check, Column, Finding, Outcome, Segment, Side, Table
from ctinsight.inference.nnunet.whole_volume import segment_volume
from ctinsight.measure import centroid_ras
from ctinsight.regions.midline import side_of
from ctinsight.resample import reorientation
from ctinsight.result import Layer, Segmentation
from ctinsight.tasks.lvo.occlusion import LARGE_VESSELS, PUBLISHED_THRESHOLD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.inference.nnunet.engine import NNUNetEngine
    from ctinsight.models.card import ModelCard
    from ctinsight.progress import Progress
    from ctinsight.regions.midline import Plane
    from ctinsight.tasks.lvo.parameters import Parameters
    from ctinsight.volume import Grid, Volume

VESSELS, CULPRIT = "lvo-vessels", "lvo-mip"
#: Classes of stage 3, in the order of the published README; the numbers are ours, none are published.
CULPRITS = {1: "M1", 2: "M2", 3: "terminal ICA", 4: "terminal ICA and M1", 5: "M1 and M2"}
_TERMS = {1: "corridor-m1", 2: "corridor-m2", 3: "corridor-ica", 4: "corridor-ica", 5: "corridor-m1"}
_VESSEL_NAMES = {
    1: ("Terminal ICA", "corridor-ica"),
    2: ("M1", "corridor-m1"),
    3: ("M2", "corridor-m2"),
    4: ("Other vessels", "dense-vessel"),
}
STATEMENT = (
    "Vessels and culprit come from networks with imported weights. Their class numbers are ours, as none "
    "are published: see that the names fit what the picture shows."
)


@dataclass(frozen=True, eq=False)
class Stage:
    """What a network drew: labels (slices, rows, columns) uint8 on the CT's grid, its card, how it ran."""

    labels_kji: NDArray[np.uint8]
    card: ModelCard
    facts: dict[str, Any]
    counts: tuple[tuple[int, int], ...] = ()


def load_stages(parameters: Parameters) -> tuple[NNUNetEngine | None, NNUNetEngine | None]:
    """Load what was asked for before anything is computed.

    Raises
    ------
    WeightsMissingError, WrongWeightsError
        A model is not installed, was changed, or has other labels.
    """
    first = _engine(parameters.vessel_model, VESSELS, frozenset(_VESSEL_NAMES), parameters)
    third = _engine(parameters.culprit_model, CULPRIT, frozenset(CULPRITS), parameters)
    return first and first[0], third and third[0]


def find_vessels(volume: Volume, parameters: Parameters, progress: Progress) -> Stage:
    """Segment terminal ICA (1), M1 (2), M2 (3) and other vessels (4): stage 1."""
    found = _engine(parameters.vessel_model, VESSELS, frozenset(_VESSEL_NAMES), parameters)
    engine, card = _there(found)
    labels, run = segment_volume(engine, volume, progress)
    return Stage(labels, card, {"engine": run.engine.name, "windows": run.windows})


def find_culprit(
    mip: Volume, vessels_kji: NDArray[np.uint8], grid: Grid, *, parameters: Parameters, progress: Progress
) -> Stage:
    """Name the culprit on the projection of the large vessels and carry it back to them: stage 3.

    Parameters
    ----------
    mip
        One slice; see :func:`~ctinsight.tasks.lvo.occlusion.vessel_mip`.
    vessels_kji
        Of stage 1, on ``grid``.
    grid
        Of the CT.

    Returns
    -------
    Stage
        A class at every large-vessel voxel under a labelled pixel; ``counts`` has (class, pixels), the most
        first.
    """
    engine, card = _there(_engine(parameters.culprit_model, CULPRIT, frozenset(CULPRITS), parameters))
    flat, run = segment_volume(engine, mip, progress)
    turn = reorientation(grid)
    vessels = turn.apply(vessels_kji)
    labels = np.where(np.isin(vessels, LARGE_VESSELS), flat[:1], 0).astype(np.uint8)
    numbers, pixels = np.unique(flat[flat > 0], return_counts=True)
    counts = sorted(zip(numbers.tolist(), pixels.tolist(), strict=True), key=lambda item: -item[1])
    facts = {"engine": run.engine.name, "windows": run.windows}
    return Stage(np.ascontiguousarray(turn.undo(labels)), card, facts, tuple(counts))


def stage_layers(vessels: Stage | None, culprit: Stage | None, grid: Grid) -> tuple[Layer, ...]:
    """Make a segmentation of the vessels and one of the culprit."""
    layers = []
    if vessels is not None:
        segments = tuple(Segment(n, f"vessel_{n}", name, term) for n, (name, term) in _VESSEL_NAMES.items())
        layers.append(Layer("vessels", Segmentation(vessels.labels_kji, grid, segments)))
    if culprit is not None:
        segments = tuple(
            Segment(n, f"culprit_{n}", f"Culprit: {name}", _TERMS[n]) for n, name in CULPRITS.items()
        )
        layers.append(Layer("culprit", Segmentation(culprit.labels_kji, grid, segments)))
    return tuple(layers)


def culprit_findings(culprit: Stage | None, grid: Grid, midplane: Plane) -> tuple[Finding, ...]:
    """Name segment and side; a projection without any labelled pixel names none."""
    if culprit is None:
        return ()
    if not culprit.counts:
        return (Finding("culprit", "Culprit vessel by stage 3", None, "", note="the network marks none"),)
    number, pixels = culprit.counts[0]
    mask = culprit.labels_kji == number
    side = side_of(centroid_ras(mask, grid), midplane) if mask.any() else None
    others = ", ".join(f"{CULPRITS[n]} {count} pixels" for n, count in culprit.counts[1:])
    note = f"uncalibrated; {pixels} pixels of the projection" + (f"; also {others}" if others else "")
    return (
        Finding("culprit", "Culprit vessel by stage 3", CULPRITS[number], "", note=note),
        Finding("culprit_side", "Culprit, side", side.value if side else None, "", note=_side_note(side)),
    )


def vessel_check(vessels: Stage | None) -> tuple[Check, ...]:
    """Warn where stage 1 finds no large vessel: without one there is nothing for stages 2 and 3."""
    if vessels is None:
        return ()
    found = int(np.count_nonzero(np.isin(vessels.labels_kji, LARGE_VESSELS)))
    return (
        Check(
            "stage_1",
            "Large vessels by stage 1",
            Outcome.PASS if found else Outcome.WARN,
            f"{found} voxels" if found else "none: stages 2 and 3 were left out",
            "terminal ICA, M1 or M2",
            "" if found else "Give a labelmap of the vessels with --vessels.",
        ),
    )


def agreement_check(score: float | None, culprit: Stage | None) -> tuple[Check, ...]:
    """Compare stages 2 and 3: both for an occlusion, both against, or uncertain."""
    if score is None or culprit is None:
        return ()
    second, third = score >= PUBLISHED_THRESHOLD, bool(culprit.counts)
    words = f"stage 2 {'above' if second else 'below'} its operating point, stage 3 marks {_words(culprit)}"
    same = second == third
    return (
        Check(
            "stage_agreement",
            "Agreement of stages 2 and 3",
            Outcome.PASS if same else Outcome.WARN,
            words if same else f"uncertain: {words}",
            "both for an occlusion, or both against",
            "" if same else "Do not rely on either; look at the vessels and their projection.",
        ),
    )


def culprit_table(culprit: Stage | None) -> tuple[Table, ...]:
    """List the classes of stage 3 with their pixels."""
    if culprit is None:
        return ()
    columns = (Column("segment", "Segment"), Column("pixels", "Pixels of the projection", "1"))
    counts = dict(culprit.counts)
    rows = tuple((name, counts.get(number, 0)) for number, name in CULPRITS.items())
    return (Table("culprit", "Culprit by stage 3 (uncalibrated)", columns, rows),)


def stage_facts(vessels: Stage | None, culprit: Stage | None) -> dict[str, Any]:
    """Say in the manifest which models drew what."""
    return {
        f"stage_{number}": {"model_card": stage.card.as_manifest(), **stage.facts}
        for number, stage in ((1, vessels), (3, culprit))
        if stage is not None
    }


def _engine(
    name: str | None, family: str, labels: frozenset[int], parameters: Parameters
) -> tuple[NNUNetEngine, ModelCard] | None:
    if name is None:
        return None
    from ctinsight.inference.nnunet.engine import NNUNetOptions
    from ctinsight.models.nnunet_installed import named_engine

    return named_engine(name, family, NNUNetOptions(mirroring=not parameters.fast), labels)


def _there(found: tuple[NNUNetEngine, ModelCard] | None) -> tuple[NNUNetEngine, ModelCard]:
    if found is None:
        msg = "a stage without a model was asked to run"
        raise ValueError(msg)
    return found


def _words(culprit: Stage) -> str:
    return CULPRITS[culprit.counts[0][0]] if culprit.counts else "nothing"


def _side_note(side: Side | None) -> str:
    return "the patient's own" if side else "no large vessel lies under the marked pixels"
