"""Typed parameters in the scene: types, defaults, checks, node references, packs, widgets, saving.

The same tests run on our re-implementation and, with ``--slicer-source``, on Slicer's own.
"""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import ctk
import pytest
import qt
import slicer
from slicer.parameterNodeWrapper import (
    Choice,
    Default,
    Maximum,
    Minimum,
    WithinRange,
    parameterNodeWrapper,
    parameterPack,
)


class Side(enum.Enum):
    """Which half."""

    LEFT = 1
    RIGHT = 2


@parameterPack
class Window:
    """A display window."""

    center: Annotated[float, WithinRange(-1000, 3000)] = 40.0
    width: Annotated[float, Minimum(1)] = 80.0


@parameterNodeWrapper
class Parameters:
    """One parameter of each kind that our modules use."""

    volume: slicer.vtkMRMLScalarVolumeNode
    anything: slicer.vtkMRMLScalarVolumeNode | slicer.vtkMRMLSegmentationNode | None
    threshold: Annotated[float, WithinRange(0, 100)] = 50.0
    count: Annotated[int, Minimum(1), Maximum(9)] = 3
    name: str = "first"
    enabled: bool = True
    method: Annotated[str, Choice(["fast", "exact"])] = "exact"
    side: Side = Side.RIGHT
    window: Window
    points: list[tuple[float, float, float]]
    maybe: int | None
    folder: Annotated[Path, Default(Path("results"))]


@pytest.fixture
def parameters(standin):
    """Return the parameters on a new node of the scene."""
    return Parameters(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))


def _volume(name="CT"):
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)


def test_defaults(parameters):
    """Before anybody chose, each parameter has its default, and a node or an optional value is None."""
    assert (parameters.volume, parameters.anything, parameters.maybe) == (None, None, None)
    assert (parameters.threshold, parameters.count, parameters.name) == (50.0, 3, "first")
    assert (parameters.enabled, parameters.method, parameters.side) == (True, "exact", Side.RIGHT)
    assert (parameters.window, list(parameters.points)) == (Window(40.0, 80.0), [])
    assert parameters.folder == Path("results")


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("threshold", 101.0, ValueError),
        ("threshold", "50", TypeError),
        ("threshold", None, ValueError),
        ("count", 0, ValueError),
        ("count", 2.5, TypeError),
        ("name", 3, TypeError),
        ("enabled", 1, TypeError),
        ("method", "quick", ValueError),
        ("side", "LEFT", TypeError),
        ("maybe", "7", TypeError),
        ("points", [(1.0, 2.0)], ValueError),
        ("folder", "results", TypeError),
    ],
)
def test_a_bad_value_is_refused_and_the_old_one_stays(parameters, name, value, error):
    """Wrong types, values outside the range and unknown choices raise; the node keeps what it had."""
    before = getattr(parameters, name)
    with pytest.raises(error):
        setattr(parameters, name, value)
    assert getattr(parameters, name) == before


def test_a_node_of_another_class_is_refused(parameters):
    """A parameter for volumes takes no segmentation."""
    with pytest.raises(TypeError):
        parameters.volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")


def test_values_are_spelled_in_the_node_as_slicer_spells_them(parameters):
    """A scene written here can be read there: the texts in the node are Slicer's."""
    parameters.points = [(1.0, 2.0, 3.0)]
    parameters.maybe = 7
    node = parameters.parameterNode
    wanted = {
        "threshold": "50.0",
        "enabled": "True",
        "side": "RIGHT",
        "window.center": "40.0",
        "folder": "results",
    }
    wanted |= {"points.len": "1", "points.0.1": "2.0", "maybe.0": "7"}
    assert {name: node.GetParameter(name) for name in wanted} == wanted


def test_lists_and_packs_write_themselves_back(parameters):
    """What is changed inside a list or a pack is in the node, and a bad member is refused."""
    parameters.points.append((1.0, 2.0, 3.0))
    parameters.window.width = 200.0
    again = Parameters(parameters.parameterNode)

    assert list(again.points) == [(1.0, 2.0, 3.0)]
    assert again.window == Window(40.0, 200.0)
    with pytest.raises(ValueError, match="Value must"):
        parameters.window.width = 0.0
    with pytest.raises(AttributeError):
        parameters.window.level = 3.0


