"""The stand-in is as strict as PythonQt: what works in Slicer works here, what raises there raises here."""

from __future__ import annotations

import pytest
import qt


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("button.foo = 3", AttributeError),
        ("button.foo", AttributeError),
        ("button.setText = 'x'", AttributeError),
        ("button.clicked = 1", AttributeError),
        ("button.text = 3", AttributeError),
        ("button.enabled = 'no'", AttributeError),
        ("button.width = 9", AttributeError),
        ("qt.QColor().foo = 1", AttributeError),
        ("button.connect('foo()', print)", ValueError),
        ("button.connect('clicked(int)', print)", ValueError),
        ("button.connect('clicked', print)", ValueError),
        ("button.connect('clicked()', lambda *all: None)", TypeError),
        ("button.connect('clicked()', None)", TypeError),
    ],
)
def test_what_pythonqt_refuses_raises(standin, statement, error):
    """An unknown attribute, a method or signal overwritten, a wrong type, an unknown signal: all raise."""
    with pytest.raises(error):
        exec(statement, {"button": qt.QPushButton("text"), "qt": qt})  # noqa: S102 - the table above


def test_properties_are_attributes(standin):
    """Properties are read and written as attributes; the name is both ``name`` and ``objectName``."""
    spin = qt.QSpinBox()
    spin.maximum, spin.value, spin.name = 40, 7.9, "count"

    assert (spin.value, spin.maximum, spin.objectName, spin.enabled) == (7, 40, "count", True)


def test_methods_of_the_same_class_stay_methods(standin):
    """What is no property is called: parent, layout, text of an item, static functions."""
    frame = qt.QWidget()
    layout = qt.QVBoxLayout(frame)
    layout.addWidget(qt.QLabel("a"))

    assert frame.layout() is layout
    assert frame.findChildren("QLabel")[0].parent() is frame
    assert qt.QTableWidgetItem("b").text() == "b"


def test_a_slot_gets_as_many_arguments_as_it_and_the_signature_take(standin):
    """``clicked(bool)`` passes one argument to a function that has room for it, ``clicked()`` none."""
    got = []

    def listener(checked=None):
        got.append(checked)

    button = qt.QPushButton()
    button.connect("clicked()", listener)
    button.connect("clicked(bool)", listener)
    button.connect("clicked(bool)", lambda: got.append("none"))
    button.click()

    assert got == [None, False, "none"]


def test_disconnect_undoes_one_connection(standin):
    """After disconnecting the slot is no longer called, and a second time there is nothing to undo."""
    got = []
    button = qt.QPushButton()
    button.connect("clicked()", got.clear)
    button.clicked.connect(lambda: got.append(1))

    assert button.disconnect("clicked()", got.clear)
    assert not button.disconnect("clicked()", got.clear)
    button.click()
    assert got == [1]


def test_a_dynamic_property_can_be_read_and_changed_as_an_attribute(standin):
    """What a .ui file adds to a widget is an attribute too."""
    label = qt.QLabel()
    label.setProperty("SlicerParameterName", "threshold")
    label.SlicerParameterName = "other"

    assert label.SlicerParameterName == label.property("SlicerParameterName") == "other"


def test_a_python_class_may_have_attributes_of_its_own(standin):
    """A widget class written in a module keeps Python attributes, as in PythonQt."""

    class Frame(qt.QWidget):
        pass

    frame = Frame()
    frame.count = 2
    assert frame.count == 2


def test_a_static_function_with_a_property_s_name_still_works(standin):
    """``QTimer.singleShot`` is a function of the class and a property of the object."""
    got = []
    qt.QTimer.singleShot(0, lambda: got.append(1))
    timer = qt.QTimer()
    timer.singleShot = True
    qt.QCoreApplication.processEvents()

    assert (got, timer.singleShot) == ([1], True)
