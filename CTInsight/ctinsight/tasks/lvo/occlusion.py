"""Stage 2, McResNet: four channels of a prepared case, one uncalibrated score, and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import WeightsMissingError, WrongUseError
from ctinsight.files import read_labelmap
from ctinsight.finding import Check, Column, Finding, Outcome, Table
from ctinsight.inference.wholehead import CHANNELS, PUBLISHED_SHAPE, HeadChannels, head_channels, head_logit
from ctinsight.regions.hemispheres import RIGHT_LABEL
from ctinsight.resample import RasAxes, reorient, reorientation, resample_labels
from ctinsight.result import ImageLayer
from ctinsight.volume import Grid, Volume

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ctinsight.models.card import ModelCard
    from ctinsight.progress import Progress
    from ctinsight.tasks.lvo.parameters import Parameters
    from ctinsight.tasks.lvo.run import Prepared

#: Labels of stage 1 that are large vessels of the projection: terminal ICA, M1, M2.
LARGE_VESSELS = (1, 2, 3)
#: The network's array order: i to the right, j to anterior, k upwards, as NIfTI's RAS.
_RAS: RasAxes = ((2, 1), (1, 1), (0, 1))
#: Operating point of the published training program.
PUBLISHED_THRESHOLD = 0.5
SCORE = (
    "McResNet gives an uncalibrated score, not the probability of an occlusion; who trained these"
    " weights, and on whom, stands in the model card. The published operating point is 0.5; no"
    " accuracy is published for it."
)
ORIENTATION = (
    "The published program took arrays as they were stored; here every head is turned to RAS order"
    " first, and its prior and difference come from this project's registration, not from ANTs."
)
_ASK = (
    "The authors published no weights. Import a file that you have with ctinsight models import FILE --model"
    " lvo-mcresnet, or name it with --weights FILE."
)


@dataclass(frozen=True, eq=False)
class Occlusion:
    """What the network says, and what it was shown."""

    score: float
    withheld: tuple[tuple[str, float], ...]
    channels: HeadChannels
    grid: Grid
    card: ModelCard
    check: Check | None


def require_inputs(parameters: Parameters) -> None:
    """Refuse what cannot work before anything is computed.

    Raises
    ------
    WrongUseError
        Weights without vessels: a missing channel is refused, no other image stands for it.
    WeightsMissingError
        No such file or installed model.
    """
    if parameters.weights is None:
        return
    find_weights(parameters.weights)
    if parameters.vessels is None and parameters.vessel_model is None:
        raise WrongUseError(
            found="weights of McResNet, but no vessels: its second channel is missing",
            expected="a labelmap of the vessels (1 terminal ICA, 2 M1, 3 M2, 4 other)",
            remedy="Give it with --vessels FILE or --vessel-model NAME; no other image may stand for it.",
        )


def find_weights(given: Path) -> Path:
    """Return a weights file: the given one, or that of an installed model of this name."""
    from ctinsight.models.mcresnet_weights import MCRESNET_NAME

    if given.exists():
        return given
    if str(given).startswith(MCRESNET_NAME):
        from ctinsight.models.architectures import installed_weights
        from ctinsight.models.store import user_store

        return installed_weights(user_store(), str(given))
    raise WeightsMissingError(
        found=f"no file {given}", expected="a file of McResNet weights, or the name lvo-mcresnet", remedy=_ASK
    )


def vessels_on(path: Path, grid: Grid) -> NDArray[np.uint8]:
    """Read a labelmap of vessels and bring it to the CT's grid by the nearest voxel.

    Raises
    ------
    WrongUseError
        It holds no vessel within the CT.
    """
    labels, own = read_labelmap(path)
    found = labels if own.same_as(grid, tolerance_mm=0.01) else resample_labels(labels, own, grid)
    if not np.any(found):
        raise WrongUseError(
            found=f"{path.name} holds no vessel where this CT lies",
            expected="a labelmap of this head's vessels",
            remedy="Choose the labelmap that belongs to this CT.",
        )
    return np.asarray(found, dtype=np.uint8)


def vessel_mip(volume: Volume, vessels_kji: NDArray[np.uint8]) -> ImageLayer:
    """Project the CT inside terminal ICA, M1 and M2 along its slices: one slice as thick as the scan."""
    ct, grid = reorient(volume.array_kji, volume.grid)
    vessels, _grid = reorient(vessels_kji, volume.grid)
    inside = np.where(np.isin(vessels, LARGE_VESSELS), ct, 0)
    matrix = np.array(grid.ijk_to_ras)
    middle = (grid.shape_kji[0] - 1) / 2
    matrix[:3, 3] = grid.ras_from_ijk((0.0, 0.0, middle))
    matrix[:3, 2] *= grid.shape_kji[0]
    projected = np.max(inside, axis=0, keepdims=True).astype(np.int16)
    meaning = "maximum along the slices inside terminal ICA, M1 and M2"
    return ImageLayer("vessel_mip", Volume(projected, matrix), meaning)


def score_occlusion(
    case: Prepared, vessels_kji: NDArray[np.uint8], prior_kji: NDArray[np.float32], progress: Progress
) -> Occlusion:
    """Run McResNet on a prepared case.

    Raises
    ------
    InputRefusedError
        A channel is empty.
    WeightsMissingError, WrongWeightsError, DependencyMissingError, NotEnoughSpaceError
        See the importers and :func:`ctinsight.inference.wholehead.head_logit`.
    """
    from ctinsight.models.mcresnet_weights import load_mcresnet

    if case.parameters.weights is None:
        msg = "score_occlusion is called with weights only"
        raise ValueError(msg)
    net, card = load_mcresnet(find_weights(case.parameters.weights))
    one_sided = np.where(case.halves_kji == RIGHT_LABEL, np.abs(case.difference_kji), 0)
    grid = case.scan.volume.grid
    turned = [
        reorientation(grid, ras_axes=_RAS).apply(array).transpose(2, 1, 0)
        for array in (case.scan.volume.array_kji, vessels_kji > 0, prior_kji, one_sided)
    ]
    channels = head_channels(*turned)
    progress.report("scoring with McResNet", 0.92)
    score = _sigmoid(head_logit(net, channels.stacked()))
    withheld = []
    for name in CHANNELS[1:] if case.parameters.counterfactual else ():
        progress.report(f"scoring without {name}", 0.94)
        withheld.append((name, _sigmoid(head_logit(net, channels.without(name).stacked()))))
    return Occlusion(
        score,
        tuple(withheld),
        channels,
        reorientation(grid, ras_axes=_RAS).grid,
        card,
        _size_check(channels.ct.shape),
    )


def _sigmoid(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


def _size_check(shape: tuple[int, ...]) -> Check | None:
    if all(have <= want for have, want in zip(shape, PUBLISHED_SHAPE, strict=True)):
        return None
    words = " x ".join(str(n) for n in shape)
    return Check(
        "network_size",
        "Size for McResNet",
        Outcome.WARN,
        f"{words} voxels",
        "at most " + " x ".join(str(n) for n in PUBLISHED_SHAPE),
        "The rest was cut off about the centre; resample the CT to have all of it seen.",
    )


def occlusion_findings(found: Occlusion | None, parameters: Parameters) -> tuple[Finding, ...]:
    """Return the score in words that it deserves, and predictive values where they can be had."""
    if found is None:
        return ()
    at = "at or above" if found.score >= PUBLISHED_THRESHOLD else "below"
    note = f"uncalibrated score from 0 to 1, {at} the published operating point of {PUBLISHED_THRESHOLD:g}"
    return (
        Finding("mcresnet_score", "McResNet score (uncalibrated)", found.score, "1", note=note),
        *predictive_values(parameters),
    )


def predictive_values(parameters: Parameters) -> tuple[Finding, ...]:
    """Return PPV and NPV at the user's prevalence, from sensitivity and specificity that the user states."""
    stated = (parameters.sensitivity, parameters.specificity, parameters.prevalence)
    names = (("ppv_percent", "PPV"), ("npv_percent", "NPV"))
    if any(value is None for value in stated):
        why = (
            "off: no sensitivity, specificity and prevalence were stated, and none are published for"
            " these weights"
        )
        return tuple(Finding(key, name, None, "%", note=why) for key, name in names)
    sensitivity, specificity, prevalence = (float(v) for v in stated if v is not None)
    sick, well = prevalence, 1 - prevalence
    positive = sensitivity * sick + (1 - specificity) * well
    negative = specificity * well + (1 - sensitivity) * sick
    said = (
        f"as you stated: sensitivity {sensitivity:g}, specificity {specificity:g}, prevalence {prevalence:g}"
    )
    values = (
        sensitivity * sick / positive if positive else None,
        specificity * well / negative if negative else None,
    )
    return tuple(
        Finding(key, name, None if value is None else 100 * value, "%", note=said)
        for (key, name), value in zip(names, values, strict=True)
    )


