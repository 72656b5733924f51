"""What a panel asks of the application around it: questions, slice views, other modules, the clipboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctinsight.window import Window


class SlicerDesktop:
    """3D Slicer's own windows; a test hands over another one where it needs to."""

    def confirm(self, text: str, title: str) -> bool:
        """Ask a question that is answered by yes or no."""
        return bool(slicer.util.confirmYesNoDisplay(text, windowTitle=title))

    def copy(self, text: str) -> None:
        """Put a text on the clipboard."""
        slicer.app.clipboard().setText(text)

    def hostName(self) -> str:
        """Return name and version of the application."""
        return f"{slicer.app.applicationName} {slicer.app.applicationVersion}"

    def dicomDatabase(self):
        """Return the database of DICOM files, or None where there is none."""
        return getattr(slicer, "dicomDatabase", None)

    def jump(self, scene, position_ras: Sequence[float]) -> None:
        """Bring every slice view to a point, RAS in mm."""
        slicer.vtkMRMLSliceNode.JumpAllSlices(scene, *(float(value) for value in position_ras))

    def showVolume(self, volumeNode) -> None:
        """Put a volume into the background of the slice views and fit them to it."""
        slicer.util.setSliceViewerLayers(background=volumeNode, fit=True)

    def setWindow(self, volumeNode, window: Window) -> None:
        """Set the display window of a volume; done only when the user asks for it."""
        display = volumeNode.GetScalarVolumeDisplayNode()
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(window.width_hu, window.center_hu)

    def placePoint(self, pointsNode) -> None:
        """Let the next click in a view add a point to a markups node."""
        selection = slicer.app.applicationLogic().GetSelectionNode()
        selection.SetReferenceActivePlaceNodeClassName(pointsNode.GetClassName())
        selection.SetActivePlaceNodeID(pointsNode.GetID())
        interaction = slicer.app.applicationLogic().GetInteractionNode()
        interaction.SetPlaceModePersistence(0)
        interaction.SetCurrentInteractionMode(interaction.Place)

    def openModule(self, name: str) -> None:
        """Show another module's panel."""
        slicer.util.selectModule(name)

    def openSegmentEditor(self, segmentationNode, volumeNode) -> None:
        """Show the Segment Editor on a segmentation and its CT."""
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
        editor.setSegmentationNode(segmentationNode)
        if volumeNode is not None:
            editor.setSourceVolumeNode(volumeNode)
