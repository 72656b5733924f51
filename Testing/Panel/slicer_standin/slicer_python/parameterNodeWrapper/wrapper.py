# ruff: noqa: N802, N803, N815 - the names are Slicer's
"""The decorator ``parameterNodeWrapper``."""

from __future__ import annotations

import weakref

import qt
import slicer
import vtk

from .connectors import GuiConnector, createGuiConnector
from .packs import dataType, declaredParameters
from .widgets import packWidgets

SlicerParameterNamePropertyName = "SlicerParameterName"


def parameterNodeWrapper(classtype=None):
    """Make the annotated members of a class typed views of a parameter node."""
    return _process if classtype is None else _process(classtype)


def isParameterNodeWrapper(classOrObject) -> bool:
    """Say whether a class or object is a wrapper."""
    return getattr(classOrObject, "_isParameterNodeWrapper", False)


def findChildWidgetForParameter(widget, parameter):
    """Return the child widget that shows a parameter, or ``None``."""
    for child in widget.findChildren(qt.QWidget):
        if child.property(SlicerParameterNamePropertyName) == parameter:
            return child
    top, _dot, rest = parameter.partition(".")
    holder = findChildWidgetForParameter(widget, top) if rest else None
    return packWidgets(holder).get(rest) if holder is not None else None


def _process(cls):
    parameters = declaredParameters(cls)
    for name in parameters:
        if hasattr(_Wrapper, name):
            msg = f"Cannot use reserved name '{name}' in a parameterNodeWrapper"
            raise ValueError(msg)
    methods = {name: member for name, member in vars(cls).items() if name not in _NOT_COPIED}
    members = {name: _member(info) for name, info in parameters.items()}
    wrapper = type(
        cls.__name__, (_Wrapper, *cls.__bases__), {**methods, **members, "allParameters": parameters}
    )
    wrapper.__module__, wrapper.__qualname__, wrapper.__doc__ = cls.__module__, cls.__qualname__, cls.__doc__
    return wrapper


_NOT_COPIED = ("__dict__", "__weakref__", "__init__")


def _member(info):
    return property(
        lambda self: self._read(info),
        lambda self, value: self._write(info, value),
    )


def _weakly(wrapper, method: str):
    """Return an observer's callback that does not keep the wrapper alive."""
    alive = weakref.ref(wrapper)

    def call(_caller, _event):
        if alive() is not None:
            getattr(alive(), method)()

    return call


class _Wrapper:
    """What every wrapper can do."""

    allParameters: dict = {}  # noqa: RUF012 - one dictionary per class
    _isParameterNodeWrapper = True

    def __init__(self, parameterNode, prefix=None):
        self.parameterNode = parameterNode
        self._prefix = prefix or ""
        self._bindings, self._nextTag, self._showing = {}, 0, False
        self._kept, self._writing = {}, None
        for info in self.allParameters.values():
            name = self._prefix + info.basename
            if not info.serializer.isIn(parameterNode, name):
                info.serializer.write(parameterNode, name, info.default.value)
        self._reload()
        self._observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, _weakly(self, "_reload"))

    def __del__(self):
        if hasattr(self, "_observer"):
            self.RemoveObserver(self._observer)

    def _reload(self):
        """Read again what is kept: the node changed."""
        for info in self.allParameters.values():
            if info.serializer.supportsCaching() and info is not self._writing:
                self._kept[info.basename] = self._readNode(info)

    def _readNode(self, info):
        name = self._prefix + info.basename
        if not info.serializer.isIn(self.parameterNode, name):
            info.serializer.write(self.parameterNode, name, info.default.value)
        return info.serializer.read(self.parameterNode, name)

    def _read(self, info):
        return self._kept[info.basename] if self.isCached(info.basename) else self._readNode(info)

    def _write(self, info, value):
        before, self._writing = self._writing, info
        try:
            with slicer.util.NodeModify(self.parameterNode):
                info.serializer.write(self.parameterNode, self._prefix + info.basename, value)
                if self.isCached(info.basename):
                    self._kept[info.basename] = self._readNode(info)
        finally:
            self._writing = before

    @classmethod
    def dataType(cls, name):
        """Return the declared type of a parameter, named with dots."""
        return dataType(cls, name)

    def default(self, name):
        """Return a parameter's default, as ``Default``."""
        dataType(type(self), name)
        return self.allParameters[name].default

    def isCached(self, name):
        """Say whether a parameter is only read again when the node says that it changed."""
        dataType(type(self), name)
        return self.allParameters[name].serializer.supportsCaching()

    def getValue(self, name):
        """Return a parameter, named with dots."""
        self.dataType(name)
        top, _dot, rest = name.partition(".")
        value = getattr(self, top)
        return value.getValue(rest) if rest else value

    def setValue(self, name, value):
        """Set a parameter, named with dots."""
        self.dataType(name)
        top, _dot, rest = name.partition(".")
        if rest:
            getattr(self, top).setValue(rest, value)
        else:
            setattr(self, top, value)

    def connectGui(self, gui):
        """Bind every widget with the property SlicerParameterName; return a tag to undo that."""
        is_widget = hasattr(gui, "isWidgetType")
        widgets = gui.findChildren(qt.QWidget) if is_widget else vars(gui).values()
        named = {widget.property(SlicerParameterNamePropertyName): widget for widget in widgets}
        return self.connectParametersToGui({name: widget for name, widget in named.items() if name})

    def connectParametersToGui(self, mapping):
        """Bind parameters to widgets by name; return a tag for :meth:`disconnectGui`."""
        connectors = {}
        for name, widget in mapping.items():
            declared = self.dataType(name)
            known = isinstance(widget, GuiConnector)
            connectors[name] = widget if known else createGuiConnector(widget, declared)
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.onChanged(self._reader(name, connector))
        tag, self._nextTag = self._nextTag, self._nextTag + 1
        observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, _weakly(self, "_show"))
        self._bindings[tag] = (connectors, observer)
        return tag

    def disconnectGui(self, tag):
        """Undo :meth:`connectGui`; an unknown tag is ignored, as in Slicer."""
        connectors, observer = self._bindings.pop(tag, ({}, None))
        for connector in connectors.values():
            connector.onChanged(None)
        if observer is not None:
            self.RemoveObserver(observer)

    def _reader(self, name, connector):
        def read():
            if not self._showing:
                with slicer.util.NodeModify(self):
                    self.setValue(name, connector.read())

        return read

    def _show(self):
        if self._showing:
            return
        self._showing = True
        try:
            with slicer.util.NodeModify(self):
                for connectors, _observer in list(self._bindings.values()):
                    for name, connector in connectors.items():
                        connector.write(self.getValue(name))
        finally:
            self._showing = False

    def StartModify(self):
        """Hold back the node's events."""
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified):
        """Send the node's events."""
        return self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event, callback, priority=0.0):
        """Observe the node."""
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag):
        """Stop observing the node."""
        self.parameterNode.RemoveObserver(tag)

    def Modified(self):
        """Say that the node changed."""
        self.parameterNode.Modified()
