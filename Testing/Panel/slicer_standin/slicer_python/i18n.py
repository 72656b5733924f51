"""Translation as Slicer's Python calls it; the stand-in speaks English only."""

from __future__ import annotations

import slicer


def translate(context, text):
    """Return a text in the application's language."""
    return slicer.app.translate(context, text)


def tr(text):
    """Return a text in the application's language; imported as ``_``."""
    return translate("", text)
