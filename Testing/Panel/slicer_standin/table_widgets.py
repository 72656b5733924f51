# ruff: noqa: N801, N802, N803, N815 - the names are Slicer's
"""The qMRML and qSlicer widgets that list segments, table cells and markup points."""

from __future__ import annotations

import slicer
import vtk
from PySide6 import QtGui, QtWidgets
from PySide6.QtCore import Property, QItemSelection, Qt, Signal

from slicer_standin.followed import Followed
from slicer_standin.node_widgets import WIDGETS, qMRMLNodeComboBox, qMRMLWidget
from slicer_standin.pythonqt import aliases
from slicer_standin.stored import stored
from slicer_standin.uiloader import widget


@widget(WIDGETS)
class qMRMLSegmentsTableView(qMRMLWidget):
    """The segments of a segmentation: visible, colour, name."""

    selectionChanged = Signal(QItemSelection, QItemSelection)
    segmentAboutToBeModified = Signal(str)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._node, self._followed = None, Followed(self)
        self._table = QtWidgets.QTableWidget(0, 2)
        self._table.setHorizontalHeaderLabels(["Color", "Name"])
        self._table.horizontalHeader().setStretchLastSection(True)
        self._table.verticalHeader().hide()
        self._table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectRows)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._table)
        self._table.selectionModel().selectionChanged.connect(self.selectionChanged)
        self._table.itemSelectionChanged.connect(self._jump)

    headerVisible = stored(bool, "headerVisible", True)
    visibilityColumnVisible = stored(bool, "visibilityColumnVisible", True)
    colorColumnVisible = stored(bool, "colorColumnVisible", True)
    opacityColumnVisible = stored(bool, "opacityColumnVisible", True)
    statusColumnVisible = stored(bool, "statusColumnVisible", True)
    layerColumnVisible = stored(bool, "layerColumnVisible", False)
    readOnly = stored(bool, "readOnly", False)
    filterBarVisible = stored(bool, "filterBarVisible", False)
    jumpToSelectedSegmentEnabled = stored(bool, "jumpToSelectedSegmentEnabled", False)
    selectionMode = stored(int, "selectionMode", 3)
    useTerminologySelector = stored(bool, "useTerminologySelector", True)

    def setSegmentationNode(self, node):
        """Show a segmentation's segments and follow them."""
        self._node = node
        kinds = slicer.vtkSegmentation
        self._followed.follow(
            node,
            (kinds.SegmentAdded, kinds.SegmentRemoved, kinds.SegmentModified, vtk.vtkCommand.ModifiedEvent),
            self._fill,
        )
        self._fill()

    def segmentationNode(self):
        """Return the segmentation, or ``None``."""
        return self._node

    def _fill(self):
        ids = self.displayedSegmentIDs()
        self._table.setRowCount(len(ids))
        for row, segment_id in enumerate(ids):
            segment = self._node.GetSegmentation().GetSegment(segment_id)
            color = QtWidgets.QTableWidgetItem()
            color.setBackground(QtGui.QColor.fromRgbF(*segment.GetColor()))
            name = QtWidgets.QTableWidgetItem(segment.GetName())
            name.setData(Qt.UserRole, segment_id)
            self._table.setItem(row, 0, color)
            self._table.setItem(row, 1, name)

    def _jump(self):
        if not self.jumpToSelectedSegmentEnabled or not self.selectedSegmentIDs():
            return
        center = self._node.GetSegmentCenterRAS(self.selectedSegmentIDs()[0])
        if center is not None:
            slicer.vtkMRMLSliceNode.JumpAllSlices(self._node.GetScene(), *center, 0)

    def displayedSegmentIDs(self):
        """Return the segments' IDs in the order shown."""
        return [] if self._node is None else list(self._node.GetSegmentation().GetSegmentIDs())

    def segmentIDForRow(self, row):
        """Return the ID of a row's segment."""
        return self.displayedSegmentIDs()[row]

    def rowForSegmentID(self, segmentID):
        """Return the row of a segment."""
        return self.displayedSegmentIDs().index(segmentID)

    def selectedSegmentIDs(self):
        """Return the chosen segments' IDs."""
        rows = sorted({index.row() for index in self._table.selectedIndexes()})
        return [self.segmentIDForRow(row) for row in rows]

    def setSelectedSegmentIDs(self, segmentIDs):
        """Choose segments."""
        self._table.clearSelection()
        for segment_id in segmentIDs:
            self._table.selectRow(self.rowForSegmentID(segment_id))

    def clearSelection(self):
        """Choose nothing."""
        self._table.clearSelection()

    def tableWidget(self):
        """Return Qt's table."""
        return self._table

    segmentCount = Property(int, lambda self: len(self.displayedSegmentIDs()))