def occlusion_table(found: Occlusion | None) -> tuple[Table, ...]:
    """Return the scores with each channel withheld; none when that was not asked for."""
    if found is None or not found.withheld:
        return ()
    columns = (
        Column("withheld", "Channel withheld", "", "set to 0 everywhere"),
        Column("score", "Score", "1", "uncalibrated"),
        Column("change", "Change", "1", "against the score with all channels"),
    )
    rows = tuple((name, score, score - found.score) for name, score in found.withheld)
    return (Table("withheld_channels", "Score with a channel withheld", columns, rows),)


def channel_images(found: Occlusion) -> tuple[ImageLayer, ...]:
    """Return the four channels as volumes, as the network was shown them but for the padding."""
    meanings = {
        "ct": "channel 1: CT, 0 to 70 HU, by its own extremes",
        "vessels": "channel 2: channel 1 in the vessels",
        "prior": "channel 3: MCA prior, 0 to 1",
        "difference": "channel 4: absolute difference on the patient's right half, by its own extremes",
    }
    images = []
    for name in CHANNELS:
        array: NDArray[Any] = getattr(found.channels, name)
        volume = Volume(np.ascontiguousarray(array.transpose(2, 1, 0)), found.grid.ijk_to_ras)
        images.append(ImageLayer(f"channel_{name}", volume, meanings[name]))
    return tuple(images)
