"""Where result nodes stand in the subject hierarchy: in the CT's study, or in one of their own."""

from __future__ import annotations

import slicer


def placeInStudy(scene, nodes, *, studyName: str, volumeNode=None) -> int:
    """Put nodes into the study of the CT, or into a new one without a patient.

    Parameters
    ----------
    nodes
        The nodes to place, in this order.
    studyName
        Name of the study that is made when the CT lies in none.
    volumeNode
        The CT. When it already lies below a patient, study or folder, the nodes go there.

    Returns
    -------
    int
        The subject-hierarchy item that holds the nodes.
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = _parentOf(hierarchy, volumeNode)
    if study is None:
        study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), studyName)
    for node in nodes:
        item = hierarchy.GetItemByDataNode(node)
        # Inside Slicer a plugin makes the item when the node is added; without Slicer nobody does.
        if item == hierarchy.GetInvalidItemID():
            hierarchy.CreateItem(study, node)
        else:
            hierarchy.SetItemParent(item, study)
    return study


def _parentOf(hierarchy, volumeNode) -> int | None:
    item = hierarchy.GetItemByDataNode(volumeNode) if volumeNode is not None else hierarchy.GetInvalidItemID()
    if item == hierarchy.GetInvalidItemID():
        return None
    parent = hierarchy.GetItemParent(item)
    return None if parent in (hierarchy.GetSceneItemID(), hierarchy.GetInvalidItemID()) else parent
