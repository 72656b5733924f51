# ruff: noqa: N802, N803 - the names are Slicer's
"""How each type of parameter is written into a node and read from it, spelled as Slicer spells it.

A node is a node reference beside an empty parameter. Lists and the like are in containers.
"""

from __future__ import annotations

import abc
import enum
import pathlib
from dataclasses import dataclass, field

import qt
import slicer

from .annotations import IsInstance, NotNone, Validator, first, split

_PATHS = (pathlib.Path, pathlib.PosixPath, pathlib.PurePath, pathlib.PurePosixPath, pathlib.PureWindowsPath)
_registered: list[type] = []


class Serializer(abc.ABC):
    """Writes one type; made by ``create(type)`` where ``canSerialize(type)``."""

    @staticmethod
    def canSerialize(type_) -> bool:
        """Say whether the class can write a type."""
        raise NotImplementedError

    @staticmethod
    def create(type_):
        """Return a serializer for a type, with the checks that go with the type."""
        raise NotImplementedError

    @abc.abstractmethod
    def default(self):
        """Return the value of a parameter without any default."""

    def isIn(self, parameterNode, name) -> bool:
        """Say whether the node has the parameter."""
        return parameterNode.HasParameter(name)

    @abc.abstractmethod
    def write(self, parameterNode, name, value) -> None:
        """Write the parameter."""

    @abc.abstractmethod
    def read(self, parameterNode, name):
        """Read the parameter."""

    def remove(self, parameterNode, name) -> None:
        """Take the parameter out of the node."""
        parameterNode.UnsetParameter(name)

    def supportsCaching(self) -> bool:
        """Say whether a read value may be kept until the node changes."""
        return False


def parameterNodeSerializer(classtype=None):
    """Register a serializer class, Slicer's way to support further types."""

    def register(cls):
        if not (isinstance(cls, type) and issubclass(cls, Serializer)):
            msg = "Must be a serializer type."
            raise TypeError(msg)
        _registered.append(cls)
        return cls

    return register if classtype is None else register(classtype)


@dataclass
class ValidatedSerializer(Serializer):
    """A serializer with the checks of its type and its annotations."""

    serializer: Serializer
    validators: list = field(default_factory=list)

    def default(self):
        """Return the value of a parameter without any default."""
        return self.serializer.default()

    def validate(self, value):
        """Raise for a bad value."""
        for validator in self.validators:
            validator.validate(value)

    def isIn(self, parameterNode, name):
        """Say whether the node has the parameter."""
        return self.serializer.isIn(parameterNode, name)

    def write(self, parameterNode, name, value):
        """Write the parameter if it is good."""
        self.validate(value)
        self.serializer.write(parameterNode, name, value)

    def read(self, parameterNode, name):
        """Read the parameter."""
        return self.serializer.read(parameterNode, name)

    def remove(self, parameterNode, name):
        """Take the parameter out of the node."""
        self.serializer.remove(parameterNode, name)

    def supportsCaching(self):
        """Say whether a read value may be kept until the node changes."""
        return self.serializer.supportsCaching()


def serializerFor(annotated) -> tuple[ValidatedSerializer, list]:
    """Return the serializer of a possibly annotated type, and the annotations it did not use."""
    kind, annotations = split(annotated)
    validators = [item for item in annotations if _is_validator(item)]
    rest = [item for item in annotations if not _is_validator(item)]
    chosen = first(rest, Serializer)
    if chosen is not None:
        rest.remove(chosen)
    else:
        chosen = _make(kind)
    inner = chosen.serializer if isinstance(chosen, ValidatedSerializer) else chosen
    checks = chosen.validators if isinstance(chosen, ValidatedSerializer) else []
    return ValidatedSerializer(inner, [*checks, *validators]), rest


def _is_validator(item) -> bool:
    return isinstance(item, Validator) or (isinstance(item, type) and issubclass(item, Validator))


def _make(kind):
    for cls in _registered:
        if cls.canSerialize(kind):
            return cls.create(kind)
    msg = f"Unable to create serializer for type: {kind}"
    raise TypeError(msg)


