"""A panel's tie to the scene: its parameter node, and what happens when the scene is closed or loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import vtk
from slicer.util import VTKObservationMixin

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class NodeHooks:
    """What a module does about its parameter node.

    Parameters
    ----------
    find
        Returns the parameter node of the scene; makes one when there is none.
    use
        Gets the node, or None while the scene is being closed; every part of the panel takes it from here.
    changed
        Called after each change of a choice.
    close
        Called before the scene is emptied: stop what is under way.
    shown
        Whether the user sees the module; otherwise a new scene is looked at when it is entered.
    """

    find: Callable[[], Any]
    use: Callable[[Any], None]
    changed: Callable[[], None]
    close: Callable[[], None]
    shown: Callable[[], bool]


class ParameterNodePanel(VTKObservationMixin):
    """Keep widgets and the parameter node of the present scene together.

    Parameters
    ----------
    ui
        The named widgets; those with a ``SlicerParameterName`` are connected.
    """

    def __init__(self, ui: Any, scene: Any, hooks: NodeHooks):
        VTKObservationMixin.__init__(self)
        self._ui, self._scene, self._hooks = ui, scene, hooks
        self._node: Any = None
        self._guiTag: int | None = None
        self.addObserver(scene, scene.StartCloseEvent, self._onStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self._onNewContent)
        self.addObserver(scene, scene.EndImportEvent, self._onNewContent)
        self.refresh()

    @property
    def node(self) -> Any:
        """The parameter node, or None while the scene is being closed."""
        return self._node

    def refresh(self) -> None:
        """Take the scene's choices; the first CT is chosen when none is."""
        self._use(self._hooks.find())
        if self._node.inputVolume is None:
            first = self._scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
            if first is not None:
                self._node.inputVolume = first

    def close(self) -> None:
        """Let go of scene and widgets."""
        self._use(None)
        self.removeObservers()

    def _use(self, node: Any) -> None:
        if self._node is not None:
            self._node.disconnectGui(self._guiTag)
            self.removeObserver(self._node.parameterNode, vtk.vtkCommand.ModifiedEvent, self._onModified)
        self._node = node
        if node is not None:
            self._guiTag = node.connectGui(self._ui)
            self.addObserver(node.parameterNode, vtk.vtkCommand.ModifiedEvent, self._onModified)
        self._hooks.use(node)
        self._hooks.changed()

    def _onModified(self, _caller: Any, _event: str) -> None:
        self._hooks.changed()

    def _onStartClose(self, _caller: Any, _event: str) -> None:
        self._hooks.close()
        self._use(None)

    def _onNewContent(self, _caller: Any, _event: str) -> None:
        if self._hooks.shown():
            self.refresh()
