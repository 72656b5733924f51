"""A surface coloured by a value at each vertex, such as bone by its thickness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import vtk
from vtk.util import numpy_support

if TYPE_CHECKING:
    from ctinsight.result import Surface

_KEY, _SEGMENTATION = "CTInsight.surface", "CTInsight.segmentation"
_COLORS = "CT Insight values"
#: Five colours of viridis, as in the pictures: even in lightness and safe for the colour-blind.
_ANCHORS = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)]) / 255


def writeValueSurface(scene, surface: Surface, segmentationNode):
    """Write a surface into the model node that belongs to a segmentation, or into a new one.

    Parameters
    ----------
    surface
        In RAS.
    segmentationNode
        The segmentation that the surface was measured from.

    Returns
    -------
    vtkMRMLModelNode
    """
    modelNode = findValueSurface(scene, surface.key, segmentationNode)
    if modelNode is None:
        modelNode = scene.AddNewNodeByClass("vtkMRMLModelNode", scene.GenerateUniqueName(surface.name))
        modelNode.SetAttribute(_KEY, surface.key)
        modelNode.SetNodeReferenceID(_SEGMENTATION, segmentationNode.GetID())
    modelNode.SetAndObservePolyData(polyDataOf(surface))
    modelNode.CreateDefaultDisplayNodes()
    display = modelNode.GetDisplayNode()
    display.SetActiveScalarName(arrayName(surface))
    display.SetAndObserveColorNodeID(_colorNode(scene).GetID())
    display.SetScalarVisibility(True)
    display.SetScalarRangeFlag(display.UseManualScalarRange)
    # From 0, as in the picture: colours of two cases can then be compared by their bars.
    highest = max(1.0, float(np.ceil(np.percentile(surface.values, 98)))) if len(surface.values) else 1.0
    display.SetScalarRange(0.0, highest)
    display.SetVisibility2D(False)
    # Two surfaces at one place would flicker through each other.
    segments = segmentationNode.GetDisplayNode()
    if segments is not None and segmentationNode.GetSegmentation().GetSegment(surface.segment) is not None:
        segments.SetSegmentVisibility3D(surface.segment, False)
    return modelNode


def _colorNode(scene):
    node = scene.GetFirstNodeByName(_COLORS)
    if node is None:
        node = scene.AddNewNodeByClass("vtkMRMLColorTableNode", _COLORS)
        node.SetTypeToUser()
        node.SetNumberOfColors(256)
        places = np.linspace(0, len(_ANCHORS) - 1, 256)
        for number, place in enumerate(places):
            red, green, blue = (np.interp(place, range(len(_ANCHORS)), _ANCHORS[:, c]) for c in range(3))
            node.SetColor(number, str(number), red, green, blue, 1.0)
    return node


def findValueSurface(scene, key: str, segmentationNode):
    """Return the model node of that key that belongs to a segmentation, or ``None``."""
    nodes = scene.GetNodesByClass("vtkMRMLModelNode")
    nodes.UnRegister(None)
    for number in range(nodes.GetNumberOfItems()):
        node = nodes.GetItemAsObject(number)
        own = node.GetNodeReferenceID(_SEGMENTATION) == segmentationNode.GetID()
        if own and node.GetAttribute(_KEY) == key:
            return node
    return None


def arrayName(surface: Surface) -> str:
    """Return the name of the array with its unit, as the file of the core has it."""
    return f"{surface.value_name}_{surface.unit}".replace(" ", "_")


def polyDataOf(surface: Surface) -> vtk.vtkPolyData:
    """Return the surface with its values as point scalars."""
    points = vtk.vtkPoints()
    points.SetData(numpy_support.numpy_to_vtk(np.ascontiguousarray(surface.vertices_ras), deep=True))
    faces = np.column_stack([np.full(len(surface.triangles), 3), surface.triangles]).astype(np.int64)
    cells = vtk.vtkCellArray()
    connectivity = numpy_support.numpy_to_vtkIdTypeArray(np.ascontiguousarray(faces.ravel()), deep=True)
    cells.ImportLegacyFormat(connectivity)
    values = numpy_support.numpy_to_vtk(np.ascontiguousarray(surface.values), deep=True)
    values.SetName(arrayName(surface))
    polyData = vtk.vtkPolyData()
    polyData.SetPoints(points)
    polyData.SetPolys(cells)
    polyData.GetPointData().SetScalars(values)
    return polyData
