"""``Operations``: what one map class can do in the kernel, and which function compiles each.

Invariant: an operation that a row does not name is refused; nothing is looked for elsewhere.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from beespace.compiler import ir, rules
from beespace.compiler.frame import Frame
from beespace.compiler.values import Value
from beespace.lang import Map
from beespace.record import dataclass

__all__ = ["Key", "Operations", "Place", "Word", "argument_nodes", "arguments", "default_definition"]

#: The key of an entry in memory: code that goes before, and the address.
Key: TypeAlias = Callable[[Frame, Map, ast.expr], tuple[ir.Block, ir.Expression]]


@dataclass(frozen=True, slots=True)
class Place:
    """A map to work on: one of the program's, or an inner one that a lookup gave.

    ``name`` is the map of the program whose losses are counted.
    """

    name: str
    map: Map
    address: ir.Expression
    key: Key


Word: TypeAlias = Callable[[Frame, Place, ast.Call], Value]
_NO_WORDS: Mapping[str, Any] = MappingProxyType({})


def default_definition(name: str, map: Map) -> ir.MapDefinition:
    """A map as the loader makes it: type, kinds and sizes of its declaration."""
    return ir.MapDefinition(name, map.map_type, map.key, map.value_kind, map.max_entries, map.flags)


@dataclass(frozen=True, slots=True)
class Operations:
    """One row of :mod:`beespace.compiler.maps.table`; ``None``: the kernel has no such operation.

    ``attributes`` are places that are read, written and added to; ``operators`` is how messages list the
    rest.  ``define`` gives the definition, several for what is kept in several maps, or none.
    """

    words: Mapping[str, Word] = _NO_WORDS  # self.m.word(...)
    attributes: Mapping[str, Callable[[Frame, Place], tuple[ir.Block, ir.Expression]]] = _NO_WORDS  # self.m.value
    read: Callable[[Frame, Place, ast.Subscript], Value] | None = None  # self.m[key]
    write: Callable[[Frame, Place, ast.Subscript, Value, ast.expr], ir.Block] | None = None  # self.m[key] = value
    add: Callable[[Frame, Place, ast.AugAssign], ir.Block] | None = None  # self.m[key] += n
    remove: Callable[[Frame, Place, ast.Subscript], ir.Block] | None = None  # del self.m[key]
    contains: Callable[[Frame, Place, ast.expr], ir.Expression] | None = None  # key in self.m
    count: Callable[[Frame, Place, ast.AugAssign], ir.Block] | None = None  # self.m += n
    length: Callable[[Map], int] | None = None  # len(self.m)
    key: Key | None = None
    walked: bool = False  # for key, value in self.m.items()
    operators: str = ""
    define: Callable[[str, Map], ir.MapDefinition | tuple[ir.MapDefinition, ...]] = default_definition


def arguments(frame: Frame, place: Place, node: ast.Call, *names: str, optional: tuple[str, ...] = ()) -> list[Any]:
    """The nodes of a call's arguments, by position or name; those of ``optional`` that are not given are None."""
    assert isinstance(node.func, ast.Attribute)
    return argument_nodes(frame, node, f"{place.name}.{node.func.attr}()", *names, optional=optional)


def argument_nodes(
    frame: Frame, node: ast.Call, function: str, *names: str, optional: tuple[str, ...] = ()
) -> list[Any]:
    """The same for any call; ``function`` is for messages."""
    known = [*names, *optional]
    found: dict[str, ast.expr] = dict(zip(known, node.args, strict=False))
    starred = any(isinstance(argument, ast.Starred) for argument in node.args)
    for keyword in node.keywords:
        if keyword.arg not in known or keyword.arg in found:
            problem = f"has no argument {keyword.arg}" if keyword.arg not in known else f"has {keyword.arg} twice"
            raise frame.error(rules.ArgumentNames, keyword, function=function, problem=problem)
        found[keyword.arg] = keyword.value
    if starred or len(node.args) > len(known) or any(name not in found for name in names):
        expected = f"{len(names)} argument{'' if len(names) == 1 else 's'}"
        if known:
            expected += f" ({', '.join([*names, *(f'{name}=' for name in optional)])})"
        raise frame.error(rules.ArgumentCount, node, function=function, expected=expected,
                          found=len(node.args) + len(node.keywords))  # fmt: skip
    return [found.get(name) for name in known]
