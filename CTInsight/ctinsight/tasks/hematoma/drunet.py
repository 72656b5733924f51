"""DR-UNet on one case: scores on the CT's own grid first, then the threshold, then true voxel volumes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import WeightsMissingError
from ctinsight.finding import Interval
from ctinsight.measure import dilate, remove_small, volume_ml
from ctinsight.tasks.hematoma.cleanup import fill_holes
from ctinsight.tasks.hematoma.legacy import LEGACY_STATEMENT, legacy_picture, legacy_volume
from ctinsight.tasks.hematoma.outline import Outline
from ctinsight.tasks.hematoma.parameters import BatchNormMode

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ctinsight.inference.slicewise import SliceProbability
    from ctinsight.models.card import ModelCard
    from ctinsight.nets.drunet import DRUNet
    from ctinsight.progress import Progress
    from ctinsight.tasks.hematoma.parameters import Parameters
    from ctinsight.volume import Grid, Volume

#: Blood may reach this far beyond the brain mask, mm: the network saw the whole slice, the mask only guards
#: against bone, scalp and the table.
BEYOND_BRAIN_MM = 3.0

UNCALIBRATED = (
    "DR-UNet's output is an uncalibrated score, not a probability of blood. Who trained the weights, and "
    "on whom, stands in the model card of this result; scanners and patients unlike those may be outlined"
    " wrongly."
)

_ASK = (
    "The authors of DR-UNet published no weights: train your own, or ask them. Then import the file with "
    "ctinsight models import FILE --model hematoma-drunet, or name it with --weights FILE (Keras .h5, "
    "TensorFlow checkpoint .index, .safetensors). The methods threshold, fcm and active-contour need no "
    "weights."
)


def outline_with_network(
    volume: Volume, brain_kji: NDArray[np.bool_], parameters: Parameters, progress: Progress
) -> Outline:
    """Outline blood with DR-UNet.

    Parameters
    ----------
    volume
        The CT.
    brain_kji
        (slices, rows, columns) bool; slices without brain are left out.
    parameters
        ``weights`` and ``network`` are read, and of ``clean_up`` only the smallest component.
    progress
        Told after every batch of slices.

    Raises
    ------
    WeightsMissingError
        No weights are given or installed, or the file is not there.
    WrongWeightsError
        The file holds another network.
    """
    weights = find_weights(parameters.weights)
    from ctinsight.inference.slicewise import SliceEngine, SliceOptions

    net, card = _resident_network(weights, parameters)
    wanted = parameters.network
    options = SliceOptions(
        window_hu=wanted.window_hu,
        batch_size=wanted.batch_size,
        device=wanted.device,
        precision="float32" if wanted.legacy or wanted.bn_mode is not BatchNormMode.MOVING else "auto",
    )
    engine = SliceEngine(net, options)
    scores = engine.segment(volume, brain_kji=brain_kji, progress=progress, span=(0.4, 0.9))
    allowed = dilate(brain_kji, volume.grid, BEYOND_BRAIN_MM)
    within = replace(scores, probability_kji=np.where(allowed, scores.probability_kji, np.float32(0)))
    return _outlined(within, volume.grid, parameters, card)


def find_weights(given: Path | None) -> Path:
    """Return the weights file: the given one, or an installed one.

    Parameters
    ----------
    given
        A file, or the name of an installed variant (``hematoma-drunet-ours``); None is the model itself.

    Raises
    ------
    WeightsMissingError
        Neither is there; the remedy says how to get or import weights.
    WrongWeightsError
        An installed file was changed.
    """
    from ctinsight.models.drunet_weights import DRUNET_NAME

    if given is None:
        return _installed_weights(DRUNET_NAME)
    if given.exists():
        return given
    if str(given).startswith(DRUNET_NAME):
        return _installed_weights(str(given))
    raise WeightsMissingError(
        found=f"no file {given}", expected="a file of DR-UNet weights", remedy="Correct the path. " + _ASK
    )


def _installed_weights(name: str) -> Path:
    from ctinsight.models.architectures import installed_weights
    from ctinsight.models.store import user_store

    store = user_store()
    if store.find(name) is None:
        raise WeightsMissingError(
            found=f"the method drunet, and no weights {name} in {store.folder}",
            expected="weights of DR-UNet, given or installed",
            remedy=_ASK,
        )
    return installed_weights(store, name)


def _resident_network(weights: Path, parameters: Parameters) -> tuple[DRUNet, ModelCard]:
    """Return the network ready for inference, loaded once for all cases of this process."""
    from ctinsight.models.drunet_weights import DRUNET, load_drunet
    from ctinsight.models.importers.weights_file import weights_sha256
    from ctinsight.models.resident import Loaded, ModelKey, network_bytes, resident_models
    from ctinsight.nets.drunet import Statistics

    mode = parameters.network.bn_mode.value
    key = ModelKey(weights.absolute(), weights_sha256(weights, DRUNET), mode)

    def load() -> Loaded[tuple[DRUNet, ModelCard]]:
        net, card = load_drunet(weights, expected_sha256=key.sha256)
        ready = net.for_inference(Statistics(mode))
        return Loaded((ready, card), network_bytes(ready))

    return resident_models().get(key, load)


def _outlined(scores: SliceProbability, grid: Grid, parameters: Parameters, card: ModelCard) -> Outline:
    from ctinsight.inference.slicewise import SWEEP

    def mask_at(threshold: float) -> NDArray[np.bool_]:
        return _cleaned(scores.probability_kji >= threshold, grid, parameters)

    chosen = parameters.network.probability_threshold
    mask = mask_at(chosen)
    volumes = {t: volume_ml(mask_at(t), grid) for t in (SWEEP[0], SWEEP[-1])} | {
        chosen: volume_ml(mask, grid)
    }
    low, high = min(volumes), max(volumes)
    notes = (UNCALIBRATED, *scores.notes)
    facts: dict[str, Any] = {
        "device": f"{scores.device.kind}: {scores.device.name}",
        "slices_scored": scores.slices_scored,
        "slices_left_out": scores.slices_left_out,
        "batch_size": scores.batch_size,
        "engine": "DR-UNet in torch, slice by slice",
        "precision": f"{scores.precision.precision}: {scores.precision.why}",
    }
    if parameters.network.legacy:
        facts["legacy_volume_ml"] = _legacy_ml(scores.probability_kji, grid)
        notes += (f"{LEGACY_STATEMENT} It gives {facts['legacy_volume_ml']:.2f} mL.",)
    return Outline(
        mask_kji=mask,
        facts=facts,
        sweep=Interval(
            min(volumes.values()),
            max(volumes.values()),
            f"network threshold varied from {low:g} to {high:g}; not a confidence interval",
        ),
        model_card=card.as_manifest(),
        notes=notes,
    )


def _cleaned(mask_kji: NDArray[np.bool_], grid: Grid, parameters: Parameters) -> NDArray[np.bool_]:
    large = remove_small(mask_kji, grid, min_volume_ml=parameters.clean_up.min_component_ml)
    return fill_holes(large, parameters.hole_rule)


def _legacy_ml(probability_kji: NDArray[np.float32], grid: Grid) -> float:
    """Follow the original's arithmetic on axial scores, brought back to 256 x 256 pictures by averaging."""
    from ctinsight.resample import reorientation, resize_slices

    axial = reorientation(grid).apply(probability_kji)
    pictures = resize_slices(axial[axial.any(axis=(1, 2))], 256, 256, antialias=True)
    return legacy_volume(legacy_picture(picture) for picture in pictures)[1]
