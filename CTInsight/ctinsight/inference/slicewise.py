"""Score a head CT slice by slice with a two-dimensional network, and bring the scores back to its own grid.

Slices are axial, anterior up, patient right on the left, as the networks were trained. A slice that is not
square in millimetres is padded with air, never stretched. Scores return to the native grid as real numbers;
the threshold comes afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ctinsight.device import Device, choose_device, out_of_memory, require_torch
from ctinsight.errors import GeometryError, ProcessingFailedError, WrongUseError
from ctinsight.inference.precision import (
    Precision,
    PrecisionChoice,
    choose_precision,
    computing_in,
    head_slice_sample,
    read_precision,
)
from ctinsight.progress import Progress
from ctinsight.resample import reorientation, resize_slices
from ctinsight.window import apply_window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.volume import Grid, Volume

#: Thresholds at which the volume is given to show how much it hangs on the choice of 0.5.
SWEEP = (0.3, 0.4, 0.5, 0.6, 0.7)
#: One slice at a time is fastest on a processor (2-D networks in torch: batches of 8 take 1.2 to 1.5 times as
#: long per slice, for allocation); a graphics card wants more at once.
_BATCH = {"cpu": 1, "mps": 8, "cuda": 16}
#: Slices are windowed and resized in groups of at most this many, so memory does not grow with the case.
_GROUP = 16


class SliceNet(Protocol):
    """A two-dimensional network: (batch, 1, side, side) in -1..1 to (batch, 1, side, side) in 0..1."""

    def __call__(self, x: Any, /) -> Any:
        """Score a batch."""

    def to(self, device: str, /) -> Any:
        """Move to a device."""


@dataclass(frozen=True)
class SliceOptions:
    """How slices are prepared and fed.

    Parameters
    ----------
    window_hu
        (center, width). The authors of DR-UNet name none; 40/80 is the usual brain window and an assumption
        (two of their fourteen sample pictures look like it, the others like 70-80 wide at 25-30).
    side
        Rows and columns that the network sees; a multiple of 32 for DR-UNet.
    antialias
        True averages the pixels that a larger slice loses, so that noise falls steadily with the matrix.
        False is what the original program does (OpenCV's bilinear): 512 to 256 averages 2 x 2 pixels, but 768
        to 256 keeps every third pixel with all its noise.
    batch_size
        None chooses: 1 on a processor, 16 on a graphics card. Only a network that normalises by its batch
        gives other scores for another batch.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    precision
        ``auto`` or ``float32``; see :mod:`ctinsight.inference.precision`. A network that normalises by its
        own input needs ``float32``, as it is there to reproduce numbers.
    """

    window_hu: tuple[float, float] = (40.0, 80.0)
    side: int = 256
    antialias: bool = True
    batch_size: int | None = None
    device: str = "auto"
    precision: str = "auto"

    def __post_init__(self) -> None:
        read_precision(self.precision)
        if self.side < 1 or (self.batch_size is not None and self.batch_size < 1):
            raise WrongUseError(
                found=f"a side of {self.side} and batches of {self.batch_size}",
                expected="positive whole numbers",
                remedy="Correct these options.",
            )


@dataclass(frozen=True, eq=False)
class SliceProbability:
    """Scores of a case.

    Parameters
    ----------
    probability_kji
        (slices, rows, columns), float32 from 0 to 1, on the volume's grid; 0 in slices that were left out.
        Uncalibrated unless the network's card says otherwise.
    slices_scored, slices_left_out
        How many axial slices went through the network, and how many hold no brain.
    device, batch_size, precision
        Where and in what the last batch was computed, and how large batches were at the end.
    notes
        What happened on the way: less memory than hoped, processor instead of graphics card.
    """

    probability_kji: NDArray[np.float32]
    slices_scored: int
    slices_left_out: int
    device: Device
    batch_size: int
    precision: PrecisionChoice
    notes: tuple[str, ...] = ()


class SliceEngine:
    """A network on its device, ready for one case after another.

    Parameters
    ----------
    net
        Expected in eval mode. For DR-UNet pass ``net.for_inference()``.
    options
        See :class:`SliceOptions`.

    Raises
    ------
    DependencyMissingError
        torch is absent or refused.
    WrongUseError
        The chosen device is not there.
    """

    def __init__(self, net: SliceNet, options: SliceOptions | None = None) -> None:
        self.options = options or SliceOptions()
        self._runner = _Runner(net, choose_device(self.options.device), self.options)

    def segment(
        self,
        volume: Volume,
        *,
        brain_kji: NDArray[np.bool_] | None = None,
        progress: Progress | None = None,
        span: tuple[float, float] = (0.0, 1.0),
    ) -> SliceProbability:
        """Score every axial slice that holds brain.

        Parameters
        ----------
        volume
            HU, in any orientation.
        brain_kji
            (slices, rows, columns) bool on the volume's grid; None scores every slice.
        progress
            Told after every batch, and may stop the run there.
        span
            Fractions of the whole run at which this step begins and ends.

        Raises
        ------
        GeometryError
            The mask is not on the volume's grid.
        ProcessingFailedError
            Memory does not suffice for a single slice, or scores are not finite.
        """
        if brain_kji is not None and brain_kji.shape != volume.grid.shape_kji:
            raise GeometryError(
                found=f"a brain mask of shape {brain_kji.shape} on a volume of {volume.grid.shape_kji}",
                expected="the same shape",
                remedy="Extract the brain from this volume.",
            )
        turn = reorientation(volume.grid)
        slices = turn.apply(volume.array_kji)
        wanted = np.arange(len(slices))
        if brain_kji is not None:
            wanted = np.flatnonzero(turn.apply(brain_kji).any(axis=(1, 2)))
        frame = _Frame.of(turn.grid)
        scores = np.zeros(slices.shape, dtype=np.float32)
        watch = _Watch(progress or Progress(), span, len(wanted))
        for start in range(0, len(wanted), _GROUP):
            group = wanted[start : start + _GROUP]
            pictures = frame.to_network(slices[group], self.options)
            scores[group] = frame.to_native(self._runner.score(pictures, watch))
        return SliceProbability(
            probability_kji=np.ascontiguousarray(turn.undo(scores)),
            slices_scored=len(wanted),
            slices_left_out=len(slices) - len(wanted),
            device=self._runner.device,
            batch_size=self._runner.batch_size,
            precision=self._runner.precision,
            notes=tuple(self._runner.notes),
        )


def segment_slices(
    volume: Volume,
    net: SliceNet,
    options: SliceOptions | None = None,
    *,
    brain_kji: NDArray[np.bool_] | None = None,
) -> SliceProbability:
    """Score one case; see :class:`SliceEngine`, which also keeps a network for the next case."""
    return SliceEngine(net, options).segment(volume, brain_kji=brain_kji)


def volume_at_thresholds(
    probability_kji: NDArray[np.float32], grid: Grid, thresholds: tuple[float, ...] = SWEEP
) -> tuple[tuple[float, float], ...]:
    """Measure how much the volume hangs on the threshold.

    Returns
    -------
    tuple
        (threshold, volume in mL of the voxels at or above it), in the order given.

    Examples
    --------
    >>> from ctinsight.volume import Grid
    >>> grid = Grid((1, 1, 3), np.diag([10.0, 10.0, 10.0, 1.0]))
    >>> swept = volume_at_thresholds(np.array([[[0.35, 0.55, 0.9]]], np.float32), grid, (0.3, 0.5, 0.7))
    >>> [(threshold, round(ml, 6)) for threshold, ml in swept]
    [(0.3, 3.0), (0.5, 2.0), (0.7, 1.0)]
    """
    voxel_ml = grid.voxel_volume_ml
    return tuple((t, float(np.count_nonzero(probability_kji >= t) * voxel_ml)) for t in thresholds)


@dataclass(frozen=True)
class _Frame:
    """The square in mm that holds a slice: how many rows and columns of air stand around it."""

    top: int
    left: int
    rows: int
    columns: int
    padded_rows: int
    padded_columns: int

    @classmethod
    def of(cls, grid: Grid) -> _Frame:
        _, rows, columns = grid.shape_kji
        column_mm, row_mm, _ = grid.spacing_ijk_mm
        side_mm = max(rows * row_mm, columns * column_mm)
        # Whole pixels, so that the slice itself is not interpolated twice; the square is met to half a pixel.
        padded_rows, padded_columns = round(side_mm / row_mm), round(side_mm / column_mm)
        top, left = (padded_rows - rows) // 2, (padded_columns - columns) // 2
        return cls(top, left, rows, columns, padded_rows, padded_columns)

    def to_network(self, slices_hu: NDArray[Any], options: SliceOptions) -> NDArray[np.float32]:
        gray = np.zeros((len(slices_hu), self.padded_rows, self.padded_columns), dtype=np.float32)
        gray[:, *self._inside] = apply_window(slices_hu, *options.window_hu)
        pictures = resize_slices(gray, options.side, options.side, antialias=options.antialias)
        # The original divides 8-bit grey by 127.5 and subtracts 1; grey from 0 to 1 needs the factor 2.
        return np.asarray(pictures * 2.0 - 1.0, dtype=np.float32)

    def to_native(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        full = resize_slices(scores, self.padded_rows, self.padded_columns, antialias=True)
        return np.clip(full[:, *self._inside], 0.0, 1.0)

    @property
    def _inside(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + self.rows), slice(self.left, self.left + self.columns)


class _Watch:
    def __init__(self, progress: Progress, span: tuple[float, float], total: int) -> None:
        self._progress, self._span, self._total, self._done = progress, span, total, 0

    def advance(self, count: int) -> None:
        self._done += count
        start, end = self._span
        phase = "scoring slices with the network"
        self._progress.report(phase, start + (end - start) * self._done / self._total)


class _Runner:
    """Feeds batches; on too little memory halves them, and at last moves to the processor."""

    def __init__(self, net: SliceNet, device: Device, options: SliceOptions) -> None:
        self._torch = require_torch()
        self.device = device
        self.batch_size = options.batch_size or _BATCH.get(device.kind, 1)
        self.notes = [device.note] if device.note else []
        self._net = net.to(device.kind)
        sample = head_slice_sample(options.side)
        self.precision = choose_precision(self._net, sample, device.kind, options.precision)
        if self.precision.precision is not Precision.SINGLE:
            self.notes.append(f"The network computed in {self.precision.precision} ({self.precision.why}).")

    def score(self, pictures: NDArray[np.float32], watch: _Watch) -> NDArray[np.float32]:
        """Score (slices, side, side) pictures."""
        done: list[NDArray[np.float32]] = []
        at = 0
        while at < len(pictures):
            scores = self._try(pictures[at : at + self.batch_size])
            if scores is None:
                continue
            if not np.isfinite(scores).all():
                raise ProcessingFailedError(
                    found="network scores that are not finite",
                    expected="numbers from 0 to 1",
                    remedy="Try the processor (device cpu), or import the weights again.",
                )
            done.append(scores)
            at += len(scores)
            watch.advance(len(scores))
        return np.concatenate(done)

    def _try(self, batch: NDArray[np.float32]) -> NDArray[np.float32] | None:
        try:
            with computing_in(self.precision.precision, self.device.kind):
                x = self._torch.from_numpy(batch[:, None]).to(self.device.kind)
                scores: NDArray[np.float32] = self._net(x)[:, 0].float().cpu().numpy()
                return scores
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            self._step_down(error)
            return None

    def _step_down(self, error: Exception) -> None:
        if self.batch_size > 1:
            self.batch_size //= 2
            self.notes.append(f"memory did not suffice on {self.device.name}: batches of {self.batch_size}")
        elif self.device.kind != "cpu":
            self.notes.append(f"memory did not suffice on {self.device.name}: the processor was used")
            self.device = replace(choose_device("cpu"), note=self.notes[-1])
            self._net = self._net.to("cpu")
            self.precision = PrecisionChoice(Precision.SINGLE, "the processor took over")
        else:
            raise ProcessingFailedError(
                found="not enough memory for one slice",
                expected="about 1 GB of free memory",
                remedy="Close other programs, or choose a method without a network.",
            ) from error
        if self._torch.cuda.is_available():
            self._torch.cuda.empty_cache()
