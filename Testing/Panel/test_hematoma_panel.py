"""HematomaVolume's panel, clicked: every way through it, and every way it may be misused."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import qt
import slicer
import vtk
from panel_actions import SCREENSHOTS, TRUTH_ML, a_head, clipped, finish, picture, show, wait
from slicer_standin.screenshot import save_screenshot

from ctinsight.result import Segmentation
from ctinsight.volume import Grid
from CTInsightLib import TaskPanel
from CTInsightLib.Dependencies import PACKAGES, PackageInstall
from CTInsightLib.OffscreenWindow import prepareOffscreenWindow
from CTInsightLib.SegmentationOutput import SegmentationOutput
from CTInsightLib.VolumeBridge import arrayFromMatrix

QUICK_WORKER = Path(__file__).resolve().parents[1] / "quick_hematoma.py"


@pytest.fixture
def widget(standin, project, tmp_path, monkeypatch):
    """Return the module's widget, shown, with a quick worker and an empty model folder."""
    monkeypatch.setenv("CTINSIGHT_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("CTINSIGHT_SETTINGS", str(tmp_path / "settings.json"))
    widget = show(standin, project, "HematomaVolume")
    _worker(widget).command = [sys.executable, str(QUICK_WORKER)]
    yield widget
    if widget.panel.busy:
        widget.panel.cancel()
    slicer.mrmlScene.Clear(0)


@pytest.fixture(scope="module", autouse=True)
def no_worker_left():
    """End the worker that the tests share, as the application does."""
    yield
    slicer.modules.HematomaVolumeWidget.cleanup()


def _worker(widget):
    return widget.panel._logic._job.worker


def _run(widget):
    widget.ui.applyButton.click()
    finish(widget)
    return widget.panel.result.result


def _begin_slow_run(widget):
    """Start a run that takes a minute."""
    chosen = widget.choices.node
    chosen.fixedRange, chosen.lowerHU, chosen.upperHU = True, 0.0, 1.0
    widget.ui.applyButton.click()
    wait(lambda: widget.panel._logic.progress.fraction > 0.1)


def _cut_in_half(result):
    """Halve the segment as a user's scissors would; return what is left in mL."""
    volume = result.nodes.volume
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    grid = Grid(volume.GetImageData().GetDimensions()[::-1], arrayFromMatrix(matrix))
    output = SegmentationOutput(slicer.mrmlScene)
    labels = output.read(result.nodes.segmentation, grid, result.segments).labelmap_kji
    labels[5:] = 0
    cut = Segmentation(labels, grid, result.segments)
    output.write(result.nodes.segmentation, cut, overwrite=True)
    return np.count_nonzero(labels) * grid.voxel_volume_ml


def test_an_empty_panel_says_what_to_do(widget, tmp_path):
    """Without a CT Apply is off and says why; the notice is there; nothing is clipped."""
    ui = widget.ui
    assert not ui.applyButton.enabled
    assert ui.reasonLabel.text == ui.applyButton.toolTip != ""
    assert ui.researchLabel.text == "Research use only. Not a medical device."
    assert not ui.progressBox.visible
    assert not ui.errorFrame.visible
    picture(widget, "HematomaVolume-empty", tmp_path)
    assert clipped(widget) == []


def test_help_names_papers_licence_and_purpose(widget):
    """What 3D Slicer shows about the module states purpose, papers and licence."""
    module = slicer.app.moduleManager().module("HematomaVolume")
    assert "Not a medical device" in module.helpText
    assert "Kothari" in module.acknowledgementText
    assert "Apache-2.0" in module.acknowledgementText
    assert module.dependencies == ("CTInsight",)


def test_apply_shows_volume_table_and_checks(widget, tmp_path):
    """A block of 10 mL: the headline, one row, the amber check first, the segment in the scene."""
    volume_node = a_head()
    assert widget.ui.inputSelector.currentNode() is volume_node or widget.choices.node.inputVolume is None
    widget.ui.inputSelector.setCurrentNode(volume_node)
    result = _run(widget)
    ui = widget.ui
    assert result.finding("volume_ml").value == pytest.approx(TRUTH_ML)
    assert ui.headlineLabel.text == "10.0 mL"
    assert "partial-volume" in ui.intervalLabel.text
    assert ui.secondLabel.text.startswith("ABC/2: ")
    assert ui.findingTable.rowCount == 1
    assert ui.findingTable.item(0, 1).text() == "10.0"
    assert ui.checksTree.topLevelItem(0).text(0).startswith("! ")
    assert ui.resultSelector.currentNode() is result.nodes.segmentation
    assert result.nodes.segmentation.GetSegmentation().GetNumberOfSegments() == 1
    picture(widget, "HematomaVolume-done", tmp_path)
    assert clipped(widget) == []


def test_the_result_is_seen_beside_the_panel(widget, tmp_path):
    """The picture shows the panel, the axial slice at the block and the 3-D view; it says what it is."""
    widget.ui.inputSelector.setCurrentNode(a_head())
    _run(widget)
    widget.ui.showButton.click()
    folder = Path(os.environ.get(SCREENSHOTS, tmp_path))
    path = save_screenshot(folder / "HematomaVolume-views.png", views=not prepareOffscreenWindow())
    assert path.stat().st_size > 20_000


def test_the_panel_answers_all_the_time(widget):
    """With a CT of 512 x 512 x 34 no single moment without an answer reaches 200 ms (best of three runs)."""
    widget.ui.inputSelector.setCurrentNode(a_head(shape_kji=(34, 512, 512)))
    gaps = []
    for _ in range(3):
        begun = time.monotonic()
        widget.ui.applyButton.click()
        sent = time.monotonic() - begun
        gaps.append(max(sent, finish(widget)))
    assert widget.ui.headlineLabel.text == "10.0 mL"
    assert min(gaps) < 0.2, gaps


def test_torch_stays_out_of_the_application(widget):
    """After a run the application's own process has not imported torch."""
    widget.ui.inputSelector.setCurrentNode(a_head())
    _run(widget)
    assert "torch" not in sys.modules


def test_progress_and_cancel(widget, tmp_path):
    """Running shows phase and per cent; Cancel is idle in less than 2 s, kills the worker, leaves nothing."""
    widget.ui.inputSelector.setCurrentNode(a_head())
    before = slicer.mrmlScene.GetNumberOfNodes()
    _begin_slow_run(widget)
    assert not widget.ui.applyButton.enabled
    assert widget.ui.phaseLabel.text.startswith("Outlining blood")
    assert widget.ui.progressBar.value == 30
    picture(widget, "HematomaVolume-running", tmp_path)
    folder = _worker(widget).folder
    begun = time.monotonic()
    widget.ui.cancelButton.click()
    assert time.monotonic() - begun < 2.0
    assert not widget.panel.busy
    assert not folder.exists()
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    widget.choices.node.fixedRange = False
    assert _run(widget).finding("volume_ml").value == pytest.approx(TRUTH_ML)


def test_a_dead_worker_is_said_and_replaced(widget):
    """The worker is killed from outside: three sentences, and the next Apply works."""
    widget.ui.inputSelector.setCurrentNode(a_head())
    _begin_slow_run(widget)
    _worker(widget)._process.kill()
    finish(widget)
    assert "ended in the middle" in widget.ui.errorFoundLabel.text
    widget.choices.node.fixedRange = False
    assert _run(widget) is not None
    assert not widget.ui.errorFrame.visible


def test_an_edited_segment_is_recomputed_on_demand(widget):
    """After an edit the panel says that the numbers are old; Recompute measures what is there now."""
    widget.ui.inputSelector.setCurrentNode(a_head())
    first = _run(widget)
    left_ml = _cut_in_half(first)
    assert widget.ui.editedLabel.visible
    widget.ui.recomputeButton.click()
    finish(widget)
    assert left_ml == pytest.approx(4.0)
    assert widget.ui.headlineLabel.text == "4.00 mL"
    assert not widget.ui.editedLabel.visible
    assert "edited by a person" in widget.ui.methodLabel.text
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1


def test_edit_opens_the_segment_editor_on_this_result(widget, standin):
    """The button shows the Segment Editor with this segmentation and its CT; coming back shows the result."""
    volume_node = a_head()
    widget.ui.inputSelector.setCurrentNode(volume_node)
    result = _run(widget)
    widget.ui.editButton.click()
    editor = slicer.modules.SegmentEditorWidget.editor
    assert editor.segmentationNode() is result.nodes.segmentation
    assert editor.sourceVolumeNode() is volume_node
    standin.select("HematomaVolume")
    assert widget.ui.headlineLabel.text == "10.0 mL"


def test_setup_is_one_click_away_and_both_modules_work_at_once(widget, standin):
    """While the hematoma task computes, Setup examines the machine; each brings its own answer."""
    widget.ui.inputSelector.setCurrentNode(a_head())
    widget.ui.applyButton.click()
    widget.ui.setupButton.click()
    setup = slicer.app.moduleManager().module("CTInsight").widgetRepresentation().self()
    setup.ui.doctorButton.click()
    wait(lambda: not (widget.panel.busy or setup.panel.busy))
    standin.select("HematomaVolume")
    assert widget.ui.headlineLabel.text == "10.0 mL"
    assert setup.ui.doctorTree.topLevelItemCount > 10
    setup.panel.cancel()


def test_sample_data_offers_the_sample(widget):
    """The module registers a sample without a download; choosing it begins the sample in the panel."""
    slicer.app.startupCompleted.emit()
    (source,) = slicer.modules.sampleDataSources["CT Insight"]
    assert source.thumbnailFileName.endswith("HematomaVolumeSample.png")
    assert source.uris == []
    source.customDownloader(source)
    assert widget.panel.busy
    assert widget.ui.phaseLabel.text.startswith("Starting")
    widget.ui.cancelButton.click()


def test_moved_lines_change_the_number_beside(widget, standin):
    """A drawn 4 cm long, with B and C as they are: ABC/2 follows at once, the tables stay, Recompute asks."""
    widget.ui.inputSelector.setCurrentNode(a_head())
    result = _run(widget)
    line = result.nodes.lines["abc_a"]
    right, anterior, superior = line.GetNthControlPointPositionWorld(0)
    line.SetNthControlPointPosition(1, right + 40.0, anterior, superior)
    b_cm, c_cm = (
        result.nodes.lines[key].GetMeasurement("length").GetValue() / 10 for key in ("abc_b", "abc_c_simple")
    )
    assert f"= {4.0 * b_cm * c_cm / 2:.1f} mL" in widget.ui.linesLabel.text
    standin.dialogs.answer(qt.QMessageBox.No)
    widget.ui.recomputeButton.click()
    assert len(standin.dialogs.take()) == 1
    assert not widget.panel.busy
    assert widget.ui.linesLabel.visible


def test_a_row_takes_the_slices_there(widget):
    """The middle of the block lies at (-33, -29, 25) mm; clicking its row brings the axial slice to 25 mm."""
    widget.ui.inputSelector.setCurrentNode(a_head())
    _run(widget)
    node = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, 0.0, 0.0, 0.0)
    widget.ui.findingTable.clearSelection()
    widget.ui.findingTable.setCurrentCell(0, 1)
    assert node.GetSliceToRAS().GetElement(2, 3) == pytest.approx(25.0)


