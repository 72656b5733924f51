"""What a user does in a panel, and what a test waits for, measures and takes pictures of."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import qt
import slicer
from slicer_standin.screenshot import save_screenshot

from ctinsight.volume import Volume
from CTInsightLib.OffscreenWindow import prepareOffscreenWindow
from CTInsightLib.VolumeBridge import addVolumeNode

#: Volume of the block in :func:`a_head`, in mL: 500 voxels of 2 x 2 x 5 mm.
TRUTH_ML = 10.0
#: Where screenshots go when somebody wants to keep them.
SCREENSHOTS = "CTINSIGHT_SCREENSHOTS"


def show(standin, project, name):
    """Load the shared module and the named one where they are not loaded yet; return its widget, shown."""
    for module in dict.fromkeys(("CTInsight", name)):
        if module not in slicer.app.moduleManager().modulesNames():
            standin.load(project / module / f"{module}.py")
    return standin.select(name)


def a_head(name="Head", shape_kji=(12, 40, 40)):
    """Add tissue of 30 HU with a block of blood of 10 mL; its middle lies at (-33, -29, 25) mm."""
    array_kji = np.full(shape_kji, 30, np.int16)
    array_kji[3:8, 10:20, 12:22] = 60
    volume = Volume(array_kji, np.diag([-2.0, -2.0, 5.0, 1.0]))
    return addVolumeNode(slicer.mrmlScene, volume, name)


def wait(until, seconds=30.0):
    """Let Qt work until something holds; return the longest time for which it could not answer, in s."""
    deadline, longest = time.monotonic() + seconds, 0.0
    while not until():
        assert time.monotonic() < deadline, "it did not happen in time"
        begun = time.monotonic()
        slicer.app.processEvents()
        longest = max(longest, time.monotonic() - begun)
        time.sleep(0.002)
    return longest


def finish(widget, seconds=30.0):
    """Wait until a task's panel is idle; return the longest time for which it could not answer, in s."""
    return wait(lambda: not widget.panel.waiting, seconds)


def picture(widget, name, folder):
    """Keep a picture of a panel as a user sees it, beside the views where it is kept; return its path."""
    slicer.app.processEvents()
    if SCREENSHOTS in os.environ:
        return save_screenshot(
            Path(os.environ[SCREENSHOTS]) / f"{name}.png", views=not prepareOffscreenWindow()
        )
    path = folder / f"{name}.png"
    assert widget.parent.grab().save(str(path))
    return path


def clipped(widget):
    """Return the names of visible buttons and boxes whose text does not fit."""
    found = []
    for kind in (qt.QPushButton, qt.QCheckBox):
        for child in widget.parent.findChildren(kind):
            wanted = child.minimumSizeHint()
            if child.visible and (child.width < wanted.width() or child.height < wanted.height()):
                found.append(child.objectName)
    return found


def worker_of(widget):
    """Return the worker process that a panel runs its task in."""
    return widget.panel._logic._job.worker


def applied(widget):
    """Click Apply, wait for the end and return the result."""
    widget.ui.applyButton.click()
    finish(widget)
    return widget.panel.result.result
