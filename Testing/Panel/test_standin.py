"""The stand-in's application: .ui files, node lists, modules, dialogs, faults, views, files."""

from __future__ import annotations

import numpy as np
import pytest
import qt
import slicer

_UI = """<ui version="4.0"><class>Panel</class>
<widget class="qMRMLWidget" name="Panel"><layout class="QVBoxLayout">
<item><widget class="{widget}" name="selector">
<property name="nodeTypes"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
<property name="noneEnabled"><bool>true</bool></property>
<property name="SlicerParameterName" stdset="0"><string>volume</string></property></widget></item>
</layout></widget>
<customwidgets>
<customwidget><class>{widget}</class><extends>QWidget</extends></customwidget>
<customwidget><class>qMRMLWidget</class><extends>QWidget</extends><container>1</container></customwidget>
</customwidgets>
<connections><connection><sender>Panel</sender><signal>{signal}</signal>
<receiver>{receiver}</receiver><slot>{slot}</slot></connection></connections></ui>"""
_GOOD = {
    "widget": "qMRMLNodeComboBox",
    "signal": "mrmlSceneChanged(vtkMRMLScene*)",
    "receiver": "selector",
    "slot": "setMRMLScene(vtkMRMLScene*)",
}
_MODULE = """
from slicer.ScriptedLoadableModule import *
class Mini(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = "Mini module"
        {line}
class MiniWidget(ScriptedLoadableModuleWidget):
    def setup(self):
        super().setup()
        self.seen = ["setup"]
    def enter(self): self.seen.append("enter")
    def exit(self): self.seen.append("exit")
    def cleanup(self): self.seen.append("cleanup")
"""


def _load_ui(tmp_path, **changed):
    path = tmp_path / "panel.ui"
    path.write_text(_UI.format(**{**_GOOD, **changed}), encoding="utf-8")
    return slicer.util.loadUI(str(path))


def _volume(name):
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)


def test_a_ui_file_gives_widgets_by_name_and_passes_the_scene_on(standin, tmp_path):
    """Custom widgets, their properties, dynamic properties and connections all come from the file."""
    panel = _load_ui(tmp_path)
    ui = slicer.util.childWidgetVariables(panel)
    panel.setMRMLScene(slicer.mrmlScene)

    assert type(ui.selector) is slicer.qMRMLNodeComboBox
    assert (ui.selector.nodeTypes, ui.selector.noneEnabled) == (("vtkMRMLScalarVolumeNode",), True)
    assert ui.selector.SlicerParameterName == "volume"
    assert ui.selector.mrmlScene() is slicer.mrmlScene
    with pytest.raises(AttributeError):
        _ = ui.selectr


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("widget", "qMRMLNodeCombo"),
        ("signal", "sceneChanged(vtkMRMLScene*)"),
        ("receiver", "selectr"),
        ("slot", "setScene(vtkMRMLScene*)"),
    ],
)
def test_a_ui_file_with_a_wrong_name_is_refused(standin, tmp_path, part, value):
    """An unknown widget class, signal, object or slot raises and is not left out in silence."""
    with pytest.raises((RuntimeError, ValueError)):
        _load_ui(tmp_path, **{part: value})


def test_a_node_list_follows_the_scene(standin):
    """It offers nodes of its type only, chooses nothing by itself, and loses what is removed."""
    box, changes = slicer.qMRMLNodeComboBox(), []
    box.nodeTypes, box.noneEnabled = ["vtkMRMLScalarVolumeNode"], True
    box.setMRMLScene(slicer.mrmlScene)
    box.connect("currentNodeChanged(vtkMRMLNode*)", changes.append)
    first, second = _volume("first"), _volume("second")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
    assert (box.nodeCount(), box.currentNode()) == (2, None)

    box.setCurrentNode(second)
    slicer.mrmlScene.RemoveNode(second)
    assert (box.nodeCount(), box.currentNode(), changes) == (1, None, [second, None])
    box.setCurrentNodeID(first.GetID())
    assert box.currentNode() is first


def test_a_node_list_hides_what_lacks_an_attribute(standin):
    """With addAttribute only nodes with that value are offered."""
    box = slicer.qMRMLNodeComboBox()
    box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    box.addAttribute("vtkMRMLScalarVolumeNode", "Task", "hematoma")
    box.setMRMLScene(slicer.mrmlScene)
    _volume("plain")
    marked = _volume("marked")
    marked.SetAttribute("Task", "hematoma")
    box.setMRMLScene(slicer.mrmlScene)

    assert [box.nodeFromIndex(index) for index in range(box.nodeCount())] == [marked]


def test_a_module_is_set_up_once_and_told_when_it_is_shown(standin, tmp_path):
    """Its panel is built when first shown; entering and leaving are told."""
    path = tmp_path / "Mini.py"
    path.write_text(_MODULE.format(line="pass"), encoding="utf-8")
    module = standin.load(path)
    widget = standin.select("Mini")
    slicer.util.selectModule("SegmentEditor")

    assert (module.title, module.name) == ("Mini module", "Mini")
    assert slicer.modules.mini.widgetRepresentation().self() is widget
    assert widget.seen == ["setup", "enter", "exit"]


