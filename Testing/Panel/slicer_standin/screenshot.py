"""Pictures of a panel beside live views, marked as what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer
from PySide6 import QtCore, QtGui

from slicer_standin.views import VIEW_PX

if TYPE_CHECKING:
    from pathlib import Path

CAPTION = "rendered in the test stand-in, not in Slicer"
_SMALLEST_PANEL_PX = (440, 2 * VIEW_PX[1])
_TALLEST_PANEL_PX = 1400
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
    panel = _panel_picture()
    left, height = panel.width() + 2 * _MARGIN_PX, max(panel.height(), 2 * VIEW_PX[1] + _MARGIN_PX)
    image = QtGui.QImage(left + VIEW_PX[0] + _MARGIN_PX, height + _CAPTION_PX, QtGui.QImage.Format_RGB32)
    image.fill(QtGui.QColor("#303030"))
    painter = QtGui.QPainter(image)
    painter.drawPixmap(_MARGIN_PX, 0, panel)
    for row, picture in enumerate(_view_pictures(views)):
        painter.drawImage(left, row * (VIEW_PX[1] + _MARGIN_PX), picture)
    painter.setPen(QtGui.QColor("white"))
    painter.drawText(QtCore.QRect(0, height, image.width(), _CAPTION_PX), QtCore.Qt.AlignCenter, CAPTION)
    painter.end()
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(str(path))
    return path


def _panel_picture():
    """Return the module panel without scroll bars, as wide and high as it wants to be."""
    slicer.app.processEvents()
    area = slicer.util.mainWindow().findChild("QScrollArea", "ModulePanel")
    panel = area.widget()
    width = max(panel.minimumSizeHint().width(), _SMALLEST_PANEL_PX[0])
    wanted = panel.layout().heightForWidth(width) if panel.layout().hasHeightForWidth() else 0
    wanted = max(wanted, panel.minimumSizeHint().height(), panel.sizeHint().height(), _SMALLEST_PANEL_PX[1])
    size = QtCore.QSize(width, min(wanted, _TALLEST_PANEL_PX))
    window = slicer.util.mainWindow()
    window.resize(window.size + size - area.viewport().size)
    slicer.app.processEvents()
    return area.viewport().grab()


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
