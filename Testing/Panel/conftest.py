"""The panel ring: it needs PySide6 and slicer-core, runs offscreen, and in a process of its own."""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))
#: The stand-in's modules are no tests, and must not be imported twice under other names.
collect_ignore = ["slicer_standin"]


def pytest_addoption(parser):
    """Add the options for a checkout of Slicer and for pictures."""
    folder = HERE.parents[1] / "build" / "panel-screenshots"
    parser.addoption("--screenshots", metavar="DIR", default=str(folder), help="where pictures of panels go")
    parser.addoption(
        "--slicer-source", metavar="DIR", help="a checkout of Slicer whose Python files are used"
    )


def pytest_configure(config):
    """Start the stand-in before any test module imports slicer or qt."""
    from slicer_standin import start

    source = config.getoption("--slicer-source")
    config.standin = start(Path(source).resolve() if source else None)


def pytest_sessionfinish(session, exitstatus):
    """Keep how the tests ended."""
    session.config.exit_status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """End the process here: torn down by the interpreter, scene, widgets and views would crash."""
    if not hasattr(config, "exit_status"):
        return
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(config.exit_status)


@pytest.fixture(scope="session")
def can_draw() -> bool:
    """Say whether this machine draws views; it is asked in a child process, as a wrong answer would crash."""
    from CTInsightLib.OffscreenWindow import prepareOffscreenWindow

    return not prepareOffscreenWindow()


@pytest.fixture
def screenshot(request, can_draw):
    """Return a function that saves panel and views under a name and returns the file."""
    from slicer_standin.screenshot import save_screenshot

    folder = Path(request.config.getoption("--screenshots"))
    return lambda name: save_screenshot(folder / f"{name}.png", views=can_draw)


@pytest.fixture
def standin(request):
    """Return the stand-in with an empty scene; fail on exceptions in slots and on dialogs nobody took."""
    import slicer

    running = request.config.standin
    running.dialogs.clear()
    running.faults.take()
    slicer.mrmlScene.Clear(0)
    slicer.app.processEvents()
    yield running
    slicer.app.processEvents()
    shown, raised = running.dialogs.take(), running.faults.take()
    assert not raised, f"raised in a slot or observer: {raised}"
    assert not shown, f"dialogs that the test did not take: {shown}"


@pytest.fixture(scope="module")
def shared_worker():
    """End the worker that a module's tests share, as the application does."""
    import slicer

    yield
    slicer.modules.HematomaVolumeWidget.cleanup()


@pytest.fixture
def widget(standin, project, tmp_path, monkeypatch, shared_worker):
    """Return HematomaVolume's widget, shown, with a quick worker and an empty model folder."""
    import slicer
    from panel_actions import show, worker_of

    monkeypatch.setenv("CTINSIGHT_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("CTINSIGHT_SETTINGS", str(tmp_path / "settings.json"))
    widget = show(standin, project, "HematomaVolume")
    worker_of(widget).command = [sys.executable, str(HERE.parent / "quick_hematoma.py")]
    yield widget
    if widget.panel.busy:
        widget.panel.cancel()
    slicer.mrmlScene.Clear(0)