def test_one_change_is_one_event(parameters):
    """Setting a parameter once tells observers once; a block of changes too."""
    calls = []
    parameters.AddObserver("ModifiedEvent", lambda _caller, _event: calls.append(1))
    parameters.points = [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0)]
    assert len(calls) == 1
    with slicer.util.NodeModify(parameters):
        parameters.threshold = 20.0
        parameters.window = Window(50.0, 100.0)
    assert len(calls) == 2


def test_an_unknown_name_or_a_reserved_one_is_an_error(parameters):
    """Names are checked where they are used as texts and where a class is declared."""
    with pytest.raises(ValueError, match="colour"):
        parameters.getValue("colour")
    with pytest.raises(ValueError, match="reserved"):

        @parameterNodeWrapper
        class Bad:
            connectGui: int = 1  # noqa: N815 - the name under test


def _widgets():
    """Return a panel with a widget for each of five parameters."""
    made = {
        "volume": slicer.qMRMLNodeComboBox(),
        "threshold": ctk.ctkSliderWidget(),
        "count": qt.QSpinBox(),
        "method": qt.QComboBox(),
        "side": qt.QComboBox(),
        "enabled": qt.QCheckBox(),
        "window.width": qt.QDoubleSpinBox(),
    }
    panel = qt.QWidget()
    layout = qt.QVBoxLayout(panel)
    for name, widget in made.items():
        widget.setProperty("SlicerParameterName", name)
        layout.addWidget(widget)
    made["volume"].noneEnabled = True
    made["volume"].setMRMLScene(slicer.mrmlScene)
    return panel, made


def test_widgets_and_parameters_follow_each_other(parameters):
    """A change in a widget is in the node and the other way round, within the limits of the type."""
    panel, widgets = _widgets()
    parameters.connectGui(panel)
    volume = _volume()

    widgets["volume"].setCurrentNode(volume)
    widgets["threshold"].value = 70.0
    widgets["method"].currentIndex = 0
    assert (parameters.volume, parameters.threshold, parameters.method) == (volume, 70.0, "fast")

    parameters.side, parameters.enabled, parameters.count = Side.LEFT, False, 8
    assert (widgets["side"].currentText, widgets["enabled"].checked, widgets["count"].value) == (
        "LEFT",
        False,
        8,
    )
    widgets["count"].value = 40
    assert parameters.count == 9


def test_a_member_of_a_pack_has_its_own_widget(parameters):
    """``window.width`` in a .ui file binds that member."""
    panel, widgets = _widgets()
    parameters.connectGui(panel)
    widgets["window.width"].value = 250.0
    assert parameters.window == Window(40.0, 250.0)
    parameters.window.width = 30.0
    assert widgets["window.width"].value == 30.0


def test_disconnected_widgets_follow_no_more(parameters):
    """After disconnectGui neither side hears of the other."""
    panel, widgets = _widgets()
    tag = parameters.connectGui(panel)
    parameters.disconnectGui(tag)
    parameters.threshold = 10.0
    widgets["enabled"].checked = False
    assert (widgets["threshold"].value, parameters.enabled) == (50.0, True)


def test_a_widget_that_cannot_show_the_type_is_refused(parameters):
    """A check box shows no number, and a widget names no unknown parameter."""
    with pytest.raises(RuntimeError, match="GUI connector"):
        parameters.connectParametersToGui({"threshold": qt.QCheckBox()})
    with pytest.raises(ValueError, match="nothing"):
        parameters.connectParametersToGui({"nothing": qt.QCheckBox()})


def test_parameters_survive_saving_closing_and_loading(parameters, tmp_path):
    """A scene file brings every choice back, node references to the loaded nodes included."""
    parameters.parameterNode.SetName("choices")
    parameters.volume, parameters.threshold, parameters.side = _volume("Head"), 12.5, Side.LEFT
    parameters.points, parameters.maybe = [(1.0, 2.0, 3.0)], 4
    slicer.util.saveScene(str(tmp_path / "choices.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "choices.mrb"))
    loaded = Parameters(slicer.util.getNode("choices"))

    assert (loaded.volume.GetName(), loaded.threshold, loaded.side) == ("Head", 12.5, Side.LEFT)
    assert (list(loaded.points), loaded.maybe) == ([(1.0, 2.0, 3.0)], 4)
