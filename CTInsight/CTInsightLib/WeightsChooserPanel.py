"""The chooser of installed weights: shows what is there, and says where the rest comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from CTInsightLib.InstalledWeights import installedWeights

if TYPE_CHECKING:
    from CTInsightLib.ErrorPanel import ErrorPanel


class WeightsChooserPanel:
    """Keep a combo box in step with the model folder and with ``weights`` of the parameter node.

    Parameters
    ----------
    comboBox
        A ``QComboBox``; each item carries the name that the task takes.
    model
        The catalogue's name of the model.
    """

    def __init__(self, comboBox: Any, model: str, errors: ErrorPanel):
        self._comboBox, self._model, self._errors = comboBox, model, errors
        self._parameterNode: Any = None
        self._filling = False
        comboBox.connect("currentIndexChanged(int)", self._onChosen)

    @property
    def parameterNode(self) -> Any:
        """The module's parameter node, with ``weights``; or None."""
        return self._parameterNode

    @parameterNode.setter
    def parameterNode(self, node: Any) -> None:
        self._parameterNode = node
        self.refresh()

    @property
    def chosen(self) -> str:
        """The name of the chosen weights; empty when none are installed."""
        name = self._comboBox.currentData
        return name or ""

    def refresh(self) -> None:
        """Look into the model folder again."""
        found = ()
        with self._errors.guarded():
            found = installedWeights(self._model)
        self._filling = True
        self._comboBox.clear()
        for choice in found:
            self._comboBox.addItem(choice.words, choice.name)
        if not found:
            self._comboBox.addItem(_("None are installed"), "")
        wanted = self._parameterNode.weights if self._parameterNode is not None else ""
        self._comboBox.currentIndex = max(0, self._comboBox.findData(wanted))
        self._filling = False

    def _onChosen(self, _index: int) -> None:
        if not self._filling and self._parameterNode is not None:
            self._parameterNode.weights = self.chosen
