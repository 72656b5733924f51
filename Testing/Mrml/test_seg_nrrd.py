"""A written .seg.nrrd opens in 3D Slicer's own reader as the segmentation that was meant."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.files import read_labelmap, write_segmentation
from ctinsight.finding import Segment
from ctinsight.result import Segmentation
from ctinsight.terms import terms
from ctinsight.volume import Grid

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
vtk = pytest.importorskip("vtk")

_TURN = np.radians(20)
_MATRIX = np.array(
    [
        [-0.5 * np.cos(_TURN), 0.7 * np.sin(_TURN), 0, 12.0],
        [-0.5 * np.sin(_TURN), -0.7 * np.cos(_TURN), 0, -34.0],
        [0, 0, 4.0, 56.0],
        [0, 0, 0, 1],
    ]
)


def _segmentation() -> Segmentation:
    labels = np.zeros((5, 6, 7), np.uint8)
    labels[1:3, 2:5, 3:6] = 1
    labels[4, 0, 0] = 7
    segments = (
        Segment(1, "hematoma", "Hematoma", "hematoma", {"CTInsight.volume": "1.0|mL"}),
        Segment(3, "nothing", "Nothing found", "hematoma"),
        Segment(7, "brain", "Gehirn (größer)", "brain"),
    )
    return Segmentation(labels, Grid(labels.shape, _MATRIX), segments)


@pytest.fixture
def loaded(headless, tmp_path):
    """Write the segmentation and load it with Slicer's storage node."""
    path = tmp_path / "ergebnis größe.seg.nrrd"
    write_segmentation(_segmentation(), path)
    node = headless.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "loaded")
    storage = headless.scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node) == 1
    return node


def _tag(segment, name: str) -> str:
    value = vtk.reference("")
    segment.GetTag(name, value)
    return str(value)


def test_names_colours_and_terminology_arrive(loaded):
    """Three segments, the empty one included, with name, colour (0 to 1) and coded terms."""
    segmentation = loaded.GetSegmentation()
    assert list(segmentation.GetSegmentIDs()) == ["hematoma", "nothing", "brain"]
    names = [segmentation.GetNthSegment(n).GetName() for n in range(3)]
    assert names == ["Hematoma", "Nothing found", "Gehirn (größer)"]
    first = segmentation.GetSegment("hematoma")
    expected = [part / 255 for part in terms()["hematoma"].color_rgb]
    assert list(first.GetColor()) == pytest.approx(expected, abs=1e-5)
    entry = _tag(first, first.GetTerminologyEntryTagName())
    assert entry.split("~")[1:3] == [
        "SCT^49755003^Morphologically Altered Structure",
        "SCT^35566002^Hematoma",
    ]
    assert entry.split("~")[5] == "SCT^12738006^Brain"
    assert _tag(first, "CTInsight.volume") == "1.0/mL"


@pytest.mark.parametrize(("name", "label"), [("hematoma", 1), ("brain", 7)])
def test_the_voxels_lie_where_they_lay(loaded, name, label):
    """Centroid (RAS) and voxel count of each segment are those of the labelmap."""
    image = slicer.vtkOrientedImageData()
    loaded.GetBinaryLabelmapRepresentation(name, image)
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    to_ras = np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])
    inside = _ijk_inside(image)
    written = _segmentation()
    expected = written.grid.ras_from_ijk(np.argwhere(written.labelmap_kji == label)[:, ::-1])
    found = inside @ to_ras[:3, :3].T + to_ras[:3, 3]
    assert len(found) == len(expected)
    assert found.mean(axis=0) == pytest.approx(expected.mean(axis=0), abs=1e-4)


def _ijk_inside(image) -> np.ndarray:
    from vtk.util.numpy_support import vtk_to_numpy

    extent = image.GetExtent()
    values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    return np.argwhere(values > 0)[:, ::-1] + np.array(extent[::2])


def test_our_own_reader_gives_the_labelmap_back(tmp_path):
    """Labels and grid survive the file."""
    write_segmentation(_segmentation(), tmp_path / "a.seg.nrrd")
    labels, grid = read_labelmap(tmp_path / "a.seg.nrrd")
    assert np.array_equal(labels, _segmentation().labelmap_kji)
    assert grid.same_as(_segmentation().grid)
