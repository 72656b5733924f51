"""``python -m CTInsightLib``: from a result folder to a scene and a picture that tell the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import slicer

from ctinsight import RESEARCH_USE_ONLY
from CTInsightLib import OffscreenWindow
from CTInsightLib.__main__ import main
from CTInsightLib.CaseOutput import CaseOutput
from CTInsightLib.HeadlessScene import HeadlessScene
from CTInsightLib.OffscreenWindow import prepareOffscreenWindow
from CTInsightLib.OverviewPicture import _readPng, lateralView
from CTInsightLib.SegmentationOutput import SegmentationOutput
from CTInsightLib.ThreeDView import ThreeDView, ViewFrom
from CTInsightLib.VolumeBridge import addVolumeNode, arrayFromImage, volumeFromNode
from made_cases import made_case

BOX = (-90, 90, -110, 110, -90, 90)


@pytest.fixture(scope="module")
def folder(result_folder, tmp_path_factory):
    """Return a result folder after the command was run on it."""
    folder = tmp_path_factory.mktemp("with scene") / "case"
    shutil.copytree(result_folder, folder)
    assert main([str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def drawing():
    """Skip with the reason where no picture can be drawn."""
    reason = prepareOffscreenWindow()
    if reason:
        pytest.skip(reason)


def test_the_scene_holds_the_volume_in_ml_of_the_json(folder):
    """Voxels of the scene's segment times its voxel volume are the mL of result.json."""
    document = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    with HeadlessScene() as scene:
        scene.load(folder / "scene.mrb")
        volume = volumeFromNode(scene.nodes("vtkMRMLScalarVolumeNode")[0]).volume
        node = scene.nodes("vtkMRMLSegmentationNode")[0]
        stored = document["segments"][0]
        image = slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation(stored["key"], image)
        scene_ml = np.count_nonzero(arrayFromImage(image)) * np.prod(image.GetSpacing()) / 1000
    assert scene_ml == pytest.approx(stored["volume_ml"], rel=1e-6)
    assert document["findings"][0]["value"] == pytest.approx(scene_ml, rel=1e-6)
    assert volume.grid.shape_kji == tuple(document["grid"]["shape_kji"])


def test_the_study_folder_holds_every_node(folder):
    """CT, segmentation, two tables, three lines, statements and surface lie in one study."""
    with HeadlessScene() as scene:
        scene.load(folder / "scene.mrb")
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene.scene)
        study = hierarchy.GetItemByName("CT Insight HematomaVolume")
        children = []
        hierarchy.GetItemChildren(study, children)
        classes = sorted(hierarchy.GetItemDataNode(child).GetClassName() for child in children)
        text = scene.nodes("vtkMRMLTextNode")[0].GetText()
    assert classes == [
        *["vtkMRMLMarkupsLineNode"] * 3,
        "vtkMRMLModelNode",
        "vtkMRMLScalarVolumeNode",
        "vtkMRMLSegmentationNode",
        *["vtkMRMLTableNode"] * 2,
        "vtkMRMLTextNode",
    ]
    assert text.startswith(RESEARCH_USE_ONLY)
    assert "intraventricular" in text
    assert "WARN Slice spacing: 5.5 mm" in text


def test_the_results_join_the_study_of_the_ct(case, headless):
    """When the CT already lies in a study, no second study is made."""
    volume = addVolumeNode(headless.scene, case.scan.volume, "CT")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(headless.scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study of the CT")
    hierarchy.CreateItem(study, volume)
    nodes = CaseOutput(headless.scene).write(case.result, volume)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(nodes.segmentation)) == study


def test_writing_again_fills_the_same_nodes(case, headless):
    """With permission a second run adds no node."""
    output = CaseOutput(headless.scene)
    nodes = output.write(case.result, addVolumeNode(headless.scene, case.scan.volume, "CT"))
    before = headless.scene.GetNumberOfNodes()
    again = output.write(case.result, nodes.volume, chosen=nodes.asChosen(), overwrite=True)
    assert again == nodes
    assert headless.scene.GetNumberOfNodes() == before


def test_one_undo_takes_the_new_nodes_back(case, headless):
    """Where undo is on, one step removes everything that writing added."""
    volume = addVolumeNode(headless.scene, case.scan.volume, "CT")
    headless.scene.SetUndoOn()
    CaseOutput(headless.scene).write(case.result, volume)
    headless.scene.Undo()
    for kind in ("Segmentation", "SegmentationDisplay", "Table", "MarkupsLine", "Text"):
        assert headless.nodes(f"vtkMRML{kind}Node") == []


