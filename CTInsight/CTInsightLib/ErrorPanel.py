"""The box of a panel that says what went wrong, in three parts, with a report to copy."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from ctinsight.errors import Cancelled, CTInsightError
from ctinsight.worker import unforeseen
from CTInsightLib.PanelReport import reportText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from CTInsightLib.SlicerDesktop import SlicerDesktop


class ErrorPanel:
    """Shows errors and copies reports.

    Parameters
    ----------
    ui
        Holds ``errorFrame`` with its labels and buttons.
    logTail
        Returns the end of the worker's log.
    manifest
        Returns the manifest of the result that is shown, or nothing.
    """

    def __init__(
        self,
        ui: Any,
        desktop: SlicerDesktop,
        logTail: Callable[[], str],
        manifest: Callable[[], Mapping[str, Any]] = dict,
    ):
        self._ui, self._desktop, self._logTail, self._manifest = ui, desktop, logTail, manifest
        self._error: CTInsightError | None = None
        ui.copyErrorButton.connect("clicked(bool)", self.copyReport)
        ui.closeErrorButton.connect("clicked(bool)", self.hide)
        self.hide()

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Show whatever goes wrong inside."""
        try:
            yield
        except CTInsightError as error:
            self.show(error)
        # The outermost boundary of a button: what escapes is lost in the log, and the user waits.
        except Exception as error:
            logging.exception("CT Insight")
            self.show(unforeseen(error))

    def show(self, error: CTInsightError) -> None:
        """Say what was found, what was expected and what to do."""
        if isinstance(error, Cancelled):
            return
        self._error = error
        self._ui.errorFoundLabel.text = _("Found: {words}").format(words=error.found)
        self._ui.errorExpectedLabel.text = _("Expected: {words}").format(words=error.expected)
        self._ui.errorRemedyLabel.text = _("What to do: {words}").format(words=error.remedy)
        self._ui.errorFrame.visible = True

    def hide(self) -> None:
        """Put the box away."""
        self._error = None
        self._ui.errorFrame.visible = False

    def copyReport(self) -> None:
        """Put versions, device, error and the end of the log on the clipboard; no patient data."""
        self._desktop.copy(
            reportText(
                self._desktop.hostName(), error=self._error, manifest=self._manifest(), log=self._logTail()
            )
        )
