"""PythonQt's manners on PySide6's classes, as Slicer's Python knows them.

PythonQt reads and writes Qt properties as attributes (``button.enabled = False``), accepts signals as strings
(``button.connect("clicked()", f)``) and refuses to invent an attribute on a C++ object. PySide6 has methods
instead, and takes any attribute in silence. :func:`install` changes PySide6's classes for the whole process.
"""

from __future__ import annotations

import enum
import inspect
import re
from contextlib import contextmanager
from types import MethodType

import shiboken6
from PySide6 import QtCore, QtGui, QtWidgets

QObject = QtCore.QObject
#: Names that are virtual C++ methods as well as properties: an attribute would be called as the override.
_KEPT_AS_METHODS = frozenset({"sizeHint", "minimumSizeHint"})
#: Python types that PythonQt accepts for a property of a C++ type; other C++ types are left to Qt.
_ACCEPTED = {
    "bool": (bool, int),
    "int": (int, float),
    "uint": (int, float),
    "double": (int, float),
    "QString": (str,),
}
#: Where classes of the stand-in itself live: they may keep private attributes.
_OWN_PACKAGE = __name__.rpartition(".")[0]

#: The only __setattr__ that CPython lets Python code call once the classes below it have one of their own.
_plain_setattr = QObject.__mro__[-2].__setattr__
_plain_getattribute = QObject.__getattribute__
_plain_property = QObject.property
_plain_find_children = QObject.findChildren
#: Not empty while PySide6 itself may set attributes.
_lenient: list[None] = []
#: Address of the sender, signal -> the connected callables and what was really connected.
_connections: dict[tuple[int, str], list[tuple[object, object]]] = {}


def install() -> None:
    """Give every class of PySide6 PythonQt's manners. Call it once, before any widget is made."""
    for module in (QtCore, QtGui, QtWidgets):
        for name in dir(module):  # the classes come to life as they are asked for
            thing = getattr(module, name)
            if name.startswith("Q") and isinstance(thing, type) and not issubclass(thing, type):
                _make_strict(thing)
                if issubclass(thing, QObject):
                    _add_properties(thing)
    for name in ("objectName", "name"):
        setattr(QObject, name, _QtProperty("objectName", None))
    QObject.className = lambda self: self.metaObject().className()
    QObject.delete = shiboken6.delete
    QObject.findChild = _find_child
    QObject.findChildren = _find_children
    QObject.__getattribute__ = _getattribute


@contextmanager
def lenient():
    """Let PySide6's .ui loader keep the children that it makes as attributes of their parents."""
    _lenient.append(None)
    try:
        yield
    finally:
        _lenient.pop()


class _QtProperty:
    """A Qt property as a Python attribute of the instance; on the class, whatever had the name before."""

    def __init__(self, name, shadowed):
        self._name, self._shadowed = name, shadowed

    def __get__(self, instance, owner):
        if instance is None:
            return self._shadowed
        value = _plain_property(instance, self._name)
        return tuple(value) if isinstance(value, list) else value  # so does PythonQt

    def __set__(self, instance, value):
        _write_property(instance, self._name, value)


def _write_property(instance, name: str, value) -> None:
    """Set a Qt property; refuse values that PythonQt refuses."""
    meta = instance.metaObject()
    found = meta.property(meta.indexOfProperty(name))
    if not found.isWritable():
        msg = f"property '{name}' of {_class_name(instance)} is not writable"
        raise AttributeError(msg)
    kind = found.typeName()
    accepted = _ACCEPTED.get(kind)
    if kind in ("int", "uint") and isinstance(value, (float, enum.Enum)):
        value = int(value.value if isinstance(value, enum.Enum) else value)
    if kind == "QStringList" and isinstance(value, tuple):
        value = list(value)
    refused = accepted is not None and not isinstance(value, accepted)
    if refused or not instance.setProperty(name, value):
        msg = (
            f"property '{name}' of type '{kind}' of {_class_name(instance)} "
            f"does not accept {value!r} of type {type(value).__name__}"
        )
        raise AttributeError(msg)


def _class_name(instance) -> str:
    return type(instance).__name__


def _add_properties(cls) -> None:
    meta = cls.staticMetaObject
    for index in range(meta.propertyOffset(), meta.propertyCount()):
        name = meta.property(index).name()
        if name not in _KEPT_AS_METHODS and name.isidentifier():
            setattr(cls, name, _QtProperty(name, getattr(cls, name, None)))


def _make_strict(cls) -> None:
    """Refuse attributes that the C++ class does not have."""

    def strict(self, name, value):
        found = _class_attribute(type(self), name)
        if isinstance(found, QtCore.Property):
            _write_property(self, name, value)
        elif (
            hasattr(found, "__set__") or _may_invent(type(self), name, found) or _is_kept_signal(found, value)
        ):
            _plain_setattr(self, name, value)
        elif isinstance(self, QObject) and _plain_property(self, name) is not None:
            self.setProperty(name, value)
        else:
            msg = (
                f"'{name}' does not exist on {_class_name(self)} and creating new attributes on C++ objects "
                "is not allowed"
            )
            raise AttributeError(msg)

    cls.__setattr__ = strict