def test_a_saved_scene_comes_back_with_choices_and_result(widget, tmp_path):
    """Save, clear, load: the method, the CT and the numbers are there again, and Apply works."""
    widget.ui.inputSelector.setCurrentNode(a_head())
    widget.ui.methodSelector.currentIndex = 1
    _run(widget)
    saved = tmp_path / "saved.mrb"
    assert slicer.util.saveScene(str(saved))
    slicer.mrmlScene.Clear(0)
    assert widget.ui.headlineLabel.text == ""
    assert not widget.ui.applyButton.enabled
    slicer.util.loadScene(str(saved))
    assert widget.ui.headlineLabel.text == "10.0 mL"
    assert widget.choices.node.method.value == "fcm"
    assert widget.ui.inputSelector.currentNode().GetName() == "Head"
    assert _run(widget).finding("volume_ml").value == pytest.approx(TRUTH_ML)


def test_a_hidden_panel_leaves_a_new_scene_alone_until_it_is_entered(widget, standin):
    """While another module is shown the panel holds no choices; coming back takes the new scene's CT."""
    standin.select("CTInsight")
    slicer.mrmlScene.Clear(0)
    assert widget.choices.node is None
    assert widget.panel.parameterNode is None
    volume_node = a_head()
    standin.select("HematomaVolume")
    assert widget.ui.inputSelector.currentNode() is volume_node
    assert widget.ui.applyButton.enabled


