# ruff: noqa: N802, N803 - the names are Slicer's
"""How each type of parameter is written into a node and read from it.

The spelling is Slicer's: a list ``a`` of two is ``a.len``, ``a.0``, ``a.1``; a union keeps the index of the
member used in the name; a node is a node reference beside an empty parameter.
"""

from __future__ import annotations

import abc
import enum
import pathlib
import types
import typing
from dataclasses import dataclass, field

import qt
import slicer

from .annotations import IsInstance, NotNone, Validator, first, split
from .observed import ObservedDict, ObservedList

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

    @staticmethod
    def supportsCaching() -> bool:
        """Say whether a read value could be kept; the stand-in keeps none."""
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
class Checked(Serializer):
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


def serializerFor(annotated) -> tuple[Checked, list]:
    """Return the serializer of a possibly annotated type, and the annotations it did not use."""
    kind, annotations = split(annotated)
    validators = [item for item in annotations if isinstance(item, Validator)]
    rest = [item for item in annotations if not isinstance(item, Validator)]
    chosen = first(rest, Serializer)
    if chosen is not None:
        rest.remove(chosen)
    else:
        chosen = _make(kind)
    inner = chosen.serializer if isinstance(chosen, Checked) else chosen
    checks = chosen.validators if isinstance(chosen, Checked) else []
    return Checked(inner, [*checks, *validators]), rest


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

    def __init__(self, kind):
        self.kind = kind

    @classmethod
    def canSerialize(cls, type_):
        """Say whether the type is one of ours."""
        return type_ in cls.kinds

    @classmethod
    def create(cls, type_):
        """Return a serializer that refuses ``None`` and other types."""
        accepted = (int, float) if type_ is float else type_
        return Checked(cls(type_), [NotNone(), IsInstance(accepted)])

    def default(self):
        """Return the type's empty value."""
        return self.kind()

    def write(self, parameterNode, name, value):
        """Write the value's text."""
        parameterNode.SetParameter(name, str(value))

    def read(self, parameterNode, name):
        """Read the value."""
        return self.kind(parameterNode.GetParameter(name))


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
        return Checked(NodeSerializer(), [IsInstance(type_)])

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


@parameterNodeSerializer
class ListSerializer(Serializer):
    """Lists; what is read writes itself back when changed."""

    @staticmethod
    def canSerialize(type_):
        """Say whether the type is a list."""
        return type_ is list or typing.get_origin(type_) is list

    @staticmethod
    def create(type_):
        """Return a serializer for a list of one type."""
        arguments = typing.get_args(type_)
        if len(arguments) != 1:
            msg = f"the stand-in needs the type of a list's elements: {type_}"
            raise TypeError(msg)
        lists = IsInstance((list, tuple, ObservedList))
        return Checked(ListSerializer(serializerFor(arguments[0])[0]), [lists])

    def __init__(self, element):
        self.element = element

    def default(self):
        """Return an empty list."""
        return []

    def isIn(self, parameterNode, name):
        """Say whether the node has the list."""
        return parameterNode.HasParameter(f"{name}.len")

    def _length(self, parameterNode, name):
        return int(parameterNode.GetParameter(f"{name}.len") or 0)

    def write(self, parameterNode, name, value):
        """Write all elements, or, if one is bad, none."""
        values = list(value)
        for item in values:
            self.element.validate(item)
        with slicer.util.NodeModify(parameterNode):
            for index in range(len(values), self._length(parameterNode, name)):
                self.element.remove(parameterNode, f"{name}.{index}")
            for index, item in enumerate(values):
                self.element.write(parameterNode, f"{name}.{index}", item)
            parameterNode.SetParameter(f"{name}.len", str(len(values)))

    def read(self, parameterNode, name):
        """Return the list."""
        count = self._length(parameterNode, name)
        values = [self.element.read(parameterNode, f"{name}.{index}") for index in range(count)]
        return ObservedList(values, lambda changed: self.write(parameterNode, name, changed))

    def remove(self, parameterNode, name):
        """Take the list out of the node."""
        with slicer.util.NodeModify(parameterNode):
            for index in range(self._length(parameterNode, name)):
                self.element.remove(parameterNode, f"{name}.{index}")
            parameterNode.UnsetParameter(f"{name}.len")


class _Indexed(Serializer):
    """Parts that are named by their index."""

    def __init__(self, parts):
        self.parts = parts

    def _named(self, name):
        return [(f"{name}.{index}", part) for index, part in enumerate(self.parts)]

    def remove(self, parameterNode, name):
        """Take all parts out of the node."""
        with slicer.util.NodeModify(parameterNode):
            for part_name, part in self._named(name):
                part.remove(parameterNode, part_name)


