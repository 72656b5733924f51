"""The extension configures, installs and holds every file, seen against a mock of 3D Slicer's build tree."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

MOCK_SLICER = Path(__file__).parent / "MockSlicer"
#: Folders of scripted modules, each with a module script of the same name.
MODULES = ("CTInsight", "HematomaVolume")
KINDS = ("*.py", "*.toml", "*.csv", "*.html", "*.ui", "*.png", "*.txt")


class Installed(NamedTuple):
    """Where the build and the installed scripted modules lie."""

    build: Path
    modules: Path


def _cmake(*arguments: str) -> None:
    cmake = pytest.importorskip("cmake")
    subprocess.run([str(Path(cmake.CMAKE_BIN_DIR) / "cmake"), *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def installed(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Configure and install the extension with its tests."""
    build, prefix = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("install")
    options = [f"-DSlicer_DIR={MOCK_SLICER}", "-DBUILD_TESTING=ON", "-Wno-dev"]
    _cmake("-S", str(project), "-B", str(build), *options)
    _cmake("--install", str(build), "--prefix", str(prefix))
    return Installed(build, prefix / "lib/Slicer-5.12/qt-scripted-modules")


def _on_disk(folder: Path) -> set[Path]:
    found = {p.relative_to(folder) for kind in KINDS for p in folder.rglob(kind)}
    return {p for p in found if "__pycache__" not in p.parts and "egg-info" not in str(p)} - {
        Path("CMakeLists.txt")
    }


def test_every_module_folder_is_built(project: Path) -> None:
    """Each folder with a module script of its own name is added by the extension, and no other."""
    scripts = {p.parent.name for p in project.glob("*/*.py") if p.stem == p.parent.name}
    added = re.findall(r"^add_subdirectory\((\w+)\)$", (project / "CMakeLists.txt").read_text(), re.MULTILINE)
    assert scripts == set(MODULES) == set(added)


def test_every_source_file_is_packaged(project: Path, installed: Installed) -> None:
    """What lies in the module folders as Python, data, form or icon lies in the package, and nothing more."""
    wanted = [path for module in MODULES for path in _on_disk(project / module)]
    packaged = {p.relative_to(installed.modules) for p in installed.modules.rglob("*") if p.is_file()}
    assert packaged == set(wanted)
    assert len(wanted) == len(set(wanted)), "two modules install a file of the same name"


def test_resources_carry_their_module_s_name(project: Path) -> None:
    """All modules share one installed Resources folder, so every file in it begins with its module's name."""
    strays = [
        path
        for module in MODULES
        for path in (project / module / "Resources").rglob("*")
        if path.is_file() and not path.name.startswith(module)
    ]
    assert strays == []


def test_every_module_has_icon_and_test(project: Path, installed: Installed) -> None:
    """Each module brings an icon of 128 pixels and registers its test inside the application."""
    registered = (installed.build / "registered-tests.txt").read_text(encoding="utf-8").split()
    assert sorted(registered) == sorted(f"{module}.py" for module in MODULES)
    for module in MODULES:
        header = (project / module / "Resources" / "Icons" / f"{module}.png").read_bytes()[:24]
        assert [int.from_bytes(header[at : at + 4]) for at in (16, 20)] == [128, 128]


@pytest.mark.parametrize("module", MODULES)
def test_the_door_is_small_and_says_what_it_must(project: Path, module: str) -> None:
    """At most 300 lines, in the category of the extension, with the notice, and no import of our packages."""
    text = (project / module / f"{module}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    assert 'categories = ["CT Insight"]' in text
    assert "Research use only. Not a medical device." in text
    assert not re.search(r"^(from|import) (CTInsightLib|ctinsight)", text, re.MULTILINE)


@pytest.mark.parametrize("module", [m for m in MODULES if m != "CTInsight"])
def test_clinical_modules_need_the_shared_folder(project: Path, module: str) -> None:
    """3D Slicer loads the folder with the shared packages first."""
    text = (project / module / f"{module}.py").read_text(encoding="utf-8")
    assert 'parent.dependencies = ["CTInsight"]' in text


def test_forms_show_the_notice_and_name_every_widget_once(project: Path) -> None:
    """Each panel shows the notice, and no two widgets of one panel share a name."""
    shared = (project / "CTInsight/Resources/UI/CTInsightRun.ui").read_text(encoding="utf-8")
    for module in MODULES:
        form = (project / module / "Resources/UI" / f"{module}.ui").read_text(encoding="utf-8")
        names = re.findall(r'<widget class="\w+" name="(\w+)"', form)
        if "runFrame" in names:
            names += re.findall(r'<widget class="\w+" name="(\w+)"', shared)
        assert "Research use only. Not a medical device." in form
        assert len(names) == len(set(names)) > 10, module


def test_metadata_follows_the_rules_of_the_extensions_index(project: Path) -> None:
    """Project name without 'Slicer', patent and research use stated, icon and screenshot on one line each."""
    text = (project / "CMakeLists.txt").read_text(encoding="utf-8")
    assert re.search(r"^project\(CTInsight\)$", text, re.MULTILINE)
    assert re.search(r'^set\(EXTENSION_ICONURL "\S+\.png"\)$', text, re.MULTILINE)
    assert re.search(r'^set\(EXTENSION_SCREENSHOTURLS "\S+\.png( \S+\.png)*"\)$', text, re.MULTILINE)
    assert "CN115620899B" in text
    assert "Research use only. Not a medical device." in text


def test_licence_is_apache(project: Path) -> None:
    """The root holds the Apache licence, version 2.0, as the metadata says."""
    text = (project / "LICENSE.txt").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