def test_closing_the_scene_in_mid_run_cancels(widget):
    """The scene goes away while the worker computes: idle, the worker gone, an empty panel."""
    widget.ui.inputSelector.setCurrentNode(a_head())
    _begin_slow_run(widget)
    slicer.mrmlScene.Clear(0)
    assert not widget.panel.busy
    assert _worker(widget).pid is None
    assert widget.ui.inputSelector.currentNode() is None


def test_removing_asks_and_takes_the_whole_result(widget, standin):
    """No keeps it; Yes takes the segmentation, tables, lines and text, and the CT stays."""
    volume_node = a_head()
    widget.ui.inputSelector.setCurrentNode(volume_node)
    _run(widget)
    standin.dialogs.answer(qt.QMessageBox.No, qt.QMessageBox.Yes)
    widget.ui.removeButton.click()
    assert widget.panel.result.result is not None
    widget.ui.removeButton.click()
    assert len(standin.dialogs.take()) == 2
    assert widget.panel.result.result is None
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsLineNode") == 0
    assert volume_node.GetScene() is not None


def test_an_edited_result_is_replaced_only_after_asking(widget, standin):
    """With "Replace" on: an untouched result is replaced silently, an edited one after a Yes."""
    widget.ui.inputSelector.setCurrentNode(a_head())
    widget.ui.replaceCheckBox.checked = True
    first = _run(widget)
    assert _run(widget).nodes.segmentation is first.nodes.segmentation
    _cut_in_half(first)
    standin.dialogs.answer(qt.QMessageBox.No)
    widget.ui.applyButton.click()
    assert "edited" in standin.dialogs.take()[0].text
    assert not widget.panel.busy
    standin.dialogs.answer(qt.QMessageBox.Yes)
    assert _run(widget).finding("volume_ml").value == pytest.approx(TRUTH_ML)
    standin.dialogs.take()


