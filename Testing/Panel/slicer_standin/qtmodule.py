"""The modules ``qt`` and ``ctk`` as Slicer's Python has them: flat, nothing of PySide6's own in them."""

from __future__ import annotations

import sys
import types

from PySide6 import QtCore, QtGui, QtNetwork, QtTest, QtUiTools, QtWidgets

from slicer_standin import ctk_widgets, dialogs, uiloader


def install() -> None:
    """Put ``qt`` and ``ctk`` into ``sys.modules``."""
    qt = types.ModuleType("qt", "Stand-in for PythonQt's qt module.")
    for module in (QtCore, QtGui, QtNetwork, QtTest, QtUiTools, QtWidgets):
        for name in dir(module):
            if name.startswith("Q"):
                setattr(qt, name, getattr(module, name))
    qt.QUiLoader = uiloader.QUiLoader
    for cls in (qt.QDialog, qt.QMessageBox, qt.QMenu, qt.QFileDialog, qt.QInputDialog):
        dialogs.make_answerable(cls)
    ctk = types.ModuleType("ctk", "Stand-in for PythonQt's ctk module.")
    for name, cls in ctk_widgets.WIDGETS.items():
        setattr(ctk, name, cls)
    sys.modules["qt"], sys.modules["ctk"] = qt, ctk
