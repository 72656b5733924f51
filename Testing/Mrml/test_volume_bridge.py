"""A volume node and a Volume are the same image at the same place, whatever transform lies above it."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk

from ctinsight.errors import GeometryError, InputRefusedError, NotCTError
from ctinsight.volume import Volume
from CTInsightLib.VolumeBridge import addVolumeNode, imageFromArray, matrixFromArray, volumeFromNode
from made_cases import BLOB_CENTER_RAS, made_case


def node_under(headless, volume, transform_node):
    """Return the node of a volume below a transform."""
    node = addVolumeNode(headless.scene, volume, "CT")
    headless.scene.AddNode(transform_node)
    node.SetAndObserveTransformNodeID(transform_node.GetID())
    return node


def linear(matrix):
    """Return a linear transform node."""
    node = slicer.vtkMRMLLinearTransformNode()
    node.SetMatrixTransformToParent(matrixFromArray(matrix))
    return node


def stretching(factor):
    """Return a non-linear transform that stretches the patient upwards by a factor, as for uneven slices."""
    field = vtk.vtkImageData()
    field.SetDimensions(3, 3, 3)
    field.SetOrigin(-200, -200, -200)
    field.SetSpacing(200, 200, 200)
    field.AllocateScalars(vtk.VTK_DOUBLE, 3)
    for index in range(27):
        s = field.GetPoint(index)[2]
        field.GetPointData().GetScalars().SetTuple3(index, 0, 0, (factor - 1) * s)
    grid = slicer.vtkOrientedGridTransform()
    grid.SetDisplacementGridData(field)
    node = slicer.vtkMRMLGridTransformNode()
    node.SetAndObserveTransformToParent(grid)
    return node


def bright_center_ras(volume):
    """Return the middle of the voxels that are as bright as blood."""
    k, j, i = np.nonzero((volume.array_kji > 52) & (volume.array_kji < 75))
    return np.median(volume.grid.ras_from_ijk(np.stack([i, j, k], axis=-1)), axis=0)


def test_voxels_and_geometry_survive_node_and_scene_file(any_case, headless, tmp_path, reopened):
    """The same HU at the same place after a node, a saved scene and a new scene."""
    volume = any_case.scan.volume
    addVolumeNode(headless.scene, volume, "CT", windowHu=(40, 80))
    with reopened(headless, tmp_path) as again:
        node = again.nodes("vtkMRMLScalarVolumeNode")[0]
        back = volumeFromNode(node).volume
        window = (node.GetDisplayNode().GetLevel(), node.GetDisplayNode().GetWindow())
    assert (back.array_kji == volume.array_kji).all()
    assert back.grid.same_as(volume.grid)
    assert window == (40, 80)


def test_voxels_are_a_copy(case, headless):
    """Editing the node afterwards does not change the volume that was read."""
    node = addVolumeNode(headless.scene, case.scan.volume, "CT")
    volume = volumeFromNode(node).volume
    node.GetImageData().GetPointData().GetScalars().Fill(7)
    assert (volume.array_kji == case.scan.volume.array_kji).all()


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_every_number_type_survives(headless, dtype):
    """Integers and floats come back in value."""
    volume = Volume(np.arange(24).reshape(2, 3, 4).astype(dtype), np.eye(4))
    node = addVolumeNode(headless.scene, volume, "CT")
    assert (volumeFromNode(node).volume.array_kji == volume.array_kji).all()


def test_a_linear_transform_moves_the_geometry_and_nothing_else(case, headless):
    """10 mm to the right above the node is 10 mm in the volume; voxels and the user's node stay."""
    move = np.eye(4)
    move[0, 3] = 10.0
    node = node_under(headless, case.scan.volume, linear(move))
    read = volumeFromNode(node)
    shift = read.volume.ijk_to_ras - case.scan.volume.ijk_to_ras
    assert shift[0, 3] == pytest.approx(10.0)
    assert (read.volume.array_kji == case.scan.volume.array_kji).all()
    assert node.GetParentTransformNode() is not None
    assert "linear transform" in read.notes[0]


def test_a_mirroring_transform_is_refused(case, headless):
    """Left and right are never swapped silently."""
    node = node_under(headless, case.scan.volume, linear(np.diag([-1.0, 1, 1, 1])))
    with pytest.raises(GeometryError, match="mirrors"):
        volumeFromNode(node)


def test_a_shearing_transform_is_refused(case, headless):
    """A tilted grid is no right-angled volume."""
    shear = np.eye(4)
    shear[1, 2] = 0.3
    with pytest.raises(GeometryError, match="shear"):
        volumeFromNode(node_under(headless, case.scan.volume, linear(shear)))


def test_a_non_linear_transform_is_refused_with_the_way_out(case, headless):
    """Reading the voxels as they are would give a wrong volume in mL; the remedy is to harden it."""
    node = node_under(headless, case.scan.volume, stretching(1.25))
    with pytest.raises(GeometryError, match="non-linear") as refused:
        volumeFromNode(node)
    assert "harden" in refused.value.remedy


def test_a_non_linear_transform_is_hardened_on_a_copy_when_allowed(case, headless):
    """Stretched by 1.25 from foot to head, the blob at 12 mm lies at 15 mm; the scene is left as it was."""
    node = node_under(headless, case.scan.volume, stretching(1.25))
    before = headless.scene.GetNumberOfNodes()
    read = volumeFromNode(node, hardenNonLinear=True)
    assert bright_center_ras(read.volume) == pytest.approx(BLOB_CENTER_RAS * (1, 1, 1.25), abs=3)
    assert "resampled" in read.notes[0]
    assert headless.scene.GetNumberOfNodes() == before


def test_what_is_no_ct_volume_is_refused(headless):
    """Nothing, an empty node and a labelmap are refused, each with its reason."""
    empty = headless.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    labels = headless.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    labels.SetAndObserveImageData(imageFromArray(np.ones((2, 2, 2), np.uint8)))
    for node, error in ((None, InputRefusedError), (empty, InputRefusedError), (labels, NotCTError)):
        with pytest.raises(error):
            volumeFromNode(node)


def test_the_same_name_twice_stays_apart(headless):
    """A second volume of the same name gets a number and leaves the first alone."""
    volume = made_case().scan.volume
    names = [addVolumeNode(headless.scene, volume, "CT").GetName() for _ in range(2)]
    assert names[0] == "CT"
    assert names[1] != "CT"
