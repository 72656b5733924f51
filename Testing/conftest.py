"""Fixtures that every test ring shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]

# As the worker does: on a busy machine waiting threads of torch spin, which made test_drunet take 49
# processor-seconds instead of 11. It must stand here before anything imports torch.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@pytest.fixture(scope="session")
def project() -> Path:
    """Return the root of the checkout."""
    return PROJECT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real CTs, atlas and reference numbers that lies beside the checkout.

    It is not part of the project; ``CTINSIGHT_SHARED`` names it when it lies elsewhere.
    """
    folder = Path(os.environ.get("CTINSIGHT_SHARED", PROJECT.parent / "shared"))
    if not (folder / "README.md").is_file():
        pytest.skip(f"the folder with real CTs and reference numbers is absent: {folder}")
    return folder
