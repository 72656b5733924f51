# ruff: noqa: N802, N803, N815 - the names are Slicer's
"""Classes of parameters that are set, stored and bound together."""

from __future__ import annotations

import typing
from dataclasses import dataclass

import slicer

from .annotations import Default, IsInstance, NotNone, bare, first
from .serializers import Serializer, ValidatedSerializer, parameterNodeSerializer, serializerFor


@dataclass
class ParameterInfo:
    """A parameter: its name, how it is written, its default and its type as declared."""

    basename: str
    serializer: ValidatedSerializer
    default: Default
    unalteredType: typing.Any


def declaredParameters(cls) -> dict[str, ParameterInfo]:
    """Return the parameters that a class declares by annotations.

    Raises
    ------
    TypeError
        A type cannot be stored, or an annotation means nothing.
    """
    found = {}
    for name, annotated in typing.get_type_hints(cls, include_extras=True).items():
        serializer, rest = serializerFor(annotated)
        default = first(rest, Default)
        unused = [
            item for item in rest if not isinstance(item, Default) and type(item).__name__ not in _HINTS
        ]
        if unused:
            msg = f"{cls.__name__}.{name}: annotations without a meaning: {unused}"
            raise TypeError(msg)
        if name in vars(cls):
            default = Default(vars(cls)[name])
        found[name] = ParameterInfo(name, serializer, default or Default(serializer.default()), annotated)
    return found


#: Annotations that are for widgets.
_HINTS = ("Decimals", "SingleStep")


def isParameterPack(obj) -> bool:
    """Say whether a class or object is a pack."""
    return getattr(obj, "_isParameterPack", False)


def nestedParameterNames(pack) -> list[str]:
    """Return the names of a pack's parameters, dotted where a pack is in a pack."""
    names = []
    for name, info in (
        bare(pack).allParameters.items() if isinstance(pack, type) else pack.allParameters.items()
    ):
        kind = bare(info.unalteredType)
        names += (
            [f"{name}.{part}" for part in nestedParameterNames(kind)] if isParameterPack(kind) else [name]
        )
    return names


def parameterPack(classtype=None):
    """Make a class a pack of parameters."""
    return _process if classtype is None else _process(classtype)


def _process(cls):
    parameters = declaredParameters(cls)
    if not parameters:
        msg = "Unable to find any members in parameterPack"
        raise ValueError(msg)
    for info in parameters.values():
        try:
            info.serializer.validate(info.default.value)
        except (TypeError, ValueError) as error:
            msg = f"The default of '{info.basename}' fails its checks: {error}"
            raise ValueError(msg) from error
        setattr(cls, info.basename, _member(info))
    own_init = vars(cls).get("__init__")

    def initialize(self, *arguments, **named):
        _fill(self, {})
        if own_init is None:
            _fill(self, _by_name(parameters, arguments, named))
        else:
            own_init(self, *arguments, **named)

    cls.__init__ = initialize
    for name, method in _METHODS.items():
        if name not in vars(cls):
            setattr(cls, name, method)
    cls.allParameters = parameters
    cls._isParameterPack = True
    cls.dataType = staticmethod(lambda member: dataType(cls, member))
    return cls


def _by_name(parameters, arguments, named):
    if len(arguments) > len(parameters):
        msg = f"__init__() takes at most {len(parameters)} values"
        raise TypeError(msg)
    given = dict(zip(parameters, arguments, strict=False))
    for name, value in named.items():
        if name not in parameters:
            msg = f"__init__() got an unexpected keyword argument '{name}'"
            raise TypeError(msg)
        if name in given:
            msg = f"__init__() got multiple values for argument '{name}'"
            raise TypeError(msg)
        given[name] = value
    return given


def _fill(pack, given):
    for name, info in type(pack).allParameters.items():
        if name in given or name not in pack.__dict__.get("_members", {}):
            setattr(pack, name, given.get(name, info.default.value))


def _member(info):
    def read(self):
        return self._members[info.basename]

    def write(self, value):
        info.serializer.validate(value)
        self.__dict__.setdefault("_members", {})[info.basename] = value
        save = self.__dict__.get("_save")
        if save is not None:
            save(self)

    return property(read, write)