def test_a_module_cannot_invent_a_property_of_its_description(standin, tmp_path):
    """``parent.helptext`` is a spelling mistake, not a new attribute."""
    path = tmp_path / "Mini.py"
    path.write_text(_MODULE.format(line='parent.helptext = "?"'), encoding="utf-8")
    with pytest.raises(AttributeError, match="helptext"):
        standin.load(path)


def test_dialogs_are_answered_recorded_and_never_waited_for(standin):
    """A question gets the test's answer; without one it raises; a message with OK needs none."""
    standin.dialogs.answer(qt.QMessageBox.No, qt.QMessageBox.Yes)
    assert not slicer.util.confirmYesNoDisplay("Go on?")
    assert slicer.util.confirmYesNoDisplay("Go on?")
    slicer.util.errorDisplay("That went wrong")
    assert [shown.text for shown in standin.dialogs.take()] == ["Go on?", "Go on?", "That went wrong"]
    with pytest.raises(AssertionError, match="Really"):
        slicer.util.confirmYesNoDisplay("Really?")
    standin.dialogs.take()


def test_an_exception_in_a_slot_or_observer_is_kept_for_the_test(standin):
    """Qt and VTK print it and go on; here the test hears of it."""
    button, node = qt.QPushButton(), _volume("CT")
    button.connect("clicked()", lambda: 1 / 0)
    node.AddObserver("ModifiedEvent", lambda _caller, _event: {}["missing"])
    button.click()
    node.Modified()

    assert [type(error) for error in standin.faults.take()] == [ZeroDivisionError, KeyError]


def test_settings_start_empty_and_stay_off_the_disk_of_the_user(standin):
    """``QSettings`` lies in the stand-in's own folder."""
    settings = slicer.app.userSettings()
    assert str(standin.folder) in settings.fileName()
    settings.setValue("CTInsight/device", "cpu")
    assert slicer.util.settingsValue("CTInsight/device", "auto") == "cpu"
    settings.remove("CTInsight/device")


def test_nodes_get_their_place_in_the_subject_hierarchy(standin):
    """As in the application: an item comes and goes with the node."""
    node = _volume("CT")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    assert hierarchy.GetItemByDataNode(node)
    slicer.mrmlScene.RemoveNode(node)
    assert hierarchy.GetNumberOfItems() == 0


def _head_with_a_mark():
    """Return a volume of 40 x 30 x 20 voxels of 4 mm with one bright corner at right, front, bottom."""
    array_kji = np.zeros((20, 30, 40), dtype=np.int16)
    array_kji[:, :8, :8] = 100
    volume = slicer.util.addVolumeFromArray(array_kji, np.diag([-4.0, -4.0, 4.0, 1.0]), "CT")
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevel(100, 50)
    return volume


def test_the_axial_view_has_the_patient_s_right_on_the_left_and_front_up(standin, can_draw):
    """The first voxel of a volume that runs to the left and to the back is drawn at the upper left."""
    if not can_draw:
        pytest.skip("this machine draws no views")
    slicer.util.setSliceViewerLayers(background=_head_with_a_mark(), fit=True)
    picture = slicer.app.layoutManager().sliceWidget("Red")._picture(400, 300)
    spots = [(x, y) for x in range(0, 400, 10) for y in range(0, 300, 10)]
    bright = [spot for spot in spots if qt.QColor(picture.pixel(*spot)).value() > 200]
    assert bright
    assert all(x < 200 and y < 150 for x, y in bright)


def test_a_segment_s_fill_lies_over_the_picture(standin, can_draw):
    """Red of 20 % over a grey of 127 is 0.2 * 255 + 0.8 * 127 = 153 in red, and 102 in green."""
    if not can_draw:
        pytest.skip("this machine draws no views")
    volume = slicer.util.addVolumeFromArray(
        np.full((10, 60, 60), 50, np.int16), np.diag([-2, -2, 4, 1]), "CT"
    )
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevel(100, 50)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment = node.GetSegmentation().AddEmptySegment("a", "a", [1.0, 0.0, 0.0])
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.ones((10, 60, 60), np.uint8), node, segment, volume)
    node.GetDisplayNode().SetOpacity2DFill(0.2)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    picture = slicer.app.layoutManager().sliceWidget("Red")._picture(400, 300)

    assert qt.QColor(picture.pixel(200, 150)).getRgb()[:2] == pytest.approx((153, 102), abs=2)


def test_a_screenshot_says_that_it_is_not_slicer(standin, screenshot):
    """Panel, slice and 3-D view in one picture, at least as high as the two views and the caption."""
    path = screenshot("standin_empty")
    image = qt.QImage(str(path))
    assert image.width() > 520 + 440
    assert image.height() >= 2 * 428 + 24
