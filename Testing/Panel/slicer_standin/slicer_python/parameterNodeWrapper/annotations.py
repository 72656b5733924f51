# ruff: noqa: N815 - the names are Slicer's
"""What may stand beside a type in ``Annotated``: defaults, checks, hints for widgets."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Annotated, Any, get_args


class Default:
    """A parameter's value before anybody chose one; ``generator`` makes a new one each time."""

    def __init__(self, value=None, *, generator=None):
        self._value, self._generator = value, generator

    def __eq__(self, other):
        if not isinstance(other, Default):
            return NotImplemented
        return (self._value, self._generator) == (other._value, other._generator)

    __hash__ = None

    @property
    def value(self):
        """The default itself."""
        return self._generator() if self._generator else self._value


@dataclass
class Decimals:
    """How many digits a widget shows after the point."""

    value: int


@dataclass
class SingleStep:
    """How far one step of a widget goes."""

    value: float


class Validator(abc.ABC):
    """A check of each value that is set."""

    @abc.abstractmethod
    def validate(self, value) -> None:
        """Raise ValueError or TypeError for a bad value."""


class NotNone(Validator):
    """Refuses ``None``."""

    def validate(self, value):
        """Raise ValueError for ``None``."""
        if value is None:
            msg = "Value must not be None"
            raise ValueError(msg)


@dataclass(eq=False)
class IsInstance(Validator):
    """Refuses other classes; ``None`` passes."""

    classtype: Any

    def validate(self, value):
        """Raise TypeError for another class."""
        if value is not None and not isinstance(value, self.classtype):
            msg = f"Value must be of type {self.classtype}, is {value!r}"
            raise TypeError(msg)


@dataclass(eq=False)
class Minimum(Validator):
    """A lower end, included."""

    minimum: float

    def validate(self, value):
        """Raise ValueError below."""
        if value < self.minimum:
            msg = f"Value must be at least {self.minimum}, is {value}"
            raise ValueError(msg)


@dataclass(eq=False)
class Maximum(Validator):
    """An upper end, included."""

    maximum: float

    def validate(self, value):
        """Raise ValueError above."""
        if value > self.maximum:
            msg = f"Value must be at most {self.maximum}, is {value}"
            raise ValueError(msg)


@dataclass(eq=False)
class WithinRange(Validator):
    """Both ends, included."""

    minimum: float
    maximum: float

    def validate(self, value):
        """Raise ValueError outside."""
        if not self.minimum <= value <= self.maximum:
            msg = f"Value must be within [{self.minimum}, {self.maximum}], is {value}"
            raise ValueError(msg)


@dataclass(eq=False)
class RangeBounds(Validator):
    """Ends that both values of a range keep within."""

    minimum: float
    maximum: float

    def validate(self, value):
        """Raise ValueError outside."""
        if not self.minimum <= value.minimum <= value.maximum <= self.maximum:
            msg = f"Range must be within [{self.minimum}, {self.maximum}], is {value}"
            raise ValueError(msg)


@dataclass(eq=False)
class Choice(Validator):
    """A list of allowed values."""

    choices: Any

    def validate(self, value):
        """Raise ValueError for other values."""
        if value not in self.choices:
            msg = f"Value must be one of {self.choices}, is {value!r}"
            raise ValueError(msg)


@dataclass(eq=False)
class Exclude(Validator):
    """A list of refused values."""

    excludedValues: Any

    def validate(self, value):
        """Raise ValueError for a refused value."""
        if value in self.excludedValues:
            msg = f"Value must not be one of {self.excludedValues}, is {value!r}"
            raise ValueError(msg)


def split(annotated) -> tuple[Any, list]:
    """Return a type without its annotations, and the annotations."""
    kind, *annotations = get_args(Annotated[annotated, None])
    return kind, annotations[:-1]


def bare(annotated):
    """Return a type without its annotations."""
    return split(annotated)[0]


def first(annotations, kind):
    """Return the first annotation of a class, or ``None``."""
    return next((item for item in annotations if isinstance(item, kind)), None)
