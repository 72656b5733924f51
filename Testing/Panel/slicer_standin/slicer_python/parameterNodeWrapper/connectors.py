# ruff: noqa: N802 - the names are Slicer's
"""How a value and a widget follow each other; which widget shows which type is in widgets."""

from __future__ import annotations

import abc

_registered: list[type] = []


class GuiConnector(abc.ABC):
    """A widget that shows a value of one type; made by ``create`` where ``canRepresent``."""

    #: The widget's signal that says that the user changed the value.
    signal = ""

    def __init__(self, widget, datatype):
        self._widget, self._datatype, self._callback = widget, datatype, None

    @staticmethod
    def canRepresent(widget, datatype) -> bool:
        """Say whether the widget can show the type."""
        raise NotImplementedError

    @classmethod
    def create(cls, widget, datatype):
        """Return a connector."""
        return cls(widget, datatype)

    def widget(self):
        """Return the widget."""
        return self._widget

    def changed(self):
        """Tell the listener."""
        if self._callback is not None:
            self._callback()

    def onChanged(self, callback):
        """Tell a listener of changes from now on; ``None`` for nobody."""
        if self._callback is None and callback is not None:
            self._connect()
        elif self._callback is not None and callback is None:
            self._disconnect()
        self._callback = callback

    def _connect(self):
        if self.signal:
            getattr(self._widget, self.signal).connect(self.changed)

    def _disconnect(self):
        if self.signal:
            getattr(self._widget, self.signal).disconnect(self.changed)

    @abc.abstractmethod
    def read(self):
        """Return the widget's value."""

    @abc.abstractmethod
    def write(self, value) -> None:
        """Show a value."""


def parameterNodeGuiConnector(classtype=None):
    """Register a connector class, Slicer's way to support further widgets."""

    def register(cls):
        _registered.append(cls)
        return cls

    return register if classtype is None else register(classtype)


def createGuiConnector(widget, datatype) -> GuiConnector:
    """Return the connector of a widget and a possibly annotated type.

    Raises
    ------
    RuntimeError
        The widget cannot show the type.
    """
    for cls in _registered:
        if cls.canRepresent(widget, datatype):
            return cls.create(widget, datatype)
    msg = f"Unable to create GUI connector from {datatype} to {type(widget).__name__}"
    raise RuntimeError(msg)
