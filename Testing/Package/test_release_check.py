"""The description for the Extensions Index passes every check without a network, placeholders aside."""

from __future__ import annotations

import importlib.util
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def check(project: Path) -> Any:
    """Return the script as a module."""
    spec = importlib.util.spec_from_file_location(
        "release_check", project / "Testing/Package/release_check.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copy(project: Path, tmp_path: Path, check: Any) -> Path:
    """Return a copy of what is checked, with public addresses filled in."""
    for name in ("CMakeLists.txt", "CITATION.cff", "LICENSE.txt", str(check.DESCRIPTION)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        text = (project / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace(check.PLACEHOLDER, "github.com/somebody"), encoding="utf-8")
    return tmp_path


def test_the_description_is_what_the_index_takes(check: Any, project: Path) -> None:
    """Schema, names, category, pictures, licence, size: nothing is wrong but the addresses."""
    assert check.description_faults(project) == []


def test_placeholders_stop_a_release(check: Any, project: Path) -> None:
    """While no public address is known the check fails and names the lines."""
    faults = check.faults_of(project)
    assert faults
    assert all(check.PLACEHOLDER in fault for fault in faults)


def test_with_real_addresses_nothing_is_left(check: Any, copy: Path) -> None:
    """Then the check passes."""
    assert check.faults_of(copy) == []


def _changed(key: str, value: object) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda entry: {**entry, key: value}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_changed("category", "Toys"), "category"),
        (_changed("homepage", "x"), "unknown key homepage"),
        (_changed("tier", 6), "tier"),
        (_changed("scm_url", "ftp://github.com/a/SlicerX"), "neither https nor git"),
        (_changed("scm_url", "https://github.com/a/CTInsight"), "does not begin with Slicer"),
        (_changed("build_dependencies", ["PyTorch"]), "EXTENSION_DEPENDS"),
        (lambda entry: {k: v for k, v in entry.items() if k != "category"}, "no category"),
    ],
)
def test_what_the_index_would_refuse_is_named(
    change: Callable[[dict[str, Any]], dict[str, Any]], said: str, check: Any, copy: Path
) -> None:
    """One fault, one line that names it."""
    path = copy / check.DESCRIPTION
    path.write_text(json.dumps(change(json.loads(path.read_text()))), encoding="utf-8")
    assert any(said in fault for fault in check.faults_of(copy))


def test_windows_line_ends_and_a_missing_licence_are_named(check: Any, copy: Path) -> None:
    """Both are refused by the index."""
    path = copy / check.DESCRIPTION
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    shutil.move(copy / "LICENSE.txt", copy / "LICENCE")
    faults = check.faults_of(copy)
    assert "line ends that are not LF" in faults
    assert "no LICENSE.txt in the root" in faults