def test_every_apply_makes_a_new_result_and_each_can_be_shown_again(widget):
    """Two CTs, two results; choosing the first shows its numbers."""
    first_volume, second_volume = a_head("First"), a_head("Second")
    second_volume.GetImageData().GetPointData().GetScalars().Fill(30)
    widget.ui.inputSelector.setCurrentNode(first_volume)
    first = _run(widget)
    widget.ui.inputSelector.setCurrentNode(second_volume)
    _run(widget)
    assert widget.ui.headlineLabel.text == "Nothing found: 0 mL"
    widget.ui.resultSelector.setCurrentNode(first.nodes.segmentation)
    assert widget.ui.headlineLabel.text == "10.0 mL"


@pytest.mark.parametrize(
    ("choose", "words"),
    [
        (lambda chosen: setattr(chosen, "inputVolume", None), "Choose a head CT"),
        (lambda chosen: chosen.inputVolume.SetAndObserveImageData(None), "Choose a head CT"),
        (
            lambda chosen: [
                setattr(chosen, *pair)
                for pair in (("fixedRange", True), ("lowerHU", 90.0), ("upperHU", 45.0))
            ],
            "must begin below its end",
        ),
        (lambda chosen: setattr(chosen, "method", type(chosen.method).DRUNET), "needs weights"),
    ],
    ids=["no volume", "empty volume", "reversed range", "no weights"],
)
def test_a_choice_that_cannot_be_run_switches_apply_off(widget, choose, words):
    """Each wrong choice says what is missing, and nothing is started."""
    widget.ui.inputSelector.setCurrentNode(a_head())
    assert widget.ui.applyButton.enabled
    choose(widget.choices.node)
    widget.panel.update()
    assert not widget.ui.applyButton.enabled
    assert words in widget.ui.reasonLabel.text


def test_a_refusal_is_said_in_three_parts_and_the_report_names_nobody(widget, tmp_path):
    """Found, expected, what to do; the copied report has versions and no name of a volume."""
    widget.ui.inputSelector.setCurrentNode(a_head("DOE^JANE"))
    chosen = widget.choices.node
    chosen.fixedRange, chosen.lowerHU, chosen.upperHU = True, 0.0, 2.0
    widget.ui.applyButton.click()
    finish(widget)
    ui = widget.ui
    assert ui.errorFrame.visible
    assert (ui.errorFoundLabel.text, ui.errorRemedyLabel.text) == (
        "Found: a pear",
        "What to do: Choose a head CT.",
    )
    picture(widget, "HematomaVolume-failed", tmp_path)
    assert clipped(widget) == []
    ui.copyErrorButton.click()
    report = slicer.app.clipboard().text()
    assert "numpy" in report
    assert "a pear" in report
    assert "DOE" not in report


def test_a_clicked_point_goes_along(widget):
    """The button waits for a click; the placed point is sent in RAS."""
    widget.ui.inputSelector.setCurrentNode(a_head())
    widget.ui.placeSeedButton.click()
    interaction = slicer.app.applicationLogic().GetInteractionNode()
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    seed = widget.choices.node.seed
    assert slicer.app.applicationLogic().GetSelectionNode().GetActivePlaceNodeID() == seed.GetID()
    seed.AddControlPoint(vtk.vtkVector3d(-33.0, -29.0, 25.0))
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)
    result = _run(widget)
    assert result.manifest["parameters"]["point_ras"] == [-33.0, -29.0, 25.0]


