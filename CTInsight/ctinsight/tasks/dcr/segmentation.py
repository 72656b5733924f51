"""Sac, maxilla and nasal cavity by nnU-Net models: v0 in one step, v1 coarse and then fine in a box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import ProcessingFailedError, WrongUseError
from ctinsight.inference.nnunet.whole_volume import segment_volume
from ctinsight.tasks.dcr.anatomy import Label
from ctinsight.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ctinsight.inference.nnunet.engine import NNUNetEngine, NNUNetSegmentation
    from ctinsight.inference.nnunet.plans import NNUNetPlans
    from ctinsight.models.card import ModelCard
    from ctinsight.progress import Progress
    from ctinsight.volume import Grid

NAME = "dcr-seg"
#: DeepDCR v1 expands the box about maxilla and nasal cavity by this much on each side.
CROP_MARGIN_MM = 30.0
#: Fractions of the whole run at which segmenting begins and ends.
START, END = 0.05, 0.6
#: The authors' training files hold 0.5 + (HU + 1000) / 4e6 (HU passed twice through (x + 1000) / 2000).
_DOUBLE_SCALED = (0.5, 1000.0, 4e6)
#: Plans made of such files state foreground intensities within this range; those in HU never do.
_DOUBLE_RANGE = (0.49, 0.51)


@dataclass(frozen=True)
class SegmentationModel:
    """Which models find the masks.

    Parameters
    ----------
    names
        One installed name or stored folder (v0), or two: coarse, then fine (v1).
    mirroring
        As published; without it about eight times as fast, and borders of masks change.
    intensity
        ``auto`` follows the plans: HU, or the authors' double scaling where the plans were made of it; ``hu``
        or ``double-scaled`` insists.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """

    names: tuple[str, ...]
    mirroring: bool = True
    intensity: str = "auto"
    device: str = "auto"

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= 2 or self.intensity not in {"auto", "hu", "double-scaled"}:
            raise WrongUseError(
                found=f"models {', '.join(self.names) or 'none'}, intensity {self.intensity}",
                expected="one model, or coarse and fine; intensity auto, hu or double-scaled",
                remedy="Correct these options.",
            )


@dataclass(frozen=True, eq=False)
class NetworkMasks:
    """Masks by a network.

    Parameters
    ----------
    labelmap_kji
        (slices, rows, columns) uint8 on the CT's grid: 1 sac, 2 maxilla, 3 nasal cavity.
    cards
        Of the models, in the order in which they ran.
    statements
        What must be said with them.
    facts
        For the manifest: engine, device, windows, box of the fine step.
    """

    labelmap_kji: NDArray[np.uint8]
    cards: tuple[ModelCard, ...]
    statements: tuple[str, ...]
    facts: dict[str, Any]


def segment_midface(volume: Volume, model: SegmentationModel, progress: Progress) -> NetworkMasks:
    """Find sac, maxilla and nasal cavity.

    How the CT is turned see :func:`~ctinsight.inference.nnunet.whole_volume.segment_volume`; resampling to
    the model's spacing and back is nnU-Net's.

    Parameters
    ----------
    volume
        A CT in HU, any orientation.
    model
        See :class:`SegmentationModel`.
    progress
        Told after every window.

    Raises
    ------
    WeightsMissingError
        A model is not installed.
    WrongWeightsError
        A model with other labels, or changed files.
    ProcessingFailedError
        The coarse model finds nothing, so there is no box for the fine one.
    """
    engines = [_load(name, model) for name in model.names]
    middle = END / len(engines)
    first, grid = engines[0][0], volume.grid
    labels, run = segment_volume(
        first, volume, progress.part(START, middle), values=_values(first.plans, model)
    )
    found, box = [run], tuple(slice(0, n) for n in grid.shape_kji)
    if len(engines) == 2:
        box, fine = crop_box(labels, grid), engines[1][0]
        part, run = segment_volume(
            fine, _cropped(volume, box), progress.part(middle, END), values=_values(fine.plans, model)
        )
        labels = np.zeros_like(labels)
        labels[box] = part
        found.append(run)
    cards = tuple(card for _, card in engines)
    facts = {
        "segmentation_models": [card.as_manifest() for card in cards],
        "segmentation_engine": [f"{f.engine.name} on {f.device.kind}" for f in found],
        "segmentation_windows": [f.windows for f in found],
        "segmentation_box_kji": [[s.start, s.stop] for s in box],
    }
    return NetworkMasks(labels, cards, _statements(model, found), facts)


def crop_box(labels: NDArray[np.uint8], grid: Grid) -> tuple[slice, ...]:
    """Return the box about maxilla and nasal cavity, 30 mm wider on each side, within the image.

    Raises
    ------
    ProcessingFailedError
        Neither was found.
    """
    anchor = np.isin(labels, (int(Label.MAXILLA), int(Label.NASAL)))
    if not anchor.any():
        raise ProcessingFailedError(
            found="no maxilla and no nasal cavity by the coarse model",
            expected="at least one of them, as the fine model works in a box about them",
            remedy="See whether the CT shows the midface; or draw the masks.",
        )
    box = []
    for axis, spacing in enumerate(grid.spacing_kji_mm):
        places = np.flatnonzero(anchor.any(axis=tuple(a for a in range(3) if a != axis)))
        more = int(np.ceil(CROP_MARGIN_MM / spacing))
        box.append(slice(max(int(places[0]) - more, 0), min(int(places[-1]) + 1 + more, labels.shape[axis])))
    return tuple(box)


def _cropped(volume: Volume, box: tuple[slice, ...]) -> Volume:
    matrix = volume.ijk_to_ras.copy()
    start_ijk = [box[axis].start for axis in (2, 1, 0)]
    matrix[:3, 3] += matrix[:3, :3] @ start_ijk
    return Volume(np.ascontiguousarray(volume.array_kji[box]), matrix)


def is_double_scaled(plans: NNUNetPlans) -> bool:
    """Tell whether a model was trained on the authors' double-scaled files, by its plans."""
    stated = plans.plans["foreground_intensity_properties_per_channel"]["0"]
    low, high = stated["percentile_00_5"], stated["percentile_99_5"]
    return bool(_DOUBLE_RANGE[0] <= low <= high <= _DOUBLE_RANGE[1])


def _values(plans: NNUNetPlans, model: SegmentationModel) -> Callable[[NDArray[Any]], NDArray[Any]] | None:
    double = is_double_scaled(plans) if model.intensity == "auto" else model.intensity == "double-scaled"
    middle, shift, scale = _DOUBLE_SCALED
    return (lambda hu: middle + (np.asarray(hu, dtype=np.float64) + shift) / scale) if double else None


def _load(name: str, model: SegmentationModel) -> tuple[NNUNetEngine, ModelCard]:
    from ctinsight.inference.nnunet.engine import NNUNetOptions
    from ctinsight.models.nnunet_installed import named_engine

    options = NNUNetOptions(mirroring=model.mirroring, device=model.device)
    return named_engine(name, NAME, options, frozenset(int(label) for label in Label))


def _statements(model: SegmentationModel, found: list[NNUNetSegmentation]) -> tuple[str, ...]:
    first = (
        "The masks came from a network with imported weights: look at them and correct them before using any "
        "number. Who trained it, and on whom, stands in the model card."
    )
    fast = () if model.mirroring else ("Mirroring was left out for speed: borders differ from as published.",)
    return (first, *fast, *(note for part in found for note in part.notes))
