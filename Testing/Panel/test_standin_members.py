"""The stand-in invents nothing: what its widgets show, the real classes show to Python too."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import slicer
from PySide6.QtCore import QObject

if TYPE_CHECKING:
    from pathlib import Path

#: Where the headers of our stand-ins lie in a checkout of Slicer.
_FOLDERS = ("Base/QTCore", "Base/QTGUI", "Base/QTApp", "Libs/MRML/Widgets", "Modules/Loadable/*/Widgets")
#: What Python's side adds to the C++ class, said by PythonQt's decorators and Qt's own base classes.
_KNOWN_ELSEWHERE = {
    "qSlicerApplication": {
        # members of QApplication and its bases, and qSlicerCoreApplication's public slots
        *(
            "aboutToQuit",
            "applicationName",
            "applicationVersion",
            "clipboard",
            "keyboardModifiers",
            "palette",
        ),
        *("processEvents", "restoreOverrideCursor", "setOverrideCursor", "topLevelWidgets", "translate"),
        *("pauseRender", "resumeRender"),
        "testingEnabled",  # a decorator
    },
    "qSlicerAbstractCoreModule": {
        "icon",
        "widgetRepresentation",
    },  # of qSlicerAbstractModule, and a decorator
}


def _standins() -> dict[str, type]:
    found = {name: cls for name, cls in vars(slicer).items() if re.match(r"q(MRML|Slicer)\w+$", name)}
    for thing in (
        slicer.app,
        slicer.app.moduleManager(),
        slicer.app.layoutManager(),
        slicer.app.coreIOManager(),
    ):
        found[type(thing).__name__] = type(thing)
    return {name: cls for name, cls in found.items() if isinstance(cls, type) and issubclass(cls, QObject)}


def _shown_to_python(header: str) -> set[str]:
    """Return properties, slots, signals and invokable methods of a header, and the names of its bases."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", header, flags=re.DOTALL)
    names = set(re.findall(r"Q_PROPERTY\(\s*[\w:<>, ]+?[\s*&]+(\w+)\s+READ", text))
    names |= set(re.findall(r"Q_INVOKABLE[^;{]*?(\w+)\s*\(", text))
    sections = re.split(
        r"((?:public|protected|private)\s*(?:slots|Q_SLOTS)?\s*:(?!:)|(?:signals|Q_SIGNALS)\s*:)", text
    )
    for title, body in zip(sections[1::2], sections[2::2], strict=False):
        if ("public" in title and "lots" in title.lower()) or "signals" in title.lower():
            names |= set(re.findall(r"(\w+)\s*\([^;{}]*\)\s*(?:const)?\s*(?:override)?\s*[;{]", body))
        names |= {
            n
            for enum in re.findall(r"enum\s+\w*\s*\{(.*?)\}", body, re.DOTALL)
            for n in re.findall(r"\w+", enum)
        }
    return names


def _header(source: Path, name: str) -> str | None:
    for folder in _FOLDERS:
        for path in source.glob(f"{folder}/{name}.h"):
            return path.read_text(encoding="utf-8")
    return None


@pytest.mark.parametrize("name", sorted(_standins()))
def test_public_members_exist_in_the_real_class(standin, name):
    """Each public member that a stand-in class defines is one of the real class or of its bases."""
    if standin.slicer_source is None:
        pytest.skip("needs --slicer-source")
    known = set(_KNOWN_ELSEWHERE.get(name, ()))
    for base in [name, *_base_names(standin.slicer_source, name)]:
        known |= _shown_to_python(_header(standin.slicer_source, base) or "")
    cls = _standins()[name]
    own = {member for member in vars(cls) if not member.startswith("_") and not hasattr(cls.__base__, member)}

    assert own - known - {"staticMetaObject"} == set()


def _base_names(source: Path, name: str) -> list[str]:
    header = _header(source, name)
    match = re.search(rf"class\s+\w*\s*{name}\s*:(.*?)\{{", header or "", re.DOTALL)
    bases = re.findall(r"public\s+(\w+)", re.sub(r"//[^\n]*", "", match.group(1))) if match else []
    return [inner for base in bases for inner in [base, *_base_names(source, base)]]
