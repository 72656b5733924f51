"""One request to the worker, followed from a timer: where it stands, its answer, its error, its end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ctinsight import errors
from ctinsight.errors import CTInsightError
from ctinsight.progress import ProgressEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from CTInsightLib.WorkerProcess import WorkerProcess

    #: Takes the answer; what it yields are rests between pieces of work, each piece short.
    Taker = Callable[[dict[str, Any]], Iterator[None]]

STARTING = "starting the worker"


class WorkerJob:
    """Ask a worker one thing at a time and take its answer piece by piece, so that nothing ever blocks.

    A timer calls :meth:`poll` while :attr:`busy`.

    Parameters
    ----------
    worker
        Started when it is first asked.
    clock
        Seconds; replaceable in a test.
    """

    def __init__(self, worker: WorkerProcess, clock: Callable[[], float] = time.monotonic):
        self._worker = worker
        self._clock = clock
        self._take: Taker | None = None
        self._sending: Iterator[None] | None = None
        self._pieces: Iterator[None] | None = None
        self._progress = ProgressEvent("", 0.0, None)
        self._heard = 0.0

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited or being taken."""
        return self._take is not None or self._pieces is not None

    @property
    def progress(self) -> ProgressEvent:
        """Where the request stands; the seconds left run down between two events."""
        event = self._progress
        if event.seconds_left is None:
            return event
        left = max(0.0, event.seconds_left - (self._clock() - self._heard))
        return ProgressEvent(event.phase, event.fraction, left)

    @property
    def worker(self) -> WorkerProcess:
        """The worker that is asked."""
        return self._worker

    def begin(self, send: Callable[[WorkerProcess], Any], take: Taker) -> None:
        """Send a request; ``take`` gets its answer.

        ``send`` sends it at once, or is a generator that rests between pieces of what it has to write first.

        Raises
        ------
        WrongUseError
            An earlier request is still under way.
        """
        if self.busy:
            raise errors.WrongUseError(
                found=f"'{self._progress.phase}' is still under way",
                expected="one run at a time",
                remedy="Wait for its end, or cancel it.",
            )
        self._tell(ProgressEvent(STARTING, 0.0, None))
        sent = send(self._worker)
        self._sending = sent if hasattr(sent, "__next__") else None
        self._take = take

    def poll(self) -> None:
        """Look for news and do one piece of work at most.

        Raises
        ------
        CTInsightError
            The request failed, or its answer could not be taken; nothing is under way afterwards.
        """
        try:
            if self._sending is not None:
                self._sending = _advanced(self._sending)
            elif self._pieces is not None:
                self._pieces = _advanced(self._pieces)
            elif self._take is not None:
                self._look(self._take)
        except BaseException:
            self._take, self._sending, self._pieces = None, None, None
            raise

    def cancel(self) -> None:
        """Stop whatever is under way; the worker and all that it started are gone afterwards."""
        self._worker.cancel()
        for steps in (self._sending, self._pieces):
            if steps is not None:
                steps.close()
        self._take, self._sending, self._pieces = None, None, None

    def _look(self, take: Taker) -> None:
        for event in self._worker.poll():
            if event["event"] == "progress":
                self._tell(ProgressEvent(event["phase"], event["fraction"], event["seconds_left"]))
            elif event["event"] == "error":
                raise errorFromEvent(event)
            elif event["event"] in ("result", "done"):
                self._take, self._pieces = None, take(event)

    def _tell(self, event: ProgressEvent) -> None:
        self._progress, self._heard = event, self._clock()


def _advanced(steps: Iterator[None]) -> Iterator[None] | None:
    """Take one step; return None when it was the last."""
    try:
        next(steps)
    except StopIteration:
        return None
    return steps


def errorFromEvent(event: dict[str, Any]) -> CTInsightError:
    """Return the worker's error as the exception it was there."""
    kind = getattr(errors, str(event.get("kind")), CTInsightError)
    if not (isinstance(kind, type) and issubclass(kind, CTInsightError)):
        kind = CTInsightError
    return kind(found=event["found"], expected=event["expected"], remedy=event["remedy"])
