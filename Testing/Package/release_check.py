"""What must be true before the extension is offered to the Slicer Extensions Index.

    ./run python Testing/Package/release_check.py

lists every fault and leaves with 1; without a fault with 0. It looks at files alone and opens no connection:
whether the addresses answer, and whether the repository carries the topic ``3d-slicer-extension``, a person
has to see.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse

PROJECT = Path(__file__).resolve().parents[2]
DESCRIPTION = Path("Resources/ExtensionsIndex/CTInsight.json")
#: RFC 2606 keeps this host for examples: it stands where the public address is not known yet.
PLACEHOLDER = "example.org"
_REQUIRED = {"$schema", "category", "scm_url"}
_OPTIONAL = {
    "scm_revision",
    "scm_type",
    "build_dependencies",
    "build_subdirectory",
    "enabled",
    "tier",
    "dicom_support_rule",
}
#: Of those that the index knows.
_CATEGORIES = {"Segmentation", "Neuroimaging", "Quantification", "Analysis", "Informatics"}
_PICTURES = (".png", ".jpg", ".jpeg", ".gif")
_MOST_BYTES = 100_000_000


def faults_of(project: Path) -> list[str]:
    """List what the index would refuse, placeholders included."""
    return [*description_faults(project), *placeholder_faults(project)]


def description_faults(project: Path) -> list[str]:
    """List what is wrong with the description and with what must agree with it, placeholders aside."""
    raw = (project / DESCRIPTION).read_bytes()
    entry, cmake = json.loads(raw), (project / "CMakeLists.txt").read_text(encoding="utf-8")
    faults = ["line ends that are not LF"] if b"\r" in raw else []
    faults += [f"no {key}" for key in sorted(_REQUIRED - entry.keys())]
    faults += [f"unknown key {key}" for key in sorted(entry.keys() - _REQUIRED - _OPTIONAL)]
    if entry.get("category") not in _CATEGORIES:
        faults.append(f"category {entry.get('category')!r}")
    if not (isinstance(entry.get("tier", 1), int) and 1 <= entry.get("tier", 1) <= 5):
        faults.append(f"tier {entry.get('tier')!r}")
    address = urlparse(str(entry.get("scm_url")))
    if address.scheme not in {"https", "git"}:
        faults.append(f"scm_url {entry.get('scm_url')}: neither https nor git")
    if not address.path.rsplit("/", 1)[-1].startswith("Slicer"):
        faults.append("a repository whose name does not begin with Slicer")
    faults += _name_faults(cmake)
    if not (project / "LICENSE.txt").is_file():
        faults.append("no LICENSE.txt in the root")
    return faults + _cmake_faults(cmake, entry) + _size_faults(project)


def placeholder_faults(project: Path) -> list[str]:
    """List the places where the public address is still a placeholder."""
    found = []
    for path in (Path("CMakeLists.txt"), DESCRIPTION, Path("CITATION.cff")):
        lines = (project / path).read_text(encoding="utf-8").splitlines()
        found += [
            f"{path}, line {n}: {PLACEHOLDER}" for n, line in enumerate(lines, 1) if PLACEHOLDER in line
        ]
    return found


def _name_faults(cmake: str) -> list[str]:
    match = re.search(r"^project\((\w+)\)", cmake, re.MULTILINE)
    name = match[1] if match else ""
    faults = [f"project {name}, but {DESCRIPTION.name}"] if name != DESCRIPTION.stem else []
    return [*faults, "a name that begins with Slicer"] if name.startswith("Slicer") else faults


def _cmake_faults(cmake: str, entry: dict[str, object]) -> list[str]:
    faults = []
    for key in ("EXTENSION_ICONURL", "EXTENSION_SCREENSHOTURLS"):
        match = re.search(rf'^set\({key} "([^"]*)"\)$', cmake, re.MULTILINE)
        addresses = match[1].split() if match else []
        if not addresses or not all(a.startswith("https://") and a.endswith(_PICTURES) for a in addresses):
            faults.append(f"{key}: not on one line, or no https address of a picture")
    match = re.search(r'^set\(EXTENSION_DEPENDS "([^"]*)"\)$', cmake, re.MULTILINE)
    depends = [] if match is None or match[1] == "NA" else match[1].split()
    if depends != entry.get("build_dependencies", []):
        faults.append(f"EXTENSION_DEPENDS {depends}, build_dependencies {entry.get('build_dependencies')}")
    return faults


def _size_faults(project: Path) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - the developer's own git
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    total = sum((project / name).stat().st_size for name in listed.stdout.split("\0") if name)
    return (
        [f"{total / 1e6:.0f} MB checked out, at most {_MOST_BYTES / 1e6:.0f}"] if total > _MOST_BYTES else []
    )


if __name__ == "__main__":
    found_faults = faults_of(PROJECT)
    sys.stdout.write("\n".join(found_faults or ["nothing that the index would refuse"]) + "\n")
    raise SystemExit(bool(found_faults))
