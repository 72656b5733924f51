"""From a stored result to ``scene.mrb`` and ``overview.png`` in its folder, without 3D Slicer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctinsight.report import RESULT_FILES, to_document
from ctinsight.report.wording import task_look
from CTInsightLib.CaseOutput import CaseOutput
from CTInsightLib.HeadlessScene import HeadlessScene
from CTInsightLib.OffscreenWindow import prepareOffscreenWindow
from CTInsightLib.OverviewPicture import writeOverview
from CTInsightLib.ResultLink import linkResult
from CTInsightLib.SceneViews import MADE_WITH, prepareViews, sceneMadeWith
from CTInsightLib.VolumeBridge import addVolumeNode

if TYPE_CHECKING:
    from ctinsight.report import StoredResult
    from CTInsightLib.CaseOutput import CaseNodes


def writeResultScene(stored: StoredResult) -> tuple[str, ...]:
    """Write the scene, then the picture where this machine can draw one.

    Returns
    -------
    tuple
        A sentence for each file that was left out.
    """
    with HeadlessScene() as headless:
        nodes = fillScene(headless, stored)
        headless.save(stored.folder / RESULT_FILES["scene"])
        reason = prepareOffscreenWindow()
        if reason:
            return (f"{RESULT_FILES['overview']} was left out. {reason}",)
        writeOverview(headless, stored.result, nodes, stored.folder)
        if not (stored.folder / RESULT_FILES["axial_picture"]).is_file():
            return ("The axial picture is absent, so the overview shows the 3-D views alone.",)
    return ()


def fillScene(headless: HeadlessScene, stored: StoredResult) -> CaseNodes:
    """Put the CT and everything that was found in it into an empty scene."""
    window = task_look(stored.result.task).window
    volume = stored.scan.volume
    volumeNode = addVolumeNode(headless.scene, volume, "CT", windowHu=(window.center_hu, window.width_hu))
    output = CaseOutput(headless.scene)
    nodes = output.addBodySurface(output.write(stored.result, volumeNode), volume)
    # So that the module's panel in 3D Slicer shows the numbers and can recompute them.
    linkResult(headless.scene, nodes, to_document(stored.result, stored.scan, {}))
    prepareViews(headless.scene, volumeNode, stored.result.segmentation)
    made = sceneMadeWith()
    nodes.text.SetText(f"{nodes.text.GetText()}\n\nThis scene was made with {made}.")
    nodes.text.SetAttribute(MADE_WITH, made)
    return nodes
