"""How a stored scene opens in 3D Slicer: the CT in all three slices, the findings in view."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk

from ctinsight.version import VERSION

if TYPE_CHECKING:
    from ctinsight.result import Segmentation

#: Names of Slicer's three slice views, how each cuts the body, which axes (0 R, 1 A, 2 S) lie in its picture,
#: and its colour (vtkMRMLSliceNode.cxx); they are singletons of every layout.
SLICE_VIEWS = {
    "Red": ("Axial", (0, 1), (0.952941, 0.290196, 0.2)),
    "Yellow": ("Sagittal", (1, 2), (0.929412, 0.835294, 0.298039)),
    "Green": ("Coronal", (0, 2), (0.431373, 0.690196, 0.294118)),
}
#: The attribute of the statements that says what made the scene.
MADE_WITH = "CTInsight.scene_made_with"


def prepareViews(scene, volumeNode, segmentation: Segmentation) -> None:
    """Add the nodes by which Slicer shows the CT in its slice views, cut through the largest finding.

    Parameters
    ----------
    volumeNode
        The CT: it becomes the active volume and the background of each view.
    segmentation
        What was found; without any voxel the views cut the middle of the CT.
    """
    selection = scene.AddNode(slicer.vtkMRMLSelectionNode())
    selection.SetActiveVolumeID(volumeNode.GetID())
    place = _placeOfFindings(segmentation)
    for name in SLICE_VIEWS:
        composite = _newSingleton(scene, "vtkMRMLSliceCompositeNode", name)
        composite.SetBackgroundVolumeID(volumeNode.GetID())
        _addSlice(scene, name, volumeNode, place)


def _addSlice(scene, name: str, volumeNode, place: np.ndarray) -> None:
    orientation, axes, color = SLICE_VIEWS[name]
    node = _newSingleton(scene, "vtkMRMLSliceNode", name)
    node.SetOrientation(orientation)
    node.SetLayoutLabel(name[0])
    node.SetLayoutColor(*color)
    bounds = np.zeros(6)
    volumeNode.GetRASBounds(bounds)
    box = bounds.reshape(3, 2)
    side = 1.1 * np.ptp(box[list(axes)], axis=1).max()
    node.SetFieldOfView(side, side, 1.0)
    # The whole head in the middle of the picture, and only the depth at the finding.
    node.JumpSliceByCentering(*box.mean(axis=1))
    node.JumpSliceByOffsetting(*place)


def _newSingleton(scene, className: str, name: str):
    # Not by its constructor: the scene gives it the orientations that it knows.
    node = scene.CreateNodeByClass(className)
    node.UnRegister(None)
    node.SetName(name)
    node.SetLayoutName(name)
    node.SetSingletonTag(name)
    return scene.AddNode(node)


def _placeOfFindings(segmentation: Segmentation) -> np.ndarray:
    """Return the middle (RAS, mm) of the axial slice with most of the findings, or of the image."""
    grid, found = segmentation.grid, segmentation.labelmap_kji > 0
    middle = (np.array(grid.shape_kji[::-1]) - 1) / 2
    if found.any():
        k = int(found.sum(axis=(1, 2)).argmax())
        j, i = (float(axis.mean()) for axis in np.nonzero(found[k]))
        middle = np.array([i, j, k])
    return np.asarray(grid.ras_from_ijk(middle))


def sceneMadeWith() -> str:
    """Return the software that made a scene outside the application, for its manifest."""
    vtkVersion = vtk.vtkVersion.GetVTKVersion()
    return f"CT Insight {VERSION}, slicer-core {version('slicer-core')}, VTK {vtkVersion}"
