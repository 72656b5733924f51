"""What our panels' sources may not say, because PySide6 would take it and PythonQt would not."""

from __future__ import annotations

import ast
import enum
from pathlib import Path

import pytest
import qt

_EXTENSION = Path(__file__).resolve().parents[2] / "CTInsight"


def _panel_sources() -> list[Path]:
    """Return the Python files of the extension that use ``qt``."""
    found = [path for path in _EXTENSION.rglob("*.py") if "import qt" in path.read_text(encoding="utf-8")]
    return sorted(path for path in found if "ctinsight" not in path.relative_to(_EXTENSION).parts)


def _chain(node: ast.AST) -> list[str]:
    """Return ``a.b.c`` as its names; empty where it begins with something else than a name."""
    names = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) else []


def _faults(source: str) -> list[str]:
    """Return what PythonQt would refuse in a source, as sentences."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = _chain(node) if isinstance(node, ast.Attribute) else []
        if names[:1] == ["qt"] and not hasattr(qt, names[1]):
            found.append(f"line {node.lineno}: there is no qt.{names[1]}")
        elif names[:1] == ["qt"] and len(names) > 3:
            owner = getattr(getattr(qt, names[1]), names[2], None)
            if isinstance(owner, enum.EnumMeta):
                found.append(f"line {node.lineno}: leave out {names[2]} in {'.'.join(names)}")
        if names[-1:] in (["sizeHint"], ["minimumSizeHint"]):
            found.append(f"line {node.lineno}: reads a size hint")
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imported = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [f"line {node.lineno}: imports {name}" for name in imported if name.startswith("PySide")]
    return found


@pytest.mark.parametrize(
    "source",
    [
        "a = qt.Qt.AlignmentFlag.AlignLeft",
        "qt.QMessageBox.StandardButton.Yes",
        "qt.Signal(int)",
        "height = label.sizeHint().height()",
        "from PySide6 import QtWidgets",
    ],
)
def test_the_rule_finds_what_pythonqt_refuses(source):
    """Each of these runs on PySide6 and fails in Slicer."""
    assert len(_faults(source)) == 1


def test_the_rule_lets_good_lines_pass():
    """What works in Slicer is not complained of."""
    assert (
        _faults("a = qt.Qt.AlignLeft | qt.Qt.AlignTop\nqt.QTimer.singleShot(0, f)\nbutton.text = 'x'") == []
    )


@pytest.mark.parametrize("path", _panel_sources(), ids=lambda path: path.name)
def test_a_panel_speaks_pythonqt(path):
    """No scoped enumeration, nothing that only PySide6 has, no reading of size hints."""
    assert _faults(path.read_text(encoding="utf-8")) == []
