# ruff: noqa: N802 - the names are Slicer's
"""Which widget shows which type of parameter."""

from __future__ import annotations

import enum
import pathlib
import types
import typing

import ctk
import qt
import slicer

from .annotations import (
    Choice,
    Decimals,
    Maximum,
    Minimum,
    RangeBounds,
    SingleStep,
    WithinRange,
    bare,
    first,
    split,
)
from .connectors import GuiConnector, createGuiConnector, parameterNodeGuiConnector
from .packs import FloatRange, isParameterPack, nestedParameterNames

SlicerPackParameterNamePropertyName = "SlicerPackParameterName"


@parameterNodeGuiConnector
class _Checked(GuiConnector):
    signal = "toggled"

    def __init__(self, widget, datatype):
        super().__init__(widget, datatype)
        if not widget.checkable:
            msg = f"{widget.objectName}: a button that shows a bool must be checkable"
            raise RuntimeError(msg)

    @staticmethod
    def canRepresent(widget, datatype):
        kinds = (qt.QCheckBox, ctk.ctkCheckBox, qt.QPushButton, ctk.ctkCheckablePushButton)
        return bare(datatype) is bool and type(widget) in kinds

    def read(self):
        return self._widget.checked

    def write(self, value):
        self._widget.checked = value


def _limits(datatype) -> tuple:
    annotations = split(datatype)[1]
    both, low, high = (first(annotations, kind) for kind in (WithinRange, Minimum, Maximum))
    if both is not None:
        return both.minimum, both.maximum
    return getattr(low, "minimum", None), getattr(high, "maximum", None)


@parameterNodeGuiConnector
class _Whole(GuiConnector):
    signal = "valueChanged"

    def __init__(self, widget, datatype):
        super().__init__(widget, datatype)
        low, high = _limits(datatype)
        if isinstance(widget, qt.QSlider) and None in (low, high):
            msg = "Cannot have a connection to QSlider where the int type is unbounded."
            raise RuntimeError(msg)
        step = first(split(datatype)[1], SingleStep)
        if step is not None:
            widget.singleStep = step.value
        widget.setRange(-(2**31) if low is None else low, 2**31 - 1 if high is None else high)

    @staticmethod
    def canRepresent(widget, datatype):
        return bare(datatype) is int and type(widget) in (qt.QSlider, qt.QSpinBox)

    def read(self):
        return self._widget.value

    def write(self, value):
        self._widget.value = value


@parameterNodeGuiConnector
class _Real(GuiConnector):
    signal = "valueChanged"

    def __init__(self, widget, datatype):
        super().__init__(widget, datatype)
        low, high = _limits(datatype)
        if type(widget) in (ctk.ctkSliderWidget, slicer.qMRMLSliderWidget) and None in (low, high):
            msg = "Cannot have a connection to ctkSliderWidget where the float type is unbounded."
            raise RuntimeError(msg)
        decimals = 0 if bare(datatype) is int else getattr(first(split(datatype)[1], Decimals), "value", None)
        if decimals is not None and not isinstance(widget, ctk.ctkDoubleSlider):
            widget.decimals = decimals
        step = first(split(datatype)[1], SingleStep)
        if step is not None:
            widget.singleStep = float(step.value)
        widget.minimum = float("-inf") if low is None else float(low)
        widget.maximum = float("inf") if high is None else float(high)

    @staticmethod
    def canRepresent(widget, datatype):
        kinds = (
            qt.QDoubleSpinBox,
            ctk.ctkSliderWidget,
            ctk.ctkDoubleSlider,
            ctk.ctkDoubleSpinBox,
            slicer.qMRMLSliderWidget,
            slicer.qMRMLSpinBox,
        )
        return bare(datatype) in (int, float) and type(widget) in kinds

    def read(self):
        return bare(self._datatype)(self._widget.value)

    def write(self, value):
        self._widget.value = value


@parameterNodeGuiConnector
class _Chosen(GuiConnector):
    """A combo box over the choices of an annotation or the members of an enumeration."""

    signal = "currentIndexChanged"

    def __init__(self, widget, datatype):
        super().__init__(widget, datatype)
        kind = bare(datatype)
        if _is_enum(kind):
            self._choices = list(kind)
            labels = [member.label() if hasattr(member, "label") else member.name for member in kind]
        else:
            choice = first(split(datatype)[1], Choice)
            if choice is None:
                msg = "ComboBoxToStringableConnector requires the Choice annotation to be used."
                raise RuntimeError(msg)
            self._choices = list(choice.choices)
            labels = [str(item) for item in self._choices]
        widget.clear()
        for label in labels:
            widget.addItem(label)

    @staticmethod
    def canRepresent(widget, datatype):
        kind = bare(datatype)
        listed = kind in (int, float, str, bool) or _is_enum(kind)
        return listed and type(widget) in (qt.QComboBox, ctk.ctkComboBox)

    def read(self):
        return self._choices[self._widget.currentIndex]

    def write(self, value):
        self._widget.currentIndex = self._choices.index(value)


def _is_enum(kind) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


@parameterNodeGuiConnector
class _Line(GuiConnector):
    signal = "textChanged"

    @staticmethod
    def canRepresent(widget, datatype):
        return bare(datatype) is str and type(widget) is qt.QLineEdit

    def read(self):
        return self._widget.text

    def write(self, value):
        if value != self._widget.text:  # writing moves the cursor
            self._widget.text = value


