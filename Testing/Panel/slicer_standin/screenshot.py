"""Pictures of a panel beside live views, marked as what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer
from PySide6 import QtCore, QtGui

from slicer_standin.views import VIEW_PX

if TYPE_CHECKING:
    from pathlib import Path

CAPTION = "rendered in the test stand-in, not in Slicer"
_PANEL_PX = (460, 860)
_MARGIN_PX = 4
_CAPTION_PX = 24


def save_screenshot(path: Path, *, views: bool = True) -> Path:
    """Save the module panel, the axial slice view and the 3-D view as one PNG with the caption.

    Parameters
    ----------
    path : Path
        Where to; the folder is made.
    views : bool
        Whether the views are drawn; without, their places say why.

    Returns
    -------
    Path
        The picture.
    """
    slicer.app.processEvents()
    width = _PANEL_PX[0] + VIEW_PX[0] + 3 * _MARGIN_PX
    image = QtGui.QImage(width, _PANEL_PX[1] + _CAPTION_PX, QtGui.QImage.Format_RGB32)
    image.fill(QtGui.QColor("#303030"))
    painter = QtGui.QPainter(image)
    painter.drawPixmap(_MARGIN_PX, 0, _panel_picture())
    left = _PANEL_PX[0] + 2 * _MARGIN_PX
    for row, picture in enumerate(_view_pictures(views)):
        painter.drawImage(left, row * (VIEW_PX[1] + _MARGIN_PX), picture)
    painter.setPen(QtGui.QColor("white"))
    caption = QtCore.QRect(0, _PANEL_PX[1], width, _CAPTION_PX)
    painter.drawText(caption, QtCore.Qt.AlignCenter, CAPTION)
    painter.end()
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(str(path))
    return path


def _panel_picture():
    window = slicer.util.mainWindow()
    area = window.findChild("QScrollArea", "ModulePanel")
    panel = area.widget()
    needed = max(panel.minimumSizeHint().height(), panel.sizeHint().height(), _PANEL_PX[1])
    window.resize(_PANEL_PX[0], min(needed, 2 * _PANEL_PX[1]) + 60)
    slicer.app.processEvents()
    picture = area.grab()
    return picture.scaled(*_PANEL_PX, QtCore.Qt.KeepAspectRatio, QtCore.Qt.SmoothTransformation)


def _view_pictures(views: bool):
    if not views:
        blank = QtGui.QImage(*VIEW_PX, QtGui.QImage.Format_RGB32)
        blank.fill(QtGui.QColor("black"))
        painter = QtGui.QPainter(blank)
        painter.setPen(QtGui.QColor("white"))
        painter.drawText(blank.rect(), QtCore.Qt.AlignCenter, "no view: this machine cannot draw in 3-D")
        painter.end()
        return [blank, blank]
    layout = slicer.app.layoutManager()
    return [layout.sliceWidget("Red")._picture(*VIEW_PX), layout.threeDWidget(0)._picture(*VIEW_PX)]
