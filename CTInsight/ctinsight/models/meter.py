"""Bytes, speed and time left of a transfer, for whoever listens; the listener stops it by raising."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ctinsight.progress import ProgressEvent

if TYPE_CHECKING:
    from collections.abc import Callable

#: Speed is that of the last seconds: an average from the start would hide a line that went slow.
_WINDOW_SECONDS = 5.0
#: Events are not sent more often than this; the first and the last of a phase always are.
_EVENT_SECONDS = 0.1


@dataclass(frozen=True)
class TransferEvent:
    """Where a transfer stands; what is unknown is None.

    Parameters
    ----------
    name
        The catalogue's name of what is fetched.
    file
        The file at work.
    phase
        In words: connecting, downloading, checking, waiting for another process, trying again in 4 s.
    """

    name: str
    file: str
    phase: str
    bytes_done: int
    bytes_total: int | None
    bytes_per_second: float | None
    seconds_left: float | None

    def as_progress(self) -> ProgressEvent:
        """Return the event in the form that every long job uses."""
        fraction = min(self.bytes_done / self.bytes_total, 1.0) if self.bytes_total else 0.0
        return ProgressEvent(f"{self.phase}: {self.name}", fraction, self.seconds_left)


@dataclass
class Meter:
    """Count bytes and tell the listener; it raises :class:`~ctinsight.errors.Cancelled` to stop the transfer.

    Parameters
    ----------
    listener
        Called with each :class:`TransferEvent`, also while nothing moves.
    """

    name: str
    total_bytes: int | None = None
    listener: Callable[[TransferEvent], None] = lambda _event: None
    clock: Callable[[], float] = time.monotonic
    done_bytes: int = 0
    _file: str = ""
    _phase: str = ""
    _sent: float | None = None
    _samples: deque[tuple[float, int]] = field(default_factory=deque)

    def say(self, phase: str, file: str = "") -> None:
        """Begin a phase of the work on a file."""
        self._phase, self._file = phase, file or self._file
        self._samples.clear()
        self._samples.append((self.clock(), self.done_bytes))
        self._send()

    def advance(self, count: int) -> None:
        """Book bytes that arrived; a negative count takes back what has to be fetched again."""
        self.done_bytes += count
        now = self.clock()
        if count < 0:
            self._samples.clear()
        self._samples.append((now, self.done_bytes))
        while now - self._samples[0][0] > _WINDOW_SECONDS:
            self._samples.popleft()
        self.beat()

    def beat(self) -> None:
        """Let the listener see that the work goes on, and stop it if wished."""
        if self._sent is None or self.clock() - self._sent >= _EVENT_SECONDS:
            self._send()

    def _send(self) -> None:
        self._sent = self.clock()
        speed = self._speed(self._sent)
        left = None
        if speed and self.total_bytes is not None:
            left = max(self.total_bytes - self.done_bytes, 0) / speed
        self.listener(
            TransferEvent(self.name, self._file, self._phase, self.done_bytes, self.total_bytes, speed, left)
        )

    def _speed(self, now: float) -> float | None:
        if len(self._samples) < 2:
            return None
        begun, at_begin = self._samples[0]
        return (self.done_bytes - at_begin) / (now - begun) if now > begun else None
