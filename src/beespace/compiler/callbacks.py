"""Callbacks: methods that the kernel calls with what it has at hand.

Invariant: the method is compiled once, for what the kernel gives; between the two stands a function of the kernel's own
signature, which reads the key and gives back 0.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.frame import Frame
from beespace.compiler.functions import compile_callback
from beespace.compiler.memory import SLOT_ALIGN, load
from beespace.compiler.types import SubProgram, of_kind
from beespace.compiler.values import Value
from beespace.lang import Map
from beespace.record import replace
from beespace.schema import BoolKind, IntKind
from beespace.schema.kinds import kind_align, kind_size

__all__ = ["callback_of", "map_callback", "method_of"]

_MAP = ir.PointerType(ir.Region.MAP)
_VALUE = ir.PointerType(ir.Region.MAP_VALUE)


def method_of(frame: Frame, what: str, node: ast.expr) -> SubProgram:
    """The method that an argument names."""
    value = frame.value(node)
    if not isinstance(value.type, SubProgram):
        raise frame.error(rules.NotACallback, node, what=what, found=value.type)
    return value.type


def map_callback(frame: Frame, what: str, node: ast.expr, map_name: str, map: Map) -> str:
    """The function that calls a method as ``method(key, value)`` for an entry of the map; its name.

    The kernel gives it the map, the key and the value (``BPF_MAP_TYPE_*`` timers and work queues).
    """
    method = method_of(frame, what, node)
    assert map.key is not None and map.value_kind is not None
    opening: ir.Block = ()
    slots: tuple[ir.Slot, ...] = ()
    address = ir.Local("key", _VALUE)
    if isinstance(map.key, (IntKind, BoolKind)):
        read = load(address, map.key, kind_align(map.key))
        opening = (ir.Declare("number", read.expression.type, read.expression),)
        key = Value(read.type, ir.Local("number", read.expression.type))
    else:
        # The method gets a copy: writing to it must not change the map.
        size = kind_size(map.key)
        slots = (ir.Slot("copy", size),)
        opening = (ir.Copy(ir.StackSlot("copy"), address, size, kind_align(map.key)),)
        key = Value(of_kind(map.key), ir.StackSlot("copy"), align=SLOT_ALIGN)
    value = Value(of_kind(map.value_kind), ir.Local("value", _VALUE), align=kind_align(map.value_kind))
    parameters = (ir.Parameter("map", _MAP), ir.Parameter("key", _VALUE), ir.Parameter("value", _VALUE))
    given = (("the key", key), ("the value", value))
    return callback_of(frame, what, node, method, map_name, given, parameters, opening, slots)


def callback_of(
    frame: Frame, what: str, node: ast.expr, method: SubProgram, map_name: str, given: tuple[tuple[str, Value], ...],
    parameters: tuple[ir.Parameter, ...], opening: ir.Block, slots: tuple[ir.Slot, ...],
) -> str:  # fmt: skip
    """The function of the kernel's own signature, ``parameters``, that passes ``given`` to the method; its name."""
    unit = frame.unit
    name = f"{method.name}__{map_name}{unit.suffix}"
    if name in unit.callbacks:
        return name
    unit.callbacks.add(name)
    compiled = compile_callback(frame, method, given, what, node)
    result = compiled.result.code.type if compiled.result.code is not None else ir.VOID
    calling = ir.Call(compiled.name, tuple(value.expression for _, value in given), result)
    body = (*opening, ir.Evaluate(calling), ir.Return(ir.Const(0, ir.I64)))
    # The verifier tells rounds of a timer that starts itself again from a loop only in the callback's own frame.
    unit.functions[compiled.name] = replace(unit.functions[compiled.name], inlined=True)
    unit.functions[name] = ir.Function(name, parameters, ir.I64, body, None, slots, span=frame.code_span(node))
    return name
