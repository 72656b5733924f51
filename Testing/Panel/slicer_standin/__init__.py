"""A stand-in for the Slicer application, for testing module panels: Qt by PySide6, MRML by slicer-core.

``start()`` puts ``qt``, ``ctk`` and the missing parts of ``slicer`` in place, in this process for good. The
README.md beside this package says what is real, what is not, and what differs.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from slicer_standin.dialogs import DIALOGS, Dialogs, Shown
from slicer_standin.faults import FAULTS, Faults

__all__ = ["DIALOGS", "FAULTS", "Dialogs", "Faults", "Shown", "Standin", "start"]

#: Our re-implementations of the Python files of Slicer that no package ships.
_OWN_PYTHON = Path(__file__).parent / "slicer_python"
#: Where these files lie in a checkout of Slicer.
_SOURCE_PYTHON = Path("Base/Python/slicer")


@dataclass(frozen=True)
class Standin:
    """The running stand-in."""

    folder: Path
    dialogs: Dialogs
    faults: Faults
    slicer_source: Path | None

    def load(self, path: Path):
        """Load a scripted module from its file, as at start-up, and return it."""
        from slicer_standin.modules import load_scripted_module

        return load_scripted_module(path)

    def select(self, name: str):
        """Show a module as a user would, and return its Python widget."""
        import slicer

        slicer.util.selectModule(name)
        slicer.app._window.show()
        return slicer.app.moduleManager().module(name).widgetRepresentation().self()


def _never_end(*singletons) -> None:
    """Give objects references that nobody can use up.

    PySide6 6.12 takes a reference to None from each call that returns nothing (measured: 1000 calls of
    ``setEnabled``, 1000 references), and on Python before 3.12, where None is counted like anything else, the
    process ends with "deallocating None" sooner or later.
    """
    for singleton in singletons:
        ctypes.c_ssize_t.from_address(id(singleton)).value += 1 << 40


def start(slicer_source: Path | None = None) -> Standin:
    """Start the stand-in, once per process.

    Parameters
    ----------
    slicer_source : Path, optional
        A checkout of Slicer, whose own ``parameterNodeWrapper``, ``ScriptedLoadableModule``, ``packaging``
        and ``i18n`` are used instead of ours.
    """
    from slicer_standin import application, booleans, pythonqt

    booleans.keep_booleans_alive()
    folder = application.temporary_folder()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    pythonqt.install()
    from slicer_standin import kits, node_widgets, qtmodule, table_widgets  # noqa: F401 - registers its widgets

    qtmodule.install()
    import slicer

    kits.install()
    for name, cls in node_widgets.WIDGETS.items():
        setattr(slicer, name, cls)
    python = _OWN_PYTHON if slicer_source is None else Path(slicer_source) / _SOURCE_PYTHON
    if not python.is_dir():
        msg = f"no folder {python}: is {slicer_source} a checkout of Slicer?"
        raise FileNotFoundError(msg)
    slicer.__path__.append(str(python))
    slicer.util = importlib.import_module("slicer.util")
    application.start(folder)
    slicer.packaging = importlib.import_module("slicer.packaging")
    application.load_scripted_modules()
    sys.excepthook = FAULTS.record
    return Standin(folder, DIALOGS, FAULTS, slicer_source)
