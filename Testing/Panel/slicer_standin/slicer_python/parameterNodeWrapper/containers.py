# ruff: noqa: N802, N803 - the names are Slicer's
"""How lists, tuples, dictionaries and unions are written into a node, spelled as Slicer spells them.

A list ``a`` of two is ``a.len``, ``a.0``, ``a.1``; a dictionary is a list of pairs; a union has the index of
the member used in the name.
"""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass

import slicer

from .annotations import IsInstance, Validator
from .observed import ObservedDict, ObservedList
from .serializers import (
    NumberSerializer,
    Serializer,
    ValidatedSerializer,
    parameterNodeSerializer,
    serializerFor,
)


def _validated(serializer) -> ValidatedSerializer:
    return serializer if isinstance(serializer, ValidatedSerializer) else ValidatedSerializer(serializer)


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
        return ValidatedSerializer(ListSerializer(serializerFor(arguments[0])[0]), [lists])

    def __init__(self, element):
        self.element = _validated(element)

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

        def save(changed):
            self.write(parameterNode, name, changed)
            return self._elements(parameterNode, name)

        return ObservedList(self._elements(parameterNode, name), save)

    def _elements(self, parameterNode, name):
        count = self._length(parameterNode, name)
        return [self.element.read(parameterNode, f"{name}.{index}") for index in range(count)]

    def remove(self, parameterNode, name):
        """Take the list out of the node."""
        with slicer.util.NodeModify(parameterNode):
            for index in range(self._length(parameterNode, name)):
                self.element.remove(parameterNode, f"{name}.{index}")
            parameterNode.UnsetParameter(f"{name}.len")

    def supportsCaching(self):
        """Say whether a read value may be kept until the node changes."""
        return self.element.supportsCaching()


class _Indexed(Serializer):
    """Parts that are named by their index."""

    def __init__(self, parts):
        self.parts = [_validated(part) for part in parts]

    def _named(self, name):
        return [(f"{name}.{index}", part) for index, part in enumerate(self.parts)]

    def remove(self, parameterNode, name):
        """Take all parts out of the node."""
        with slicer.util.NodeModify(parameterNode):
            for part_name, part in self._named(name):
                part.remove(parameterNode, part_name)

    def supportsCaching(self):
        """Say whether a read value may be kept until the node changes."""
        return all(part.supportsCaching() for part in self.parts)


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
        return ValidatedSerializer(TupleSerializer(parts), [IsInstance((tuple, list))])

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
        parts = serializerFor(key)[0], serializerFor(value)[0]
        return ValidatedSerializer(DictSerializer(*parts), [IsInstance((dict, ObservedDict))])

    def __init__(self, key, value):
        self.pairs = ListSerializer(ValidatedSerializer(TupleSerializer([key, value])))

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

        def save(changed):
            self.write(parameterNode, name, changed)
            return dict(self.pairs.read(parameterNode, name))

        return ObservedDict(dict(self.pairs.read(parameterNode, name)), save)

    def remove(self, parameterNode, name):
        """Take all pairs out of the node."""
        self.pairs.remove(parameterNode, name)

    def supportsCaching(self):
        """Say whether a read value may be kept until the node changes."""
        return self.pairs.supportsCaching()


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

    def supportsCaching(self):
        """Say whether a read value may be kept until the node changes."""
        return True


@dataclass(eq=False)
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
        nothing = ValidatedSerializer(NoneSerializer(), [_Only()])
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
            if isinstance(value, bool) and isinstance(part.serializer, NumberSerializer):
                continue
            try:
                part.validate(value)
            except TypeError:
                continue
            except ValueError as error:  # the right type, a bad value: what the user should hear
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
