"""Exceptions inside slots and observers: Qt and VTK print them and go on, a test must not."""

from __future__ import annotations

import sys
import traceback


class Faults:
    """What was raised where nobody could catch it."""

    def __init__(self):
        self.raised: list[BaseException] = []

    def record(self, kind, error, trace) -> None:
        """Take an exception, as ``sys.excepthook``."""
        self.raised.append(error)
        sys.stderr.write("".join(traceback.format_exception(kind, error, trace)))

    def take(self) -> list[BaseException]:
        """Return the exceptions since the last call, and forget them."""
        raised, self.raised = self.raised, []
        return raised


#: The one recorder.
FAULTS = Faults()
