# ruff: noqa: N801, N802, N803, N815 - the names are Slicer's
"""The qMRML widgets that choose nodes and numbers: the ones that Slicer's parameter nodes bind to."""

from __future__ import annotations

import slicer
from PySide6 import QtWidgets
from PySide6.QtCore import Property, Signal

from slicer_standin.ctk_numbers import ctkRangeWidget, ctkSliderWidget
from slicer_standin.followed import Followed
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
    _signal_aliases = aliases(
        "currentNodeChanged(vtkMRMLNode*)",
        "nodeActivated(vtkMRMLNode*)",
        "nodeAdded(vtkMRMLNode*)",
        "nodeAddedByUser(vtkMRMLNode*)",
        currentNodeChanged__bool="_currentNodeValid",
    )
    _ADD = "add"

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._current, self._known = None, "", []
        self._followed, self._attributes = Followed(self), []
        self._box = QtWidgets.QComboBox()
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self._box.activated.connect(self._activate)

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

    def setMRMLScene(self, scene):
        """Take the scene and follow it; without one the list is disabled."""
        self._scene = scene
        kinds = slicer.vtkMRMLScene
        events = (
            kinds.NodeAddedEvent,
            kinds.NodeRemovedEvent,
            kinds.EndCloseEvent,
            kinds.EndImportEvent,
            kinds.EndBatchProcessEvent,
        )
        self._followed.follow(scene, events, self._refresh)
        self._refresh()
        self.enabled = scene is not None

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
        self._fill(nodes)
        ids = [node.GetID() for node in nodes]
        known, self._known = self._known, ids
        for node in nodes:
            if node.GetID() not in known:
                self.nodeAdded.emit(node)
        if self._current in ids:
            self._box.setCurrentIndex(self._box.findData(self._current))
        elif self._current and ids and not self.noneEnabled:
            self._select(ids[-1])  # the current node is gone and something must be chosen
        else:
            self._select("")

    def _fill(self, nodes):
        blocked = self._box.blockSignals(True)
        self._box.clear()
        self._box.placeholderText = f"Select a {_label(self.nodeTypes[0])}" if self.nodeTypes else ""
        if self.noneEnabled:
            self._box.addItem(self.noneDisplay, "")
        for node in nodes:
            self._box.addItem(node.GetName(), node.GetID())
        if self.addEnabled and self.nodeTypes:
            self._box.addItem(f"Create new {_label(self.nodeTypes[0])}", self._ADD)
        self._box.setCurrentIndex(-1)
        self._box.blockSignals(blocked)

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
            self.addNode()
            return
        self._select(chosen)
        self.nodeActivated.emit(self.currentNode())

    def addNode(self, nodeType=None):
        """Add a node of the first type, or the type given, and choose it."""
        kind = nodeType or self.nodeTypes[0]
        if kind not in self.nodeTypes:
            msg = f"{kind} is not among the node types {self.nodeTypes}"
            raise ValueError(msg)
        name = self._scene.GenerateUniqueName(self.baseName or _label(kind))
        node = self._scene.AddNewNodeByClass(kind, name)
        if self.selectNodeUponCreation:
            self._select(node.GetID())
        self.nodeAddedByUser.emit(node)
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
