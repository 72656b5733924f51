# ruff: noqa: N801, N802, N815 - the names are Slicer's
"""``slicer.app`` and ``slicer.mrmlScene``: the application around the real MRML of slicer-core."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from slicer_standin import fileio, modules, views
from slicer_standin.stored import stored

#: The release that the stand-in speaks like.
VERSION = (5, 12, 3)


class _CommandOptions:
    """The options that the application was started with."""

    noMainWindow = False
    testingEnabled = False


class qSlicerApplication(QtCore.QObject):
    """What modules ask the application for."""

    startupCompleted = Signal()
    aboutToQuit = Signal()

    def __init__(self, qt_application, folder: Path):
        super().__init__()
        self._qt, self._folder = qt_application, folder
        self._scene = slicer.vtkMRMLScene()
        self._logic = slicer.vtkSlicerApplicationLogic()
        self._managers = _prepare(self._scene, self._logic, folder)
        self._modules = modules.qSlicerModuleManager()
        self._settings = QtCore.QSettings()
        self._io = fileio.qSlicerIOManager(self._scene)
        self._layout = views.qSlicerLayoutManager(self._scene, self._logic)
        self._options = _CommandOptions()

    slicerHome = Property(str, lambda self: str(self._folder / "home"))
    temporaryPath = Property(str, lambda self: str(self._folder))
    extensionsInstallPath = Property(str, lambda self: str(self._folder / "extensions"))
    applicationName = Property(str, lambda _self: "Slicer")
    applicationVersion = Property(str, lambda _self: ".".join(map(str, VERSION)))
    majorVersion = Property(int, lambda _self: VERSION[0])
    minorVersion = Property(int, lambda _self: VERSION[1])
    revision = Property(str, lambda _self: "0")
    os = Property(str, lambda _self: "linux")
    arch = Property(str, lambda _self: "amd64")
    documentationBaseUrl = Property(str, lambda _self: "https://slicer.readthedocs.io/en/latest/")
    cachePath = stored(str, "cachePath", "")

    def mrmlScene(self):
        """Return the one scene."""
        return self._scene

    def applicationLogic(self):
        """Return the application's logic."""
        return self._logic

    def moduleLogic(self, name):
        """Return a module's logic."""
        return self._modules.module(name).logic()

    def moduleManager(self):
        """Return the manager of modules."""
        return self._modules

    def layoutManager(self):
        """Return the manager of views."""
        return self._layout

    def coreIOManager(self):
        """Return what reads and writes files."""
        return self._io

    def ioManager(self):
        """Return what reads and writes files."""
        return self._io

    def settings(self):
        """Return the settings, empty at each start of the stand-in."""
        return self._settings

    def userSettings(self):
        """Return the settings."""
        return self._settings

    def revisionUserSettings(self):
        """Return the settings."""
        return self._settings

    def commandOptions(self):
        """Return the command line's options."""
        return self._options

    def testingEnabled(self):
        """Say no: dialogs open as for a user, and the test answers them."""
        return self._options.testingEnabled

    def translate(self, _context, text, *_rest):
        """Return the text: English only."""
        return text

    def moduleDocumentationUrl(self, name):
        """Return the address of a module's page."""
        return f"{self.documentationBaseUrl}user_guide/modules/{name.lower()}.html"

    def startupEnvironment(self):
        """Return the environment the application was started in."""
        return QtCore.QProcessEnvironment.systemEnvironment()

    def topLevelWidgets(self):
        """Return all windows."""
        return self._qt.topLevelWidgets()

    def processEvents(self, *arguments):
        """Let Qt work."""
        self._qt.processEvents(*arguments)

    def setOverrideCursor(self, cursor):
        """Show another mouse pointer."""
        self._qt.setOverrideCursor(cursor)

    def restoreOverrideCursor(self):
        """Show the former mouse pointer."""
        self._qt.restoreOverrideCursor()

    def pauseRender(self):
        """Hold back drawing; the stand-in draws when asked."""

    def resumeRender(self):
        """Draw again."""

    def clipboard(self):
        """Return the clipboard."""
        return self._qt.clipboard()

    def palette(self):
        """Return the colours of the user interface."""
        return self._qt.palette()

    def keyboardModifiers(self):
        """Return the keys held."""
        return self._qt.keyboardModifiers()

    def extensionsManagerModel(self):
        """Return ``None``: the stand-in has no extensions manager."""
        return

    def restart(self):
        """Record that a restart was asked for."""
        self._restarts = getattr(self, "_restarts", 0) + 1


def _prepare(scene, logic, folder: Path) -> list:
    """Give scene and logic what the application adds; return what must be kept alive."""
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    logic.SetMRMLScene(scene)
    logic.SetTemporaryPath(str(folder))
    logic.GetColorLogic().SetMRMLScene(scene)
    logic.GetColorLogic().AddDefaultColorNodes()
    logic.SetSliceLogics(vtk.vtkCollection())
    logic.SetViewLogics(vtk.vtkCollection())
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    cache, manager, handlers = slicer.vtkCacheManager(), slicer.vtkDataIOManager(), vtk.vtkCollection()
    (folder / "cache").mkdir()
    cache.SetRemoteCacheDirectory(str(folder / "cache"))
    manager.SetCacheManager(cache)
    scene.SetCacheManager(cache)
    scene.SetDataIOManager(manager)
    scene.SetURIHandlerCollection(handlers)
    return [cache, manager, handlers]


def start(folder: Path) -> qSlicerApplication:
    """Make ``slicer.app`` with its scene, logics and main window."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    QtCore.QSettings.setDefaultFormat(QtCore.QSettings.IniFormat)
    QtCore.QSettings.setPath(QtCore.QSettings.IniFormat, QtCore.QSettings.UserScope, str(folder / "settings"))
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["stand-in"])
    application.setOrganizationName("stand-in")
    application.setApplicationName("Slicer")
    application.setFont(QtGui.QFont("DejaVu Sans", 9))
    slicer.app = qSlicerApplication(application, folder)
    slicer.mrmlScene = slicer.app.mrmlScene()
    modules.add_core_modules()
    modules.follow_subject_hierarchy(slicer.mrmlScene)
    slicer.app._window = modules.qSlicerMainWindow()
    return slicer.app


def load_scripted_modules() -> None:
    """Load the scripted modules of Slicer that ours call."""
    for path in sorted((Path(__file__).parent / "scripted_modules").glob("*.py")):
        modules.load_scripted_module(path)


def temporary_folder() -> Path:
    """Return a new folder that the process removes when it ends."""
    return Path(tempfile.mkdtemp(prefix="slicer-stand-in-"))
