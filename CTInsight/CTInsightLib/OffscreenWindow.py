"""Which kind of window VTK draws into without a display; a wrong one ends the process, so ask first."""

from __future__ import annotations

import os
import subprocess
import sys

#: The variable by which VTK chooses its window.
VARIABLE = "VTK_DEFAULT_OPENGL_WINDOW"
#: Without a display: hardware or Mesa through EGL, else Mesa in memory.
_WITHOUT_DISPLAY = ("vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow")
_PROBE = """
import vtkmodules.vtkRenderingOpenGL2
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow
window = vtkRenderWindow()
window.SetOffScreenRendering(1)
window.SetSize(16, 16)
window.AddRenderer(vtkRenderer())
window.Render()
raise SystemExit(0 if window.SupportsOpenGL() else 1)
"""
_PROBE_SECONDS = 60


def prepareOffscreenWindow() -> str:
    """Set up VTK for drawing off screen on this machine.

    A child process tries each kind of window, because a kind that is not installed crashes. On Windows and
    macOS the default is right.

    Returns
    -------
    str
        Empty when pictures can be drawn, else the reason why not, as a sentence.
    """
    if not sys.platform.startswith("linux"):
        return ""
    for kind in _candidates():
        if _draws(kind):
            if kind:
                os.environ[VARIABLE] = kind
            return ""
    return (
        "This machine can draw no 3-D picture: neither a display nor EGL nor OSMesa answers. "
        "Install libegl1 or libosmesa6, or run it under xvfb-run."
    )


def _candidates() -> tuple[str, ...]:
    if os.environ.get(VARIABLE):
        return (os.environ[VARIABLE], *_WITHOUT_DISPLAY)
    return ("", *_WITHOUT_DISPLAY) if os.environ.get("DISPLAY") else _WITHOUT_DISPLAY


def _draws(kind: str) -> bool:
    environment = {**os.environ, VARIABLE: kind} if kind else dict(os.environ)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE],
            env=environment,
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
