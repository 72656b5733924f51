"""The outer surface of the body as a translucent model: a landmark, never a measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import vtk
from scipy import ndimage
from vtk.util import numpy_support

from ctinsight.report.axial_slices import SKIN_HU
from ctinsight.resample import isotropic_grid, resample
from CTInsightLib.VolumeBridge import matrixFromArray

if TYPE_CHECKING:
    from ctinsight.volume import Volume

#: Coarse enough to be drawn at once, fine enough for nose and ears.
_SPACING_MM = 2.5
#: Half-way along the smoothed step from 0 outside to 1 inside.
_BORDER = 0.5


def addBodySurface(scene, modelNode, volume: Volume):
    """Write the body's outer surface into a new model node, or into the given one.

    Parameters
    ----------
    modelNode
        A node that an earlier call returned, or ``None``.
    volume
        CT in HU.

    Returns
    -------
    vtkMRMLModelNode
    """
    if modelNode is None:
        name = scene.GenerateUniqueName("Body surface (for orientation only)")
        modelNode = scene.AddNewNodeByClass("vtkMRMLModelNode", name)
    modelNode.SetAndObservePolyData(bodySurface(volume))
    modelNode.CreateDefaultDisplayNodes()
    display = modelNode.GetDisplayNode()
    display.SetColor(0.90, 0.85, 0.80)
    # Bright enough to be a head on a dark page, thin enough that a finding inside keeps its colour.
    display.SetOpacity(0.36)
    display.SetAmbient(0.15)
    display.SetDiffuse(0.95)
    display.SetVisibility2D(False)
    # Seen from outside only: the far wall would darken the findings twice.
    display.SetBackfaceCulling(True)
    return modelNode


def bodySurface(volume: Volume) -> vtk.vtkPolyData:
    """Return the outer surface of the largest thing that is not air, in RAS (mm), its cavities filled."""
    coarse = resample(volume, isotropic_grid(volume.grid, _SPACING_MM))
    inside = np.pad(_largestBody(coarse.array_kji > SKIN_HU), 2)
    # Half a slice distance at least, so that thick slices do not show as steps.
    sigma = max(1.0, 0.5 * max(volume.grid.spacing_ijk_mm) / _SPACING_MM)
    smooth = ndimage.gaussian_filter(inside.astype(np.float32), 1.5 * sigma)
    ijkToRas = np.array(coarse.ijk_to_ras)
    ijkToRas[:3, 3] = coarse.grid.ras_from_ijk((-2.0, -2.0, -2.0))
    return _contour(smooth, ijkToRas)


def _largestBody(mask: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(ndimage.binary_opening(mask))
    if count == 0:
        return np.zeros_like(mask)
    largest = int(np.argmax(np.bincount(labels.ravel())[1:])) + 1
    # The frame lets the closing grow outwards at the image border; nostrils and ear canals close.
    body = ndimage.binary_closing(np.pad(labels == largest, 3), iterations=3)
    return ndimage.binary_fill_holes(body)[3:-3, 3:-3, 3:-3]


def _contour(array_kji: np.ndarray, ijkToRas: np.ndarray) -> vtk.vtkPolyData:
    image = vtk.vtkImageData()
    image.SetDimensions(*array_kji.shape[::-1])
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(array_kji.ravel(), deep=True))
    edges = vtk.vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, _BORDER)
    edges.ComputeNormalsOff()
    edges.ComputeScalarsOff()
    toRas = vtk.vtkTransform()
    toRas.SetMatrix(matrixFromArray(ijkToRas))
    placed = vtk.vtkTransformPolyDataFilter()
    placed.SetInputConnection(edges.GetOutputPort())
    placed.SetTransform(toRas)
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputConnection(placed.GetOutputPort())
    normals.AutoOrientNormalsOn()
    normals.SplittingOff()
    normals.Update()
    return normals.GetOutput()
