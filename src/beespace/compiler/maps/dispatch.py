"""From what the author wrote to the function of :mod:`beespace.compiler.maps.table` that compiles it.

Invariant: what a map's row does not have is a mistake that lists what it has.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.diagnostics import did_you_mean
from beespace.compiler.expressions.numbers import SYMBOLS
from beespace.compiler.frame import Frame
from beespace.compiler.maps.lookups import value_key
from beespace.compiler.maps.operations import Place
from beespace.compiler.maps.table import operations
from beespace.compiler.maps.walking import VIEWS, Entries, entries
from beespace.compiler.types import MapObject, MapWord
from beespace.compiler.values import Value
from beespace.lang import Global, Map
from beespace.schema import Kind

__all__ = [
    "attribute", "contains", "define", "delete", "increment_counter", "increment_item", "length", "map_call",
    "read_item", "set_item", "unknown_word", "walk", "words_of",
]  # fmt: skip


def words_of(map: Map) -> tuple[str, ...]:
    """The methods of a map that work in the kernel."""
    return tuple(operations(map).words)


def define(name: str, map: Map) -> tuple[ir.MapDefinition, ...]:
    """The maps as the loader makes them; none for what is a variable of the object."""
    made = operations(map).define(name, map)
    return made if isinstance(made, tuple) else (made,)


def unknown_word(frame: Frame, map: MapObject, word: str, node: ast.AST) -> Exception:
    """The mistake of using a word that the map does not have in the kernel."""
    row = operations(map.map)
    known = ", ".join([*(f".{name}()" for name in row.words), *filter(None, [row.operators.format(map.name)])])
    suggestion = did_you_mean(word, row.words)
    if hasattr(type(map.map), word) and not suggestion:
        suggestion = f"read {word} outside, in a plain method or after the `with`"
    return frame.error(rules.NoMapWord, node, map=map, word=word, known=known, suggestion=suggestion)


def _place(owner: Value) -> Place:
    """What an operation works on; ``owner`` is ``self.m``, or a map that a lookup gave."""
    map = owner.type.map if isinstance(owner.type, MapWord) else owner.type
    assert isinstance(map, MapObject)
    address = ir.MapAddress(map.name) if owner.code is None else owner.code
    return Place(map.name, map.map, address, operations(map.map).key or value_key)


def _object(owner: Value) -> MapObject:
    assert isinstance(owner.type, MapObject)
    return owner.type


def map_call(frame: Frame, word: Value, node: ast.Call) -> Value:
    """``self.m.word(...)``."""
    assert isinstance(word.type, MapWord)
    return operations(word.type.map.map).words[word.type.word](frame, _place(word), node)


def attribute(frame: Frame, owner: Value, name: str) -> tuple[ir.Block, ir.Expression, Kind] | None:
    """The place behind ``self.m.name``, and what it holds; ``None`` if the map has no such place."""
    map = _object(owner).map
    found = operations(map).attributes.get(name)
    if found is None:
        return None
    assert map.value_kind is not None
    return *found(frame, _place(owner)), map.value_kind


def read_item(frame: Frame, owner: Value, node: ast.Subscript) -> Value:
    """``self.m[key]``."""
    rule = operations(_object(owner).map).read
    if rule is None:
        raise unknown_word(frame, _object(owner), "[...]", node)
    return rule(frame, _place(owner), node)


def set_item(frame: Frame, owner: Value, node: ast.Subscript, value: Value, value_node: ast.expr) -> ir.Block:
    """``self.m[key] = value``."""
    rule = operations(_object(owner).map).write
    if rule is None:
        raise unknown_word(frame, _object(owner), "[...] = ", node)
    return rule(frame, _place(owner), node, value, value_node)


def increment_item(frame: Frame, owner: Value, node: ast.AugAssign) -> ir.Block:
    """``self.m[key] += n``."""
    rule = operations(_object(owner).map).add
    if rule is None:
        raise unknown_word(frame, _object(owner), "[...] +=", node.target)
    return rule(frame, _place(owner), node)


def delete(frame: Frame, owner: Value, node: ast.Subscript) -> ir.Block:
    """``del self.m[key]``."""
    rule = operations(_object(owner).map).remove
    if rule is None:
        raise unknown_word(frame, _object(owner), "del", node)
    return rule(frame, _place(owner), node)


def contains(frame: Frame, owner: Value, node: ast.expr) -> ir.Expression:
    """``key in self.m``."""
    rule = operations(_object(owner).map).contains
    if rule is None:
        raise unknown_word(frame, _object(owner), "in", node)
    return rule(frame, _place(owner), node)


def length(owner: Value) -> int | None:
    """``len(self.m)``; ``None`` if it is not known."""
    rule = operations(_object(owner).map).length
    return None if rule is None else rule(_object(owner).map)


def walk(frame: Frame, node: ast.For) -> Entries | None:
    """The loop over a map's entries; ``None`` if ``node`` is no such loop."""
    over: ast.expr = node.iter
    view = "keys"
    if isinstance(over, ast.Call):
        if not isinstance(over.func, ast.Attribute) or over.func.attr not in VIEWS or over.args or over.keywords:
            return None
        view, over = over.func.attr, over.func.value
    if not isinstance(over, ast.Attribute | ast.Name):
        return None
    owner = frame.value(over)
    if not isinstance(owner.type, MapObject):
        return None
    if not operations(owner.type.map).walked:
        raise unknown_word(frame, owner.type, f"{view}()", node.iter)
    return entries(frame, _place(owner), view, node)


def increment_counter(frame: Frame, owner: Value, node: ast.AugAssign) -> ir.Block:
    """``self.m += n``."""
    map = _object(owner)
    rule = operations(map.map).count
    if rule is None:
        suggestion = f"name an entry: `self.{map.name}[key] += n`" if map.map.key is not None else ""
        if isinstance(map.map, Global):
            suggestion = f"write `self.{map.name}.value += n`"
        raise frame.error(
            rules.NoIncrement, node.target, what=f"self.{map.name}", operator=f"{SYMBOLS[type(node.op)]}=",
            found=map, suggestion=suggestion,
        )  # fmt: skip
    return rule(frame, _place(owner), node)
