# ruff: noqa: N801, N802, N815 - the names are Slicer's
"""Modules: the logics that slicer-core brings, scripted modules under test, the window they are shown in."""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from slicer_standin.node_widgets import qMRMLWidget
from slicer_standin.stored import stored

#: Module name -> class of its logic, for the C++ modules that panels use.
_LOGICS = {
    "Colors": "vtkSlicerColorLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Models": "vtkSlicerModelsLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "Units": "vtkSlicerUnitsLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "Volumes": "vtkSlicerVolumesLogic",
}

_TERMINOLOGY_SCHEMA = (
    "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/schemas/{}-context-schema.json#"
)


class qSlicerAbstractCoreModule(QtCore.QObject):
    """A module as the application sees it."""

    def __init__(self, name, path="", logic=None):
        super().__init__()
        self._name, self._path, self._logic, self._widget = name, str(path), logic, None

    name = Property(str, lambda self: self._name)
    path = Property(str, lambda self: self._path)
    title = stored(str, "title", "")
    categories = stored("QStringList", "categories", [])
    contributors = stored("QStringList", "contributors", [])
    dependencies = stored("QStringList", "dependencies", [])
    associatedNodeTypes = stored("QStringList", "associatedNodeTypes", [])
    helpText = stored(str, "helpText", "")
    acknowledgementText = stored(str, "acknowledgementText", "")
    icon = stored(QtGui.QIcon, "icon", QtGui.QIcon())
    hidden = stored(bool, "hidden", False)
    index = stored(int, "index", -1)
    widgetRepresentationCreationEnabled = stored(bool, "widgetRepresentationCreationEnabled", True)

    def logic(self):
        """Return the C++ logic; scripted modules have none here."""
        return self._logic

    def mrmlScene(self):
        """Return the scene."""
        return slicer.mrmlScene

    def widgetRepresentation(self):
        """Return the panel, or ``None``."""
        return self._widget


class qSlicerScriptedLoadableModule(qSlicerAbstractCoreModule):
    """A module written in Python; ``parent`` of its first class."""

    def widgetRepresentation(self):
        """Return the panel, built when first asked for."""
        python = sys.modules[self._name]
        if self._widget is None and hasattr(python, f"{self._name}Widget"):
            self._widget = qSlicerScriptedLoadableModuleWidget(self._name)
            self._widget.reload()
        return self._widget


class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """The frame that a scripted module fills with its panel."""

    def __init__(self, module_name):
        super().__init__()
        self._module_name, self._python, self._entered = module_name, None, False
        self.setLayout(QtWidgets.QVBoxLayout())
        self.setMRMLScene(slicer.mrmlScene)

    isEntered = Property(bool, lambda self: self._entered)

    def reload(self):
        """Build the panel from the module's present code."""
        cls = getattr(sys.modules[self._module_name], f"{self._module_name}Widget")
        self._python = cls(self)
        setattr(slicer.modules, f"{self._module_name}Widget", self._python)
        self._python.setup()

    def self(self):
        """Return the Python object."""
        return self._python

    def enter(self):
        """Tell the panel that it is shown."""
        self._entered = True
        if hasattr(self._python, "enter"):
            self._python.enter()

    def exit(self):
        """Tell the panel that another module is shown."""
        self._entered = False
        if hasattr(self._python, "exit"):
            self._python.exit()


class qSlicerModuleManager(QtCore.QObject):
    """The modules by name."""

    moduleLoaded = Signal(str)
    moduleAboutToBeUnloaded = Signal(str)

    def __init__(self):
        super().__init__()
        self._modules = {}

    def module(self, name):
        """Return a module, or ``None``."""
        return self._modules.get(name)

    def modulesNames(self):
        """Return all names."""
        return list(self._modules)

    def _add(self, module):
        self._modules[module.name] = module
        setattr(slicer.modules, module.name.lower(), module)
        self.moduleLoaded.emit(module.name)


class qSlicerModuleSelectorToolBar(QtWidgets.QToolBar):
    """The list from which a user picks a module."""

    moduleSelected = Signal(str)

    def __init__(self, parent):
        super().__init__(parent)
        self._selected = ""

    selectedModule = Property(str, lambda self: self._selected)

    def selectModule(self, name):
        """Leave the former module and show this one."""
        manager = slicer.app.moduleManager()
        if self._selected:
            manager.module(self._selected).widgetRepresentation().exit()
        self._selected = name
        panel = manager.module(name).widgetRepresentation()
        area = self.window().findChild(QtWidgets.QScrollArea, "ModulePanel")
        area.takeWidget()  # setWidget() would delete the former module's panel
        area.setWidget(panel)
        panel.show()
        panel.enter()
        self.moduleSelected.emit(name)


