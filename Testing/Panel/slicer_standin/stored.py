"""Qt properties that a stand-in widget only keeps, for widgets whose effect on screen no test needs."""

from __future__ import annotations

from PySide6.QtCore import Property


def stored(kind, name: str, default, then=None):
    """Return a Qt property that keeps its value in the widget and calls ``then(widget)`` when set."""

    def read(self):
        value = self.__dict__.get("_kept", {}).get(name, default)
        return tuple(value) if isinstance(value, list) else value  # PythonQt makes tuples of lists

    def write(self, value):
        self.__dict__.setdefault("_kept", {})[name] = value
        if then is not None:
            then(self)

    return Property(kind, read, write)
