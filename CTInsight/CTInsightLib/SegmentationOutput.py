"""Between a ``Segmentation`` and a segmentation node: masks, names, codes, colours and the closed surface."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import slicer

from ctinsight.errors import ProcessingFailedError, WrongUseError
from ctinsight.result import Segmentation
from ctinsight.terms import terms
from CTInsightLib.VolumeBridge import arrayFromImage, imageFromArray, matrixFromArray

if TYPE_CHECKING:
    from ctinsight.finding import Segment
    from ctinsight.volume import Grid

#: The attribute of a segmentation that says which task made it; selectors list results by it.
TASK_ATTRIBUTE = "CTInsight.task"
#: Tags that a segment carries beside its terminology.
TERM_TAG = "CTInsight.term"
#: The volume when it was written; an edited segment has another one until it is recomputed.
VOLUME_TAG = "CTInsight.volume_ml_when_written"


class SegmentationOutput:
    """Write segmentations into one scene."""

    def __init__(self, scene):
        self._scene = scene

    def write(
        self,
        segmentationNode,
        segmentation: Segmentation,
        *,
        overwrite: bool = False,
        volumeNode=None,
        task: str = "",
    ):
        """Write into a new node, or into the chosen one.

        Parameters
        ----------
        segmentationNode
            The node to fill; ``None`` makes a new one. All its segments are replaced.
        segmentation
            Labelmap in KJI order with its grid (world coordinates); an empty segment is kept as such.
        overwrite
            Whether a chosen node that has segments may lose them; ask the user first.
        volumeNode
            The CT: new edits of the segments then use its geometry.
        task
            The task that made it; a new node carries it before a selector sees the node.

        Returns
        -------
        vtkMRMLSegmentationNode

        Raises
        ------
        WrongUseError
            The chosen node has segments and ``overwrite`` is false.
        ProcessingFailedError
            The scene refuses a segment.
        """
        if segmentationNode is None:
            segmentationNode = self._newNode(task)
        elif segmentationNode.GetSegmentation().GetNumberOfSegments() and not overwrite:
            raise WrongUseError(
                found=f"'{segmentationNode.GetName()}' already holds "
                f"{segmentationNode.GetSegmentation().GetNumberOfSegments()} segment(s)",
                expected="an empty segmentation, or the permission to replace its segments",
                remedy="Choose a new segmentation, or confirm that its segments are replaced.",
            )
        self._fill(segmentationNode, segmentation)
        if volumeNode is not None:
            segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
        _setDisplay(segmentationNode)
        return segmentationNode

    def read(self, segmentationNode, grid: Grid, segments: tuple[Segment, ...]) -> Segmentation:
        """Read segments back onto a grid, for instance after the user edited them.

        Parameters
        ----------
        grid
            The grid of the CT; a segment on another grid is resampled to it (nearest neighbour).
        segments
            The segments to look for, by their key.

        Raises
        ------
        WrongUseError
            A segment is gone, or two segments overlap.
        """
        labelmap = np.zeros(grid.shape_kji, dtype=np.uint8)
        for segment in segments:
            mask = self._mask(segmentationNode, segment.key, grid)
            overlap = int(np.count_nonzero(labelmap[mask]))
            if overlap:
                raise WrongUseError(
                    found=f"'{segment.name}' shares {overlap} voxels with another segment",
                    expected="segments that do not overlap",
                    remedy="Edit them with 'Overwrite other segments', so that each voxel belongs to one.",
                )
            labelmap[mask] = segment.label
        return Segmentation(labelmap, grid, segments)

    def _newNode(self, task: str):
        node = slicer.vtkMRMLSegmentationNode()
        node.SetName(self._scene.GenerateUniqueName("CT Insight segmentation"))
        if task:
            node.SetAttribute(TASK_ATTRIBUTE, task)
        return self._scene.AddNode(node)

    def _fill(self, segmentationNode, segmentation: Segmentation) -> None:
        wasModifying = segmentationNode.StartModify()
        content = segmentationNode.GetSegmentation()
        content.RemoveAllSegments()
        content.SetSourceRepresentationName(_binaryLabelmap())
        box = _boxOf(segmentation.labelmap_kji)
        # The labelmap lies in world coordinates, so no transform may lie above the node.
        segmentationNode.SetAndObserveTransformNodeID(None)
        for segment in segmentation.segments:
            if not content.AddSegment(_vtkSegment(segmentation, segment, box), segment.key):
                raise ProcessingFailedError(
                    found=f"the scene refused the segment '{segment.name}'",
                    expected="a scene with a segmentations logic",
                    remedy="Restart Slicer; without Slicer, use CTInsightLib.HeadlessScene.",
                )
        content.CollapseBinaryLabelmaps(False)
        segmentationNode.EndModify(wasModifying)
        segmentationNode.CreateDefaultDisplayNodes()
        # Of nothing there is no surface, and VTK would print an error over it.
        if segmentation.labelmap_kji.any():
            segmentationNode.CreateClosedSurfaceRepresentation()

    def _mask(self, segmentationNode, segmentId: str, grid: Grid) -> np.ndarray:
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        image, onGrid = slicer.vtkOrientedImageData(), slicer.vtkOrientedImageData()
        if segmentationNode.GetSegmentation().GetSegment(segmentId) is None:
            raise WrongUseError(
                found=f"no segment '{segmentId}' in '{segmentationNode.GetName()}'",
                expected="the segments that were written, renamed or edited but not deleted",
                remedy="Undo the deletion, or run the task again.",
            )
        # Of a layer that segments share, the node cuts out this one; the logic's static function does not.
        segmentationNode.GetBinaryLabelmapRepresentation(segmentId, image)
        if image.IsEmpty():
            return np.zeros(grid.shape_kji, dtype=np.bool_)
        logic.ApplyParentTransformToOrientedImageData(segmentationNode, image, False)
        reference = _orientedImage(np.zeros(grid.shape_kji, dtype=np.uint8), grid)
        resample = slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage
        resample(image, reference, onGrid, False, False)
        return arrayFromImage(onGrid) > 0


def _binaryLabelmap() -> str:
    return slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()


def _closedSurface() -> str:
    return slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()


def _boxOf(labelmap_kji: np.ndarray) -> tuple[slice, slice, slice]:
    """Return the box that holds every label; of an empty labelmap its first voxel.

    A segment of a few hundred slices is then a matter of milliseconds, as only the box is copied.
    """
    if not labelmap_kji.any():
        return slice(0, 1), slice(0, 1), slice(0, 1)
    bounds = []
    for axis in range(3):
        present = np.flatnonzero(labelmap_kji.any(axis=tuple({0, 1, 2} - {axis})))
        bounds.append(slice(int(present[0]), int(present[-1]) + 1))
    return bounds[0], bounds[1], bounds[2]


def _vtkSegment(segmentation: Segmentation, segment: Segment, box: tuple[slice, slice, slice]):
    term = terms()[segment.term]
    mask = segmentation.labelmap_kji[box] == segment.label
    vtkSegment = slicer.vtkSegment()
    vtkSegment.SetName(segment.name)
    vtkSegment.SetColor(*(value / 255.0 for value in term.color_rgb))
    vtkSegment.SetLabelValue(segment.label)
    image = _orientedImage(mask.astype(np.uint8) * np.uint8(segment.label), segmentation.grid, box)
    vtkSegment.AddRepresentation(_binaryLabelmap(), image)
    _setTerminology(vtkSegment, term.slicer_entry)
    volumeMl = int(mask.sum()) * segmentation.grid.voxel_volume_ml
    tags = {**segment.extra, TERM_TAG: segment.term, VOLUME_TAG: f"{volumeMl:.6f}"}
    for name, value in tags.items():
        vtkSegment.SetTag(name, value)
    return vtkSegment


def _setTerminology(vtkSegment, entry: str) -> None:
    # SetTerminology came with Slicer 5.12; 5.10 keeps the entry in a tag.
    if hasattr(vtkSegment, "SetTerminology"):
        vtkSegment.SetTerminology(entry)
    else:
        vtkSegment.SetTag(vtkSegment.GetTerminologyEntryTagName(), entry)


def _orientedImage(array_kji: np.ndarray, grid: Grid, box: tuple[slice, slice, slice] | None = None):
    """Return voxels as Slicer's image; ``box`` says which part of the grid they are."""
    image = slicer.vtkOrientedImageData()
    image.DeepCopy(imageFromArray(array_kji))
    if box is not None:
        k, j, i = box
        image.SetExtent(i.start, i.stop - 1, j.start, j.stop - 1, k.start, k.stop - 1)
    image.SetGeometryFromImageToWorldMatrix(matrixFromArray(grid.ijk_to_ras))
    return image


def _setDisplay(segmentationNode) -> None:
    display = segmentationNode.GetDisplayNode()
    display.SetPreferredDisplayRepresentationName2D(_binaryLabelmap())
    display.SetPreferredDisplayRepresentationName3D(_closedSurface())
    # The outline says where the border was drawn; a light fill does not hide the tissue below it.
    display.SetOpacity2DFill(0.15)
    display.SetOpacity2DOutline(1.0)
    display.SetSliceIntersectionThickness(2)