def _class_attribute(cls, name: str):
    return next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)


def _may_invent(cls, name: str, found) -> bool:
    """Only classes written in Python have attributes of their own; the stand-in's only private ones."""
    if _lenient:
        return True
    if cls.__module__.startswith("PySide6.") or isinstance(found, QtCore.Signal):
        return False
    return name.startswith("_") or not cls.__module__.startswith(_OWN_PACKAGE)


def _is_kept_signal(found, value) -> bool:
    """PySide6 keeps a bound signal on the object when it is first asked for."""
    return isinstance(found, QtCore.Signal) and isinstance(value, QtCore.SignalInstance)


def _getattribute(self, name):
    # PySide6 answers connect and disconnect before it looks at the type.
    if name == "connect":
        return MethodType(connect, self)
    if name == "disconnect":
        return MethodType(disconnect, self)
    try:
        return _plain_getattribute(self, name)
    except AttributeError:
        if not name.startswith("_"):
            value = _plain_property(self, name)  # a dynamic property, such as those of a .ui file
            if value is not None:
                return value
        raise


def _find_child(self, kind=QObject, *name):
    return next(iter(_find_children(self, kind, *name)), None)


def _find_children(self, kind=QObject, *name):
    """Find children by class or, as PythonQt allows, by the class's name."""
    if isinstance(kind, str):
        return [child for child in _plain_find_children(self, QObject, *name) if child.inherits(kind)]
    return _plain_find_children(self, kind, *name)


def aliases(*signatures: str, **others: str) -> dict[str, str]:
    """Return a class's ``_signal_aliases``: C++ signatures whose argument types Python signals lack.

    ``others`` are signals of another name than their signature, the signature's type after two underscores.
    """
    found = {signature: signature.partition("(")[0] for signature in signatures}
    return found | {f"{name.replace('__', '(')})": signal for name, signal in others.items()}


def _signal(sender, signature: str):
    """Return the bound signal and how many arguments the signature passes on; refuse unknown ones."""
    match = re.fullmatch(r"\s*2?(\w+)\s*\((.*)\)\s*", signature)
    if match is None:
        msg = f"not a signal signature: {signature!r}; write it as 'clicked(bool)'"
        raise ValueError(msg)
    name, arguments = match.group(1), match.group(2).replace(" ", "")
    count = arguments.count(",") + 1 if arguments else 0
    aliases = getattr(type(sender), "_signal_aliases", {})
    normalized = bytes(QtCore.QMetaObject.normalizedSignature(f"{name}({arguments})")).decode()
    if normalized in aliases:
        return getattr(sender, aliases[normalized]), count
    if not _has_signal(sender.metaObject(), name, normalized):
        msg = f"{sender.className()} has no signal '{normalized}'"
        raise ValueError(msg)
    bound = getattr(sender, name)
    try:
        return bound[arguments] if arguments else bound, count
    except (IndexError, KeyError):
        return bound, count


def _has_signal(meta, name: str, normalized: str) -> bool:
    index = meta.indexOfSignal(normalized)
    return index >= 0 and bytes(meta.method(index).name()).decode() == name


def _positional_limit(function) -> int | None:
    """How many arguments PythonQt would pass to a callable at most; ``None`` means all."""
    if not inspect.isfunction(function) and not inspect.ismethod(function):
        return None
    plain = getattr(function, "__func__", function)
    if plain.__code__.co_flags & inspect.CO_VARARGS:
        msg = f"{plain.__qualname__} takes *args: PythonQt cannot tell how many arguments to pass"
        raise TypeError(msg)
    return plain.__code__.co_argcount - (1 if inspect.ismethod(function) else 0)


def connect(sender, signature, function, *rest) -> bool:
    """Connect as PythonQt does: ``sender.connect("clicked(bool)", function)``.

    Also ``sender.connect(signal, receiver, slot)`` with the slot as a string.

    Raises
    ------
    ValueError
        The sender has no such signal. (PythonQt returns False, which nobody looks at.)
    """
    if rest:
        function = getattr(function, rest[0].partition("(")[0])
    if not callable(function):
        msg = f"cannot connect '{signature}' to {function!r}"
        raise TypeError(msg)
    signal, count = _signal(sender, signature)
    limit = _positional_limit(function)
    count = count if limit is None else min(count, limit)

    def relay(*arguments):
        function(*arguments[:count])

    signal.connect(relay)
    address = shiboken6.getCppPointer(sender)[0]
    known = _connections.setdefault((address, _squeeze(signature)), [])
    if not known:
        sender.destroyed.connect(lambda: _connections.pop((address, _squeeze(signature)), None))
    known.append((function, relay))
    return True


def disconnect(sender, signature, function, *rest) -> bool:
    """Undo :func:`connect`; say whether there was such a connection."""
    if rest:
        function = getattr(function, rest[0].partition("(")[0])
    known = _connections.get((shiboken6.getCppPointer(sender)[0], _squeeze(signature)), [])
    for pair in known:
        if pair[0] == function:
            _signal(sender, signature)[0].disconnect(pair[1])
            known.remove(pair)
            return True
    return False


def _squeeze(signature: str) -> str:
    return signature.replace(" ", "")
