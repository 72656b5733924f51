# ruff: noqa: N801, N802, N815 - the names are Slicer's
"""The ctk widgets that our panels and Slicer's parameter nodes use, drawn simply.

Each has only members that the real class shows to Python (``Q_PROPERTY``, slots, ``Q_INVOKABLE``, signals).
"""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Qt, Signal

from slicer_standin.dialogs import make_answerable
from slicer_standin.stored import stored
from slicer_standin.uiloader import widget

#: Class name -> class, for the module ``ctk``.
WIDGETS: dict[str, type] = {}
_HEADER_PX = 22
_UNLIMITED_PX = 16777215


@widget(WIDGETS)
class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A titled box that folds."""

    contentsCollapsed = Signal(bool)

    def __init__(self, text=None, parent=None):
        if isinstance(text, QtWidgets.QWidget):
            text, parent = None, text
        super().__init__(parent)
        self.text = text or ""
        self.checkable = True
        self.checked = True
        self.setContentsMargins(2, _HEADER_PX + 2, 2, 2)
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Preferred)
        self.toggled.connect(self._fold)

    def _fold(self, opened):
        for child in self.children():
            if isinstance(child, QtWidgets.QWidget):
                child.setVisible(opened)
        self.setMaximumHeight(_UNLIMITED_PX if opened else _HEADER_PX + 2)
        self.contentsCollapsed.emit(not opened)

    def childEvent(self, event):
        """Hide children that come to a folded box."""
        if event.type() == QtCore.QEvent.ChildPolished and event.child().isWidgetType() and self.collapsed:
            event.child().hide()

    def sizeHint(self):
        """Leave room for the header and the content."""
        content = self.layout().sizeHint() if self.layout() else QtCore.QSize(0, 0)
        if self.collapsed:
            return QtCore.QSize(content.width(), _HEADER_PX + 2)
        return QtCore.QSize(content.width(), content.height() + (0 if self.layout() else _HEADER_PX))

    def hitButton(self, position):
        """Fold on a click into the header only."""
        return position.y() <= _HEADER_PX

    def paintEvent(self, _event):
        """Draw the header."""
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width, _HEADER_PX)
        painter = QtWidgets.QStylePainter(self)
        painter.drawControl(QtWidgets.QStyle.CE_PushButton, option)
        arrow = "▸" if self.collapsed else "▾"
        painter.drawText(option.rect.adjusted(6, 0, 0, 0), Qt.AlignVCenter, f"{arrow}  {self.text}")

    def _set_collapsed(self, collapsed):
        self.checked = not collapsed

    collapsed = Property(bool, lambda self: not self.checked, _set_collapsed)
    collapsedHeight = stored(int, "collapsedHeight", 10)
    flat = stored(bool, "flat", False)
    contentsFrameShape = stored(int, "contentsFrameShape", 0)
    contentsFrameShadow = stored(int, "contentsFrameShadow", 0)
    contentsLineWidth = stored(int, "contentsLineWidth", 1)


@widget(WIDGETS)
class ctkCollapsibleGroupBox(QtWidgets.QGroupBox):
    """A group box that folds by its check box."""

    def __init__(self, title="", parent=None):
        if isinstance(title, QtWidgets.QWidget):
            title, parent = "", title
        super().__init__(title, parent)
        self.checkable = True
        self.toggled.connect(self._fold)

    def _fold(self, opened):
        for child in self.children():
            if isinstance(child, QtWidgets.QWidget):
                child.setVisible(opened)

    collapsed = Property(
        bool, lambda self: not self.checked, lambda self, value: setattr(self, "checked", not value)
    )
    collapsedHeight = stored(int, "collapsedHeight", 14)


@widget(WIDGETS)
class ctkCheckBox(QtWidgets.QCheckBox):
    """A check box."""


@widget(WIDGETS)
class ctkComboBox(QtWidgets.QComboBox):
    """A combo box with a text for nothing chosen."""

    defaultText = stored(
        str, "defaultText", "", lambda self: setattr(self, "placeholderText", self.defaultText)
    )
    elideMode = stored(int, "elideMode", 0)
    scrollWheelEffect = stored(int, "scrollWheelEffect", 0)


@widget(WIDGETS)
class ctkPushButton(QtWidgets.QPushButton):
    """A push button."""

    elideMode = stored(int, "elideMode", 0)


@widget(WIDGETS)
class ctkMenuButton(QtWidgets.QPushButton):
    """A push button with a menu."""


@widget(WIDGETS)
class ctkCheckablePushButton(ctkPushButton):
    """A push button with a check box in it."""

    checkBoxToggled = Signal(bool)
    checkBoxControlsButton = stored(bool, "checkBoxControlsButton", True)
    checkBoxControlsButtonToggleState = stored(bool, "checkBoxControlsButtonToggleState", False)
    checkBoxUserCheckable = stored(bool, "checkBoxUserCheckable", True)


@widget(WIDGETS)
class ctkPathLineEdit(QtWidgets.QWidget):
    """A line for a path, with a button for a dialog."""

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)
    Dirs, Files, Executable, NoDot, NoDotDot = 1, 2, 8, 0x2000, 0x4000
    Readable, Writable, Hidden = 16, 32, 0x100

    def __init__(self, parent=None):
        super().__init__(parent)
        self._line = QtWidgets.QLineEdit()
        button = QtWidgets.QToolButton()
        button.text = "…"
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._line, 1)
        layout.addWidget(button)
        self._line.textChanged.connect(self.currentPathChanged)
        button.clicked.connect(self.browse)

    def browse(self):
        """Ask the user for a path."""
        chosen = QtWidgets.QFileDialog.getOpenFileName(self, "Open", self.currentPath)
        if chosen:
            self.currentPath = chosen

    def setCurrentPath(self, path):
        """Take a path."""
        self._line.text = path

    def addCurrentPathToHistory(self):
        """Remember the path; the stand-in does not."""

    currentPath = Property(str, lambda self: self._line.text, setCurrentPath)
    filters = stored(int, "filters", 0)
    nameFilters = stored("QStringList", "nameFilters", [])
    settingKey = stored(str, "settingKey", "")
    label = stored(str, "label", "")
    showBrowseButton = stored(bool, "showBrowseButton", True)
    showHistoryButton = stored(bool, "showHistoryButton", True)


@widget(WIDGETS)
class ctkDirectoryButton(QtWidgets.QWidget):
    """A button that shows and asks for a folder."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._path = "."
        self._button = QtWidgets.QPushButton()
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        self._button.clicked.connect(self.browse)

    def browse(self):
        """Ask the user for a folder."""
        chosen = QtWidgets.QFileDialog.getExistingDirectory(self, self.caption, self._path)
        if chosen:
            self.directory = chosen
            self.directorySelected.emit(chosen)

    def _set_directory(self, path):
        if QtCore.QDir(path) == QtCore.QDir(self._path):
            return
        self._path = self._button.text = QtCore.QDir(path).absolutePath()
        self.directoryChanged.emit(self._path)

    directory = Property(str, lambda self: self._path, _set_directory)
    caption = stored(str, "caption", "")


