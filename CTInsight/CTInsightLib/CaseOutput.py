"""A whole result in a scene: segmentation, tables, lines, statements and the body's outer surface."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.errors import WrongUseError
from ctinsight.report.wording import task_look
from CTInsightLib.BodySurface import addBodySurface
from CTInsightLib.LineOutput import LineOutput
from CTInsightLib.SegmentationOutput import SegmentationOutput
from CTInsightLib.StudyFolder import placeInStudy
from CTInsightLib.TableOutput import TableOutput, findingsTable
from CTInsightLib.ValueSurface import writeValueSurface

if TYPE_CHECKING:
    from ctinsight.result import CaseResult
    from ctinsight.volume import Volume


#: With more lines than this their names cover each other; each can be shown again in Slicer.
MOST_LABELLED_LINES = 6


@dataclass(frozen=True)
class ChosenNodes:
    """Nodes that the user chose for the output; what is left out is made anew.

    ``tables`` and ``lines`` go by the key of the table or line; the key of the findings is "findings".
    """

    segmentation: Any = None
    tables: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, Any] = field(default_factory=dict)
    text: Any = None
    surface: Any = None


@dataclass(frozen=True)
class CaseNodes:
    """The nodes that hold one result; hand them back as ``ChosenNodes`` to write over them."""

    volume: Any
    segmentation: Any
    tables: dict[str, Any]
    lines: dict[str, Any]
    text: Any
    surface: Any

    def asChosen(self) -> ChosenNodes:
        """Return the same nodes as targets of the next writing."""
        return ChosenNodes(self.segmentation, self.tables, self.lines, self.text, self.surface)


class CaseOutput:
    """Write results into one scene.

    ``write`` makes one undo point (``scene.SaveStateForUndo()``) before it touches anything and lets its
    nodes take part in undo: a panel need not do either. Slicer keeps undo off until ``scene.SetUndoOn()``
    is called; ``scene.Undo()`` then takes new nodes away and gives overwritten ones their content back.
    """

    def __init__(self, scene):
        self._scene = scene

    def write(
        self, result: CaseResult, volumeNode, *, chosen: ChosenNodes | None = None, overwrite: bool = False
    ) -> CaseNodes:
        """Write every part of a result.

        Parameters
        ----------
        result
            In world coordinates, on the grid of the CT.
        volumeNode
            The CT's node: it gives the study in the subject hierarchy.
        chosen
            Nodes to fill; new ones are made for what is left out.
        overwrite
            Whether chosen nodes may lose their content; ask the user first.

        Raises
        ------
        WrongUseError
            A chosen node has content and ``overwrite`` is false.
        """
        chosen = chosen or ChosenNodes()
        # Only nodes that take part when the state is saved get their content back.
        _enableUndo([chosen.segmentation, *chosen.tables.values(), *chosen.lines.values(), chosen.text])
        self._scene.SaveStateForUndo()
        segmentationOutput = SegmentationOutput(self._scene)
        segmentation = segmentationOutput.write(
            chosen.segmentation,
            result.segmentation,
            overwrite=overwrite,
            volumeNode=volumeNode,
            task=result.task,
        )
        tables = self._writeTables(result, chosen, overwrite)
        lines = self._writeLines(result, chosen, overwrite)
        nodes = CaseNodes(
            volumeNode, segmentation, tables, lines, self._writeText(result, chosen, overwrite), None
        )
        self._place(result, nodes)
        self._writeValueSurface(result, nodes)
        return nodes

    def rewriteNumbers(self, result: CaseResult, nodes: CaseNodes) -> CaseNodes:
        """Write tables, lines and statements of a recomputed result over the ones of ``nodes``.

        The segmentation is left as the user edited it. This is one undo step, as :meth:`write` is.
        """
        chosen = nodes.asChosen()
        self._scene.SaveStateForUndo()
        tables, lines = self._writeTables(result, chosen, True), self._writeLines(result, chosen, True)
        for key in set(nodes.lines) - set(lines):
            self._scene.RemoveNode(nodes.lines[key])
        text = self._writeText(result, chosen, True)
        written = CaseNodes(nodes.volume, nodes.segmentation, tables, lines, text, nodes.surface)
        self._place(result, written)
        self._writeValueSurface(result, written)
        return written

    def addBodySurface(self, nodes: CaseNodes, volume: Volume) -> CaseNodes:
        """Add the translucent outer surface of the body, so that the 3-D view shows where a finding lies."""
        surface = addBodySurface(self._scene, nodes.surface, volume)
        placeInStudy(self._scene, [surface], studyName="", volumeNode=nodes.volume)
        return CaseNodes(nodes.volume, nodes.segmentation, nodes.tables, nodes.lines, nodes.text, surface)

    def _writeValueSurface(self, result: CaseResult, nodes: CaseNodes) -> None:
        if result.surface is not None:
            model = writeValueSurface(self._scene, result.surface, nodes.segmentation)
            placeInStudy(self._scene, [model], studyName="", volumeNode=nodes.volume)

    def _writeTables(self, result: CaseResult, chosen: ChosenNodes, overwrite: bool) -> dict[str, Any]:
        output = TableOutput(self._scene)
        return {
            table.key: output.write(chosen.tables.get(table.key), table, overwrite=overwrite)
            for table in (findingsTable(result.findings), *result.tables)
        }

    def _writeLines(self, result: CaseResult, chosen: ChosenNodes, overwrite: bool) -> dict[str, Any]:
        output = LineOutput(self._scene)
        lines = {
            line.key: output.write(chosen.lines.get(line.key), line, overwrite=overwrite)
            for line in result.lines
        }
        for lineNode in lines.values() if len(lines) > MOST_LABELLED_LINES else ():
            lineNode.GetDisplayNode().SetPointLabelsVisibility(False)
        return lines

    def _writeText(self, result: CaseResult, chosen: ChosenNodes, overwrite: bool):
        node = chosen.text
        if node is None:
            name = self._scene.GenerateUniqueName("CT Insight statements")
            node = self._scene.AddNewNodeByClass("vtkMRMLTextNode", name)
        elif node.GetText() and not overwrite:
            raise WrongUseError(
                found=f"'{node.GetName()}' already holds a text",
                expected="an empty text, or the permission to replace it",
                remedy="Choose a new text, or confirm that it is replaced.",
            )
        node.SetText(statementText(result))
        return node

    def _place(self, result: CaseResult, nodes: CaseNodes) -> None:
        outputs = [nodes.segmentation, *nodes.tables.values(), *nodes.lines.values(), nodes.text]
        _enableUndo(outputs)
        name = f"CT Insight {task_look(result.task).title}"
        placeInStudy(self._scene, [nodes.volume, *outputs], studyName=name, volumeNode=nodes.volume)


def _enableUndo(nodes) -> None:
    for node in filter(None, nodes):
        node.SetUndoEnabled(True)
        if node.IsA("vtkMRMLDisplayableNode"):
            display = node.GetDisplayNode()
            if display is not None:
                display.SetUndoEnabled(True)


def statementText(result: CaseResult) -> str:
    """Return what must be read with the numbers: the purpose, the limits and the input checks."""
    checks = [
        f"- {check.outcome.upper()} {check.name}: {check.measured}; expected {check.expected}. {check.remedy}"
        for check in result.checks
    ]
    statements = [f"- {statement}" for statement in result.statements]
    parts = [RESEARCH_USE_ONLY, "", "Limits of this result:", *(statements or ["- none stated"])]
    return "\n".join([*parts, "", "Input checks:", *(checks or ["- none were made"])])
