"""What every clinical panel does alike: Apply that says why not, progress, cancel, errors, the result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from ctinsight.errors import ProcessingFailedError
from CTInsightLib.Dependencies import PackageInstall, missing, question
from CTInsightLib.ErrorPanel import ErrorPanel
from CTInsightLib.ResultPanel import ResultPanel
from CTInsightLib.SegmentationOutput import TASK_ATTRIBUTE
from CTInsightLib.TaskLogic import TaskRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from CTInsightLib.ResultLink import LinkedResult
    from CTInsightLib.ResultPanel import ResultWords
    from CTInsightLib.SlicerDesktop import SlicerDesktop
    from CTInsightLib.TaskLogic import TaskLogic

#: How often the worker is looked at; short enough that nothing seems to hang.
_POLL_MS = 50
RESOURCES = Path(__file__).resolve().parents[1] / "Resources"


@dataclass(frozen=True)
class TaskHooks:
    """What differs from module to module.

    Parameters
    ----------
    refusal
        Returns why Apply cannot be used now; empty when it can.
    request
        Returns what Apply asks for, after the questions it has; None when the user said no.
    words
        How results are worded.
    packages
        Returns the names in ``CTInsightLib.Dependencies`` that Apply needs as things are chosen.
    sample
        (job of the worker, name of the volume, values for the job).
    """

    refusal: Callable[[], str]
    request: Callable[[], TaskRequest | None]
    words: ResultWords
    packages: Callable[[], tuple[str, ...]]
    sample: tuple[str, str, dict]


def addRunWidgets(uiWidget) -> Any:
    """Load what every panel shares into ``runFrame`` of a module's widget; return all named widgets."""
    shared = slicer.util.loadUI(str(RESOURCES / "UI" / "CTInsightRun.ui"))
    slicer.util.findChild(uiWidget, "runFrame").layout().addWidget(shared)
    return slicer.util.childWidgetVariables(uiWidget)


