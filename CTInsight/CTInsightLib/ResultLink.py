"""What keeps a result together in a scene: references from its segmentation to everything else of it.

They are saved with the scene, so a result can be shown, recomputed and removed again after it was reloaded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ctinsight.errors import UnreadableFileError
from ctinsight.report.result_json import parts_of, segments_of
from CTInsightLib.CaseOutput import CaseNodes
from CTInsightLib.SegmentationOutput import TASK_ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctinsight.finding import Check, Finding, Segment, Table

#: Set when a person changed the segment or a line after the numbers were made.
EDITED_ATTRIBUTE = "CTInsight.edited"
LINE_MOVED_ATTRIBUTE = "CTInsight.line_moved"
_ROLE = "CTInsight."
_DOCUMENT, _VOLUME, _TEXT, _SURFACE = "document", "volume", "text", "surface"
_TABLE, _LINE = "table.", "line."


@dataclass(frozen=True)
class LinkedResult:
    """The nodes of a result and its document (as in ``result.json``)."""

    nodes: CaseNodes
    document_node: Any
    document: Mapping[str, Any]

    @cached_property
    def _parts(self) -> dict[str, Any]:
        try:
            return parts_of(self.document)
        except (KeyError, TypeError, AttributeError) as error:
            raise _unusable(why=f"no usable entry {error}") from error

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding, in the order of the report."""
        return self._parts["findings"]

    @property
    def checks(self) -> tuple[Check, ...]:
        """The input checks."""
        return self._parts["checks"]

    @property
    def statements(self) -> tuple[str, ...]:
        """Limits that must be read with the numbers."""
        return self._parts["statements"]

    @property
    def manifest(self) -> Mapping[str, Any]:
        """How the numbers were made; no patient identity."""
        return self._parts["manifest"]

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments that the numbers are of."""
        return segments_of(self.document)

    def finding(self, key: str) -> Finding | None:
        """Return one finding by its key, or None."""
        return next((finding for finding in self.findings if finding.key == key), None)

    def table(self, key: str) -> Table | None:
        """Return one table by its key, or None."""
        return next((table for table in self._parts["tables"] if table.key == key), None)

    @property
    def edited(self) -> bool:
        """Whether a segment was changed since the numbers were made."""
        return self.nodes.segmentation.GetAttribute(EDITED_ATTRIBUTE) == "1"

    @property
    def lineMoved(self) -> bool:
        """Whether a line was moved since it was drawn."""
        return self.nodes.segmentation.GetAttribute(LINE_MOVED_ATTRIBUTE) == "1"

    def mark(self, attribute: str, *, on: bool) -> None:
        """Set or clear ``EDITED_ATTRIBUTE`` or ``LINE_MOVED_ATTRIBUTE``."""
        if (self.nodes.segmentation.GetAttribute(attribute) == "1") != on:
            self.nodes.segmentation.SetAttribute(attribute, "1" if on else None)

    def ownNodes(self) -> list[Any]:
        """Return every node that the result brought; the CT is not among them."""
        nodes = self.nodes
        own = [nodes.segmentation, *nodes.tables.values(), *nodes.lines.values(), nodes.text, nodes.surface]
        return [node for node in (*own, self.document_node) if node is not None]

    def remove(self, scene) -> None:
        """Take the result out of the scene, in one undo step; the CT stays."""
        scene.SaveStateForUndo()
        for node in self.ownNodes():
            scene.RemoveNode(node)


def linkResult(scene, nodes: CaseNodes, document: Mapping[str, Any], earlier: Any = None) -> LinkedResult:
    """Tie the nodes of a result to its segmentation.

    Parameters
    ----------
    document
        What ``ctinsight.report.to_document`` made; it holds no patient identity.
    earlier
        The document node of the same result from before; its content is replaced.
    """
    documentNode = earlier
    if documentNode is None:
        name = scene.GenerateUniqueName("CT Insight result document")
        documentNode = scene.AddNewNodeByClass("vtkMRMLTextNode", name)
        documentNode.SetHideFromEditors(True)
        documentNode.SetUndoEnabled(True)
    documentNode.SetText(json.dumps(document, ensure_ascii=False))
    segmentation = nodes.segmentation
    segmentation.SetAttribute(TASK_ATTRIBUTE, document["task"])
    references = {_DOCUMENT: documentNode, _VOLUME: nodes.volume, _TEXT: nodes.text, _SURFACE: nodes.surface}
    references |= {_TABLE + key: node for key, node in nodes.tables.items()}
    references |= {_LINE + key: node for key, node in nodes.lines.items()}
    for role in _roles(segmentation):
        segmentation.RemoveNodeReferenceIDs(role)
    for role, node in references.items():
        if node is not None:
            segmentation.SetNodeReferenceID(_ROLE + role, node.GetID())
    linked = LinkedResult(nodes, documentNode, document)
    linked.mark(EDITED_ATTRIBUTE, on=False)
    linked.mark(LINE_MOVED_ATTRIBUTE, on=False)
    return linked


def linkedResult(segmentationNode) -> LinkedResult | None:
    """Return the result that a segmentation belongs to, or None when it is no result of ours.

    Raises
    ------
    UnreadableFileError
        Its document is damaged.
    """
    if segmentationNode is None or segmentationNode.GetAttribute(TASK_ATTRIBUTE) is None:
        return None
    documentNode = segmentationNode.GetNodeReference(_ROLE + _DOCUMENT)
    if documentNode is None:
        return None
    try:
        document = json.loads(documentNode.GetText())
    except ValueError as error:
        raise _unusable(why=str(error)) from error
    nodes = CaseNodes(
        segmentationNode.GetNodeReference(_ROLE + _VOLUME),
        segmentationNode,
        _referenced(segmentationNode, _TABLE),
        _referenced(segmentationNode, _LINE),
        segmentationNode.GetNodeReference(_ROLE + _TEXT),
        segmentationNode.GetNodeReference(_ROLE + _SURFACE),
    )
    return LinkedResult(nodes, documentNode, document)


def _referenced(segmentationNode, group: str) -> dict[str, Any]:
    prefix = _ROLE + group
    roles = [role for role in _roles(segmentationNode) if role.startswith(prefix)]
    found = {role.removeprefix(prefix): segmentationNode.GetNodeReference(role) for role in roles}
    return {key: node for key, node in found.items() if node is not None}


def _roles(segmentationNode) -> list[str]:
    roles: list[str] = []
    segmentationNode.GetNodeReferenceRoles(roles)
    return [role for role in roles if role.startswith(_ROLE)]


def _unusable(*, why: str) -> UnreadableFileError:
    return UnreadableFileError(
        found=f"the document of this result in the scene: {why}",
        expected="the document as it was written",
        remedy="Run it again; the segmentation itself is whole.",
    )