@widget(WIDGETS)
class qMRMLTableView(QtWidgets.QTableView):
    """The cells of a table node."""

    mrmlSceneChanged = Signal(object)
    _signal_aliases = aliases("mrmlSceneChanged(vtkMRMLScene*)")

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._node, self._followed = None, None, Followed(self)
        self._model = QtGui.QStandardItemModel(self)
        self.setModel(self._model)

    transposed = stored(bool, "transposed", False)
    firstRowLocked = stored(bool, "firstRowLocked", False)
    firstColumnLocked = stored(bool, "firstColumnLocked", False)

    def setMRMLScene(self, scene):
        """Take the scene."""
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self):
        """Return the scene, or ``None``."""
        return self._scene

    def setMRMLTableNode(self, node):
        """Show a table and follow it."""
        self._node = node
        self._followed.follow(node, (vtk.vtkCommand.ModifiedEvent,), self._fill)
        self._fill()

    def mrmlTableNode(self):
        """Return the table node, or ``None``."""
        return self._node

    def _fill(self):
        self._model.clear()
        if self._node is None:
            return
        columns = range(self._node.GetNumberOfColumns())
        names = [self._node.GetColumnName(column) for column in columns]
        if self._node.GetUseColumnTitleAsColumnHeader():
            names = [self._node.GetColumnTitle(name) or name for name in names]
        self._model.setHorizontalHeaderLabels(names)
        for row in range(self._node.GetNumberOfRows()):
            self._model.appendRow([QtGui.QStandardItem(self._node.GetCellText(row, c)) for c in columns])


@widget(WIDGETS)
class qSlicerMarkupsPlaceWidget(qMRMLWidget):
    """Buttons that start and end placing points of a markup."""

    activeMarkupsPlaceModeChanged = Signal(bool)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._node = None
        self._button = QtWidgets.QToolButton()
        self._button.text = "Place"
        self._button.checkable = True
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        self._button.toggled.connect(self.setPlaceModeEnabled)

    buttonsVisible = stored(bool, "buttonsVisible", True)
    deleteAllControlPointsOptionVisible = stored(bool, "deleteAllControlPointsOptionVisible", False)
    placeMultipleMarkups = stored(int, "placeMultipleMarkups", 0)
    placeModePersistency = stored(bool, "placeModePersistency", False)
    ForcePlaceSingleMarkup, ForcePlaceMultipleMarkups = 1, 2

    def setCurrentNode(self, node):
        """Take the markup whose points are placed."""
        self._node = node

    def currentNode(self):
        """Return the markup, or ``None``."""
        return self._node

    def interactionNode(self):
        """Return the scene's interaction node."""
        return slicer.app.applicationLogic().GetInteractionNode()

    def placeButton(self):
        """Return the button that starts placing."""
        return self._button

    def setPlaceModeEnabled(self, enabled):
        """Start or end placing."""
        enabled = bool(enabled) and self._node is not None
        interaction = self.interactionNode()
        if enabled:
            slicer.app.applicationLogic().GetSelectionNode().SetReferenceActivePlaceNodeID(self._node.GetID())
        interaction.SetCurrentInteractionMode(interaction.Place if enabled else interaction.ViewTransform)
        self._button.checked = enabled
        self.activeMarkupsPlaceModeChanged.emit(enabled)

    def deleteAllPoints(self):
        """Remove every point."""
        self._node.RemoveAllControlPoints()

    placeModeEnabled = Property(
        bool, lambda self: self.interactionNode().GetCurrentInteractionMode() == 1, setPlaceModeEnabled
    )


