"""The extension configures, installs and holds every file, seen against a mock of 3D Slicer's build tree."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

MOCK_SLICER = Path(__file__).parent / "MockSlicer"


def _cmake(*arguments: str) -> None:
    cmake = pytest.importorskip("cmake")
    subprocess.run([str(Path(cmake.CMAKE_BIN_DIR) / "cmake"), *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def installed(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Configure and install the extension; return its folder of scripted modules."""
    build, prefix = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("install")
    _cmake("-S", str(project), "-B", str(build), f"-DSlicer_DIR={MOCK_SLICER}", "-Wno-dev")
    _cmake("--install", str(build), "--prefix", str(prefix))
    return prefix / "lib/Slicer-5.12/qt-scripted-modules"


def test_every_source_file_is_packaged(project: Path, installed: Path) -> None:
    """What lies in CTInsight as Python or data lies in the package, and nothing more."""
    source = project / "CTInsight"
    wanted = {p.relative_to(source) for kind in ("*.py", "*.toml") for p in source.rglob(kind)}
    packaged = {p.relative_to(installed) for p in installed.rglob("*") if p.is_file()}
    assert packaged == {p for p in wanted if "__pycache__" not in p.parts and "egg-info" not in str(p)}


def test_metadata_follows_the_rules_of_the_extensions_index(project: Path) -> None:
    """Project name without 'Slicer', patent and research use stated, icon and screenshot on one line each."""
    text = (project / "CMakeLists.txt").read_text(encoding="utf-8")
    assert re.search(r"^project\(CTInsight\)$", text, re.MULTILINE)
    assert re.search(r'^set\(EXTENSION_ICONURL "\S+\.png"\)$', text, re.MULTILINE)
    assert re.search(r'^set\(EXTENSION_SCREENSHOTURLS "\S+\.png"\)$', text, re.MULTILINE)
    assert "CN115620899B" in text
    assert "Research use only. Not a medical device." in text


def test_licence_is_apache(project: Path) -> None:
    """The root holds the Apache licence, version 2.0, as the metadata says."""
    text = (project / "LICENSE.txt").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