class TaskPanel:
    """The conduct of a panel; the module's own widget gives it widgets, logic and hooks.

    ``parameterNode`` is the module's, or None while there is no scene; it has ``inputVolume`` and ``result``.
    """

    def __init__(self, ui: Any, logic: TaskLogic, hooks: TaskHooks, desktop: SlicerDesktop):
        self._ui, self._logic, self._hooks, self._desktop = ui, logic, hooks, desktop
        self._parameterNode: Any = None
        self._shownId: str | None = None
        self._applyNext = False
        self._install = PackageInstall()
        self._installed: tuple[Any, ...] = ()
        self.errors = ErrorPanel(ui, desktop, logic.logTail, self._manifest)
        self.result = ResultPanel(ui, hooks.words, desktop, self.errors)
        self._timer = qt.QTimer()
        self._timer.setInterval(_POLL_MS)
        self._timer.connect("timeout()", self._tick)
        logic.onResult, logic.onVolume = self._onResult, self._onSample
        ui.applyButton.connect("clicked(bool)", self.apply)
        ui.cancelButton.connect("clicked(bool)", self.cancel)
        ui.recomputeButton.connect("clicked(bool)", self.recompute)
        ui.removeButton.connect("clicked(bool)", self.remove)
        ui.sampleButton.connect("clicked(bool)", self.trySample)
        ui.resultSelector.addAttribute("vtkMRMLSegmentationNode", TASK_ATTRIBUTE, logic.task)
        ui.resultSelector.setMRMLScene(logic.scene)
        self.update()

    @property
    def parameterNode(self) -> Any:
        """The module's parameter node."""
        return self._parameterNode

    @parameterNode.setter
    def parameterNode(self, node: Any) -> None:
        self._parameterNode = node
        self.update()

    @property
    def busy(self) -> bool:
        """Whether something is under way: a run, the sample, an installation."""
        return self._logic.busy or self._install.busy

    @property
    def waiting(self) -> bool:
        """Whether something is under way or about to follow by itself."""
        return self.busy or self._applyNext

    def requestFor(self, parameters: Mapping[str, Any], *, replace: bool) -> TaskRequest | None:
        """Return the request for the chosen CT, after asking what has to be asked; None for a no.

        Parameters
        ----------
        replace
            Whether the shown result is written over; when a person edited it, that is asked first.
        """
        volumeNode, shown = self._parameterNode.inputVolume, self.result.result
        bent = isBent(volumeNode)
        if bent and not self._desktop.confirm(
            _(
                "A non-linear transform lies above '{name}'. Its voxels must be resampled on a copy before "
                "they are measured; the volume itself stays as it is. Go on?"
            ).format(name=volumeNode.GetName()),
            _("Transform"),
        ):
            return None
        replaced = shown if replace else None
        touched = replaced is not None and (replaced.edited or replaced.lineMoved)
        if touched and not self._desktop.confirm(
            _("You edited '{name}'. Replace it all the same?").format(
                name=shown.nodes.segmentation.GetName()
            ),
            _("Replace result"),
        ):
            return None
        return TaskRequest(volumeNode, parameters, replaced, bent)

    def update(self) -> None:
        """Bring every button, the reason under Apply and the shown result up to date."""
        ui, busy = self._ui, self.busy
        refusal = self._refusal()
        ui.applyButton.enabled = not busy and not refusal
        ui.applyButton.toolTip = refusal or _("Measure the chosen CT (Ctrl+Return).")
        ui.reasonLabel.text = "" if busy else refusal
        ui.reasonLabel.visible = bool(ui.reasonLabel.text)
        ui.cancelButton.enabled = busy
        ui.sampleButton.enabled = not busy and self._parameterNode is not None
        self._showChosenResult()
        for button in (ui.recomputeButton, ui.removeButton):
            button.enabled = not busy and self.result.result is not None
        ui.progressBox.visible = busy
        if busy:
            self._showProgress()

    def apply(self) -> None:
        """Run the task on what is chosen."""
        self.errors.hide()
        with self.errors.guarded():
            self._logic.dicomDatabase = self._desktop.dicomDatabase()
            if self._havePackages():
                request = self._hooks.request()
                if request is not None:
                    self._logic.run(request)
        self._start()

    def recompute(self) -> None:
        """Measure the edited segment again."""
        self.errors.hide()
        shown = self.result.result
        with self.errors.guarded():
            if shown.lineMoved and not self._desktop.confirm(
                _("You moved lines of this result. Recompute draws them anew from the segment. Go on?"),
                _("Recompute"),
            ):
                return
            self._logic.recompute(shown, hardenNonLinear=isBent(shown.nodes.volume))
        self._start()

    def remove(self) -> None:
        """Take the shown result out of the scene after asking."""
        shown = self.result.result
        name = shown.nodes.segmentation.GetName()
        question = _("Remove '{name}' with its tables and lines? The CT stays.").format(name=name)
        with self.errors.guarded():
            if self._desktop.confirm(question, _("Remove result")):
                shown.remove(self._logic.scene)
        self.update()

    def trySample(self) -> None:
        """Draw the sample in the worker, then run the task on it."""
        self.errors.hide()
        with self.errors.guarded():
            job, name, values = self._hooks.sample
            self._logic.makeSample(job, name, values)
        self._start()

    def cancel(self) -> None:
        """Stop what is under way; idle again at once, nothing half-made left."""
        self._timer.stop()
        self._applyNext = False
        self._install.cancel()
        if self._logic.busy:
            self._logic.cancel()
        self.update()

    def close(self) -> None:
        """Stop everything: the module is unloaded, or the application ends."""
        self._timer.stop()
        self._install.cancel()
        self._logic.close()
        self.result.removeObservers()

    def _havePackages(self) -> bool:
        """Ask for what is missing and install it; False while that goes on, or when the user said no."""
        needed = missing(self._hooks.packages())
        if not needed:
            self._installed = ()
            return True
        if needed == self._installed:
            self._installed = ()
            raise ProcessingFailedError(
                found=f"{needed[0].name} cannot be used although it was installed just now",
                expected="a package that 3D Slicer's Python finds",
                remedy="Restart 3D Slicer and choose Apply again; see CT Insight Setup for what is damaged.",
            )
        if self._desktop.confirm(question(needed), _("Install Python packages")):
            self._install.begin(needed)
            self._logic.close()  # a worker that lives has not seen what is installed now
            self._installed, self._applyNext = needed, True
        return False

    def _start(self) -> None:
        # The timer also carries out what waits for the end of a job that is over already.
        if self.busy or self._applyNext:
            self._timer.start()
        self.update()

    def _tick(self) -> None:
        with self.errors.guarded():
            if self._install.busy:
                self._applyNext = False
                self._applyNext = self._install.poll()
            else:
                self._logic.poll()
        if self.busy:
            self._showProgress()
            return
        self._timer.stop()
        self.update()
        if self._applyNext:
            self._applyNext = False
            if self._ui.applyButton.enabled:
                self.apply()

    def _showProgress(self) -> None:
        if self._install.busy:
            self._ui.progressBar.maximum = 0
            self._ui.phaseLabel.text = _("Installing Python packages")
            return
        event = self._logic.progress
        self._ui.progressBar.maximum = 100
        self._ui.progressBar.value = round(100 * event.fraction)
        words = event.phase[:1].upper() + event.phase[1:]
        if event.seconds_left is not None:
            seconds = max(1, round(event.seconds_left))
            words = _("{phase}, about {seconds} s left").format(phase=words, seconds=seconds)
        self._ui.phaseLabel.text = words

    def _onResult(self, linked: LinkedResult) -> None:
        self._shownId = None
        if self._parameterNode is not None:
            self._parameterNode.result = linked.nodes.segmentation
        self._showChosenResult()
        self._desktop.showVolume(linked.nodes.volume)
        self.result.jumpToRow(0)

    def _onSample(self, volumeNode) -> None:
        if self._parameterNode is not None:
            self._parameterNode.inputVolume = volumeNode
        self._desktop.showVolume(volumeNode)
        self._applyNext = True

    def _showChosenResult(self) -> None:
        node = self._parameterNode.result if self._parameterNode is not None else None
        identity = node.GetID() if node is not None else ""
        if identity != self._shownId:
            self._shownId = identity
            self.result.show(node)

    def _refusal(self) -> str:
        if self._parameterNode is None:
            return _("There is no scene.")
        return self._hooks.refusal()

    def _manifest(self) -> Any:
        shown = self.result.result
        return shown.manifest if shown is not None else {}


def isBent(volumeNode) -> bool:
    """Whether a non-linear transform lies above a volume."""
    transform = volumeNode.GetParentTransformNode() if volumeNode is not None else None
    return transform is not None and not transform.IsTransformToWorldLinear()