@widget(WIDGETS)
class qSlicerSimpleMarkupsWidget(qMRMLWidget):
    """A markup's points in a table, with buttons to place them."""

    markupsNodeChanged = Signal()
    updateFinished = Signal()

    def __init__(self, parent=None):
        super().__init__(parent)
        self._followed = Followed(self)
        self._selector, self._place = qMRMLNodeComboBox(), qSlicerMarkupsPlaceWidget()
        self._selector.nodeTypes = ["vtkMRMLMarkupsFiducialNode"]
        self._table = QtWidgets.QTableWidget(0, 4)
        self._table.setHorizontalHeaderLabels(["Label", "R", "A", "S"])
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self._selector, self._place, self._table):
            layout.addWidget(part)
        self._selector.currentNodeChanged.connect(self._chosen)

    nodeSelectorVisible = stored(
        bool, "nodeSelectorVisible", True, lambda self: self._selector.setVisible(self.nodeSelectorVisible)
    )
    enterPlaceModeOnNodeChange = stored(bool, "enterPlaceModeOnNodeChange", True)
    jumpToSliceEnabled = stored(bool, "jumpToSliceEnabled", False)
    optionsVisible = stored(bool, "optionsVisible", True)

    def setMRMLScene(self, scene):
        """Take the scene."""
        super().setMRMLScene(scene)
        self._selector.setMRMLScene(scene)

    def currentNode(self):
        """Return the markup, or ``None``."""
        return self._selector.currentNode()

    def setCurrentNode(self, node):
        """Choose a markup."""
        self._selector.setCurrentNode(node)

    def tableWidget(self):
        """Return the table of points."""
        return self._table

    def markupsPlaceWidget(self):
        """Return the buttons."""
        return self._place

    def markupsSelectorComboBox(self):
        """Return the list of markups."""
        return self._selector

    def _chosen(self, node):
        self._place.setCurrentNode(node)
        kinds = slicer.vtkMRMLMarkupsNode
        events = (kinds.PointAddedEvent, kinds.PointModifiedEvent, kinds.PointRemovedEvent)
        self._followed.follow(node, events, self._fill)
        self._fill()
        self.markupsNodeChanged.emit()

    def _fill(self):
        node = self.currentNode()
        self._table.setRowCount(0 if node is None else node.GetNumberOfControlPoints())
        for row in range(self._table.rowCount):
            texts = [node.GetNthControlPointLabel(row)]
            texts += [f"{number:.2f}" for number in node.GetNthControlPointPositionWorld(row)]
            for column, text in enumerate(texts):
                self._table.setItem(row, column, QtWidgets.QTableWidgetItem(text))
        self.updateFinished.emit()


@widget(WIDGETS)
class qMRMLSegmentEditorWidget(qMRMLWidget):
    """The segment editor without effects: it keeps what it was opened on."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._nodes, self._segment_id = {}, ""

    readOnly = stored(bool, "readOnly", False)
    maximumNumberOfUndoStates = stored(int, "maximumNumberOfUndoStates", 10)
    undoEnabled = stored(bool, "undoEnabled", True)

    def setMRMLSegmentEditorNode(self, node):
        """Take the node that keeps the editor's choices."""
        self._nodes["editor"] = node

    def mrmlSegmentEditorNode(self):
        """Return the node that keeps the editor's choices."""
        return self._nodes.get("editor")

    def setSegmentationNode(self, node):
        """Take the segmentation to edit."""
        self._nodes["segmentation"] = node

    def segmentationNode(self):
        """Return the segmentation."""
        return self._nodes.get("segmentation")

    def setSourceVolumeNode(self, node):
        """Take the volume that effects look at."""
        self._nodes["volume"] = node

    def sourceVolumeNode(self):
        """Return the volume."""
        return self._nodes.get("volume")

    def setCurrentSegmentID(self, segmentID):
        """Choose a segment."""
        self._segment_id = segmentID

    def currentSegmentID(self):
        """Return the chosen segment."""
        return self._segment_id
