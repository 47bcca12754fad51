"""What a program class has for the kernel, as Python's own rules of inheritance give it.

Invariant: for each name it is what ``getattr(cls, name)`` would find.  What Python would drop without a word, and an
author would miss in the kernel, is refused: a hook that a plain method of a subclass
hides, or that another decorator wraps.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType
from typing import Any

from beespace.errors import UsageError
from beespace.lang.attach.mark import SECTION
from beespace.lang.maps import Map
from beespace.lang.options import Option, options_of, with_default
from beespace.record import dataclass

__all__ = ["Members", "members"]


@dataclass(frozen=True, slots=True)
class Members:
    """Options, maps and kernel-side methods by name, those of base classes first."""

    options: dict[str, Option]
    maps: dict[str, Map]
    functions: dict[str, FunctionType]


def members(cls: type, above: type) -> Members:
    """What ``cls`` and its bases below ``above`` declare."""
    found = Members({}, {}, {})
    for base in reversed(cls.__mro__):
        if base is object or base is above or base in above.__mro__:
            continue
        declared = options_of(base)
        for name, value in base.__dict__.items():
            _hidden_hook(cls, name, value)
            if isinstance(value, Map):
                _dropped(found, name)
                found.maps[name] = value
            elif isinstance(value, FunctionType) and hasattr(value, SECTION):
                _dropped(found, name)
                found.functions[name] = value
            elif name in declared:
                _dropped(found, name)
                found.options[name] = declared[name]
            elif name in found.options and not isinstance(value, FunctionType | property):
                found.options[name] = with_default(found.options[name], base.__name__, value)
            elif name in found.functions and isinstance(value, FunctionType):
                raise UsageError(
                    f"{base.__name__}.{name}() takes the place of a kernel-side method, and has no decorator itself",
                    help=f"decorate it, give it another name, or write `{name} = None` to leave that method out",
                )
            else:
                _dropped(found, name)
    for name, other in _shared(found.maps):
        raise UsageError(
            f"{cls.__name__}.{name} and {cls.__name__}.{other} are one map under two names",
            help="make two maps, or use one name",
        )
    return found


def _dropped(found: Members, name: str) -> None:
    """A subclass has something else by that name."""
    for group in (found.options, found.maps, found.functions):
        group.pop(name, None)


def _shared(maps: dict[str, Map]) -> Iterator[tuple[str, str]]:
    seen: dict[int, str] = {}
    for name, each in maps.items():
        if id(each) in seen:
            yield seen[id(each)], name
        seen[id(each)] = name


_WRAPPED = ("__func__", "fget", "func", "__wrapped__")  # staticmethod, classmethod; property; partial; lru_cache


def _hidden_hook(cls: type, name: str, value: Any) -> None:
    if isinstance(value, FunctionType | Map | type):
        return
    for attribute in _WRAPPED:
        inner = getattr(value, attribute, None)
        if isinstance(inner, FunctionType) and inner.__dict__.get(SECTION):
            raise UsageError(
                f"{cls.__name__}.{name} is a {type(value).__name__} around a method with a hook: nothing would run it",
                help="a hook's decorator stands above all others, on a plain method `def name(self, ...)`",
            )
