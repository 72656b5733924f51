# ruff: noqa: N801, N802, N815 - the names are Slicer's
"""The ctk widgets for numbers and ranges, drawn simply; see ctk_widgets."""

from __future__ import annotations

from PySide6 import QtWidgets
from PySide6.QtCore import Property, Qt, Signal

from slicer_standin.ctk_widgets import WIDGETS
from slicer_standin.stored import stored
from slicer_standin.uiloader import widget


@widget(WIDGETS)
class ctkDoubleSpinBox(QtWidgets.QDoubleSpinBox):
    """A spin box; the real one wraps Qt's, but shows the same members."""

    decimalsChanged = Signal(int)


@widget(WIDGETS)
class ctkDoubleSlider(QtWidgets.QWidget):
    """A slider over real numbers."""

    valueChanged = Signal(float)
    sliderMoved = Signal(float)
    sliderReleased = Signal()
    _STEPS = 1000

    def __init__(self, orientation=Qt.Horizontal, parent=None):
        if isinstance(orientation, QtWidgets.QWidget):
            orientation, parent = Qt.Horizontal, orientation
        super().__init__(parent)
        self._low, self._high, self._value = 0.0, 99.0, 0.0
        self._slider = QtWidgets.QSlider(orientation)
        self._slider.setRange(0, self._STEPS)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        self._slider.sliderMoved.connect(self._moved)
        self._slider.sliderReleased.connect(self.sliderReleased)

    def _moved(self, position):
        self.setValue(self._low + (self._high - self._low) * position / self._STEPS)
        self.sliderMoved.emit(self._value)

    def setValue(self, value):
        """Take a value, cut to the range."""
        value = min(max(float(value), self._low), self._high)
        changed, self._value = value != self._value, value
        width = self._high - self._low
        self._slider.value = (
            round(self._STEPS * (value - self._low) / width) if 0 < width < float("inf") else 0
        )
        if changed:
            self.valueChanged.emit(value)

    def _set_range(self, low, high):
        self._low, self._high = float(low), float(high)
        self.setValue(self._value)

    value = Property(float, lambda self: self._value, setValue)
    minimum = Property(
        float, lambda self: self._low, lambda self, low: self._set_range(low, max(low, self._high))
    )
    maximum = Property(
        float, lambda self: self._high, lambda self, high: self._set_range(min(self._low, high), high)
    )
    singleStep = stored(float, "singleStep", 1.0)
    pageStep = stored(float, "pageStep", 10.0)
    tracking = stored(bool, "tracking", True)


@widget(WIDGETS)
class ctkSliderWidget(QtWidgets.QWidget):
    """A slider with a spin box."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    decimalsChanged = Signal(int)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._slider, self._spin = ctkDoubleSlider(), QtWidgets.QDoubleSpinBox()
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._spin)
        self._spin.setRange(0, 99)
        self._spin.valueChanged.connect(self._spun)
        self._slider.sliderMoved.connect(lambda value: setattr(self._spin, "value", value))

    def _spun(self, value):
        self._slider.value = value
        self.valueChanged.emit(value)

    def setValue(self, value):
        """Take a value, cut to the range and rounded to the decimals."""
        self._spin.value = value

    def _set_range(self, low, high):
        self._spin.setRange(low, high)
        self._slider._set_range(low, high)

    def setDecimals(self, decimals):
        """Take the number of digits after the point."""
        self._spin.decimals = decimals

    def setSpinBoxVisible(self, visible):
        """Show or hide the spin box."""
        self._spin.setVisible(visible)

    value = Property(float, lambda self: self._spin.value, setValue)
    minimum = Property(
        float,
        lambda self: self._spin.minimum,
        lambda self, low: self._set_range(low, max(low, self._spin.maximum)),
    )
    maximum = Property(
        float,
        lambda self: self._spin.maximum,
        lambda self, high: self._set_range(min(self._spin.minimum, high), high),
    )
    decimals = Property(int, lambda self: self._spin.decimals, setDecimals)
    singleStep = Property(
        float, lambda self: self._spin.singleStep, lambda self, step: setattr(self._spin, "singleStep", step)
    )
    suffix = Property(
        str, lambda self: self._spin.suffix, lambda self, text: setattr(self._spin, "suffix", text)
    )
    prefix = Property(
        str, lambda self: self._spin.prefix, lambda self, text: setattr(self._spin, "prefix", text)
    )
    pageStep = stored(float, "pageStep", 10.0)
    tracking = stored(bool, "tracking", True)
    spinBoxVisible = Property(bool, lambda self: not self._spin.isHidden(), setSpinBoxVisible)


@widget(WIDGETS)
class ctkRangeWidget(QtWidgets.QWidget):
    """Two values in a range."""

    valuesChanged = Signal(float, float)
    minimumValueChanged = Signal(float)
    maximumValueChanged = Signal(float)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._low, self._high = QtWidgets.QDoubleSpinBox(), QtWidgets.QDoubleSpinBox()
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._low)
        layout.addWidget(self._high)
        self._low.valueChanged.connect(self._changed)
        self._high.valueChanged.connect(self._changed)

    def _changed(self):
        self.valuesChanged.emit(self._low.value, self._high.value)

    def setRange(self, low, high):
        """Take the ends that both values keep within."""
        self._low.setRange(low, high)
        self._high.setRange(low, high)

    def setValues(self, low, high):
        """Take both values."""
        self._low.value, self._high.value = low, high

    minimum = Property(
        float, lambda self: self._low.minimum, lambda self, low: self.setRange(low, self.maximum)
    )
    maximum = Property(
        float, lambda self: self._low.maximum, lambda self, high: self.setRange(self.minimum, high)
    )
    minimumValue = Property(
        float, lambda self: self._low.value, lambda self, low: self.setValues(low, self._high.value)
    )
    maximumValue = Property(
        float, lambda self: self._high.value, lambda self, high: self.setValues(self._low.value, high)
    )
    decimals = stored(int, "decimals", 2)
    singleStep = stored(float, "singleStep", 1.0)
    suffix = stored(str, "suffix", "")


@widget(WIDGETS)
class ctkDoubleRangeSlider(ctkRangeWidget):
    """Two values in a range, without spin boxes in the real one."""
