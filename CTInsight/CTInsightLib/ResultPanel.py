"""The part of a panel that shows a result: numbers, table, checks, limits; edit, recompute, remove."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.finding import Outcome
from ctinsight.report.wording import display_number, display_unit, task_look
from CTInsightLib.LineOutput import LineOutput
from CTInsightLib.ResultLink import EDITED_ATTRIBUTE, LINE_MOVED_ATTRIBUTE, linkedResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from ctinsight.finding import Check, Table
    from CTInsightLib.ErrorPanel import ErrorPanel
    from CTInsightLib.Glance import Glance, TableLook
    from CTInsightLib.ResultLink import LinkedResult
    from CTInsightLib.SlicerDesktop import SlicerDesktop

#: Sign and colour of each outcome; the signs differ too, so that nobody needs to tell the colours apart.
#: Colours: bluish green, orange and vermillion of Okabe and Ito (2008), darkened to be read on white.
_OUTCOMES = {
    Outcome.PASS: ("✓", (0, 120, 85)),
    Outcome.WARN: ("!", (165, 105, 0)),
    Outcome.REFUSE: ("✗", (190, 70, 0)),
}


#: Height of a table's row.
_ROW_PX = 22


@dataclass(frozen=True)
class ResultWords:
    """How one module words its results: the first lines, the moved lines, and the table that is shown."""

    glance: Callable[[LinkedResult], Glance]
    lines: Callable[[dict], str]
    table: TableLook


class ResultPanel(VTKObservationMixin):
    """Show one result at a time and follow its nodes."""

    def __init__(self, ui: Any, words: ResultWords, desktop: SlicerDesktop, errors: ErrorPanel):
        VTKObservationMixin.__init__(self)
        self._ui, self._words, self._desktop, self._errors = ui, words, desktop, errors
        self._result: LinkedResult | None = None
        self._table: Table | None = None
        self._quiet = False
        ui.editButton.connect("clicked(bool)", self._edit)
        ui.showButton.connect("clicked(bool)", self.showInSlices)
        ui.nextButton.connect("clicked(bool)", self._next)
        ui.previousButton.connect("clicked(bool)", self._previous)
        ui.copyReportButton.connect("clicked(bool)", errors.copyReport)
        ui.findingTable.connect("itemSelectionChanged()", self._jumpToSelected)
        _prepareTable(ui.findingTable)
        _prepareTree(ui.checksTree)
        self.show(None)

    @property
    def result(self) -> LinkedResult | None:
        """The result that is shown."""
        return self._result

    def show(self, segmentationNode) -> None:
        """Show the result of a segmentation, or that there is none."""
        self.removeObservers()
        self._result = None
        with self._errors.guarded():
            self._result = linkedResult(segmentationNode)
            self._fill()
            self._follow()
        there = self._result is not None
        for widget in (self._ui.resultButtons, self._ui.findingTable, self._ui.stepRow, self._ui.checksTree):
            widget.enabled = there
        self._ui.copyReportButton.enabled = there
        self._ui.resultCollapsible.collapsed = not there

    def showInSlices(self) -> None:
        """Put the CT into the slice views, in the task's window, and go to the first row."""
        result = self._result
        if result is None or result.nodes.volume is None:
            return
        self._desktop.showVolume(result.nodes.volume)
        self._desktop.setWindow(result.nodes.volume, task_look(result.document["task"]).window)
        self.jumpToRow(max(0, self._ui.findingTable.currentRow()))

    def jumpToRow(self, row: int) -> None:
        """Bring the slice views to where a row of the table lies."""
        if self._table is None or not 0 <= row < len(self._table.rows):
            return
        keys = [column.key for column in self._table.columns]
        values = dict(zip(keys, self._table.rows[row], strict=True))
        position = [values[key] for key in self._words.table.position]
        if None not in position:
            self._desktop.jump(self._result.nodes.segmentation.GetScene(), position)

    def _fill(self) -> None:
        ui, result = self._ui, self._result
        glance = self._words.glance(result) if result else None
        ui.headlineLabel.text = glance.headline if glance else ""
        ui.intervalLabel.text = glance.interval if glance else ""
        ui.secondLabel.text = glance.second if glance else ""
        ui.methodLabel.text = glance.method if glance else ""
        for label in (ui.headlineLabel, ui.intervalLabel, ui.secondLabel, ui.methodLabel):
            label.visible = bool(label.text)
        self._table = result.table(self._words.table.key) if result else None
        self._fillTable()
        _fillChecks(ui.checksTree, result.checks if result else ())
        ui.limitsLabel.text = _limits(result) if result else ""
        self._sayEdited()

    def _fillTable(self) -> None:
        widget, look = self._ui.findingTable, self._words.table
        self._quiet = True
        rows = self._table.rows if self._table else ()
        known = {column.key: (i, column) for i, column in enumerate(self._table.columns)} if rows else {}
        shown = [(*known[key], words) for key, words in look.columns if key in known]
        widget.setRowCount(len(rows))
        widget.setColumnCount(len(shown))
        widget.setHorizontalHeaderLabels([words for _index, _column, words in shown])
        for place, (index, column, _words) in enumerate(shown):
            widget.horizontalHeaderItem(place).setToolTip(_title(column))
            for number, row in enumerate(rows):
                item = qt.QTableWidgetItem(display_number(row[index]))
                item.setToolTip(_title(column))
                widget.setItem(number, place, item)
        widget.resizeColumnsToContents()
        several = len(rows) > 1
        self._ui.nextButton.enabled = self._ui.previousButton.enabled = several
        self._quiet = False

    def _sayEdited(self) -> None:
        ui, result = self._ui, self._result
        edited = result is not None and result.edited
        moved = result is not None and result.lineMoved
        ui.editedLabel.text = (
            _("The segment was edited: these numbers are from before. Choose Recompute.") if edited else ""
        )
        ui.editedLabel.visible = edited
        ui.linesLabel.text = self._words.lines(self._lines()) if moved else ""
        ui.linesLabel.visible = bool(ui.linesLabel.text)

    def _lines(self) -> dict[str, Any]:
        output = LineOutput(self._result.nodes.segmentation.GetScene())
        whole = {
            key: node
            for key, node in self._result.nodes.lines.items()
            if node.GetNumberOfControlPoints() == 2
        }
        return {key: output.read(node) for key, node in whole.items()}

    def _follow(self) -> None:
        if self._result is None:
            return
        segmentationNode = self._result.nodes.segmentation
        content, events = segmentationNode.GetSegmentation(), slicer.vtkSegmentation
        for event in (events.SourceRepresentationModified, events.SegmentAdded, events.SegmentRemoved):
            self.addObserver(content, event, self._onSegmentEdited)
        for lineNode in self._result.nodes.lines.values():
            self.addObserver(lineNode, slicer.vtkMRMLMarkupsNode.PointModifiedEvent, self._onLineMoved)

    def _onSegmentEdited(self, _caller, _event) -> None:
        self._result.mark(EDITED_ATTRIBUTE, on=True)
        self._sayEdited()

    def _onLineMoved(self, _caller, _event) -> None:
        self._result.mark(LINE_MOVED_ATTRIBUTE, on=True)
        self._sayEdited()

    def _edit(self) -> None:
        with self._errors.guarded():
            self._desktop.openSegmentEditor(self._result.nodes.segmentation, self._result.nodes.volume)

    def _jumpToSelected(self) -> None:
        if not self._quiet:
            self.jumpToRow(self._ui.findingTable.currentRow())

    def _next(self) -> None:
        self._step(1)

    def _previous(self) -> None:
        self._step(-1)

    def _step(self, by: int) -> None:
        table = self._ui.findingTable
        if table.rowCount:
            table.setCurrentCell((table.currentRow() + by) % table.rowCount, 0)


