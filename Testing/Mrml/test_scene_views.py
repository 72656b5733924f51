"""A stored scene opens with the CT in its slice views, cut through the finding."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.report import read_result
from CTInsightLib.HeadlessScene import HeadlessScene
from CTInsightLib.ResultScene import fillScene
from CTInsightLib.SceneViews import MADE_WITH, SLICE_VIEWS
from made_cases import BLOB_CENTER_RAS, made_case


@pytest.fixture(scope="module")
def stored(result_folder):
    """Return the result as it was read back from its folder."""
    return read_result(result_folder)


@pytest.fixture
def opened(stored, headless, reopened, tmp_path):
    """Return the scene after it was stored and opened again."""
    fillScene(headless, stored)
    with reopened(headless, tmp_path) as scene:
        yield scene


def slice_node(scene, name):
    """Return the slice node of a view."""
    return next(n for n in scene.nodes("vtkMRMLSliceNode") if n.GetLayoutName() == name)


def test_the_ct_lies_behind_everything(opened):
    """It is the active volume and the background of the three views, in the brain window 40/80."""
    (volume,) = opened.nodes("vtkMRMLScalarVolumeNode")
    (selection,) = opened.nodes("vtkMRMLSelectionNode")
    backgrounds = {
        node.GetLayoutName(): node.GetBackgroundVolumeID()
        for node in opened.nodes("vtkMRMLSliceCompositeNode")
    }
    assert selection.GetActiveVolumeID() == volume.GetID()
    assert backgrounds == dict.fromkeys(SLICE_VIEWS, volume.GetID())
    assert (volume.GetDisplayNode().GetLevel(), volume.GetDisplayNode().GetWindow()) == (40, 80)


def test_the_segmentation_is_visible(opened):
    """Its outline shows in slices and its surface in 3-D."""
    display = opened.nodes("vtkMRMLSegmentationNode")[0].GetDisplayNode()
    assert (display.GetVisibility(), display.GetVisibility2D(), display.GetVisibility3D()) == (1, 1, 1)


@pytest.mark.parametrize(("view", "axis"), [("Red", 2), ("Yellow", 0), ("Green", 1)])
def test_each_view_cuts_the_finding_and_shows_the_whole_head(opened, view, axis):
    """The plane of each view goes through the blob, within a slice, and its field holds the head."""
    node = slice_node(opened, view)
    matrix = np.array([[node.GetSliceToRAS().GetElement(r, c) for c in range(4)] for r in range(4)])
    assert matrix[axis, 3] == pytest.approx(BLOB_CENTER_RAS[axis], abs=5.0)
    assert node.GetFieldOfView()[0] >= 190
    assert node.GetOrientation() == SLICE_VIEWS[view][0]


def test_right_is_left_in_the_axial_view(opened):
    """The axial picture runs from the patient's right to the left, and its upper edge is anterior."""
    matrix = slice_node(opened, "Red").GetSliceToRAS()
    assert [matrix.GetElement(0, 0), matrix.GetElement(1, 1)] == [-1, 1]


def test_nothing_found_opens_in_the_middle(headless):
    """Without a finding the views cut the middle of the CT."""
    from CTInsightLib.SceneViews import prepareViews
    from CTInsightLib.VolumeBridge import addVolumeNode

    case = made_case(empty=True)
    prepareViews(
        headless.scene, addVolumeNode(headless.scene, case.scan.volume, "CT"), case.result.segmentation
    )
    assert slice_node(headless, "Red").GetSliceOffset() == pytest.approx(0.0, abs=5.0)


def test_views_that_exist_are_used(stored, headless, tmp_path):
    """Opened where views exist already, as in 3D Slicer, the scene adds none and sets those."""
    fillScene(headless, stored)
    headless.save(tmp_path / "scene.mrb")
    with HeadlessScene() as other:
        for name in SLICE_VIEWS:
            node = other.scene.CreateNodeByClass("vtkMRMLSliceCompositeNode")
            node.UnRegister(None)
            node.SetLayoutName(name)
            node.SetSingletonTag(name)
            other.scene.AddNode(node)
        other.load(tmp_path / "scene.mrb")
        composites = other.nodes("vtkMRMLSliceCompositeNode")
        assert len(composites) == 3
        assert all(node.GetBackgroundVolumeID() for node in composites)


def test_the_scene_says_what_made_it(opened):
    """The statements end with the versions of CT Insight, slicer-core and VTK."""
    (text,) = (n for n in opened.nodes("vtkMRMLTextNode") if n.GetAttribute(MADE_WITH))
    assert text.GetText().endswith(f"This scene was made with {text.GetAttribute(MADE_WITH)}.")
    assert "slicer-core 5.12" in text.GetAttribute(MADE_WITH)
