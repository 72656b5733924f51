"""A task in a scene with the real worker: run, recompute, replace, remove, cancel, save and reload."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import vtk

from ctinsight.errors import GeometryError, InputRefusedError, ProcessingFailedError
from ctinsight.result import Segmentation
from ctinsight.volume import Volume
from CTInsightLib.ResultLink import EDITED_ATTRIBUTE, linkedResult
from CTInsightLib.SegmentationOutput import SegmentationOutput
from CTInsightLib.TaskLogic import TaskLogic, TaskRequest
from CTInsightLib.VolumeBridge import addVolumeNode
from CTInsightLib.WorkerProcess import WorkerProcess
from makers.dicom_series import SeriesRecipe, one_value, write_series

QUICK_WORKER = Path(__file__).resolve().parents[1] / "quick_hematoma.py"
#: 10 x 10 x 5 voxels of 2 x 2 x 5 mm.
TRUTH_ML = 10.0


@pytest.fixture(scope="module")
def a_block():
    """Return tissue of 30 HU with a block of blood of 10 mL."""
    array_kji = np.full((12, 40, 40), 30, np.int16)
    array_kji[3:8, 10:20, 12:22] = 60
    return Volume(array_kji, np.diag([-2.0, -2.0, 5.0, 1.0]))


@pytest.fixture(scope="module")
def a_worker():
    """Return a quick worker that all tests of this file share, as cases of one session do."""
    worker = WorkerProcess([sys.executable, str(QUICK_WORKER)])
    yield worker
    worker.cancel()


@pytest.fixture
def a_real_worker():
    """Return the worker as users have it."""
    worker = WorkerProcess()
    yield worker
    worker.cancel()


@pytest.fixture
def logic(headless, a_worker):
    """Return the hematoma task on an empty scene; what it brings is kept in ``logic.results``."""
    logic = TaskLogic(headless.scene, "hematoma", a_worker)
    logic.results = []
    logic.onResult = logic.results.append
    yield logic
    if logic.busy:
        logic.cancel()


def _finish(logic, seconds=60):
    deadline = time.monotonic() + seconds
    while logic.busy:
        assert time.monotonic() < deadline, logic.logTail()
        logic.poll()
        time.sleep(0.01)


def _run(logic, volumeNode, **more):
    logic.run(TaskRequest(volumeNode, {"method": "threshold"}, **more))
    _finish(logic)
    return logic.results[-1]


def test_a_run_brings_the_volume_and_every_node(logic, a_block):
    """A block of 500 voxels of 20 mm³ is 10 mL; segmentation, tables, lines and text hang together."""
    result = _run(logic, addVolumeNode(logic.scene, a_block, "Head"))
    assert result.finding("volume_ml").value == pytest.approx(TRUTH_ML)
    assert result.nodes.segmentation.GetName() == "HematomaVolume of Head"
    assert {"findings", "components"} <= set(result.nodes.tables)
    assert len(result.nodes.lines) == 4
    assert linkedResult(result.nodes.segmentation).document == result.document


def test_an_edited_segment_is_measured_as_it_is(logic, a_block):
    """Half of the segment cut away: the new volume is that half, and the segment is not touched."""
    first = _run(logic, addVolumeNode(logic.scene, a_block, "Head"))
    output = SegmentationOutput(logic.scene)
    labels = output.read(first.nodes.segmentation, a_block.grid, first.segments).labelmap_kji
    labels[:, :, labels.any((0, 1)).nonzero()[0].mean().astype(int) :] = 0
    half = Segmentation(labels, a_block.grid, first.segments)
    output.write(first.nodes.segmentation, half, overwrite=True)
    first.mark(EDITED_ATTRIBUTE, on=True)
    logic.recompute(linkedResult(first.nodes.segmentation))
    _finish(logic)
    second = logic.results[-1]
    expected = np.count_nonzero(labels) * a_block.grid.voxel_volume_ml
    assert second.finding("volume_ml").value == pytest.approx(expected)
    assert second.manifest["edited"]
    assert not second.edited
    assert second.nodes.segmentation is first.nodes.segmentation
    read = output.read(second.nodes.segmentation, a_block.grid, first.segments)
    assert np.array_equal(read.labelmap_kji, labels)


def test_a_second_run_makes_new_nodes_unless_told_to_replace(logic, a_block):
    """Two runs give two results; a third that replaces the second still leaves two."""
    volumeNode = addVolumeNode(logic.scene, a_block, "Head")
    first, second = _run(logic, volumeNode), _run(logic, volumeNode)
    assert first.nodes.segmentation is not second.nodes.segmentation
    third = _run(logic, volumeNode, replaces=second)
    assert third.nodes.segmentation is second.nodes.segmentation
    assert logic.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 2


def test_one_undo_takes_a_whole_run_back(logic, a_block):
    """With undo on, one step removes every node that the run brought, and no other."""
    logic.scene.SetUndoOn()
    volumeNode = addVolumeNode(logic.scene, a_block, "Head")
    result = _run(logic, volumeNode)
    ids = [node.GetID() for node in result.ownNodes()]
    logic.scene.Undo()
    assert [i for i in ids if logic.scene.GetNodeByID(i) is not None] == []
    assert logic.scene.GetNodeByID(volumeNode.GetID()) is volumeNode


def test_a_result_is_removed_as_a_whole(logic, a_block):
    """Removing leaves the CT and none of the result's own nodes."""
    volumeNode = addVolumeNode(logic.scene, a_block, "Head")
    result = _run(logic, volumeNode)
    ids = [node.GetID() for node in result.ownNodes()]
    result.remove(logic.scene)
    assert [i for i in ids if logic.scene.GetNodeByID(i) is not None] == []
    assert volumeNode.GetScene() is logic.scene