@parameterNodeSerializer
class TupleSerializer(_Indexed):
    """Tuples of known length."""

    @staticmethod
    def canSerialize(type_):
        """Say whether the type is a tuple."""
        return typing.get_origin(type_) is tuple

    @staticmethod
    def create(type_):
        """Return a serializer for each part."""
        parts = [serializerFor(part)[0] for part in typing.get_args(type_)]
        return Checked(TupleSerializer(parts), [IsInstance((tuple, list))])

    def default(self):
        """Return each part's default."""
        return tuple(part.default() for part in self.parts)

    def isIn(self, parameterNode, name):
        """Say whether the node has the tuple."""
        return self.parts[0].isIn(parameterNode, f"{name}.0")

    def write(self, parameterNode, name, value):
        """Write all parts."""
        values = tuple(value)
        if len(values) != len(self.parts):
            msg = f"Expected {len(self.parts)} values, got {len(values)}"
            raise ValueError(msg)
        with slicer.util.NodeModify(parameterNode):
            for (part_name, part), item in zip(self._named(name), values, strict=True):
                part.write(parameterNode, part_name, item)

    def read(self, parameterNode, name):
        """Return the tuple."""
        return tuple(part.read(parameterNode, part_name) for part_name, part in self._named(name))


@parameterNodeSerializer
class DictSerializer(Serializer):
    """Dictionaries, as lists of pairs."""

    @staticmethod
    def canSerialize(type_):
        """Say whether the type is a dictionary."""
        return typing.get_origin(type_) is dict

    @staticmethod
    def create(type_):
        """Return a serializer for a list of pairs."""
        key, value = typing.get_args(type_)
        pairs = serializerFor(list[tuple[key, value]])[0]
        return Checked(DictSerializer(pairs), [IsInstance((dict, ObservedDict))])

    def __init__(self, pairs):
        self.pairs = pairs

    def default(self):
        """Return an empty dictionary."""
        return {}

    def isIn(self, parameterNode, name):
        """Say whether the node has the dictionary."""
        return self.pairs.isIn(parameterNode, name)

    def write(self, parameterNode, name, value):
        """Write all pairs."""
        self.pairs.write(parameterNode, name, list(value.items()))

    def read(self, parameterNode, name):
        """Return the dictionary."""
        values = dict(self.pairs.read(parameterNode, name))
        return ObservedDict(values, lambda changed: self.write(parameterNode, name, changed))

    def remove(self, parameterNode, name):
        """Take all pairs out of the node."""
        self.pairs.remove(parameterNode, name)


class NoneSerializer(Serializer):
    """The value ``None`` in a union."""

    def default(self):
        """Return ``None``."""
        return

    def write(self, parameterNode, name, value):  # noqa: ARG002 - the base's signature
        """Write that ``None`` was chosen."""
        parameterNode.SetParameter(name, "True")

    def read(self, parameterNode, name):  # noqa: ARG002 - the base's signature
        """Return ``None``."""
        return


@dataclass
class _Only(Validator):
    """``None`` alone."""

    def validate(self, value):
        """Raise TypeError for anything else."""
        if value is not None:
            msg = f"Value must be None, is {value!r}"
            raise TypeError(msg)


@parameterNodeSerializer
class UnionSerializer(_Indexed):
    """One of several types; ``X | None`` starts as ``None``."""

    @staticmethod
    def canSerialize(type_):
        """Say whether the type is a union."""
        return typing.get_origin(type_) in (typing.Union, types.UnionType)

    @staticmethod
    def create(type_):
        """Return a serializer for each member."""
        nothing = Checked(NoneSerializer(), [_Only()])
        members = typing.get_args(type_)
        return UnionSerializer([nothing if m is type(None) else serializerFor(m)[0] for m in members])

    def default(self):
        """Return ``None`` for an optional type, else the first member's default."""
        if len(self.parts) == 2 and isinstance(self.parts[1].serializer, NoneSerializer):
            return None
        return self.parts[0].default()

    def isIn(self, parameterNode, name):
        """Say whether one of the members is in the node."""
        return any(part.isIn(parameterNode, part_name) for part_name, part in self._named(name))

    def write(self, parameterNode, name, value):
        """Write with the first member that takes the value."""
        part_name, part = self._member(name, value)
        with slicer.util.NodeModify(parameterNode):
            self.remove(parameterNode, name)
            part.write(parameterNode, part_name, value)

    def _member(self, name, value):
        problem = TypeError(f"Unable to write {value!r}")
        named = self._named(name)
        if value is None:
            named = [item for item in named if isinstance(item[1].serializer, NoneSerializer)] or named
        for part_name, part in named:
            try:
                part.validate(value)
            except (TypeError, ValueError) as error:
                problem = error
            else:
                return part_name, part
        raise problem

    def read(self, parameterNode, name):
        """Return the value of the member that is in the node."""
        for part_name, part in self._named(name):
            if part.isIn(parameterNode, part_name):
                return part.read(parameterNode, part_name)
        msg = f"Unable to find value for name: {name}"
        raise KeyError(msg)
