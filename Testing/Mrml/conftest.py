"""Fixtures of the ring that works on real MRML scenes; it needs slicer-core and no display."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from ctinsight.report import write_result
from made_cases import made_case, made_grid

if find_spec("slicer") is None:
    collect_ignore_glob = ["test_*.py"]


def pytest_report_header():
    """Say why the ring is left out, where it is."""
    return [] if find_spec("slicer") else ["Testing/Mrml is left out: no slicer-core (extra 'mrml')"]


#: Grids that must all keep every voxel in its place; the third is left-handed.
GRIDS = {
    "as DICOM": {},
    "flipped": {"signs": (1, 1, 1)},
    "left-handed": {"signs": (1, -1, -1)},
    "oblique": {"spacing_ijk_mm": (2.4, 3.1, 5.0), "turned_degrees": (14, -9, 17)},
    "thin slices": {"spacing_ijk_mm": (4.0, 4.0, 1.5)},
}


@pytest.fixture(params=GRIDS.values(), ids=GRIDS)
def any_case(request):
    """Return a case on each of the grids in turn."""
    return made_case(made_grid(**request.param))


@pytest.fixture(scope="session")
def case():
    """Return one case that every test may read."""
    return made_case()


@pytest.fixture
def headless():
    """Return an empty scene."""
    from CTInsightLib.HeadlessScene import HeadlessScene

    with HeadlessScene() as scene:
        yield scene


@pytest.fixture(scope="session")
def result_folder(case, tmp_path_factory):
    """Return a result folder as the core leaves it; copy it before adding to it."""
    return write_result(case.result, case.scan, tmp_path_factory.mktemp("results") / "case").folder


@pytest.fixture
def reopened():
    """Return a function that saves a scene and opens it in a new one."""
    from CTInsightLib.HeadlessScene import HeadlessScene

    def reopen(headless, folder):
        headless.save(folder / "scene.mrb")
        again = HeadlessScene()
        again.load(folder / "scene.mrb")
        return again

    return reopen