class qSlicerMainWindow(QtWidgets.QMainWindow):
    """A window with a module panel, a module selector and a status bar."""

    def __init__(self):
        super().__init__()
        self.objectName = "qSlicerMainWindow"
        self.windowTitle = "Test stand-in (not 3D Slicer)"
        self._selector, self._panel = qSlicerModuleSelectorToolBar(self), QtWidgets.QScrollArea()
        self.addToolBar(self._selector)
        self._panel.objectName = "ModulePanel"
        self._panel.widgetResizable = True
        self.setCentralWidget(self._panel)
        self.statusBar().objectName = "StatusBar"
        self.resize(480, 900)

    def moduleSelector(self):
        """Return the list of modules."""
        return self._selector


for _class in (
    qSlicerAbstractCoreModule,
    qSlicerMainWindow,
    qSlicerScriptedLoadableModule,
    qSlicerScriptedLoadableModuleWidget,
    qSlicerModuleSelectorToolBar,
):
    setattr(slicer, _class.__name__, _class)


def add_core_modules() -> None:
    """Make ``slicer.modules`` with the C++ modules' logics."""
    slicer.modules = types.ModuleType("slicer.modules")
    slicer.moduleNames = types.SimpleNamespace()
    sys.modules["slicer.modules"] = slicer.modules
    application = slicer.app.applicationLogic()
    for name, class_name in _LOGICS.items():
        logic = application.GetColorLogic() if name == "Colors" else getattr(slicer, class_name)()
        if name == "Terminologies":
            logic.SetModuleShareDirectory(str(_terminologies(Path(slicer.app.temporaryPath))))
        logic.SetMRMLApplicationLogic(application)
        if name != "Colors":
            logic.SetMRMLScene(slicer.mrmlScene)
        application.SetModuleLogic(name, logic)
        slicer.app.moduleManager()._add(qSlicerAbstractCoreModule(name, logic=logic))


def _terminologies(folder: Path) -> Path:
    """Write the terminologies that the logic asks for, with nothing in them, and return their folder."""
    folder = folder / "terminologies"
    folder.mkdir()
    category = {"SegmentationCodes": {"Category": []}}
    region = {"AnatomicCodes": {"AnatomicRegion": []}}
    contents = {
        "SegmentationCategoryTypeModifier-SlicerGeneralAnatomy": category,
        "SegmentationCategoryTypeModifier-DICOM-Master": category,
        "AnatomicRegionAndModifier-DICOM-Master": region,
    }
    for name, content in contents.items():
        subject = "anatomic" if content is region else "segment"
        title = "AnatomicContextName" if content is region else "SegmentationCategoryTypeContextName"
        text = json.dumps({"@schema": _TERMINOLOGY_SCHEMA.format(subject), title: name, **content})
        (folder / f"{name}.term.json").write_text(text, encoding="utf-8")
    return folder


def load_scripted_module(path: Path):
    """Load a scripted module as the application does at start-up and return its ``parent``.

    The panel is built when :meth:`qSlicerScriptedLoadableModule.widgetRepresentation` is first asked for.
    """
    path = Path(path).resolve()
    name = path.stem
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    python = importlib.util.module_from_spec(spec)
    sys.modules[name] = python
    spec.loader.exec_module(python)
    module = qSlicerScriptedLoadableModule(name, path)
    instance = getattr(python, name)(module)
    setattr(slicer.modules, f"{name}Instance", instance)
    slicer.app.moduleManager()._add(module)
    return module


def follow_subject_hierarchy(scene) -> None:
    """Give each stored node its item in the subject hierarchy, as a Qt plugin of the application does."""

    def wanted(node) -> bool:
        return node is not None and node.IsA("vtkMRMLStorableNode") and not node.GetHideFromEditors()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def added(_caller, _event, node):
        # While a scene is read there may be two hierarchies, which asking for one would merge too early.
        if wanted(node) and not scene.IsImporting():
            _add_item(scene, node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def removed(_caller, _event, node):
        if wanted(node) and not scene.IsImporting() and not scene.IsClosing():
            hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
            item = hierarchy.GetItemByDataNode(node)
            if item:
                hierarchy.RemoveItem(item, False)

    def imported(_caller, _event):
        for node in slicer.util.getNodesByClass("vtkMRMLStorableNode"):
            if wanted(node):
                _add_item(scene, node)

    scene.AddObserver(scene.NodeAddedEvent, added)
    scene.AddObserver(scene.NodeAboutToBeRemovedEvent, removed)
    scene.AddObserver(scene.EndImportEvent, imported)


def _add_item(scene, node) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    if not hierarchy.GetItemByDataNode(node):
        hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
