"""A model of nnU-Net v2 on its device, ready for one case after another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ctinsight.device import Device, choose_device, out_of_memory, require_torch
from ctinsight.errors import ProcessingFailedError, WrongUseError, WrongWeightsError
from ctinsight.inference.nnunet.choice import Choice, Shapes, choose_runner
from ctinsight.inference.nnunet.export import labels_of, probabilities_of
from ctinsight.inference.nnunet.network import build_network, load_weights
from ctinsight.inference.nnunet.prepare import prepare
from ctinsight.inference.nnunet.windows import Padding, mirrorings, window_weights, windows_of
from ctinsight.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from ctinsight.inference.nnunet.plans import NNUNetPlans
    from ctinsight.inference.nnunet.prepare import Prepared
    from ctinsight.inference.nnunet.runners import Runner
    from ctinsight.inference.nnunet.windows import Box

_RESAMPLING = "resample_data_or_seg_to_shape"
_PREPROCESSOR = "DefaultPreprocessor"
_SCHEMES = (
    "CTNormalization",
    "ZScoreNormalization",
    "NoNormalization",
    "RescaleTo01Normalization",
    "RGBTo01Normalization",
)
#: Voxels of the network's grid that an answer at the edge of a wanted box hangs on beyond it.
_REACH = 2


class NNUNetModel(Protocol):
    """A stored model: its plans, a safetensors file for each fold, and where it may be mirrored."""

    @property
    def plans(self) -> NNUNetPlans:
        """Checked plans."""

    @property
    def folds(self) -> Mapping[str, Path]:
        """File of each fold."""

    @property
    def mirroring_axes(self) -> tuple[int, ...]:
        """Axes of the patch along which the model may be mirrored."""


@dataclass(frozen=True)
class NNUNetOptions:
    """How a model is applied.

    Parameters
    ----------
    mirroring
        Average over mirrored inputs, where the model allows it: 8 passes in three dimensions.
    step
        Windows are at most this part of a window apart.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    engine
        ``auto`` compares what the machine offers and takes the fastest with the same answers; see
        :func:`~ctinsight.inference.nnunet.choice.choose_runner`. ``torch f32`` is what nnU-Net computes.

    Notes
    -----
    The defaults are nnU-Net's own. :data:`FAST` leaves mirroring out: about 8 times faster, and voxels at
    borders of classes change (about 1 % on a briefly trained network).
    """

    mirroring: bool = True
    step: float = 0.5
    device: str = "auto"
    engine: str = "auto"

    def __post_init__(self) -> None:
        if not 0 < self.step <= 1:
            raise WrongUseError(
                found=f"a step of {self.step}", expected="a number above 0, at most 1", remedy="Give 0.5."
            )


AS_PUBLISHED = NNUNetOptions()
FAST = NNUNetOptions(mirroring=False)


@dataclass(frozen=True, eq=False)
class NNUNetSegmentation:
    """What a model says of a case.

    Parameters
    ----------
    labels_kji
        (slices, rows, columns) uint8 on the image's grid.
    probabilities
        (classes or regions, slices, rows, columns) float32, uncalibrated; None unless asked for.
    windows, windows_left_out, passes
        Windows the network saw, those that did not touch the wanted box, and runs of the network in all.
    device, engine
        Where, and in which way: see :class:`~ctinsight.inference.nnunet.choice.Choice`.
    notes
        What happened on the way.
    """

    labels_kji: NDArray[np.uint8]
    probabilities: NDArray[np.float32] | None
    windows: int
    windows_left_out: int
    passes: int
    device: Device
    engine: Choice
    notes: tuple[str, ...] = ()


def unsupported(plans: NNUNetPlans) -> str | None:
    """Say why nnU-Net itself is needed for these plans; None where this engine does the same.

    Parameters
    ----------
    plans
        Checked plans.
    """
    settings = plans.settings
    name = settings.get("preprocessor_name", _PREPROCESSOR)
    if name != _PREPROCESSOR:
        return f"preprocessor {name}"
    for key, order in (("resampling_fn_data", 3), ("resampling_fn_probabilities", 1)):
        arguments = settings.get(f"{key}_kwargs", {})
        stated = (settings[key], arguments.get("order", order), arguments.get("order_z", 0))
        if stated != (_RESAMPLING, order, 0):
            return f"{key} {stated[0]} of order {stated[1]} (across slices {stated[2]})"
    other = [s for s in settings["normalization_schemes"] if s not in _SCHEMES]
    if other:
        return f"normalization {other[0]}"
    numbers = [n for name, n in plans.labels.items() if name != "ignore"]
    if plans.regions is None and sorted(numbers) != list(range(len(numbers))):
        return f"labels {numbers}, which are not numbered through"
    return None


class NNUNetEngine:
    """The networks of all folds on a device.

    Parameters
    ----------
    model
        As the store keeps it; its files' checksums are the store's matter.
    options
        See :class:`NNUNetOptions`.

    Raises
    ------
    DependencyMissingError
        torch or dynamic-network-architectures is absent.
    WrongWeightsError
        Plans that only nnU-Net itself can apply, or tensors that do not fit them.
    """

    def __init__(self, model: NNUNetModel, options: NNUNetOptions = AS_PUBLISHED) -> None:
        reason = unsupported(model.plans)
        if reason:
            raise WrongWeightsError(
                found=f"a model of nnU-Net with {reason}",
                expected="nnU-Net's default preprocessing, resampling and normalization",
                remedy="Run this model with nnU-Net itself (package nnunetv2).",
            )
        self.plans = model.plans
        self.options = options
        self.device = choose_device(options.device)
        self._torch = require_torch()
        nets = [self._net(path) for path in model.folds.values()]
        if not nets:
            raise WrongWeightsError(
                found="a model without folds", expected="one or more", remedy="Import it again."
            )
        self._nets = nets
        self._notes = [self.device.note] if self.device.note else []
        self._runners, self.engine = self._ready(options.engine)
        self._flips = mirrorings(model.mirroring_axes if options.mirroring else ())

    def segment(
        self,
        channels: Sequence[NDArray[Any]],
        spacing_kji_mm: tuple[float, float, float],
        *,
        wanted: Box | None = None,
        with_probabilities: bool = False,
        progress: Progress | None = None,
    ) -> NNUNetSegmentation:
        """Segment a case.

        Parameters
        ----------
        channels
            See :func:`~ctinsight.inference.nnunet.prepare.prepare`.
        spacing_kji_mm
            Of these arrays.
        wanted
            Three slices (k, j, i): answers are needed in this box only. Inside it nothing changes; outside
            every voxel is background.
        with_probabilities
            Return scores too; they take 4 bytes for each voxel and class.
        progress
            Told after every window, and may stop the run there.

        Raises
        ------
        ProcessingFailedError
            The network gives numbers that are not finite.
        """
        progress = progress or Progress()
        progress.report("preparing the image for nnU-Net", 0.0)
        prepared = prepare(channels, spacing_kji_mm, self.plans)
        logits, done = self._predict(prepared, wanted, progress)
        progress.report("bringing the answer back to the image", 0.95)
        labels = labels_of(logits, prepared, self.plans)
        scores = probabilities_of(logits, prepared, self.plans) if with_probabilities else None
        if wanted is not None:
            labels = _only(labels, wanted)
        progress.report("bringing the answer back to the image", 1.0)
        passes = done[0] * len(self._flips) * len(self._runners)
        notes = tuple(self._notes)
        return NNUNetSegmentation(labels, scores, *done, passes, self.device, self.engine, notes)

    def passes(self, shape_kji: tuple[int, int, int], spacing_kji_mm: tuple[float, float, float]) -> int:
        """Count how often the network will run for an image, before anything is computed."""
        from ctinsight.inference.nnunet.sampling import new_shape

        turn = self.plans.plans["transpose_forward"]
        shape, spacing = ([float(s[a]) for a in turn] for s in (shape_kji, spacing_kji_mm))
        target = self.plans.settings["spacing"]
        grid = new_shape([int(n) for n in shape], spacing, [*spacing[: 3 - len(target)], *target])
        padding = Padding.of(grid, self.plans.settings["patch_size"])
        boxes = windows_of(padding.shape, self.plans.settings["patch_size"], self.options.step, None)
        return len(boxes) * len(self._flips) * len(self._runners)

    def _ready(self, wanted: str) -> tuple[list[Runner], Choice]:
        shapes = Shapes.of(len(self.plans.channels), self.plans.settings["patch_size"], self.plans.strides)
        make, choice = choose_runner(self._nets[0], shapes, self.device.kind, wanted)
        return [make(net) for net in self._nets], choice

    def _net(self, path: Path) -> nn.Module:
        net = build_network(self.plans)
        load_weights(net, path)
        return net

    def _predict(
        self, prepared: Prepared, wanted: Box | None, progress: Progress
    ) -> tuple[Tensor, tuple[int, int]]:
        torch = self._torch
        patch = tuple(self.plans.settings["patch_size"])
        padding = Padding.of(prepared.data.shape[1:], patch)
        data = torch.zeros((len(prepared.data), *padding.shape))
        data[:, *padding.inside] = torch.from_numpy(np.ascontiguousarray(prepared.data))
        everywhere = windows_of(padding.shape, patch, self.options.step, None)
        boxes = everywhere
        if wanted is not None:
            box = _in_network_grid(wanted, prepared, self.plans, padding)
            boxes = windows_of(padding.shape, patch, self.options.step, box)
        total = _Sum(torch, (self.plans.outputs, *padding.shape), patch)
        watch = _Watch(progress, len(boxes) * len(self._runners))
        summed: Tensor = torch.zeros(())
        for fold in range(len(self._runners)):
            for box in boxes:
                total.add(box, self._answer_somewhere(fold, data[:, *box], len(patch)))
                watch.advance()
            mean = total.mean()[:, *padding.inside]
            summed = summed + mean
            total.clear()
        if len(self._runners) > 1:
            summed = summed / len(self._runners)
        return summed, (len(boxes), len(everywhere) - len(boxes))

    def _answer_somewhere(self, fold: int, part: Tensor, dimensions: int) -> Tensor:
        """Answer for a window on the card or, without memory there, on the processor from then on.

        A window's size is the model's own: a smaller one would give other answers.
        """
        try:
            return self._answer(self._runners[fold], part, dimensions)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error) or self.device.kind == "cpu":
                raise
            self._notes.append(f"memory did not suffice on {self.device.name}: the processor was used")
            self.device = replace(choose_device("cpu"), note=self._notes[-1])
            self._nets = [net.to("cpu") for net in self._nets]
            self._runners, self.engine = self._ready("auto")
        if self._torch.cuda.is_available():
            self._torch.cuda.empty_cache()
        return self._answer(self._runners[fold], part, dimensions)

    def _answer(self, run: Runner, part: Tensor, dimensions: int) -> Tensor:
        """Run the network on a window and its mirror images; (classes, *window) on the processor."""
        torch = self._torch
        shape = part.shape[len(part.shape) - dimensions :]
        x = part.reshape(1, len(part), *shape)
        with torch.inference_mode():
            answer = run(x)
            for axes in self._flips[1:]:
                dims = [axis + 2 for axis in axes]
                answer = answer + torch.flip(run(torch.flip(x, dims)), dims)
            if len(self._flips) > 1:
                answer = answer / len(self._flips)
            return answer[0]


class _Sum:
    """Weighed sums of the windows' answers in half precision, as nnU-Net keeps them."""

    def __init__(self, torch: Any, shape: tuple[int, ...], patch: tuple[int, ...]) -> None:
        self._torch = torch
        self._answers = torch.zeros(shape, dtype=torch.half)
        self._weights = torch.zeros(shape[1:], dtype=torch.half)
        self._window = torch.from_numpy(np.array(window_weights(patch)))

    def add(self, box: Box, answer: Tensor) -> None:
        """Add the answer for one window."""
        place = self._answers[:, *box]
        place += (answer * self._window).reshape(place.shape)
        weights = self._weights[box]
        weights += self._window.reshape(weights.shape)

    def mean(self) -> Tensor:
        """Divide by the weights; where no window was, scores are 0."""
        seen = self._weights > 0
        mean: Tensor = self._answers / self._torch.where(seen, self._weights, 1)
        if not bool(self._torch.isfinite(mean).all()):
            raise ProcessingFailedError(
                found="network scores that are not finite",
                expected="finite scores",
                remedy="Try the processor (device cpu), or import the weights again.",
            )
        return mean

    def clear(self) -> None:
        """Begin again for the next fold."""
        self._answers.zero_()
        self._weights.zero_()


class _Watch:
    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def advance(self) -> None:
        self._done += 1
        self._progress.report("segmenting by nnU-Net", 0.05 + 0.9 * self._done / self._total)


def _in_network_grid(wanted: Box, prepared: Prepared, plans: NNUNetPlans, padding: Padding) -> Box:
    """Carry a box of the image to the padded network grid, with the voxels that its border hangs on."""
    found = []
    for axis, turned in enumerate(plans.plans["transpose_forward"]):
        crop, shape = prepared.crop[axis], prepared.data.shape[axis + 1]
        ratio = shape / (crop.stop - crop.start)
        low = int(np.floor((wanted[turned].start - crop.start) * ratio)) - _REACH
        high = int(np.ceil((wanted[turned].stop - crop.start) * ratio)) + _REACH
        before = padding.inside[axis].start
        found.append(slice(max(low, 0) + before, min(high, shape) + before))
    return tuple(found)


def _only(labels: NDArray[np.uint8], wanted: Box) -> NDArray[np.uint8]:
    kept = np.zeros_like(labels)
    kept[wanted] = labels[wanted]
    return kept
