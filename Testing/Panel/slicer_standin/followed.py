"""Observers of MRML objects that end with the widget they serve."""

from __future__ import annotations

import shiboken6


class Followed:
    """The one object that a widget watches at a time.

    Parameters
    ----------
    widget
        Whose end is the end of the watching.
    """

    def __init__(self, widget):
        self._widget, self._object, self._tags = widget, None, []

    def follow(self, observed, events, function) -> None:
        """Forget the former object and call ``function()`` on this one's events; ``None`` only forgets."""
        for tag in self._tags:
            self._object.RemoveObserver(tag)

        def call(_caller, _event):
            if shiboken6.isValid(self._widget):
                function()

        self._object = observed
        self._tags = [] if observed is None else [observed.AddObserver(event, call) for event in events]
