"""Progress and cancelling, without any knowledge of who listens."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class ProgressEvent:
    """Where a run stands: phase in words, fraction done (0 to 1), seconds left (None while unknown)."""

    phase: str
    fraction: float
    seconds_left: float | None


@dataclass
class Progress:
    """Report where a run stands to whoever listens; a listener stops the run by raising ``Cancelled``.

    Parameters
    ----------
    listener
        Called with each :class:`ProgressEvent`; the default listens to nothing.
    """

    listener: Callable[[ProgressEvent], None] = lambda _event: None
    clock: Callable[[], float] = time.monotonic
    stage_seconds: dict[str, float] = field(default_factory=dict)
    _started: float | None = None
    _phase: str = ""
    _phase_started: float = 0.0

    def report(self, phase: str, fraction: float) -> None:
        """Say that ``phase`` is under way and ``fraction`` (0 to 1) of the whole run is done."""
        now = self.clock()
        if self._started is None:
            self._started = now
        self._book(now, phase)
        elapsed = now - self._started
        left = elapsed * (1 - fraction) / fraction if fraction > 0.02 else None
        self.listener(ProgressEvent(phase, min(max(fraction, 0.0), 1.0), left))

    def part(self, start: float, end: float) -> Progress:
        """Return what a step reports to: its 0 to 1 become ``start`` to ``end`` of this run.

        Examples
        --------
        >>> seen = []
        >>> run = Progress(lambda event: seen.append(event.fraction))
        >>> run.part(0.5, 1.0).report("second half", 0.5)
        >>> seen
        [0.75]
        """
        return Progress(lambda event: self.report(event.phase, start + (end - start) * event.fraction))

    def finish(self) -> None:
        """Book the time of the last phase and report the end."""
        self.report("done", 1.0)

    def _book(self, now: float, phase: str) -> None:
        if self._phase and phase != self._phase:
            spent = now - self._phase_started
            self.stage_seconds[self._phase] = self.stage_seconds.get(self._phase, 0.0) + spent
        if phase != self._phase:
            self._phase, self._phase_started = phase, now