def _prepareTable(table) -> None:
    table.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
    table.setSelectionMode(qt.QAbstractItemView.SingleSelection)
    table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
    table.verticalHeader().visible = False
    table.verticalHeader().defaultSectionSize = _ROW_PX
    table.horizontalHeader().setStretchLastSection(True)


def _prepareTree(tree) -> None:
    tree.setColumnCount(2)
    tree.setHeaderLabels([_("Check"), _("Measured")])


def _fillChecks(tree, checks: tuple[Check, ...]) -> None:
    tree.clear()
    # What needs attention comes first.
    order = (Outcome.REFUSE, Outcome.WARN, Outcome.PASS)
    for check in sorted(checks, key=lambda one: order.index(one.outcome)):
        tree.addTopLevelItem(checkItem(check))
    tree.resizeColumnToContents(0)


def checkItem(check: Check):
    """Return a check as a line of a tree: sign, name, measured value; the rest is said when one hovers."""
    sign, color = _OUTCOMES[check.outcome]
    item = qt.QTreeWidgetItem([f"{sign} {check.name}", check.measured])
    item.setForeground(0, qt.QBrush(qt.QColor(*color)))
    said = _("Found: {found}\nExpected: {expected}").format(found=check.measured, expected=check.expected)
    for column in range(2):
        item.setToolTip(column, "\n".join(filter(None, (said, check.remedy))))
    return item


def _title(column) -> str:
    unit = display_unit(column.unit)
    return f"{column.title} ({unit})" if unit else column.title


def _limits(result: LinkedResult) -> str:
    made = result.manifest
    software = ", ".join(f"{name} {found}" for name, found in (made.get("software") or {}).items())
    made_by = _("Made by {method}, {tier}; {software}.").format(
        method=made.get("method", ""), tier=made.get("tier", ""), software=software
    )
    said = [words for words in result.statements if words != RESEARCH_USE_ONLY]
    return "\n".join([RESEARCH_USE_ONLY, *(f"• {words}" for words in said), made_by])
