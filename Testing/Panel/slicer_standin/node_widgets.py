# ruff: noqa: N801, N802, N803, N815 - the names are Slicer's
"""The qMRML widgets that choose nodes and numbers: the ones that Slicer's parameter nodes bind to."""

from __future__ import annotations

from PySide6 import QtWidgets
from PySide6.QtCore import Property, Signal

from slicer_standin.ctk_numbers import ctkRangeWidget, ctkSliderWidget
from slicer_standin.pythonqt import aliases
from slicer_standin.stored import stored
from slicer_standin.uiloader import widget

#: Class name -> class, for the module ``slicer``.
WIDGETS: dict[str, type] = {}


@widget(WIDGETS)
class qMRMLWidget(QtWidgets.QWidget):
    """A widget that hands the scene on to its children by signal."""

    mrmlSceneChanged = Signal(object)
    _signal_aliases = aliases("mrmlSceneChanged(vtkMRMLScene*)")

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None

    def setMRMLScene(self, scene):
        """Take the scene and tell the listeners."""
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self):
        """Return the scene, or ``None``."""
        return self._scene


@widget(WIDGETS)
class qSlicerWidget(qMRMLWidget):
    """A widget in Slicer's application layer."""


@widget(WIDGETS)
class qMRMLSliderWidget(ctkSliderWidget):
    """A slider that may follow a unit of the scene."""

    quantity = stored(str, "quantity", "")

    def setMRMLScene(self, scene):
        """Take the scene."""
        self._scene = scene


@widget(WIDGETS)
class qMRMLSpinBox(QtWidgets.QDoubleSpinBox):
    """A spin box that may follow a unit of the scene."""

    quantity = stored(str, "quantity", "")

    def setMRMLScene(self, scene):
        """Take the scene."""
        self._scene = scene


@widget(WIDGETS)
class qMRMLRangeWidget(ctkRangeWidget):
    """A range that may follow a unit of the scene."""

    quantity = stored(str, "quantity", "")

    def setMRMLScene(self, scene):
        """Take the scene."""
        self._scene = scene


def _refreshed(kind, name, default):
    return stored(kind, name, default, lambda box: box._refresh())


