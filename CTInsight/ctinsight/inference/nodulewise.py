"""Score nodules with the networks of EMV-3D-CNN: any number of nodules and networks as one piece of work.

A network's weights are read once for several nodules, so many clicks in one request take less time than the
same clicks one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ctinsight.device import Device, choose_device, out_of_memory, require_torch
from ctinsight.errors import ProcessingFailedError, WrongUseError
from ctinsight.inference.precision import Precision, computing_in
from ctinsight.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ctinsight.nets.emv_networks import EmvNetwork, ViewSet

#: Voxels of one view that are fed at once: four nodules at side 60, two at side 80. Nine networks of full
#: width took 7.2 processor-seconds a nodule alone and 6.1 in batches of four (fp32; channels last changes
#: less than 5 %); larger batches gain nothing more and only take memory.
_BATCH_VOXELS = {"cpu": 2 * 80**3, "mps": 8 * 80**3, "cuda": 32 * 80**3}
#: A processor gains nothing from more than this, whatever the side.
_LARGEST_BATCH = {"cpu": 4}


class ViewNet(Protocol):
    """A network: (batch, 3, side, side, side) to scores (batch, classes) that sum to 1."""

    def __call__(self, x: Any, /) -> Any:
        """Score a batch."""

    def to(self, device: str, /) -> Any:
        """Move to a device."""

    def eval(self) -> Any:
        """Switch dropout off and use the stored statistics."""


@dataclass(frozen=True)
class NoduleOptions:
    """How the networks are run.

    Parameters
    ----------
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    batch_size
        Nodules fed together; None chooses by side and device. Scores do not depend on it.
    """

    device: str = "auto"
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if self.batch_size is not None and self.batch_size < 1:
            raise WrongUseError(
                found=f"batches of {self.batch_size}",
                expected="a positive whole number",
                remedy="Correct this option.",
            )


@dataclass(frozen=True, eq=False)
class NetworkScores:
    """What the networks said.

    Parameters
    ----------
    scores
        By network (nodules, classes), float64, rows sum to 1. Uncalibrated unless a card says otherwise.
    device
        Where the last batch was computed.
    notes
        What happened on the way: less memory than hoped, processor instead of graphics card.
    """

    scores: Mapping[EmvNetwork, NDArray[np.float64]]
    device: Device
    notes: tuple[str, ...] = ()


class NoduleEngine:
    """Networks on their device, ready for one request after another.

    Parameters
    ----------
    nets
        Any subset of the nine, as :func:`ctinsight.models.emv_weights.load_emv` returns them. They are moved
        to the device.
    options
        See :class:`NoduleOptions`.

    Raises
    ------
    DependencyMissingError
        torch is absent or refused.
    WrongUseError
        The chosen device is not there, or no network is given.
    """

    def __init__(self, nets: Mapping[EmvNetwork, ViewNet], options: NoduleOptions | None = None) -> None:
        if not nets:
            raise WrongUseError(
                found="no network", expected="at least one of the nine", remedy="Import weights first."
            )
        self._torch = require_torch()
        self._options = options or NoduleOptions()
        self.device = choose_device(self._options.device)
        self._notes = [self.device.note] if self.device.note else []
        self._nets = {network: self._prepare(net) for network, net in sorted(nets.items(), key=_by_name)}

    @property
    def networks(self) -> tuple[EmvNetwork, ...]:
        """The networks that are here."""
        return tuple(self._nets)

    def score(
        self,
        views: Mapping[ViewSet, NDArray[np.float32]],
        *,
        progress: Progress | None = None,
        span: tuple[float, float] = (0.0, 1.0),
    ) -> NetworkScores:
        """Score nodules with every network.

        Parameters
        ----------
        views
            (nodules, 3, side, side, side) for each view set that a network needs; the same nodules in each.
        progress
            Told after every batch, and may stop the run there.
        span
            Fractions of the whole run at which this step begins and ends.

        Raises
        ------
        WrongUseError
            A view set is missing, or of another shape.
        ProcessingFailedError
            Memory does not suffice for a single nodule, or scores are not finite.
        """
        _refuse_odd_views(views, self.networks)
        progress = progress or Progress()
        work = {network: _cost(network) for network in self._nets}
        total, done = sum(work.values()), 0.0
        start, end = span
        scores = {}
        for network in self._nets:
            found = []
            count = len(views[network.views])
            for rows in self._batches(network, views[network.views]):
                found.append(rows)
                done += work[network] * len(rows) / count
                fraction = start + (end - start) * min(done / total, 1.0)
                progress.report(f"scoring with {network.kind} ({network.task.name.lower()})", fraction)
            scores[network] = np.concatenate(found)
        return NetworkScores(scores, self.device, tuple(self._notes))

    def _prepare(self, net: ViewNet) -> ViewNet:
        moved: ViewNet = net.eval().to(self.device.kind)
        return moved

    def _batch_size(self, side: int) -> int:
        if self._options.batch_size is not None:
            return self._options.batch_size
        kind = self.device.kind
        by_memory = max(_BATCH_VOXELS.get(kind, _BATCH_VOXELS["cpu"]) // side**3, 1)
        return min(by_memory, _LARGEST_BATCH.get(kind, by_memory))

    def _batches(self, network: EmvNetwork, views: NDArray[np.float32]) -> Any:
        at = 0
        while at < len(views):
            rows = self._try(network, views[at : at + self._batch_size(network.views.side)])
            if rows is None:
                continue
            if not np.isfinite(rows).all():
                raise ProcessingFailedError(
                    found=f"scores of {network.name} that are not finite",
                    expected="numbers from 0 to 1",
                    remedy="Try the processor (device cpu), or import the weights again.",
                )
            at += len(rows)
            yield rows

    def _try(self, network: EmvNetwork, batch: NDArray[np.float32]) -> NDArray[np.float64] | None:
        try:
            # Never fewer bits here: TF32 alone, a card's default, changes a score by 1e-3.
            with computing_in(Precision.SINGLE, self.device.kind):
                x = self._torch.from_numpy(np.ascontiguousarray(batch)).to(self.device.kind)
                scores: NDArray[np.float64] = self._nets[network](x).double().cpu().numpy()
                return scores
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            self._step_down(len(batch), error)
            return None

    def _step_down(self, size: int, error: Exception) -> None:
        if size > 1:
            self._options = replace(self._options, batch_size=size // 2)
            self._notes.append(f"memory did not suffice on {self.device.name}: batches of {size // 2}")
        elif self.device.kind != "cpu":
            self._notes.append(f"memory did not suffice on {self.device.name}: the processor was used")
            self.device = replace(choose_device("cpu"), note=self._notes[-1])
            self._nets = {network: self._prepare(net) for network, net in self._nets.items()}
        else:
            raise ProcessingFailedError(
                found="not enough memory for one nodule",
                expected="about 2 GB of free memory",
                remedy="Close other programs, or read the scores and measures that need no network.",
            ) from error
        if self._torch.cuda.is_available():
            self._torch.cuda.empty_cache()


def _by_name(pair: tuple[EmvNetwork, ViewNet]) -> str:
    return pair[0].name


def _cost(network: EmvNetwork) -> float:
    """Estimate relative work, so that progress runs evenly: processor-seconds at side 60."""
    seconds = {"inception": 0.1, "vgg": 1.4, "resnet": 0.8}[network.kind]
    return seconds * (network.views.side / 60) ** 3


def _refuse_odd_views(views: Mapping[ViewSet, NDArray[np.float32]], networks: tuple[EmvNetwork, ...]) -> None:
    counts = set()
    for view_set in {network.views for network in networks}:
        found = views.get(view_set)
        shape = None if found is None else found.shape
        side = view_set.side
        if found is None or found.ndim != 5 or found.shape[1:] != (3, side, side, side) or not len(found):
            raise WrongUseError(
                found=f"views {view_set.sides} of shape {shape}",
                expected=f"(nodules, 3, {side}, {side}, {side})",
                remedy="Cut the views with ctinsight.tasks.nodule.emv_input.",
            )
        counts.add(len(found))
    if len(counts) > 1:
        raise WrongUseError(
            found=f"views of {sorted(counts)} nodules",
            expected="the same nodules in every view set",
            remedy="Cut all view sets from the same cubes.",
        )
