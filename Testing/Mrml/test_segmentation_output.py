"""Masks, names, codes, colours and volumes of a segmentation node, before and after the scene file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import slicer
import vtk

from ctinsight.errors import WrongUseError
from ctinsight.files import read_labelmap, write_segmentation
from ctinsight.finding import Segment
from ctinsight.resample import resample_labels
from ctinsight.result import Segmentation
from CTInsightLib.SegmentationOutput import TERM_TAG, VOLUME_TAG, SegmentationOutput
from CTInsightLib.VolumeBridge import addVolumeNode
from made_cases import made_case

HEMATOMA_ENTRY = (
    "Segmentation category and type - 3D Slicer General Anatomy list"
    "~SCT^49755003^Morphologically Altered Structure~SCT^35566002^Hematoma~^^"
    "~Anatomic codes - DICOM master list~SCT^12738006^Brain~^^"
)
COLOR = (213 / 255, 94 / 255, 0.0)


def tag(segment, name):
    """Return a segment's tag, or None."""
    value = vtk.reference("")
    return str(value) if segment.GetTag(name, value) else None


def with_brain(segmentation):
    """Return two segments side by side, and a third one without a voxel."""
    labelmap = segmentation.labelmap_kji.copy()
    labelmap[:2] = 2
    segments = (
        *segmentation.segments,
        Segment(2, "brain", "Brain", "brain"),
        Segment(3, "nothing", "Nothing", "hematoma"),
    )
    return Segmentation(labelmap, segmentation.grid, segments)


def first_segmentation(headless):
    """Return the first segmentation node of a scene."""
    return headless.nodes("vtkMRMLSegmentationNode")[0]


def test_masks_survive_the_scene_file_on_any_grid(any_case, headless, tmp_path, reopened):
    """Every voxel of three segments, one of them empty, is where it was after saving and opening."""
    segmentation = with_brain(any_case.result.segmentation)
    SegmentationOutput(headless.scene).write(None, segmentation)
    with reopened(headless, tmp_path) as again:
        output = SegmentationOutput(again.scene)
        back = output.read(first_segmentation(again), segmentation.grid, segmentation.segments)
    assert (back.labelmap_kji == segmentation.labelmap_kji).all()


def test_names_codes_colours_and_tags_survive_the_scene_file(case, headless, tmp_path, reopened):
    """The hematoma is found again as SCT 35566002 in the brain, in vermilion, with its mL."""
    SegmentationOutput(headless.scene).write(None, with_brain(case.result.segmentation))
    with reopened(headless, tmp_path) as again:
        content = first_segmentation(again).GetSegmentation()
        segment = content.GetSegment("hematoma")
        assert content.GetSegmentIDs() == ("hematoma", "brain", "nothing")
        assert (segment.GetName(), segment.GetTerminology()) == ("Hematoma", HEMATOMA_ENTRY)
        assert segment.GetColor() == pytest.approx(COLOR, abs=1e-3)
        assert tag(segment, TERM_TAG) == "hematoma"
        assert float(tag(segment, VOLUME_TAG)) == pytest.approx(case.result.finding("volume_ml").value)
        assert tag(content.GetSegment("nothing"), VOLUME_TAG) == "0.000000"


def test_slicers_own_seg_nrrd_is_read_by_the_core(case, headless, tmp_path):
    """A segmentation that Slicer saves, cropped to its content, has its voxels in the same place."""
    node = SegmentationOutput(headless.scene).write(None, case.result.segmentation)
    storage = slicer.vtkMRMLSegmentationStorageNode()
    headless.scene.AddNode(storage)
    storage.SetFileName(str(tmp_path / "saved.seg.nrrd"))
    assert storage.WriteData(node)
    labelmap, grid = read_labelmap(tmp_path / "saved.seg.nrrd")
    whole = resample_labels(labelmap, grid, case.result.segmentation.grid)
    assert (whole == case.result.segmentation.labelmap_kji).all()


def test_the_cores_seg_nrrd_is_read_by_slicer(any_case, headless, tmp_path):
    """What ctinsight.files writes opens in Slicer with its voxels, name, code and colour, empty ones too."""
    segmentation = with_brain(any_case.result.segmentation)
    write_segmentation(segmentation, tmp_path / "core.seg.nrrd")
    node = headless.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "read")
    storage = slicer.vtkMRMLSegmentationStorageNode()
    headless.scene.AddNode(storage)
    storage.SetFileName(str(tmp_path / "core.seg.nrrd"))
    assert storage.ReadData(node)
    output = SegmentationOutput(headless.scene)
    back = output.read(node, segmentation.grid, segmentation.segments)
    segment = node.GetSegmentation().GetSegment("hematoma")
    assert (back.labelmap_kji == segmentation.labelmap_kji).all()
    assert (segment.GetName(), segment.GetTerminology()) == ("Hematoma", HEMATOMA_ENTRY)
    assert segment.GetColor() == pytest.approx(COLOR, abs=1e-3)


