"""The module Segment Editor: knows which segmentation it was opened on; it has no effects."""

from __future__ import annotations

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget


class SegmentEditor(ScriptedLoadableModule):
    """The module."""

    def __init__(self, parent):
        super().__init__(parent)
        parent.title = "Segment Editor"


class SegmentEditorWidget(ScriptedLoadableModuleWidget):
    """The panel, of which other modules use ``editor``."""

    def setup(self):
        """Put the editor into the panel."""
        super().setup()
        self.editor = slicer.qMRMLSegmentEditorWidget()
        self.editor.setMRMLScene(slicer.mrmlScene)
        self.layout.addWidget(self.editor)
