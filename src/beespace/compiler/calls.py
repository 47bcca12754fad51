"""Calls: built-ins, types, structs, kernel words, map operations, text methods, sub-programs.

Invariant: what is called is known while compiling; a call of anything else is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import FunctionType
from typing import Any

from beespace import types as kinds
from beespace.compiler import ir, maps, rules, storage
from beespace.compiler.frame import Frame
from beespace.compiler.functions import call_subprogram
from beespace.compiler.memory import SLOT_ALIGN
from beespace.compiler.numbers import convert, known, unify
from beespace.compiler.structs import construct, zeroed
from beespace.compiler.texts import as_text, equal_bytes
from beespace.compiler.types import (
    BOOL,
    Array,
    Bytes,
    Int,
    Literal,
    MapObject,
    MapWord,
    Range,
    Static,
    SubProgram,
    Text,
    TextLiteral,
    Type,
)
from beespace.compiler.values import Bounds, Value, number, sequence
from beespace.compiler.words import WORDS, word
from beespace.lang import Interval, Ring, SocketStorage, TaskStorage, bpf
from beespace.schema import BoolKind, IntKind, Struct

__all__ = ["call"]


def call(frame: Frame, node: ast.Call, expected: Type | None) -> Value:
    """Lower a call."""
    if isinstance(node.func, ast.Attribute):
        found = _text_method(frame, node, node.func)
        if found is not None:
            return found
    target = frame.value(node.func)
    if isinstance(target.type, MapWord):
        return _map_call(frame, target.type.map, target.type.word, node)
    if isinstance(target.type, SubProgram):
        return call_subprogram(frame, target.type, node)
    if isinstance(target.type, Static):
        return _static_call(frame, target.type.value, node, expected)
    raise frame.error(rules.NotCallable, node, found=target.type)


def _static_call(frame: Frame, target: Any, node: ast.Call, expected: Type | None) -> Value:
    if isinstance(target, FunctionType) and target.__module__ == bpf.__name__ and target.__name__ in WORDS:
        return word(frame, target.__name__, node)
    if isinstance(target, IntKind):
        (argument,) = _arguments(frame, node, target.name, 1)
        return convert(frame, frame.value(argument, Int(target.bits, target.signed)), target, argument)
    if isinstance(target, BoolKind):
        return _bool(frame, node, expected)
    if isinstance(target, type) and issubclass(target, Struct):
        return construct(frame, target, node)
    if target is kinds.text or target is kinds.raw:
        (argument,) = _arguments(frame, node, target.__name__, 1)
        size = frame.value(argument)
        if not isinstance(size.type, Literal) or size.type.value <= 0:
            raise frame.error(rules.NotConstant, argument, what="the size", suggestion="write a number of at least 1")
        return zeroed(frame, Text(size.type.value) if target is kinds.text else Bytes(size.type.value))
    hashable = target if getattr(type(target), "__hash__", None) else None
    rule = _BUILTINS.get(hashable)
    if rule is not None:
        return rule(frame, node, expected)
    name = ast.unparse(node.func)
    if isinstance(target, FunctionType):
        raise frame.error(
            rules.NotKernelSide, node, name=f"{name}()",
            suggestion="make it a method of the program and mark it with @function",
        )  # fmt: skip
    raise frame.error(rules.NotCallable, node, found=name, suggestion=_REFUSED.get(hashable, ""))


def _arguments(frame: Frame, node: ast.Call, name: str, count: int) -> list[ast.expr]:
    if node.keywords:
        raise frame.error(rules.ArgumentNames, node.keywords[0], function=f"{name}()", problem="takes no names here")
    if len(node.args) != count or any(isinstance(argument, ast.Starred) for argument in node.args):
        expected = f"{count} argument{'' if count == 1 else 's'}"
        raise frame.error(rules.ArgumentCount, node, function=f"{name}()", expected=expected, found=len(node.args))
    return node.args


# --- built-ins -----------------------------------------------------------------------------------


def _bool(frame: Frame, node: ast.Call, expected: Type | None) -> Value:
    (argument,) = _arguments(frame, node, "bool", 1)
    result = frame.condition(argument)
    frame.state = result.when_true.join(result.when_false)
    return Value(BOOL, result.code)


def _extreme(name: str, code: ir.CompareOp) -> Callable[[Frame, ast.Call, Type | None], Value]:
    pick = {"min": min, "max": max}[name]

    def extreme(frame: Frame, node: ast.Call, expected: Type | None) -> Value:
        if node.keywords or len(node.args) < 2:
            raise frame.error(
                rules.ArgumentCount, node, function=f"{name}()", expected="two or more numbers", found=len(node.args)
            )
        result = known(frame, frame.value(node.args[0], expected), node.args[0], f"{name}()")
        for argument in node.args[1:]:
            other = known(frame, frame.value(argument, expected), argument, f"{name}()")
            if isinstance(result.type, Literal) and isinstance(other.type, Literal):
                result = Value(Literal(pick(result.type.value, other.type.value)))
                continue
            left, right, type_ = unify(frame, result, other, argument, expected)
            before, left = frame.bind(left)
            between, right = frame.bind(right)
            chosen = ir.Select(ir.Compare(code, left, right), left, right)
            bounds = Bounds(pick(result.range.low, other.range.low), pick(result.range.high, other.range.high))
            result = Value(type_, sequence(before + between, chosen), bounds)
        return result

    return extreme


def _abs(frame: Frame, node: ast.Call, expected: Type | None) -> Value:
    (argument,) = _arguments(frame, node, "abs", 1)
    value = known(frame, frame.value(argument, expected), argument, "abs()")
    if isinstance(value.type, Literal):
        return Value(Literal(abs(value.type.value)))
    assert isinstance(value.type, Int)
    if not value.type.signed:
        return value
    before, code = frame.bind(value.expression)
    zero = number(0, value.type)
    negative = ir.Compare(ir.CompareOp.LT, code, zero)
    result = ir.Select(negative, ir.Binary(ir.BinaryOp.SUB, zero, code), code)
    low, high = value.range.low, value.range.high
    bounds = Bounds(0, max(abs(low), abs(high))) if low > value.type.minimum else None
    return Value(value.type, sequence(before, result), bounds)


def _len(frame: Frame, node: ast.Call, expected: Type | None) -> Value:
    (argument,) = _arguments(frame, node, "len", 1)
    value = frame.value(argument)
    if isinstance(value.type, Array):
        return Value(Literal(value.type.kind.length))
    if isinstance(value.type, MapObject) and isinstance(value.type.map, maps.INDEXED):
        return Value(Literal(value.type.map.max_entries))
    if isinstance(value.type, TextLiteral):
        return Value(Literal(len(value.type.value)))
    if isinstance(value.type, Bytes) and value.type.size is not None:
        return Value(Literal(value.type.size))
    raise frame.error(
        rules.NotSupported,
        node,
        what=f"len() of {value.type}",
        suggestion="len() works with array fields and Array maps",
    )


def _range(frame: Frame, node: ast.Call, expected: Type | None) -> Value:
    return Value(Range())


_BUILTINS: dict[Any, Callable[[Frame, ast.Call, Type | None], Value]] = {
    bool: _bool,
    min: _extreme("min", ir.CompareOp.LE),
    max: _extreme("max", ir.CompareOp.GE),
    abs: _abs,
    len: _len,
    range: _range,
}
_REFUSED: dict[Any, str] = {
    print: "send an event with self.ring.emit(...), and print it outside",
    int: "use u64(...) or i64(...), which say how wide",
    float: "the kernel has no floating point",
    str: "texts are read into text(n) fields",
    sum: "add in a `for` over range(...)",
    enumerate: "write a `for` over range(...)",
    zip: "write a `for` over range(...)",
    isinstance: "types are known while compiling",
    open: "the kernel side has no files; send an event",
    divmod: "use // and %",
    pow: "multiply",
}


# --- methods -------------------------------------------------------------------------------------


def _text_method(frame: Frame, node: ast.Call, function: ast.Attribute) -> Value | None:
    """``text.startswith("/proc/")``; ``None`` if this is no method of a text."""
    if not hasattr(str, function.attr):
        return None
    owner = as_text(frame, frame.value(function.value))
    if not isinstance(owner.type, (Text, TextLiteral)):
        return None
    if function.attr != "startswith" or isinstance(owner.type, TextLiteral):
        raise frame.error(
            rules.NotSupported, node, what=f"{function.attr}() of a text",
            suggestion="send the text in an event, and work on it outside",
        )  # fmt: skip
    (argument,) = _arguments(frame, node, "startswith", 1)
    prefix = frame.value(argument)
    if not isinstance(prefix.type, TextLiteral) or prefix.type.raw:
        raise frame.error(
            rules.NotConstant, argument, what="the start that is looked for", suggestion="write the text out"
        )
    length = len(prefix.type.value)
    size = owner.type.size if owner.type.size is not None else length + 1
    if length > size:
        raise frame.error(rules.TextTooLong, argument, found=prefix.type, size=size, length=length)
    if length == 0:
        return Value(BOOL, ir.Const(1, ir.BOOL))
    if owner.recipe is not None:
        slot = frame.scope.slot(size)
        before: ir.Block = owner.recipe.prepare + owner.recipe.fill(slot, size, SLOT_ALIGN)
        pointer: ir.Expression = slot
        align = SLOT_ALIGN
    else:
        before, pointer = frame.bind_address(owner.expression)
        align = owner.align
    return Value(BOOL, sequence(before, equal_bytes(pointer, prefix.type.value, length, align)))


def _map_call(frame: Frame, map: MapObject, name: str, node: ast.Call) -> Value:
    (argument,) = _arguments(frame, node, f"{map.name}.{name}", 1)
    if isinstance(map.map, Ring):
        return storage.emit(frame, map, argument)
    if isinstance(map.map, (SocketStorage, TaskStorage)):
        rule = {"get": storage.get, "get_or_create": storage.get_or_create, "delete": storage.delete}[name]
        return rule(frame, map, argument)
    if name == "pop":
        return maps.pop(frame, map, argument, used=node is not frame.unused)
    assert isinstance(map.map, (*maps.HASHES, *maps.INDEXED, Interval))
    return maps.get(frame, map, argument) if name == "get" else maps.get_or_create(frame, map, argument)
