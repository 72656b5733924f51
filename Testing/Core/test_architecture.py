"""The rules of the house that a machine can check: light import, small functions, silent core."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).resolve().parents[2] / "CTInsight").rglob("*.py"))
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(path: Path) -> list[FunctionNode]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, FunctionNode)]


def _length(node: FunctionNode) -> int:
    """Count the lines of a function without its docstring, which may be as long as it needs."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_import_is_light() -> None:
    """``import ctinsight`` loads neither torch nor scipy nor any imaging package."""
    code = "import sys, ctinsight; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"torch", "scipy", "SimpleITK", "pydicom", "numpy", "matplotlib"} & set(done.stdout.split())


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_files_stay_short(path: Path) -> None:
    """No source file is longer than 400 lines."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_functions_stay_short() -> None:
    """No function body exceeds 60 lines, and nine in ten have at most 40."""
    lengths = {f"{p.name}:{f.name}": _length(f) for p in SOURCES for f in _functions(p)}
    assert {name: n for name, n in lengths.items() if n > 60} == {}
    assert statistics.quantiles(lengths.values(), n=10)[-1] <= 40


def test_functions_take_few_parameters() -> None:
    """Nothing takes more than four positional parameters: more of them are a dataclass."""
    crowded = [
        f"{p.name}:{f.name}"
        for p in SOURCES
        for f in _functions(p)
        if len([a for a in f.args.posonlyargs + f.args.args if a.arg not in ("self", "cls")]) > 4
    ]
    assert crowded == []


def test_no_room_for_leftovers() -> None:
    """No module is called utils, helpers, common or misc."""
    assert [p for p in SOURCES if p.stem in {"utils", "helpers", "common", "misc"}] == []
