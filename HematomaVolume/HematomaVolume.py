"""HematomaVolume: blood in a plain head CT, outlined and measured in mL. The door of the module."""

# ruff: noqa: N802, N803, N806, N815, PT009 - 3D Slicer's names are camelCase; its tests are unittest's.

import enum
import time
from importlib.util import find_spec
from typing import Annotated

import qt
import slicer
from slicer import vtkMRMLMarkupsFiducialNode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

#: The catalogue's name of the network of this module.
MODEL = "hematoma-drunet"


class HematomaVolume(ScriptedLoadableModule):
    """What 3D Slicer lists: title, place, help and thanks."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("HematomaVolume")
        parent.categories = ["CT Insight"]
        parent.dependencies = ["CTInsight"]
        parent.contributors = ["CT Insight contributors"]
        parent.helpText = _(
            "<p><b>Research use only. Not a medical device.</b></p><p>Outlines blood in a plain head CT and "
            "measures it in mL, beside ABC/2. Choose the CT, then Apply. Three methods need no weights "
            "(seeded threshold, fuzzy c-means, active contour); DR-UNet needs trained weights, which its "
            "authors do not publish: CT Insight Setup says where to ask. All methods know one class of "
            "blood. A segment can be edited and measured again; the lines of ABC/2 can be moved.</p>"
        )
        parent.acknowledgementText = _(
            "<p>DR-UNet: “A Robust Deep Learning Segmentation Method for Hematoma Volumetric Detection in "
            "Intracerebral Hemorrhage”, Stroke 2022, re-implemented from its description. ABC/2: Kothari et "
            "al., Stroke 1996;27:1304-1305. Licence of this module: Apache-2.0; weights keep their own.</p>"
        )
        slicer.app.connect("startupCompleted()", registerSample)


def registerSample():
    """Offer the sample in the module Sample Data."""
    if find_spec("CTInsightLib") is not None:
        from CTInsightLib import SampleRegistration

        SampleRegistration.registerSample("HematomaVolume", _("Head CT with a bleed (synthetic)"))


class Method(enum.Enum):
    """How the blood is outlined; values as in ``ctinsight.tasks.hematoma.Method``."""

    THRESHOLD = "threshold"
    FUZZY_C_MEANS = "fcm"
    ACTIVE_CONTOUR = "active-contour"
    DRUNET = "drunet"

    def label(self):
        """Return the words of the chooser."""
        return {
            "threshold": _("Seeded threshold (no weights)"),
            "fcm": _("Fuzzy c-means (no weights)"),
            "active-contour": _("Active contour (no weights)"),
            "drunet": _("DR-UNet (trained weights)"),
        }[self.value]


class Normalisation(enum.Enum):
    """Which statistics DR-UNet's batch normalisation uses."""

    MOVING = "moving"
    SLICE = "slice"
    BATCH = "batch"

    def label(self):
        """Return the words of the chooser."""
        return {"moving": _("Usual"), "slice": _("Of each slice"), "batch": _("Of each batch")}[self.value]


class Device(enum.Enum):
    """Where DR-UNet runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"

    def label(self):
        """Return the words of the chooser."""
        return {"auto": _("Automatic"), "cpu": _("Processor"), "cuda": _("Graphics card")}[self.value]


@parameterNodeWrapper
class HematomaVolumeParameterNode:
    """Every choice of the panel; saved with the scene.

    ``result`` is the result that is shown; ``weights`` names installed weights, empty for the usual ones.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    seed: vtkMRMLMarkupsFiducialNode
    method: Method = Method.THRESHOLD
    weights: str = ""
    fixedRange: bool = False
    lowerHU: Annotated[float, WithinRange(-100, 200)] = 45.0
    upperHU: Annotated[float, WithinRange(-100, 200)] = 90.0
    smallestML: Annotated[float, WithinRange(0, 20)] = 0.4
    fillHoles: bool = True
    networkThreshold: Annotated[float, WithinRange(0.01, 0.99)] = 0.5
    normalisation: Normalisation = Normalisation.MOVING
    device: Device = Device.AUTO
    replaceResult: bool = False
    result: vtkMRMLSegmentationNode


class HematomaVolumeLogic(ScriptedLoadableModuleLogic):
    """From the panel's choices to what the task takes."""

    def getParameterNode(self):
        """Return the choices of this scene."""
        return HematomaVolumeParameterNode(super().getParameterNode())

    def parameters(self, chosen, weights=""):
        """Return plain values of ``ctinsight.tasks.hematoma.Parameters``."""
        from CTInsightLib.PointsInput import lastPoint

        network = chosen.method is Method.DRUNET
        point = None if network else lastPoint(chosen.seed)
        return {
            "method": chosen.method.value,
            "point_ras": point,
            "range_hu": [chosen.lowerHU, chosen.upperHU] if chosen.fixedRange else None,
            "clean_up": {"min_component_ml": chosen.smallestML},
            "hole_rule": "fill" if chosen.fillHoles else "keep",
            "weights": weights or None if network else None,
            "network": {
                "probability_threshold": chosen.networkThreshold,
                "bn_mode": chosen.normalisation.value,
                "device": chosen.device.value,
            },
        }

    def refusal(self, chosen, installedWeights):
        """Return why Apply cannot be used; empty when it can."""
        if chosen.inputVolume is None or chosen.inputVolume.GetImageData() is None:
            return _("Choose a head CT, or try it on the sample.")
        if chosen.fixedRange and chosen.lowerHU >= chosen.upperHU:
            return _("The range of blood must begin below its end.")
        if chosen.method is Method.DRUNET and not installedWeights:
            return _(
                "DR-UNet needs weights, and none are installed: get or import them, or choose another method."
            )
        return ""


