"""User rings: records that user space sends, and programs take out.

Invariant: a program works on a copy: user space can write to the ring at any time.  A record that is shorter than its
struct is passed over, and counted.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.callbacks import callback_of, method_of
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.lost import count_lost
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.memory import SLOT_ALIGN
from beespace.compiler.statements.visits import Visits
from beespace.compiler.types import I64, Iteration, StructType
from beespace.compiler.values import Value
from beespace.isa.helpers import HELPERS
from beespace.lang import UserRing
from beespace.schema.kinds import kind_size

__all__ = ["drain", "records"]

_DYNPTR = ir.PointerType(ir.Region.DYNPTR)
_NO_FLAGS = ir.Const(0, ir.U64)
_DRAIN = HELPERS["user_ringbuf_drain"]


def _reading(target: ir.Expression, size: int, dynptr: str) -> ir.Expression:
    """Copy the record; whether it was too short for that."""
    reading = call(
        "dynptr_read", ir.I64, target, ir.Const(size, ir.U32), ir.Local(dynptr, _DYNPTR), ir.Const(0, ir.U32), _NO_FLAGS
    )
    return ir.Compare(ir.CompareOp.NE, reading, ir.Const(0, ir.I64))


def records(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``for record in self.commands.records():`` bpf_user_ringbuf_drain() calls the body (Linux 6.1)."""
    arguments(frame, place, node)
    ring = place.map
    assert isinstance(ring, UserRing)
    size, dynptr = kind_size(ring.record), frame.scope.fresh("dynptr")
    slot = frame.scope.own_slot("record", size)

    def begin(frame: Frame) -> tuple[ir.Block, Value]:
        short = ir.If(_reading(slot, size, dynptr), (*count_lost(frame, place.name), ir.Continue()))
        return (short,), Value(StructType(ring.record), slot, align=SLOT_ALIGN)

    def loop(body: ir.Block) -> ir.Block:
        parameters = (ir.Parameter(dynptr, _DYNPTR),)
        return (ir.Each(_DRAIN.number, _DRAIN.name, (place.address,), parameters, body, (_NO_FLAGS,)),)

    return Value(Iteration(f"{place.name}.records()", Visits(begin, loop)))


def drain(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.commands.drain(self.on_command)``: how many records there were, or a negative error."""
    (target,) = arguments(frame, place, node, "callback")
    ring = place.map
    assert isinstance(ring, UserRing)
    method, size = method_of(frame, "a user ring", target), kind_size(ring.record)
    slot = ir.StackSlot("record")
    record = Value(StructType(ring.record), slot, align=SLOT_ALIGN)
    body: ir.Block = (ir.If(_reading(slot, size, "dynptr"), (ir.Return(ir.Const(0, ir.I64)),)),)
    parameters = (ir.Parameter("dynptr", _DYNPTR), ir.Parameter("context", ir.PointerType(ir.Region.STACK)))
    slots = (ir.Slot("record", size),)
    name = callback_of(
        frame, "a user ring", target, method, place.name, (("the record", record),), parameters, body, slots
    )
    nothing = ir.Const(0, ir.PointerType(ir.Region.STACK))
    return Value(I64, call(_DRAIN.name, ir.I64, place.address, ir.FunctionAddress(name), nothing, _NO_FLAGS))