def test_a_bent_volume_asks_before_a_copy_is_straightened(widget, standin):
    """A non-linear transform above the CT: No stops, Yes measures a copy; the CT keeps its transform."""
    volume_node = a_head()
    transform_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "bend")
    spline = vtk.vtkThinPlateSplineTransform()
    points = vtk.vtkPoints()
    for corner in ((0, 0, 0), (90, 0, 0), (0, 90, 0), (0, 0, 60)):
        points.InsertNextPoint(corner)
    spline.SetSourceLandmarks(points)
    spline.SetTargetLandmarks(points)
    transform_node.SetAndObserveTransformToParent(spline)
    volume_node.SetAndObserveTransformNodeID(transform_node.GetID())
    widget.ui.inputSelector.setCurrentNode(volume_node)
    standin.dialogs.answer(qt.QMessageBox.No, qt.QMessageBox.Yes)
    widget.ui.applyButton.click()
    assert not widget.panel.busy
    assert _run(widget).finding("volume_ml").value == pytest.approx(TRUTH_ML, rel=0.2)
    assert len(standin.dialogs.take()) == 2
    assert volume_node.GetParentTransformNode() is transform_node


def test_missing_packages_are_asked_for_with_their_size_and_the_work_goes_on(widget, standin, monkeypatch):
    """No leaves everything as it is; Yes installs, and the run follows by itself."""
    needed = [(PACKAGES["safetensors"],), (PACKAGES["safetensors"],), ()]
    monkeypatch.setattr(TaskPanel, "missing", lambda _names: needed.pop(0))
    monkeypatch.setattr("CTInsightLib.Dependencies._ensuredBySlicer", lambda _packages: False)
    widget.panel._install = PackageInstall([sys.executable, "-c", "import sys; print(sys.argv)"])
    widget.ui.inputSelector.setCurrentNode(a_head())
    standin.dialogs.answer(qt.QMessageBox.No, qt.QMessageBox.Yes)
    widget.ui.applyButton.click()
    assert not widget.panel.waiting
    assert _run(widget).finding("volume_ml").value == pytest.approx(TRUTH_ML)
    assert "safetensors (2 MB)" in standin.dialogs.take()[0].text


def test_a_failed_installation_is_said(widget, standin, monkeypatch):
    """The installer ends with an error: its last words are shown, and nothing is run."""
    monkeypatch.setattr(TaskPanel, "missing", lambda _names: (PACKAGES["safetensors"],))
    monkeypatch.setattr("CTInsightLib.Dependencies._ensuredBySlicer", lambda _packages: False)
    widget.panel._install = PackageInstall([sys.executable, "-c", "raise SystemExit('no index')"])
    widget.ui.inputSelector.setCurrentNode(a_head())
    standin.dialogs.answer(qt.QMessageBox.Yes)
    widget.ui.applyButton.click()
    finish(widget)
    standin.dialogs.take()
    assert "no index" in widget.ui.errorFoundLabel.text
    assert widget.panel.result.result is None


def test_the_sample_ends_with_a_shown_result(widget):
    """One click with the real worker: the sample is drawn, chosen, measured and shown."""
    _worker(widget).cancel()
    _worker(widget).command = None
    widget.panel._hooks.sample[2]["quick"] = True
    widget.ui.sampleButton.click()
    finish(widget, 120)
    result = widget.panel.result.result
    assert result.nodes.volume.GetName().startswith("Sample head CT")
    assert result.finding("largest_volume_ml").value == pytest.approx(25.0, abs=2.0)
    _worker(widget).cancel()


def test_a_missing_shared_folder_gives_a_sentence(standin, project, monkeypatch):
    """Without the folder CTInsight the module loads all the same and says what to do."""
    show(standin, project, "HematomaVolume")
    python = sys.modules["HematomaVolume"]
    monkeypatch.setattr(python, "find_spec", lambda _name: None)
    host = slicer.qMRMLWidget()
    host.setLayout(qt.QVBoxLayout())
    alone = python.HematomaVolumeWidget(host)
    alone.setup()
    (label,) = host.findChildren(qt.QLabel)
    assert "folder CTInsight" in label.text
    alone.cleanup()
