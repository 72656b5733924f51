"""One clinical task in a scene: volume node to worker, answer to nodes, edited segment to new numbers.

No window, no dialog: a panel asks, calls :meth:`TaskLogic.poll` from a timer, and shows what came.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import InputRefusedError, ProcessingFailedError, WrongUseError
from ctinsight.report.result_json import from_document
from ctinsight.report.wording import task_look
from ctinsight.volume import Volume
from CTInsightLib.ArrayFile import writeInPieces
from CTInsightLib.CaseOutput import CaseOutput
from CTInsightLib.DicomFacts import acquisitionOf
from CTInsightLib.ResultLink import LinkedResult, linkedResult, linkResult
from CTInsightLib.SegmentationOutput import SegmentationOutput
from CTInsightLib.VolumeBridge import addVolumeNode, volumeFromNode
from CTInsightLib.WorkerJob import WorkerJob
from CTInsightLib.WorkerProcess import EditedLabelmap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ctinsight.progress import ProgressEvent
    from ctinsight.volume import Grid
    from CTInsightLib.VolumeBridge import BridgedVolume
    from CTInsightLib.WorkerProcess import WorkerProcess


@dataclass(frozen=True)
class TaskRequest:
    """What a run is asked for.

    Parameters
    ----------
    volume
        The CT's node.
    parameters
        Plain values of the task's ``Parameters``.
    replaces
        An earlier result that is written over; the user has agreed. None makes new nodes.
    harden_non_linear
        Whether a non-linear transform may be applied to a copy of the voxels; the user has agreed.
    """

    volume: Any
    parameters: Mapping[str, Any]
    replaces: LinkedResult | None = None
    harden_non_linear: bool = False


@dataclass(frozen=True)
class _Sent:
    """What has to be known when the answer comes; nodes by their id, for they may be gone by then."""

    volume_id: str
    grid: Grid


@dataclass(frozen=True)
class _Source:
    """A CT as it is sent: the volume, and what its DICOM header says."""

    bridged: BridgedVolume
    facts: Mapping[str, Any]


class TaskLogic:
    """Run a task on volumes of one scene.

    Parameters
    ----------
    scene
        Takes the results.
    task
        A name of ``ctinsight.worker.TASKS``.
    worker
        Computes; started when first asked.
    onResult
        Called with each result when it is in the scene, as the last step of taking it.
    dicomDatabase
        ``slicer.dicomDatabase``, where there is one: it knows the headers of volumes from DICOM.
    """

    def __init__(self, scene, task: str, worker: WorkerProcess):
        self._scene = scene
        self._task = task
        self._job = WorkerJob(worker)
        self.onResult: Callable[[LinkedResult], None] = lambda _result: None
        self.dicomDatabase: Any = None
        self.onVolume: Callable[[Any], None] = lambda _volumeNode: None

    @property
    def task(self) -> str:
        """The task's name."""
        return self._task

    @property
    def scene(self):
        """The scene that takes the results."""
        return self._scene

    @property
    def busy(self) -> bool:
        """Whether a run is under way, its answer being taken included."""
        return self._job.busy

    @property
    def progress(self) -> ProgressEvent:
        """Where the run stands."""
        return self._job.progress

    def logTail(self) -> str:
        """Return the last words of the worker's libraries."""
        return self._job.worker.logTail()

    def run(self, request: TaskRequest) -> None:
        """Send a volume to the worker.

        Raises
        ------
        CTInsightError
            The volume cannot be read as a CT, or the worker cannot be started.
        """
        source = self._read(request.volume, hardenNonLinear=request.harden_non_linear)
        sent = _Sent(request.volume.GetID(), source.bridged.volume.grid)
        replaced = request.replaces.nodes.segmentation.GetID() if request.replaces else None
        self._job.begin(
            lambda worker: self._send(worker, source, request.parameters),
            lambda answer: self._takeResult(answer, sent, replaced),
        )

    def recompute(self, result: LinkedResult, *, hardenNonLinear: bool = False) -> None:
        """Measure the segments of a result as they are now; the numbers are written over the old ones.

        Raises
        ------
        CTInsightError
            The CT is gone, a segment is missing, or segments overlap.
        """
        volumeNode = result.nodes.volume
        if volumeNode is None:
            raise InputRefusedError(
                found="the CT of this result is no longer in the scene",
                expected="the CT that the segment was drawn on",
                remedy="Load it again and run the task on it.",
            )
        source = self._read(volumeNode, hardenNonLinear=hardenNonLinear)
        volume = source.bridged.volume
        output = SegmentationOutput(self._scene)
        segmentation = output.read(result.nodes.segmentation, volume.grid, result.segments)
        edited = EditedLabelmap(segmentation.labelmap_kji, {"model_card": result.manifest.get("model_card")})
        sent = _Sent(volumeNode.GetID(), volume.grid)
        segmentationId = result.nodes.segmentation.GetID()
        parameters = result.manifest.get("parameters", {})
        self._job.begin(
            lambda worker: self._send(worker, source, parameters, edited),
            lambda answer: self._takeNumbers(answer, sent, segmentationId),
        )

    def makeSample(self, job: str, name: str, values: Mapping[str, Any] | None = None) -> None:
        """Let the worker draw a sample; it becomes a volume node of that name and ``onVolume`` gets it."""
        self._job.begin(lambda worker: worker.do(job, values or {}), lambda e: self._takeSample(e, name))

    def poll(self) -> None:
        """Take one short step; see :meth:`WorkerJob.poll`."""
        self._job.poll()

    def cancel(self) -> None:
        """Stop what is under way within two seconds; nothing half-made stays behind."""
        self._job.cancel()

    def close(self) -> None:
        """Stop what is under way, and the worker too."""
        self._job.cancel()

    def _read(self, volumeNode, *, hardenNonLinear: bool) -> _Source:
        bridged = volumeFromNode(volumeNode, hardenNonLinear=hardenNonLinear)
        return _Source(bridged, acquisitionOf(volumeNode, self.dicomDatabase))

    def _send(
        self,
        worker: WorkerProcess,
        source: _Source,
        parameters: Mapping[str, Any],
        edited: EditedLabelmap | None = None,
    ) -> Iterator[None]:
        path, bridged = worker.newInput(), source.bridged
        acquisition = {**source.facts, "notes": list(bridged.notes)}
        yield
        yield from writeInPieces(path, bridged.volume.array_kji)
        matrix = bridged.volume.ijk_to_ras
        worker.run(self._task, path, matrix, parameters=parameters, edited=edited, acquisition=acquisition)

    def _takeResult(self, answer: dict[str, Any], sent: _Sent, replaced: str | None) -> Iterator[None]:
        labelmap = np.array(self._job.worker.loadArray(answer["labelmap"]))
        yield
        result, _acquisition = from_document(answer["document"], labelmap, sent.grid)
        yield
        volumeNode = self._volumeOf(sent)
        earlier = linkedResult(self._scene.GetNodeByID(replaced)) if replaced else None
        chosen = earlier.nodes.asChosen() if earlier else None
        nodes = CaseOutput(self._scene).write(
            result, volumeNode, chosen=chosen, overwrite=earlier is not None
        )
        if earlier is None:
            title = f"{task_look(self._task).title} of {volumeNode.GetName()}"
            nodes.segmentation.SetName(self._scene.GenerateUniqueName(title))
        yield
        linked = linkResult(
            self._scene, nodes, answer["document"], earlier.document_node if earlier else None
        )
        self.onResult(linked)

    def _takeNumbers(self, answer: dict[str, Any], sent: _Sent, segmentationId: str) -> Iterator[None]:
        labelmap = np.array(self._job.worker.loadArray(answer["labelmap"]))
        yield
        result, _acquisition = from_document(answer["document"], labelmap, sent.grid)
        yield
        earlier = linkedResult(self._scene.GetNodeByID(segmentationId))
        if earlier is None:
            raise WrongUseError(
                found="the result was removed while it was recomputed",
                expected="the segmentation that is recomputed",
                remedy="Undo the removal, or run the task again.",
            )
        self._volumeOf(sent)
        nodes = CaseOutput(self._scene).rewriteNumbers(result, earlier.nodes)
        self.onResult(linkResult(self._scene, nodes, answer["document"], earlier.document_node))

    def _takeSample(self, answer: dict[str, Any], name: str) -> Iterator[None]:
        values = answer["values"]
        voxels = np.array(self._job.worker.loadArray(values["array"]))
        yield
        volume = Volume(voxels, np.array(values["ijk_to_ras"]))
        window = task_look(self._task).window
        node = addVolumeNode(self._scene, volume, name, windowHu=(window.center_hu, window.width_hu))
        yield
        self.onVolume(node)

    def _volumeOf(self, sent: _Sent):
        node = self._scene.GetNodeByID(sent.volume_id)
        if node is None:
            raise ProcessingFailedError(
                found="the CT was removed from the scene while it was measured",
                expected="the CT that the result belongs to",
                remedy="Load it again and run the task again.",
            )
        return node