class HematomaVolumeWidget(ScriptedLoadableModuleWidget):
    """The panel: inputs and options of this module; the rest is ``CTInsightLib.TaskPanel``."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.logic = self.panel = self.weights = self.choices = None

    def setup(self):
        """Build the panel, or say what is missing."""
        ScriptedLoadableModuleWidget.setup(self)
        if find_spec("CTInsightLib") is None:
            self.layout.addWidget(_missingSibling())
            return
        from CTInsightLib.ParameterNodePanel import NodeHooks, ParameterNodePanel
        from CTInsightLib.TaskPanel import addRunWidgets

        uiWidget = slicer.util.loadUI(self.resourcePath("UI/HematomaVolume.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = addRunWidgets(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = HematomaVolumeLogic()
        self._buildPanel()
        find, close, shown = self.logic.getParameterNode, self.panel.cancel, lambda: self.parent.isEntered
        hooks = NodeHooks(find, self._use, self.update, close, shown)
        self.choices = ParameterNodePanel(self.ui, slicer.mrmlScene, hooks)

    def _buildPanel(self):
        from CTInsightLib.HematomaGlance import COMPONENTS, glanceOf, linesText
        from CTInsightLib.ResultPanel import ResultWords
        from CTInsightLib.SlicerDesktop import SlicerDesktop
        from CTInsightLib.TaskLogic import TaskLogic
        from CTInsightLib.TaskPanel import TaskHooks, TaskPanel
        from CTInsightLib.WeightsChooserPanel import WeightsChooserPanel
        from CTInsightLib.WorkerProcess import WorkerProcess

        self.desktop = SlicerDesktop()
        taskLogic = TaskLogic(slicer.mrmlScene, "hematoma", WorkerProcess())
        sample = ("head-phantom", _("Sample head CT (synthetic)"), {})
        words = ResultWords(glanceOf, linesText, COMPONENTS)
        hooks = TaskHooks(self._refusal, self._request, words, self._packages, sample)
        self.panel = TaskPanel(self.ui, taskLogic, hooks, self.desktop)
        self.weights = WeightsChooserPanel(self.ui.weightsSelector, MODEL, self.panel.errors)
        self.ui.placeSeedButton.connect("clicked(bool)", self.onPlaceSeed)
        for button in (self.ui.setupButton, self.ui.weightsButton):
            button.connect("clicked(bool)", self.onOpenSetup)

    def cleanup(self):
        """Stop the worker when the module is unloaded or the application ends."""
        if self.panel is not None:
            self.choices.close()
            self.panel.close()

    def enter(self):
        """Look at scene and model folder again when the module is shown."""
        if self.choices is not None:
            self.choices.refresh()

    def update(self):
        """Bring the panel in step with the choices."""
        chosen = self.panel.parameterNode
        network = chosen is not None and chosen.method is Method.DRUNET
        fixed = chosen is not None and chosen.fixedRange and not network
        for name in ("weightsSelector", "normalisationSelector", "deviceSelector", "thresholdSpinBox"):
            getattr(self.ui, name).enabled = network
        self.ui.seedSelector.enabled = self.ui.placeSeedButton.enabled = not network
        self.ui.lowerSpinBox.enabled = self.ui.upperSpinBox.enabled = fixed
        self.panel.update()

    def _use(self, node):
        self.panel.parameterNode = self.weights.parameterNode = node

    def onPlaceSeed(self):
        """Let the user click into the bleed."""
        chosen = self.choices.node
        if chosen.seed is None:
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", _("Point in the bleed"))
            node.CreateDefaultDisplayNodes()
            chosen.seed = node
        self.desktop.placePoint(chosen.seed)

    def onOpenSetup(self):
        """Show the models page."""
        with self.panel.errors.guarded():
            self.desktop.openModule("CTInsight")

    def _refusal(self):
        installed = self.weights.chosen if self.weights is not None else ""
        return self.logic.refusal(self.panel.parameterNode, installed)

    def _packages(self):
        from CTInsightLib.Dependencies import FOR_NETWORKS

        return FOR_NETWORKS if self.panel.parameterNode.method is Method.DRUNET else ()

    def _request(self):
        chosen = self.panel.parameterNode
        values = self.logic.parameters(chosen, self.weights.chosen)
        return self.panel.requestFor(values, replace=chosen.replaceResult)


def _missingSibling():
    label = qt.QLabel(
        _(
            "This module needs the folder CTInsight of the same extension, and it is not there. Install the "
            "extension CT Insight again; in developer mode add the folder CTInsight to the module paths "
            "(Edit, Application Settings, Modules) and restart."
        )
    )
    label.wordWrap = True
    return label


class HematomaVolumeTest(ScriptedLoadableModuleTest):
    """The test inside the 3D Slicer application: sample, run, edit, recompute."""

    def runTest(self):
        """Begin with an empty scene, then run every test."""
        slicer.mrmlScene.Clear()
        self.test_the_sample_is_measured_and_shown()

    def test_the_sample_is_measured_and_shown(self):
        """Clicking "Try it on the sample" ends with a volume within 2 mL of the 25 mL that were drawn."""
        slicer.util.selectModule("HematomaVolume")
        widget = slicer.modules.HematomaVolumeWidget
        widget.ui.sampleButton.click()
        self._wait(widget)
        result = widget.panel.result.result
        self.assertAlmostEqual(result.finding("volume_ml").value, 25.0, delta=2.0)
        widget.ui.recomputeButton.click()
        self._wait(widget)
        self.assertTrue(widget.panel.result.result.manifest["edited"])

    def _wait(self, widget, seconds=120):
        started = time.monotonic()
        while widget.panel.waiting and time.monotonic() - started < seconds:
            slicer.app.processEvents()
            time.sleep(0.01)
        self.assertFalse(widget.panel.waiting)
