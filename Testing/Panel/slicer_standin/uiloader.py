"""Loads .ui files with ctk, qMRML and qSlicer widgets; refuses what Slicer would not know."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from PySide6 import QtCore, QtUiTools

from slicer_standin import pythonqt

#: Class name -> stand-in class, of all widgets that a .ui file may name.
CLASSES: dict[str, type] = {}


def widget(registry: dict[str, type]):
    """Register a stand-in widget, so that .ui files may name it."""

    def register(cls):
        registry[cls.__name__] = cls
        CLASSES[cls.__name__] = cls
        return cls

    return register


class QUiLoader(QtUiTools.QUiLoader):
    """Qt's loader plus our widget classes and string connections.

    Qt cannot match a connection such as ``mrmlSceneChanged(vtkMRMLScene*)`` with a signal of a Python class:
    connections are taken out of the file and made here.
    """

    def __init__(self, parent=None):
        super().__init__(parent)
        for cls in CLASSES.values():
            self.registerCustomWidget(cls)

    def load(self, file, parent=None):
        """Return the widget that a .ui file describes.

        Raises
        ------
        RuntimeError
            A widget class, object, signal or slot of the file is unknown.
        """
        root = ET.fromstring(bytes(file.readAll().data()))  # noqa: S314 - a file of the project
        _refuse_unknown_classes(root)
        connections = [_connection(element) for element in root.iter("connection")]
        for element in root.findall("connections"):
            root.remove(element)
        buffer = QtCore.QBuffer()
        buffer.setData(ET.tostring(root))
        buffer.open(QtCore.QIODevice.ReadOnly)
        with pythonqt.lenient():
            loaded = super().load(buffer, parent)
        if loaded is None:
            raise RuntimeError(self.errorString())
        objects = {child.objectName: child for child in [loaded, *loaded.findChildren(QtCore.QObject)]}
        for connection in connections:
            _connect(objects, *connection)
        return loaded


def _refuse_unknown_classes(root) -> None:
    named = {element.findtext("class") for element in root.iter("customwidget")}
    unknown = sorted(named - CLASSES.keys())
    if unknown:
        msg = f"widget classes unknown to the stand-in: {', '.join(unknown)}"
        raise RuntimeError(msg)


def _connection(element) -> tuple[str, ...]:
    return tuple(element.findtext(part) for part in ("sender", "signal", "receiver", "slot"))


def _connect(objects, sender: str, signal: str, receiver: str, slot: str) -> None:
    for name in (sender, receiver):
        if name not in objects:
            msg = f".ui connection names an object that is not there: {name}"
            raise RuntimeError(msg)
    function = getattr(objects[receiver], slot.partition("(")[0], None)
    if function is None:
        msg = f".ui connection: {receiver} has no slot {slot}"
        raise RuntimeError(msg)
    pythonqt.connect(objects[sender], signal, function)