@widget(WIDGETS)
class qMRMLNodeComboBox(QtWidgets.QWidget):
    """A list of the scene's nodes of some types, of which one is current."""

    currentNodeChanged = Signal(object)
    _currentNodeValid = Signal(bool)
    currentNodeIDChanged = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAboutToBeRemoved = Signal(object)
    _signal_aliases = aliases(
        "currentNodeChanged(vtkMRMLNode*)",
        "nodeActivated(vtkMRMLNode*)",
        "nodeAdded(vtkMRMLNode*)",
        "nodeAddedByUser(vtkMRMLNode*)",
        "nodeAboutToBeRemoved(vtkMRMLNode*)",
        currentNodeChanged__bool="_currentNodeValid",
    )
    _ADD = "add"

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._current = None, ""
        self._observations, self._attributes = [], []
        self._box = QtWidgets.QComboBox()
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self._box.activated.connect(self._activate)
        self.destroyed.connect(self._forget_scene)

    nodeTypes = _refreshed("QStringList", "nodeTypes", [])
    noneEnabled = _refreshed(bool, "noneEnabled", False)
    addEnabled = _refreshed(bool, "addEnabled", True)
    removeEnabled = _refreshed(bool, "removeEnabled", True)
    renameEnabled = _refreshed(bool, "renameEnabled", False)
    editEnabled = _refreshed(bool, "editEnabled", False)
    showHidden = _refreshed(bool, "showHidden", False)
    showChildNodeTypes = _refreshed(bool, "showChildNodeTypes", True)
    hideChildNodeTypes = _refreshed("QStringList", "hideChildNodeTypes", [])
    noneDisplay = _refreshed(str, "noneDisplay", "None")
    baseName = stored(str, "baseName", "")
    selectNodeUponCreation = stored(bool, "selectNodeUponCreation", True)
    interactionNodeSingletonTag = stored(str, "interactionNodeSingletonTag", "")

    def addAttribute(self, nodeType, attributeName, attributeValue=None):
        """Show only nodes of the type that have the attribute."""
        self._attributes.append((nodeType, attributeName, attributeValue))
        self._refresh()

    def removeAttribute(self, nodeType, attributeName):
        """Undo :meth:`addAttribute`."""
        self._attributes = [a for a in self._attributes if a[:2] != (nodeType, attributeName)]
        self._refresh()

    def _forget_scene(self):
        for tag in self._observations:
            self._scene.RemoveObserver(tag)
        self._observations = []

    def setMRMLScene(self, scene):
        """Take the scene and follow it."""
        self._forget_scene()
        self._scene = scene
        if scene is not None:
            events = (
                scene.NodeAddedEvent,
                scene.NodeRemovedEvent,
                scene.EndCloseEvent,
                scene.EndImportEvent,
                scene.EndBatchProcessEvent,
            )
            self._observations = [
                scene.AddObserver(event, lambda _caller, _event: self._refresh()) for event in events
            ]
        self._refresh()

    def mrmlScene(self):
        """Return the scene, or ``None``."""
        return self._scene

    def _shows(self, node) -> bool:
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        exact = node.GetClassName() in self.nodeTypes
        inherited = self.showChildNodeTypes and any(node.IsA(kind) for kind in self.nodeTypes)
        if not (exact or inherited) or node.GetClassName() in self.hideChildNodeTypes:
            return False
        return all(
            not node.IsA(kind)
            or (node.GetAttribute(name) is not None and value in (None, node.GetAttribute(name)))
            for kind, name, value in self._attributes
        )

    def _nodes(self):
        if self._scene is None:
            return []
        nodes = [self._scene.GetNthNode(index) for index in range(self._scene.GetNumberOfNodes())]
        return [node for node in nodes if self._shows(node)]

    def _refresh(self):
        if self._scene is not None and self._scene.IsBatchProcessing():
            return
        nodes = self._nodes()
        blocked = self._box.blockSignals(True)
        self._box.clear()
        if self.noneEnabled or not nodes:
            self._box.addItem(self.noneDisplay, "")
        for node in nodes:
            self._box.addItem(node.GetName(), node.GetID())
        if self.addEnabled and self.nodeTypes:
            self._box.addItem(f"Create new {_label(self.nodeTypes[0])}", self._ADD)
        self._box.blockSignals(blocked)
        if self._current in [node.GetID() for node in nodes]:
            self._box.setCurrentIndex(self._box.findData(self._current))
        else:
            self._select("" if self.noneEnabled or not nodes else nodes[0].GetID())

    def _select(self, node_id: str):
        changed, self._current = node_id != self._current, node_id
        self._box.setCurrentIndex(self._box.findData(node_id))
        if changed:
            self.currentNodeChanged.emit(self.currentNode())
            self._currentNodeValid.emit(bool(node_id))
            self.currentNodeIDChanged.emit(node_id)

    def _activate(self, index):
        chosen = self._box.itemData(index)
        if chosen == self._ADD:
            self.nodeAddedByUser.emit(self.addNode())
            return
        self._select(chosen)
        self.nodeActivated.emit(self.currentNode())

    def addNode(self, nodeType=None):
        """Add a node of the first type, or the type given, and choose it."""
        kind = nodeType or self.nodeTypes[0]
        node = self._scene.AddNewNodeByClass(
            kind, self._scene.GenerateUniqueName(self.baseName or _label(kind))
        )
        self.nodeAdded.emit(node)
        if self.selectNodeUponCreation:
            self._select(node.GetID())
        return node

    def removeCurrentNode(self):
        """Remove the current node from the scene."""
        self._scene.RemoveNode(self.currentNode())

    def currentNode(self):
        """Return the chosen node, or ``None``."""
        return self._scene.GetNodeByID(self._current) if self._scene and self._current else None

    def setCurrentNode(self, node):
        """Choose a node, given itself or its ID; ``None`` for none."""
        node_id = node if isinstance(node, str) else (node.GetID() if node is not None else "")
        self._refresh()
        self._select(node_id if self._box.findData(node_id) >= 0 else "")

    def setCurrentNodeID(self, nodeID):
        """Choose a node by its ID."""
        self.setCurrentNode(nodeID)

    def setCurrentNodeIndex(self, index):
        """Choose the n-th node."""
        self.setCurrentNode(self.nodeFromIndex(index))

    def nodeFromIndex(self, index):
        """Return the n-th node, or ``None``."""
        nodes = self._nodes()
        return nodes[index] if 0 <= index < len(nodes) else None

    def nodeCount(self):
        """Return how many nodes can be chosen."""
        return len(self._nodes())

    currentNodeID = Property(str, lambda self: self._current, setCurrentNodeID)


def _label(class_name: str) -> str:
    return class_name.removeprefix("vtkMRML").removesuffix("Node")