def test_a_saved_scene_knows_its_result(logic, headless, a_block, reopened, tmp_path):
    """After saving and opening the findings, the checks and every node are there again."""
    result = _run(logic, addVolumeNode(logic.scene, a_block, "Head"))
    with reopened(headless, tmp_path) as again:
        (node,) = again.nodes("vtkMRMLSegmentationNode")
        found = linkedResult(node)
        assert found.findings == result.findings
        assert found.checks == result.checks
        assert set(found.nodes.lines) == set(result.nodes.lines)
        assert found.nodes.volume.GetName() == "Head"


def test_cancel_is_quick_and_leaves_nothing(logic, a_block):
    """Cancelled in mid-run: idle in less than two seconds, no new node; the next run works."""
    volumeNode = addVolumeNode(logic.scene, a_block, "Head")
    before = logic.scene.GetNumberOfNodes()
    logic.run(TaskRequest(volumeNode, {"range_hu": [0, 1]}))
    while logic.progress.fraction < 0.05:
        logic.poll()
        time.sleep(0.01)
    started = time.monotonic()
    logic.cancel()
    assert time.monotonic() - started < 2.0
    assert not logic.busy
    assert logic.scene.GetNumberOfNodes() == before
    assert _run(logic, volumeNode).finding("volume_ml").value == pytest.approx(TRUTH_ML)


def test_a_ct_removed_during_the_run_is_said(logic, a_block):
    """The answer has nowhere to go: an error with a remedy, and idle again."""
    volumeNode = addVolumeNode(logic.scene, a_block, "Head")
    logic.run(TaskRequest(volumeNode, {}))
    logic.scene.RemoveNode(volumeNode)
    with pytest.raises(ProcessingFailedError, match="removed"):
        _finish(logic)
    assert not logic.busy
    assert logic.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_the_worker_s_refusal_comes_as_its_own_error(logic, a_block):
    """What the core raises arrives as the same class, with its three sentences."""
    logic.run(TaskRequest(addVolumeNode(logic.scene, a_block, "Head"), {"range_hu": [0, 2]}))
    with pytest.raises(InputRefusedError) as refusal:
        _finish(logic)
    assert refusal.value.remedy == "Choose a head CT."


def test_a_non_linear_transform_needs_a_word(logic, a_block):
    """A bent volume is refused until the user agrees to harden a copy; the node keeps its transform."""
    volumeNode = addVolumeNode(logic.scene, a_block, "Head")
    transformNode = logic.scene.AddNewNodeByClass("vtkMRMLTransformNode", "bend")
    spline = vtk.vtkThinPlateSplineTransform()
    points = vtk.vtkPoints()
    for corner in ((0, 0, 0), (90, 0, 0), (0, 90, 0), (0, 0, 60)):
        points.InsertNextPoint(corner)
    spline.SetSourceLandmarks(points)
    spline.SetTargetLandmarks(points)
    transformNode.SetAndObserveTransformToParent(spline)
    volumeNode.SetAndObserveTransformNodeID(transformNode.GetID())
    with pytest.raises(GeometryError):
        logic.run(TaskRequest(volumeNode, {}))
    result = _run(logic, volumeNode, harden_non_linear=True)
    assert "hardened" in " ".join(result.document["acquisition"]["notes"])
    assert volumeNode.GetParentTransformNode() is transformNode


def test_what_the_dicom_header_says_goes_along_and_no_name(logic, a_block, tmp_path):
    """Kernel, contrast medium and age of a series are in the result; the patient's id is nowhere."""
    tags = {"ConvolutionKernel": "H31s", "ContrastBolusAgent": "iohexol", "PatientAge": "071Y"}
    paths = write_series(tmp_path, SeriesRecipe(tags={**tags, "PatientID": "SECRET7"}), one_value(40))
    volumeNode = addVolumeNode(logic.scene, a_block, "Head")
    volumeNode.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    logic.dicomDatabase = SimpleNamespace(fileForInstance={"1.2.3": str(paths[0])}.get)
    document = _run(logic, volumeNode).document
    stated = document["acquisition"]
    assert (stated["kernel"], stated["contrast_agent"], stated["age_years"]) == ("H31s", "iohexol", 71.0)
    assert "SECRET7" not in str(document)


@pytest.mark.slow
def test_the_real_worker_draws_the_sample_and_measures_it(headless, a_real_worker):
    """The sample comes in the brain window, and its bleed of 25 mL is the largest found, within 2 mL."""
    logic = TaskLogic(headless.scene, "hematoma", a_real_worker)
    logic.results, volumes = [], []
    logic.onVolume, logic.onResult = volumes.append, logic.results.append
    logic.makeSample("head-phantom", "Sample head", {"quick": True})
    _finish(logic)
    (node,) = volumes
    assert node.GetDisplayNode().GetWindow() == 80
    assert _run(logic, node).finding("largest_volume_ml").value == pytest.approx(25.0, abs=2.0)
