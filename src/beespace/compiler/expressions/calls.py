"""Calls: built-ins, types, structs, kernel words, map operations, text methods, sub-programs.

Invariant: what is called is known while compiling; a call of anything else is refused.
"""

from __future__ import annotations

import ast
from enum import EnumType
from types import FunctionType
from typing import Any

from beespace import types as kinds
from beespace.compiler import maps, resources, rules
from beespace.compiler.expressions.builtin_calls import BUILTINS, REFUSED, truth_call
from beespace.compiler.expressions.call_arguments import arguments_of
from beespace.compiler.expressions.methods import method
from beespace.compiler.expressions.numbers import convert
from beespace.compiler.frame import Frame
from beespace.compiler.functions import call_subprogram
from beespace.compiler.kernel import externs
from beespace.compiler.kernel.functions import KernelFunctionName
from beespace.compiler.kernel.questions import QUESTIONS
from beespace.compiler.names import is_self, kind_named
from beespace.compiler.statements.reservations import discard, is_discard
from beespace.compiler.structs import construct, zeroed
from beespace.compiler.types import (
    Array,
    Bytes,
    Int,
    Literal,
    MapWord,
    ResourceWord,
    Static,
    SubProgram,
    Text,
    Type,
)
from beespace.compiler.values import Value
from beespace.compiler.words import kernel_function_call, word
from beespace.lang import PerCpuVariable, bpf
from beespace.lang.attach import SECTION
from beespace.schema import ArrayKind, BoolKind, IntKind, Struct
from beespace.schema.kinds import as_kind

__all__ = ["call"]


def call(frame: Frame, node: ast.Call, expected: Type | None) -> Value:
    """Lower a call."""
    if isinstance(node.func, ast.Attribute):
        if is_discard(frame, node.func):
            return discard(frame, node, node.func)
        found = method(frame, node, node.func)
        if found is not None:
            return found
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("here", "on"):
        owner = frame.value(node.func.value)
        if isinstance(owner.type, Static) and isinstance(owner.type.value, PerCpuVariable):
            return externs.per_cpu(frame, owner.type.value, node.func.attr, node)
    target = frame.value(node.func)
    if isinstance(target.type, MapWord):
        return maps.map_call(frame, target, node)
    if isinstance(target.type, ResourceWord):
        return resources.word(frame, target, node)
    if isinstance(target.type, SubProgram):
        return call_subprogram(frame, target.type, node)
    if isinstance(target.type, Static):
        return _static_call(frame, target.type.value, node, expected)
    raise frame.error(rules.NotCallable, node, found=target.type)


def _static_call(frame: Frame, target: Any, node: ast.Call, expected: Type | None) -> Value:
    if isinstance(target, FunctionType) and target.__module__ == bpf.__name__:
        return word(frame, target.__name__, node)
    if isinstance(target, KernelFunctionName):
        return kernel_function_call(frame, target.name, node)
    if isinstance(target, FunctionType) and target in QUESTIONS:
        return QUESTIONS[target](frame, node)
    if isinstance(target, IntKind):
        (argument,) = arguments_of(frame, node, target.name, 1)
        return convert(frame, frame.value(argument, Int(target.bits, target.signed)), target, argument)
    kind = as_kind(target) if isinstance(target, EnumType) else None
    if isinstance(kind, IntKind):
        (argument,) = arguments_of(frame, node, kind.name, 1)
        return convert(frame, frame.value(argument, Int(kind.bits, kind.signed)), kind, argument)
    if isinstance(target, BoolKind):
        return truth_call(frame, node, expected)
    if isinstance(target, type) and issubclass(target, Struct):
        return construct(frame, target, node)
    if target is kinds.text or target is kinds.raw:
        (argument,) = arguments_of(frame, node, target.__name__, 1)
        size = frame.value(argument)
        if not isinstance(size.type, Literal) or size.type.value <= 0:
            raise frame.error(rules.NotConstant, argument, what="the size", suggestion="write a number of at least 1")
        return zeroed(frame, Text(size.type.value) if target is kinds.text else Bytes(size.type.value))
    if target is kinds.array:
        return _array(frame, node)
    hashable = target if getattr(type(target), "__hash__", None) else None
    rule = BUILTINS.get(hashable)
    if rule is not None:
        return rule(frame, node, expected)
    name = ast.unparse(node.func)
    if isinstance(target, FunctionType) and hasattr(target, SECTION) and node.args and is_self(frame, node.args[0]):
        raise frame.error(
            rules.NotSupported, node, what=f"a call of {name}() by its class",
            suggestion="give the method of the base class another name, and call that: `self.other(...)`",
        )  # fmt: skip
    if isinstance(target, FunctionType) and getattr(target, SECTION, None) == "":
        return call_subprogram(frame, _free(frame, target), node)
    if isinstance(target, FunctionType):
        raise frame.error(
            rules.NotKernelSide, node, name=f"{name}()",
            suggestion="mark it with @function (it is a function of a module, or a method of the program)",
        )  # fmt: skip
    if callable(target):
        suggestion = REFUSED.get(hashable, "what can be called are words of bpf, and functions marked with @function")
        raise frame.error(rules.NotSupported, node, what=f"a call of {name}()", suggestion=suggestion)
    raise frame.error(rules.NotCallable, node, found=name)


def _free(frame: Frame, function: FunctionType) -> SubProgram:
    """A function of a module: its name in the object is its own, unless that is taken."""
    known = frame.unit.free
    if function not in known:
        name, taken = function.__name__, {*frame.unit.declaration.functions, *known.values()}
        known[function] = name if name not in taken else f"{name}_{len(known)}"
    return SubProgram(known[function], function, free=True)


def _array(frame: Frame, node: ast.Call) -> Value:
    """``array(u64, 8)``: zeroes, as the first value of a local."""
    element, length = arguments_of(frame, node, "array", 2)
    kind = kind_named(frame, element)
    size = frame.value(length)
    if not isinstance(size.type, Literal) or size.type.value <= 0:
        raise frame.error(rules.NotConstant, length, what="the length", suggestion="write a number of at least 1")
    return zeroed(frame, Array(ArrayKind(kind, size.type.value)))
