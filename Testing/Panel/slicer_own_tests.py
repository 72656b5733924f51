"""Run Slicer's own parameter node tests on the stand-in, outside pytest, in a process of its own.

    python Testing/Panel/slicer_own_tests.py DIR slicer   # Slicer's parameterNodeWrapper on our qt and ctk
    python Testing/Panel/slicer_own_tests.py DIR ours     # our parameterNodeWrapper under Slicer's tests

DIR is a checkout of Slicer. Prints one JSON object: how many tests ran and which failed with what.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import sys
import unittest
from pathlib import Path

TESTS = Path("Base/Python/slicer/tests")
NAMES = (
    "test_slicer_parameter_node_wrapper",
    "test_slicer_parameter_pack",
    "test_slicer_parameter_node_wrapper_guis",
    "test_slicer_parameter_node_wrapper_gui_creation",
)
#: Widgets that the tests import and the stand-in does not have.
_ABSENT = ("qMRMLSubjectHierarchyComboBox", "qMRMLSubjectHierarchyTreeView")


def _load(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def run(source: Path, whose: str) -> dict:
    """Start the stand-in and run all tests; ``whose`` is "slicer" or "ours"."""
    from slicer_standin import start

    start(source if whose == "slicer" else None)
    import slicer

    for name in _ABSENT:
        setattr(slicer, name, type(name, (), {}))
    if whose == "ours":
        packs = importlib.import_module("slicer.parameterNodeWrapper.packs")
        sys.modules["slicer.parameterNodeWrapper.parameterPack"] = packs
    suite = unittest.TestSuite()
    for name in NAMES:
        suite.addTests(unittest.defaultTestLoader.loadTestsFromModule(_load(source / TESTS / f"{name}.py")))
    result = unittest.TextTestRunner(stream=io.StringIO()).run(suite)
    bad = {
        test.id().rpartition(".")[2]: trace.strip().splitlines()[-1] for test, trace in _not_passed(result)
    }
    return {"run": result.testsRun, "failed": dict(sorted(bad.items()))}


def _not_passed(result):
    return [*result.failures, *result.errors]


if __name__ == "__main__":
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    report = json.dumps(run(Path(sys.argv[1]).resolve(), sys.argv[2]), indent=1)
    sys.stdout.write(f"{report}\n")
    sys.stdout.flush()
    os._exit(0)  # the tests leave widgets behind that do not survive the interpreter's end