def dataType(pack, member: str):
    """Return the declared type of a member, named with dots."""
    top, _dot, rest = member.partition(".")
    if top not in getattr(pack, "allParameters", ()):
        msg = f"{pack} has no member '{top}'"
        raise ValueError(msg)
    declared = pack.allParameters[top].unalteredType
    return dataType(bare(declared), rest) if rest else declared


def _getValue(self, name):
    """Return a member, named with dots."""
    top, _dot, rest = name.partition(".")
    _refuse_unknown(self, top)
    value = getattr(self, top)
    return _getValue(value, rest) if rest else value


def _setValue(self, name, value):
    """Set a member, named with dots."""
    top, _dot, rest = name.partition(".")
    _refuse_unknown(self, top)
    if rest:
        inner = getattr(self, top)
        _setValue(inner, rest, value)
        value = inner
    setattr(self, top, value)


def _refuse_unknown(pack, member: str) -> None:
    if not isParameterPack(pack) or not hasattr(pack, member):
        msg = f"{pack} has no member '{member}'"
        raise ValueError(msg)


def _setattr(self, name, value):
    """Refuse new attributes on a pack that was read from a node."""
    if "_save" in self.__dict__ and not hasattr(self, name):
        msg = f"'{type(self).__name__}' has no attribute '{name}' and none can be added"
        raise AttributeError(msg)
    object.__setattr__(self, name, value)


def _values(pack):
    return {name: getattr(pack, name) for name in pack.allParameters}


def _equal(self, other):
    kin = issubclass(type(other), type(self)) or issubclass(type(self), type(other))
    return kin and _values(self) == _values(other)


def _describe(self):
    members = ", ".join(f"{name}={value!r}" for name, value in _values(self).items())
    return f"{type(self).__name__}({members})"


_METHODS = {
    "__setattr__": _setattr,
    "__eq__": _equal,
    "__hash__": None,
    "__repr__": _describe,
    "__str__": _describe,
    "getValue": _getValue,
    "setValue": _setValue,
}


@parameterNodeSerializer
class ParameterPackSerializer(Serializer):
    """Packs, each member under ``name.member``; what is read writes itself back when changed."""

    @staticmethod
    def canSerialize(type_):
        """Say whether the type is a pack."""
        return isParameterPack(type_)

    @staticmethod
    def create(type_):
        """Return a serializer for a pack."""
        return ValidatedSerializer(ParameterPackSerializer(type_), [NotNone(), IsInstance(type_)])

    def __init__(self, kind):
        self.kind = kind

    def default(self):
        """Return a pack of defaults."""
        return self.kind()

    def isIn(self, parameterNode, name):
        """Say whether the node has the pack."""
        info = next(iter(self.kind.allParameters.values()))
        return info.serializer.isIn(parameterNode, f"{name}.{info.basename}")

    def write(self, parameterNode, name, value):
        """Write all members."""
        with slicer.util.NodeModify(parameterNode):
            for info in self.kind.allParameters.values():
                info.serializer.write(parameterNode, f"{name}.{info.basename}", getattr(value, info.basename))

    def read(self, parameterNode, name):
        """Return the pack."""
        pack = self.kind.__new__(self.kind)
        for info in self.kind.allParameters.values():
            value = info.serializer.read(parameterNode, f"{name}.{info.basename}")
            pack.__dict__.setdefault("_members", {})[info.basename] = value
        pack.__dict__["_save"] = lambda changed: self.write(parameterNode, name, changed)
        return pack

    def remove(self, parameterNode, name):
        """Take all members out of the node."""
        for info in self.kind.allParameters.values():
            info.serializer.remove(parameterNode, f"{name}.{info.basename}")

    def supportsCaching(self):
        """Say whether a read value may be kept until the node changes."""
        return all(info.serializer.supportsCaching() for info in self.kind.allParameters.values())


@parameterPack
class FloatRange:
    """Two ordered numbers."""

    minimum: float
    maximum: float

    def __init__(self, minimum=0, maximum=0):
        self.setRange(minimum, maximum)

    def setRange(self, minimum, maximum):
        """Set both.

        Raises
        ------
        ValueError
            They are not in order.
        """
        if not minimum <= maximum:
            msg = f"FloatRange must have minimum <= maximum: {minimum} <= {maximum}"
            raise ValueError(msg)
        self.minimum, self.maximum = minimum, maximum
