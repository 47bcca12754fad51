"""Python's built-in functions: what they are of numbers, arrays and texts.

Invariant: each gives what Python's gives; those that have no meaning in the kernel say what to write instead.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from beespace.compiler import ir, maps, rules
from beespace.compiler.expressions.call_arguments import arguments_of
from beespace.compiler.expressions.generators import all_of, any_of, extreme_of, sum_of
from beespace.compiler.expressions.numbers import binary, known, unify
from beespace.compiler.expressions.text_search import length
from beespace.compiler.expressions.texts import as_text
from beespace.compiler.frame import Frame
from beespace.compiler.statements.printing import print_call
from beespace.compiler.types import (
    BOOL,
    Array,
    Bytes,
    Int,
    Literal,
    MapObject,
    Range,
    Static,
    Text,
    TextLiteral,
    Type,
)
from beespace.compiler.values import Bounds, Value, number, sequence

__all__ = ["BUILTINS", "REFUSED", "arguments_of", "truth_call"]


def truth_call(frame: Frame, node: ast.Call, expected: Type | None) -> Value:
    (argument,) = arguments_of(frame, node, "bool", 1)
    result = frame.condition(argument)
    frame.state = result.when_true.join(result.when_false)
    return Value(BOOL, result.code)


def _extreme(name: str, code: ir.CompareOp) -> Callable[[Frame, ast.Call, Type | None], Value]:
    pick = {"min": min, "max": max}[name]

    def extreme(frame: Frame, node: ast.Call, expected: Type | None) -> Value:
        if len(node.args) == 1 and [keyword.arg for keyword in node.keywords] in ([], ["default"]):
            default = node.keywords[0].value if node.keywords else None
            better = ir.CompareOp.LT if code is ir.CompareOp.LE else ir.CompareOp.GT
            return extreme_of(frame, node, node.args[0], default, better, expected)
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
    (argument,) = arguments_of(frame, node, "abs", 1)
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
    (argument,) = arguments_of(frame, node, "len", 1)
    value = frame.value(argument)
    if isinstance(value.type, Array):
        return Value(Literal(value.type.kind.length))
    if isinstance(value.type, MapObject) and (entries := maps.length(value)) is not None:
        return Value(Literal(entries))
    if isinstance(value.type, Static) and isinstance(value.type.value, tuple):
        return Value(Literal(len(value.type.value)))
    if isinstance(value.type, TextLiteral):
        return Value(Literal(len(value.type.value if value.type.raw else value.type.value.decode())))
    if isinstance(value.type, Bytes) and value.type.size is not None:
        return Value(Literal(value.type.size))
    text = as_text(frame, value)
    if isinstance(text.type, Text):
        return length(frame, text, argument)
    raise frame.error(
        rules.NotSupported,
        node,
        what=f"len() of {value.type}",
        suggestion="len() works with texts, raw bytes, array fields and Array maps",
    )


def _pow(frame: Frame, node: ast.Call, expected: Type | None) -> Value:
    base, exponent = arguments_of(frame, node, "pow", 2)
    power = ast.copy_location(ast.BinOp(base, ast.Pow(), exponent), node)
    left = frame.value(base, expected)
    return binary(frame, power.op, left, frame.value(exponent), power, expected)


def _over(
    name: str, rule: Callable[[Frame, ast.Call, ast.expr], Value]
) -> Callable[[Frame, ast.Call, Type | None], Value]:
    def over(frame: Frame, node: ast.Call, expected: Type | None) -> Value:
        (argument,) = arguments_of(frame, node, name, 1)
        return rule(frame, node, argument)

    return over


def _range(frame: Frame, node: ast.Call, expected: Type | None) -> Value:
    return Value(Range())


BUILTINS: dict[Any, Callable[[Frame, ast.Call, Type | None], Value]] = {
    bool: truth_call,
    min: _extreme("min", ir.CompareOp.LE),
    max: _extreme("max", ir.CompareOp.GE),
    abs: _abs,
    len: _len,
    pow: _pow,
    print: print_call,
    any: _over("any", any_of),
    all: _over("all", all_of),
    sum: _over("sum", sum_of),
    range: _range,
}
_OUTSIDE = "send the number, and write it outside; messages have formats: `{n:x}`, `{n:#b}`"
_AT_ONCE = "nothing is collected in the kernel: loop over the values, or keep them in a map"
_KNOWN = "names and types are known while compiling: write what it would give"
REFUSED: dict[Any, str] = {
    int: "use u64(...) or i64(...), which say how wide",
    float: "the kernel has no floating point",
    complex: "the kernel has no floating point",
    str: 'texts are read into text(n) fields; numbers have a text in messages: `bpf.log(f"{n}")`',
    bytes: "raw bytes are read into raw(n) fields; `raw(8)` is eight zero bytes",
    bytearray: "raw bytes are read into raw(n) fields; `raw(8)` is eight zero bytes",
    enumerate: "it stands in a `for`: `for i, value in enumerate(values):`",
    zip: "it stands in a `for`: `for a, b in zip(x, y):`",
    reversed: "it stands in a `for`: `for value in reversed(values):`",
    map: "it is a generator: `sum(f(x) for x in values)`, or a `for`",
    filter: "it is a generator: `sum(x for x in values if x > 3)`, or a `for` with an `if`",
    iter: "a `for` goes over what can be gone over",
    next: "a `for` goes over what can be gone over",
    list: _AT_ONCE,
    tuple: _AT_ONCE,
    dict: _AT_ONCE,
    set: _AT_ONCE,
    frozenset: _AT_ONCE,
    sorted: "send the values, and sort them outside",
    isinstance: "types are known while compiling",
    issubclass: "types are known while compiling",
    type: "types are known while compiling",
    callable: "types are known while compiling",
    getattr: _KNOWN,
    hasattr: _KNOWN + "; of fields of the kernel's types ask `exists(task.field)`",
    setattr: "write the assignment: `value.field = ...`",
    delattr: "only map entries can be deleted: `del self.map[key]`",
    super: "give the method of the base class another name, and call that: `self.other(...)`",
    id: "the address of a kernel object is `u64(pointer)`",
    hash: "keys of a Hash are hashed by the kernel; take the key itself",
    hex: _OUTSIDE,
    bin: _OUTSIDE,
    oct: _OUTSIDE,
    repr: _OUTSIDE,
    format: _OUTSIDE,
    chr: _OUTSIDE,
    ord: 'write the number; of raw bytes `data[i]` is one: `data[0] == 0x2f`, and texts compare: `name[:1] == "/"`',
    eval: "write what it would give",
    exec: "write what it would do",
    input: "options are the way in: `limit: u32 = 10` in the class",
    open: "the kernel side has no files; send an event",
    divmod: "unpack it: `whole, rest = divmod(a, b)`",
    round: "the kernel has no floating point; `(a + b // 2) // b` rounds a quotient",
}
