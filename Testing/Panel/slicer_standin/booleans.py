"""Keep True, False and None alive: PySide6 drops references to them that it does not own."""

from __future__ import annotations

import ctypes
import sys

#: More than any test process drops.
_SPARE_REFERENCES = 1 << 40


def keep_booleans_alive() -> None:
    """Give the three values spare references.

    Seen with PySide6 6.12 on Python 3.11: each write of a ``Property(bool, ...)`` defined in Python takes
    two references from the value, so that long runs ended with "deallocating True or False", then with
    "deallocating None". From Python 3.12 on all three are immortal.
    """
    if sys.version_info < (3, 12):
        for value in (True, False, None):
            ctypes.c_ssize_t.from_address(id(value)).value += _SPARE_REFERENCES