def test_one_undo_gives_an_overwritten_segmentation_back(case, headless):
    """After "nothing found" was written over a segmentation, one undo step brings its voxels back."""
    headless.scene.SetUndoOn()
    output = CaseOutput(headless.scene)
    nodes = output.write(case.result, addVolumeNode(headless.scene, case.scan.volume, "CT"))
    output.write(made_case(empty=True).result, nodes.volume, chosen=nodes.asChosen(), overwrite=True)
    headless.scene.Undo()
    segmentation = case.result.segmentation
    (node,) = headless.nodes("vtkMRMLSegmentationNode")
    back = SegmentationOutput(headless.scene).read(node, segmentation.grid, segmentation.segments)
    assert (back.labelmap_kji == segmentation.labelmap_kji).all()


def test_the_picture_holds_the_slices_and_the_views(folder, drawing):
    """The overview is the axial picture with a column of views beside it."""
    axial, overview = _readPng(folder / "overview_axial.png"), _readPng(folder / "overview.png")
    assert overview.shape[0] == axial.shape[0]
    assert overview.shape[1] > axial.shape[1] + 800
    assert (overview[:, : axial.shape[1]] == axial[:, :, :3]).all()


def orange_center(picture):
    """Return the (row, column) of the middle of everything orange, as fractions of the picture."""
    red, green, blue = (picture[:, :, channel].astype(int) for channel in range(3))
    rows, columns = np.nonzero((red > 90) & (red > 1.5 * green) & (green > blue))
    return rows.mean() / picture.shape[0], columns.mean() / picture.shape[1]


def test_patient_left_is_right_when_seen_from_the_front(any_case, headless, drawing):
    """The blob at left, front, above shows in the right upper quarter from the front, on any grid."""
    SegmentationOutput(headless.scene).write(None, any_case.result.segmentation)
    view = ThreeDView(headless, "test", (400, 400))
    row, column = orange_center(view.picture(ViewFrom.FRONT, BOX))
    view.close()
    assert row < 0.5
    assert column == pytest.approx(0.5 + 32 / (1.17 * 180), abs=0.03)


@pytest.mark.parametrize(("direction", "side"), [(ViewFrom.LEFT, -1), (ViewFrom.RIGHT, 1)])
def test_the_front_is_left_from_the_left_and_right_from_the_right(case, headless, drawing, direction, side):
    """From the patient's left the nose points left in the picture; from the right, right."""
    SegmentationOutput(headless.scene).write(None, case.result.segmentation)
    view = ThreeDView(headless, "test", (400, 400))
    _, column = orange_center(view.picture(direction, BOX))
    view.close()
    assert np.sign(column - 0.5) == side
    assert (direction.value.left == "A") == (side == -1)


def test_the_side_view_is_from_the_findings_side(case):
    """A blob at the patient's left is looked at from the left."""
    assert lateralView(case.result.segmentation) is ViewFrom.LEFT


def test_an_earlier_scene_is_not_overwritten(folder, capsys):
    """A second run is refused with exit code 2 and the way out; --overwrite allows it."""
    assert main([str(folder)]) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_what_is_no_result_folder_is_refused(tmp_path, capsys):
    """An empty folder ends with exit code 2, and found, expected and what to do on the screen."""
    assert main([str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert all(word in message for word in ("Found:", "Expected:", "What to do:"))


def test_without_slicer_core_the_way_out_is_said(result_folder, capsys, monkeypatch):
    """Exit code 5 and the package to install, when slicer-core is absent."""
    monkeypatch.setattr("CTInsightLib.__main__.find_spec", lambda _: None)
    assert main([str(result_folder)]) == 5
    assert "ctinsight[mrml]" in capsys.readouterr().err


def test_without_graphics_the_scene_is_still_written(result_folder, tmp_path, capsys, monkeypatch):
    """Where no window can be drawn, scene.mrb is there and the reason for the missing picture is printed."""
    monkeypatch.setattr(OffscreenWindow, "_draws", lambda _: False)
    shutil.copytree(result_folder, tmp_path / "case")
    assert main([str(tmp_path / "case")]) == 0
    assert "overview.png was left out" in capsys.readouterr().out
    assert (tmp_path / "case" / "scene.mrb").is_file()
    assert not (tmp_path / "case" / "overview.png").exists()


def test_the_command_says_where_the_files_lie(result_folder, tmp_path, drawing):
    """As a user runs it: exit code 0, both paths and the purpose on the screen, nothing on stderr."""
    shutil.copytree(result_folder, tmp_path / "case")
    command = [sys.executable, "-m", "CTInsightLib", str(tmp_path / "case")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        str(tmp_path / "case" / "scene.mrb"),
        str(tmp_path / "case" / "overview.png"),
        RESEARCH_USE_ONLY,
    ]
    assert done.stderr == ""
