"""Small modules of IR, and what a pass makes of them: for the tests of passes."""

from __future__ import annotations

from collections.abc import Callable

from beespace.compiler import ir
from beespace.compiler.ir import (
    U32,
    Compare,
    CompareOp,
    Const,
    ContextField,
    Convert,
    Declare,
    Function,
    Load,
    Local,
    MapDefinition,
    Module,
    Offset,
    Parameter,
    PointerType,
    Region,
    Return,
    Slot,
)
from beespace.compiler.ir.printer import module_text
from beespace.compiler.ir.verify import verify

CONTEXT, PACKET, VALUE, RING = (
    PointerType(region) for region in (Region.CONTEXT, Region.PACKET, Region.MAP_VALUE, Region.RING)
)
CTX = Local("ctx", CONTEXT)
DATA, END = (Convert(Load(ContextField(CTX, offset), U32), PACKET) for offset in (0, 4))
MAPS = (
    MapDefinition("counts", 6, key_size=4, value_size=8, max_entries=2),
    MapDefinition("table", 1, key_size=4, value_size=8, max_entries=2),
    MapDefinition("ring", 27, max_entries=4096),
)
NULL = Const(0, VALUE)


def module(*body: ir.Statement, slots: tuple[Slot, ...] = ()) -> Module:
    made = Module(
        "m",
        (Function("f", (Parameter("ctx", CONTEXT),), ir.I32, (*body, Return(Const(2, ir.I32))), "xdp", slots),),
        MAPS,
    )
    verify(made)
    return made


def after(pass_: Callable[[Module], Module], made: Module) -> list[str]:
    changed = pass_(made)
    verify(changed)
    text = module_text(changed)
    return [line.strip() for line in text[text.index("function f") :].splitlines()[1:] if "slot" not in line]


def packet(size: int) -> ir.Expression:
    names = (f"d{size}", f"e{size}")
    data, end = (Local(name, PACKET) for name in names)
    there = Compare(CompareOp.LE, Offset(data, size), end)
    ends = (Declare(names[0], PACKET, DATA), Declare(names[1], PACKET, END))
    return ir.Sequence(ends, ir.Select(there, data, Const(0, PACKET)))


def missing(name: str) -> ir.Expression:
    return Compare(CompareOp.EQ, Local(name, PACKET), Const(0, PACKET))


LEAVE = (Return(Const(2, ir.I32)),)
