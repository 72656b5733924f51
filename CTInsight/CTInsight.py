"""CT Insight Setup: models, packages and a check of this machine. The door of the module.

The folder of this module also holds the packages that the four clinical modules share.
Research use only. Not a medical device.
"""
# ruff: noqa: N802, N806, PT009 - 3D Slicer's names are camelCase; its tests are unittest's.

import time

import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)


class CTInsight(ScriptedLoadableModule):
    """What 3D Slicer lists: title, place, help and thanks."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("CT Insight Setup")
        parent.categories = ["CT Insight"]
        parent.dependencies = []
        parent.contributors = ["CT Insight contributors"]
        parent.helpText = _(
            "<p><b>Research use only. Not a medical device.</b></p><p>Lists the models, atlases and samples "
            "of CT Insight with their terms; fetches what has a public source, after asking, and imports "
            "files that you have. Checks what this machine has and lacks. Nothing is fetched, installed or "
            "sent unasked; with “Never touch the network” only files of this machine are used.</p>"
        )
        parent.acknowledgementText = _(
            "<p>Each line names the paper, the licence and, where there is one, the patent of its model: the "
            "EMV-3D-CNN nodule method is the subject of patent CN115620899B. Licence of this module: "
            "Apache-2.0; weights keep their own.</p>"
        )


class CTInsightLogic(ScriptedLoadableModuleLogic):
    """Nothing of its own: the core and ``CTInsightLib`` do the work."""


class CTInsightWidget(ScriptedLoadableModuleWidget):
    """The panel; its conduct is ``CTInsightLib.SetupPanel``."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.panel = None

    def setup(self):
        """Build the panel."""
        ScriptedLoadableModuleWidget.setup(self)
        from CTInsightLib.SetupPanel import SetupPanel
        from CTInsightLib.SlicerDesktop import SlicerDesktop
        from CTInsightLib.WorkerJob import WorkerJob
        from CTInsightLib.WorkerProcess import WorkerProcess

        uiWidget = slicer.util.loadUI(self.resourcePath("UI/CTInsight.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.panel = SetupPanel(self.ui, WorkerJob(WorkerProcess()), SlicerDesktop())

    def enter(self):
        """Look again when the module is shown."""
        if self.panel is not None and not self.panel.busy:
            self.panel.refresh()

    def cleanup(self):
        """Stop the worker when the module is unloaded or the application ends."""
        if self.panel is not None:
            self.panel.close()


class CTInsightTest(ScriptedLoadableModuleTest):
    """The test inside the 3D Slicer application: the list is there, and this machine is examined."""

    def runTest(self):
        """Begin with an empty scene, then run every test."""
        slicer.mrmlScene.Clear()
        self.test_models_are_listed_and_the_machine_is_examined()

    def test_models_are_listed_and_the_machine_is_examined(self):
        """The list names DR-UNet, and the check of this machine ends with a line for each package."""
        slicer.util.selectModule("CTInsight")
        widget = slicer.modules.CTInsightWidget
        self.assertGreater(widget.ui.modelTree.topLevelItemCount, 10)
        widget.ui.doctorButton.click()
        started = time.monotonic()
        while widget.panel.busy and time.monotonic() - started < 60:
            slicer.app.processEvents()
            time.sleep(0.01)
        self.assertGreater(widget.ui.doctorTree.topLevelItemCount, 8)
