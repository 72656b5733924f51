"""One process at a time: a lock on a file that the system itself opens again when its holder dies."""

from __future__ import annotations

import errno
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ctinsight.errors import StoreUnusableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_BUSY = {errno.EACCES, errno.EAGAIN, errno.EDEADLK, errno.EWOULDBLOCK}


@dataclass(frozen=True)
class Waiting:
    """How to wait for a lock: called each time it is still held, then a pause."""

    beat: Callable[[], None] = lambda: None
    pause_seconds: float = 0.1
    sleep: Callable[[float], None] = time.sleep


@contextmanager
def held(path: Path, waiting: Waiting | None = None) -> Iterator[bool]:
    """Hold the lock of ``path``; wait while another process or thread has it.

    The file stays behind, empty: deleting it could hand the lock to two at once.

    Yields
    ------
    bool
        True when somebody else held it first: what was wanted may be there by now.

    Raises
    ------
    StoreUnusableError
        The folder cannot be written, or its file system knows no locks.
    Cancelled
        From ``waiting.beat``.
    """
    how = waiting or Waiting()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise _unusable(path, error) from error
    with file:
        waited = False
        while not _try_lock(path, file.fileno()):
            waited = True
            how.beat()
            how.sleep(how.pause_seconds)
        try:
            yield waited
        finally:
            _unlock(file.fileno())


def _try_lock(path: Path, descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            _windows(descriptor, "LK_NBLCK")
        else:
            fcntl: Any = import_module("fcntl")
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            return False
        raise _unusable(path, error) from error
    return True


def _unlock(descriptor: int) -> None:
    if sys.platform == "win32":
        _windows(descriptor, "LK_UNLCK")
    else:
        fcntl: Any = import_module("fcntl")
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _windows(descriptor: int, action: str) -> None:
    """Lock or unlock the first byte, which need not exist."""
    import os

    msvcrt: Any = import_module("msvcrt")
    os.lseek(descriptor, 0, os.SEEK_SET)
    msvcrt.locking(descriptor, getattr(msvcrt, action), 1)


def _unusable(path: Path, error: OSError) -> StoreUnusableError:
    return StoreUnusableError(
        found=f"{path.parent} cannot be used or locked: {error.strerror or error}",
        expected="a folder on a disk of this machine that you may write to",
        remedy="Choose another model folder: ctinsight models where --folder FOLDER, or CTINSIGHT_MODELS.",
    )
