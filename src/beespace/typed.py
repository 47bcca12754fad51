"""The words of :mod:`typing` that the loader's sources use, without importing it.

May import: the standard library.  Invariant: to a type checker these are those of :mod:`typing`; when the program
runs they only stand where annotations and classes mention them.

:mod:`typing` brings :mod:`re` and :mod:`enum`, and takes a tenth of the time in which an object is opened.
"""

from __future__ import annotations

TYPE_CHECKING = False

__all__ = [
    "TYPE_CHECKING",
    "Any",
    "ClassVar",
    "Generic",
    "Literal",
    "NamedTuple",
    "Protocol",
    "Self",
    "TypeAlias",
    "TypeVar",
    "overload",
]

if TYPE_CHECKING:
    from typing import Any, ClassVar, Generic, Literal, NamedTuple, Protocol, Self, TypeAlias, TypeVar, overload
else:
    from collections import namedtuple

    class _Word(type):
        def __getitem__(cls, of):
            return cls

        def __or__(cls, other):
            return cls

        __ror__ = __or__

    class Any(metaclass=_Word):
        """Stands for every word."""

    ClassVar = Literal = Self = TypeAlias = Any

    class Protocol:
        """A class that says what others have."""

        __class_getitem__ = classmethod(lambda cls, of: cls)

    class Generic:
        """A class with parameters."""

        __class_getitem__ = classmethod(lambda cls, of: cls)

    def TypeVar(name, *constraints, **more):
        """A parameter."""
        return Any

    def overload(function):
        """One of several signatures; the function itself comes last."""
        return function

    class _Tuple(type):
        def __new__(mcs, name, bases, namespace):
            if not bases:
                return super().__new__(mcs, name, bases, namespace)
            fields = list(namespace.get("__annotations__", ()))
            defaults = [namespace.pop(field) for field in fields if field in namespace]
            base = namedtuple(name, fields, defaults=defaults, module=namespace["__module__"])
            return type(name, (base,), {**namespace, "__slots__": ()})

    class NamedTuple(metaclass=_Tuple):
        """As :class:`typing.NamedTuple`."""
