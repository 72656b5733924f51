"""Between a volume node and a ``Volume``: voxels, geometry, and whatever transform lies above the node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import vtk
from vtk.util import numpy_support

from ctinsight.errors import GeometryError, InputRefusedError, NotCTError
from ctinsight.volume import Volume


@dataclass(frozen=True, eq=False)
class BridgedVolume:
    """A volume in world coordinates, and sentences on what was done to get it there."""

    volume: Volume
    notes: tuple[str, ...] = ()


def arrayFromMatrix(matrix) -> np.ndarray:
    """Return a ``vtkMatrix4x4`` as a 4 x 4 array."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def matrixFromArray(array: np.ndarray):
    """Return a 4 x 4 array as a ``vtkMatrix4x4``."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(array, dtype=np.float64).ravel().tolist())
    return matrix


def imageFromArray(array_kji: np.ndarray):
    """Return voxels as a ``vtkImageData`` with its own copy of them."""
    image = vtk.vtkImageData()
    image.SetDimensions(*array_kji.shape[::-1])
    if array_kji.dtype == np.float16:
        array_kji = array_kji.astype(np.float32)
    scalars = numpy_support.numpy_to_vtk(np.ascontiguousarray(array_kji).ravel(), deep=True)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    return image


def arrayFromImage(image) -> np.ndarray:
    """Return the voxels of a single-component ``vtkImageData`` as a copy in KJI order."""
    scalars = image.GetPointData().GetScalars()
    return numpy_support.vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1]).copy()


def addVolumeNode(scene, volume: Volume, name: str, *, windowHu: tuple[float, float] | None = None):
    """Add a scalar volume node with these voxels.

    Parameters
    ----------
    volume
        HU in KJI order on its grid.
    windowHu
        (center, width) of the display window; chosen by Slicer when left out.

    Returns
    -------
    vtkMRMLScalarVolumeNode
    """
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", scene.GenerateUniqueName(name))
    node.SetIJKToRASMatrix(matrixFromArray(volume.ijk_to_ras))
    node.SetAndObserveImageData(imageFromArray(volume.array_kji))
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    if windowHu is not None:
        center, width = windowHu
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(width, center)
    return node


def volumeFromNode(volumeNode, *, hardenNonLinear: bool = False) -> BridgedVolume:
    """Read the voxels and the place of a volume node, transforms above it included.

    A linear transform changes the geometry only; the user's node stays as it is. A non-linear one, such as
    the "acquisition geometry regularization" that Slicer's DICOM reader puts above tilted or unevenly spaced
    series, changes where each voxel lies: reading the voxels without it gives a wrong volume in mL.

    Parameters
    ----------
    volumeNode
        ``vtkMRMLScalarVolumeNode`` with CT values in HU.
    hardenNonLinear
        Whether a non-linear transform may be applied to a copy of the voxels (linear interpolation).

    Raises
    ------
    InputRefusedError
        No node, or a node without voxels.
    NotCTError
        A labelmap or a colour image.
    GeometryError
        A non-linear transform without permission to harden it; a transform that mirrors or shears.
    """
    _refuseUnsuitableNode(volumeNode)
    transformNode = volumeNode.GetParentTransformNode()
    if transformNode is None:
        return BridgedVolume(_volume(volumeNode, np.eye(4)))
    if not transformNode.IsTransformToWorldLinear():
        return _hardenedCopy(volumeNode, transformNode, allowed=hardenNonLinear)
    toWorld = vtk.vtkMatrix4x4()
    transformNode.GetMatrixTransformToWorld(toWorld)
    _refuseMirror(volumeNode, arrayFromMatrix(toWorld), transformNode)
    note = f"The linear transform '{transformNode.GetName()}' above the volume was applied to its geometry."
    return BridgedVolume(_volume(volumeNode, arrayFromMatrix(toWorld)), (note,))


def _volume(volumeNode, toWorld: np.ndarray) -> Volume:
    ijkToRas = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(ijkToRas)
    return Volume(arrayFromImage(volumeNode.GetImageData()), toWorld @ arrayFromMatrix(ijkToRas))


def _refuseUnsuitableNode(volumeNode) -> None:
    image = volumeNode.GetImageData() if volumeNode is not None else None
    if image is None or image.GetPointData().GetScalars() is None:
        raise InputRefusedError(
            found="no volume" if volumeNode is None else f"the volume '{volumeNode.GetName()}', empty",
            expected="a CT volume that is loaded",
            remedy="Load the CT series and choose it as input.",
        )
    components = image.GetNumberOfScalarComponents()
    if volumeNode.IsA("vtkMRMLLabelMapVolumeNode") or components != 1:
        raise NotCTError(
            found=f"'{volumeNode.GetName()}', a {volumeNode.GetClassName()} with {components} component(s)",
            expected="a scalar volume with one Hounsfield value per voxel",
            remedy="Choose the CT volume itself, not a labelmap or a colour picture.",
        )


def _refuseMirror(volumeNode, toWorld: np.ndarray, transformNode) -> None:
    if np.linalg.det(toWorld[:3, :3]) <= 0:
        raise GeometryError(
            found=f"a transform that mirrors '{volumeNode.GetName()}': '{transformNode.GetName()}'",
            expected="a transform that keeps left and right",
            remedy="Remove the transform from the volume, or choose one without reflection.",
        )


def _hardenedCopy(volumeNode, transformNode, *, allowed: bool) -> BridgedVolume:
    if not allowed:
        raise GeometryError(
            found=f"a non-linear transform, '{transformNode.GetName()}', above '{volumeNode.GetName()}'",
            expected="voxels that lie on the right-angled grid of their volume",
            remedy="Allow it to be hardened (voxels are then resampled by linear interpolation), harden it "
            "yourself in the Data module, or import the DICOM series without the transform.",
        )
    scene = volumeNode.GetScene()
    copy = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT Insight temporary copy")
    try:
        copy.CopyOrientation(volumeNode)
        copy.SetAndObserveImageData(imageFromArray(arrayFromImage(volumeNode.GetImageData())))
        copy.SetAndObserveTransformNodeID(transformNode.GetID())
        copy.HardenTransform()
        volume = _volume(copy, np.eye(4))
    finally:
        scene.RemoveNode(copy)
    note = (
        f"The non-linear transform '{transformNode.GetName()}' was hardened on a copy: "
        "voxels were resampled by linear interpolation."
    )
    return BridgedVolume(volume, (note,))
