"""HematomaVolume's panel, clicked: every way it may be misused, and what must not go wrong."""

from __future__ import annotations

import sys

import pytest
import qt
import slicer
import vtk
from panel_actions import TRUTH_ML, a_head, applied, clipped, finish, picture, show, worker_of

from CTInsightLib import TaskPanel
from CTInsightLib.Dependencies import PACKAGES, PackageInstall


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
    result = applied(widget)
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
    assert applied(widget).finding("volume_ml").value == pytest.approx(TRUTH_ML, rel=0.2)
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
    assert applied(widget).finding("volume_ml").value == pytest.approx(TRUTH_ML)
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
    worker_of(widget).cancel()
    worker_of(widget).command = None
    widget.panel._hooks.sample[2]["quick"] = True
    widget.ui.sampleButton.click()
    finish(widget, 120)
    result = widget.panel.result.result
    assert result.nodes.volume.GetName().startswith("Sample head CT")
    assert result.finding("largest_volume_ml").value == pytest.approx(25.0, abs=2.0)
    worker_of(widget).cancel()


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