class _Scalar(Serializer):
    """A value that is one text."""

    #: The types, what an empty parameter is, and whether ``None`` is refused.
    kinds: tuple = ()

    def __init__(self, kind=None):
        self.kind = kind or self.kinds[0]

    @classmethod
    def canSerialize(cls, type_):
        """Say whether the type is one of ours."""
        return type_ in cls.kinds

    @classmethod
    def create(cls, type_):
        """Return a serializer that refuses ``None`` and other types."""
        accepted = (int, float) if type_ is float else type_
        return ValidatedSerializer(cls(type_), [NotNone(), IsInstance(accepted)])

    def default(self):
        """Return the type's empty value."""
        return self.kind()

    def write(self, parameterNode, name, value):
        """Write the value's text."""
        parameterNode.SetParameter(name, str(value))

    def read(self, parameterNode, name):
        """Read the value."""
        return self.kind(parameterNode.GetParameter(name))

    def supportsCaching(self):
        """Say whether a read value may be kept until the node changes."""
        return True


@parameterNodeSerializer
class NumberSerializer(_Scalar):
    """Whole and real numbers."""

    kinds = (int, float)


@parameterNodeSerializer
class StringSerializer(_Scalar):
    """Texts."""

    kinds = (str,)


@parameterNodeSerializer
class PathSerializer(_Scalar):
    """Paths."""

    kinds = _PATHS


@parameterNodeSerializer
class BoolSerializer(_Scalar):
    """Yes and no."""

    kinds = (bool,)

    def read(self, parameterNode, name):
        """Read the value."""
        return parameterNode.GetParameter(name) == "True"


@parameterNodeSerializer
class EnumSerializer(_Scalar):
    """Members of an enumeration, by name."""

    @classmethod
    def canSerialize(cls, type_):
        """Say whether the type is an enumeration."""
        return isinstance(type_, type) and issubclass(type_, enum.Enum)

    def default(self):
        """Return the first member."""
        return next(iter(self.kind))

    def write(self, parameterNode, name, value):
        """Write the member's name."""
        parameterNode.SetParameter(name, value.name)

    def read(self, parameterNode, name):
        """Read the member."""
        text = parameterNode.GetParameter(name)
        if text not in self.kind.__members__:
            msg = f"{text!r} is no name in {self.kind!r}"
            raise ValueError(msg)
        return self.kind[text]


@parameterNodeSerializer
class QColorSerializer(_Scalar):
    """Colours, as #aarrggbb."""

    kinds = (qt.QColor,)

    def write(self, parameterNode, name, value):
        """Write the colour."""
        parameterNode.SetParameter(name, value.name(qt.QColor.HexArgb))

    def supportsCaching(self):
        """Say whether a read value may be kept until the node changes."""
        return False


@parameterNodeSerializer
class NodeSerializer(Serializer):
    """MRML nodes, as node references."""

    @staticmethod
    def canSerialize(type_):
        """Say whether the type is a node class."""
        return isinstance(type_, type) and issubclass(type_, slicer.vtkMRMLNode)

    @staticmethod
    def create(type_):
        """Return a serializer that refuses other node classes; ``None`` is allowed."""
        return ValidatedSerializer(NodeSerializer(), [IsInstance(type_)])

    def default(self):
        """Return no node."""
        return

    def write(self, parameterNode, name, value):
        """Refer to the node; the empty parameter says that ``None`` was chosen too."""
        parameterNode.SetParameter(name, "")
        parameterNode.SetNodeReferenceID(name, None if value is None else value.GetID())

    def read(self, parameterNode, name):
        """Return the node, or ``None``."""
        return parameterNode.GetNodeReference(name)

    def remove(self, parameterNode, name):
        """Take parameter and reference out."""
        parameterNode.UnsetParameter(name)
        parameterNode.RemoveNodeReferenceIDs(name)

    def supportsCaching(self):
        """Say whether a read value may be kept until the node changes."""
        return True
