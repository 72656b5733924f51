"""``slicer.packaging`` without pip: what was asked for is recorded, nothing is ever installed."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from packaging.requirements import Requirement

#: Every call that would have run pip: (function, requirements).
calls: list[tuple[str, list[str]]] = []


def load_requirements(path):
    """Return the requirements of a requirements.txt, without comments and pip's options."""
    lines = (line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def _as_requirements(requirements):
    if isinstance(requirements, (str, Requirement)):
        requirements = [requirements]
    return [item if isinstance(item, Requirement) else Requirement(item) for item in requirements]


def pip_check(requirements, **_options):
    """Say whether every requirement is installed in a version that it allows."""
    for requirement in _as_requirements(requirements):
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            return False
        if not requirement.specifier.contains(version, prereleases=True):
            return False
    return True


def pip_install(requirements, **_options):
    """Record an installation."""
    calls.append(("pip_install", [str(item) for item in _as_requirements(requirements)]))


def pip_ensure(requirements, **_options):
    """Record an installation if something is missing."""
    missing = [item for item in _as_requirements(requirements) if not pip_check(item)]
    if missing:
        calls.append(("pip_ensure", [str(item) for item in missing]))


def pip_uninstall(requirements, **_options):
    """Record a removal."""
    calls.append(("pip_uninstall", [str(item) for item in _as_requirements(requirements)]))