@parameterNodeGuiConnector
class _Label(GuiConnector):
    @staticmethod
    def canRepresent(widget, datatype):
        return bare(datatype) is str and type(widget) is qt.QLabel

    def read(self):
        return self._widget.text

    def write(self, value):
        self._widget.text = value


@parameterNodeGuiConnector
class _PlainText(GuiConnector):
    signal = "textChanged"

    @staticmethod
    def canRepresent(widget, datatype):
        return bare(datatype) is str and type(widget) is qt.QTextEdit

    def read(self):
        return self._widget.toPlainText()

    def write(self, value):
        self._widget.setPlainText(value)


@parameterNodeGuiConnector
class _Range(GuiConnector):
    signal = "valuesChanged"

    def __init__(self, widget, datatype):
        super().__init__(widget, datatype)
        bounds = first(split(datatype)[1], RangeBounds)
        if bounds is None:
            msg = "Cannot have a connection to a range widget without the RangeBounds annotation."
            raise RuntimeError(msg)
        widget.setRange(bounds.minimum, bounds.maximum)

    @staticmethod
    def canRepresent(widget, datatype):
        kinds = (ctk.ctkRangeWidget, ctk.ctkDoubleRangeSlider, slicer.qMRMLRangeWidget)
        return bare(datatype) is FloatRange and type(widget) in kinds

    def read(self):
        return FloatRange(self._widget.minimumValue, self._widget.maximumValue)

    def write(self, value):
        self._widget.setValues(value.minimum, value.maximum)


@parameterNodeGuiConnector
class _File(GuiConnector):
    signal = "currentPathChanged"

    @staticmethod
    def canRepresent(widget, datatype):
        return _is_path(bare(datatype)) and type(widget) is ctk.ctkPathLineEdit

    def read(self):
        return bare(self._datatype)(self._widget.currentPath)

    def write(self, value):
        self._widget.currentPath = str(value)


@parameterNodeGuiConnector
class _Folder(GuiConnector):
    signal = "directoryChanged"

    @staticmethod
    def canRepresent(widget, datatype):
        return _is_path(bare(datatype)) and type(widget) is ctk.ctkDirectoryButton

    def read(self):
        return bare(self._datatype)(self._widget.directory)

    def write(self, value):
        self._widget.directory = str(value)


def _is_path(kind) -> bool:
    return isinstance(kind, type) and issubclass(kind, pathlib.PurePath)


@parameterNodeGuiConnector
class _Color(GuiConnector):
    signal = "colorChanged"

    @staticmethod
    def canRepresent(widget, datatype):
        return bare(datatype) is qt.QColor and type(widget) is ctk.ctkColorPickerButton

    def read(self):
        return self._widget.color

    def write(self, value):
        self._widget.color = value


def _node_types(datatype) -> list[str]:
    kind = bare(datatype)
    members = typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)
    classes = [bare(member) for member in members if member is not type(None)]
    if not all(isinstance(c, type) and issubclass(c, slicer.vtkMRMLNode) for c in classes):
        return []
    return [c().GetClassName() for c in classes]


@parameterNodeGuiConnector
class _Node(GuiConnector):
    signal = "currentNodeChanged"

    def __init__(self, widget, datatype):
        super().__init__(widget, datatype)
        widget.nodeTypes = _node_types(datatype)

    @staticmethod
    def canRepresent(widget, datatype):
        return type(widget) is slicer.qMRMLNodeComboBox and bool(_node_types(datatype))

    def read(self):
        return self._widget.currentNode()

    def write(self, value):
        self._widget.setCurrentNode(value)


def packWidgets(widget) -> dict[str, typing.Any]:
    """Return the children of a widget that show members of a pack, by dotted name."""
    found = {}
    for child in widget.findChildren(qt.QWidget):
        names, ancestor = [], child
        while ancestor is not None and ancestor is not widget:
            name = ancestor.property(SlicerPackParameterNamePropertyName)
            names = [name, *names] if name else names
            ancestor = ancestor.parent()
        if child.property(SlicerPackParameterNamePropertyName):
            found[".".join(names)] = child
    return found


@parameterNodeGuiConnector
class _Pack(GuiConnector):
    """A widget whose children show the members of a pack."""

    def __init__(self, widget, datatype):
        super().__init__(widget, datatype)
        children, kind = packWidgets(widget), bare(datatype)
        self._parts = {
            name: createGuiConnector(children[name], kind.dataType(name))
            for name in nestedParameterNames(kind)
        }

    @staticmethod
    def canRepresent(widget, datatype):
        kind = bare(datatype)
        return isParameterPack(kind) and set(nestedParameterNames(kind)) <= packWidgets(widget).keys()

    def _connect(self):
        for part in self._parts.values():
            part.onChanged(self.changed)

    def _disconnect(self):
        for part in self._parts.values():
            part.onChanged(None)

    def read(self):
        pack = bare(self._datatype)()
        for name, part in self._parts.items():
            pack.setValue(name, part.read())
        return pack

    def write(self, value):
        for name, part in self._parts.items():
            part.write(value.getValue(name))