@widget(WIDGETS)
class ctkColorPickerButton(QtWidgets.QPushButton):
    """A button that shows and asks for a colour."""

    colorChanged = Signal(QtGui.QColor)

    def setColor(self, color):
        """Take a colour."""
        changed = color != self.color
        self.__dict__.setdefault("_kept", {})["color"] = QtGui.QColor(color)
        if changed:
            self.colorChanged.emit(color)

    color = Property(
        QtGui.QColor, lambda self: self.__dict__.get("_kept", {}).get("color", QtGui.QColor()), setColor
    )
    displayColorName = stored(bool, "displayColorName", True)


@widget(WIDGETS)
class ctkFittedTextBrowser(QtWidgets.QTextBrowser):
    """A text as high as its content."""

    collapsed = stored(bool, "collapsed", True)
    disableMouseScroll = stored(bool, "disableMouseScroll", True)
    showDetailsText = stored(str, "showDetailsText", "")
    hideDetailsText = stored(str, "hideDetailsText", "")

    def setCollapsibleText(self, text):
        """Show a text of which the first line stays visible when folded."""
        self.setText(text)


@widget(WIDGETS)
class ctkMessageBox(QtWidgets.QMessageBox):
    """A message box that can be told not to come again."""

    dontShowAgain = stored(bool, "dontShowAgain", False)
    dontShowAgainVisible = stored(bool, "dontShowAgainVisible", False)
    dontShowAgainSettingsKey = stored(str, "dontShowAgainSettingsKey", "")


@widget(WIDGETS)
class ctkSearchBox(QtWidgets.QLineEdit):
    """A line to search with."""

    showSearchIcon = stored(bool, "showSearchIcon", False)


make_answerable(ctkMessageBox)