def test_a_patient_left_blob_has_a_surface_at_the_patients_left(any_case, headless):
    """The closed surface lies at negative R, in front and above, and holds the voxels' mL within a tenth."""
    node = SegmentationOutput(headless.scene).write(None, any_case.result.segmentation)
    surface = vtk.vtkPolyData()
    node.GetClosedSurfaceRepresentation("hematoma", surface)
    mass = vtk.vtkMassProperties()
    mass.SetInputData(surface)
    center = np.array(surface.GetCenter())
    assert surface.GetBounds()[1] < 0
    assert center == pytest.approx((-32, 14, 12), abs=3)
    volume_ml = any_case.result.finding("volume_ml").value
    assert mass.GetVolume() / 1000 == pytest.approx(volume_ml, rel=0.1)


def test_a_chosen_node_with_segments_is_not_overwritten_unasked(case, headless):
    """Without permission the node keeps its segments; with it they are replaced, and the node stays."""
    output = SegmentationOutput(headless.scene)
    node = output.write(None, with_brain(case.result.segmentation))
    with pytest.raises(WrongUseError, match=r"3 segment\(s\)"):
        output.write(node, case.result.segmentation)
    assert node.GetSegmentation().GetNumberOfSegments() == 3
    assert output.write(node, case.result.segmentation, overwrite=True) is node
    assert node.GetSegmentation().GetSegmentIDs() == ("hematoma",)


def test_edits_are_read_back(case, headless):
    """A segment replaced by the user is what is read afterwards, also from a smaller grid."""
    segmentation = case.result.segmentation
    output = SegmentationOutput(headless.scene)
    edited = np.zeros_like(segmentation.labelmap_kji)
    edited[5:9, 10:20, 10:20] = 1
    node = output.write(None, replace(segmentation, labelmap_kji=edited))
    back = output.read(node, segmentation.grid, segmentation.segments)
    assert np.count_nonzero(back.labelmap_kji) == 4 * 10 * 10


def test_overlapping_segments_are_not_guessed(case, headless):
    """Two segments that share voxels are refused, not silently cut."""
    output = SegmentationOutput(headless.scene)
    node = output.write(None, case.result.segmentation)
    twin = slicer.vtkSegment()
    twin.DeepCopy(node.GetSegmentation().GetSegment("hematoma"))
    node.GetSegmentation().AddSegment(twin, "twin")
    segments = (*case.result.segmentation.segments, Segment(2, "twin", "Twin", "hematoma"))
    with pytest.raises(WrongUseError, match="shares"):
        output.read(node, case.result.segmentation.grid, segments)


def test_a_deleted_segment_is_named(case, headless):
    """Reading a segment that the user removed says so."""
    output = SegmentationOutput(headless.scene)
    node = output.write(None, case.result.segmentation)
    node.GetSegmentation().RemoveSegment("hematoma")
    with pytest.raises(WrongUseError, match="no segment 'hematoma'"):
        output.read(node, case.result.segmentation.grid, case.result.segmentation.segments)


def test_a_transform_above_the_node_counts_when_reading(case, headless):
    """Moved by one voxel along S in the scene, the mask is one slice higher when it is read."""
    segmentation = case.result.segmentation
    output = SegmentationOutput(headless.scene)
    node = output.write(None, segmentation, volumeNode=addVolumeNode(headless.scene, case.scan.volume, "CT"))
    move = vtk.vtkMatrix4x4()
    move.SetElement(2, 3, 5.0)
    transform = headless.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "move")
    transform.SetMatrixTransformToParent(move)
    node.SetAndObserveTransformNodeID(transform.GetID())
    back = output.read(node, segmentation.grid, segmentation.segments)
    assert (back.labelmap_kji[1:] == segmentation.labelmap_kji[:-1]).all()


def test_nothing_found_is_written_without_a_complaint(headless, capfd):
    """Writing an empty segment prints nothing: a user would take VTK's words for a failure."""
    SegmentationOutput(headless.scene).write(None, made_case(empty=True).result.segmentation)
    told = capfd.readouterr()
    assert told.out + told.err == ""
