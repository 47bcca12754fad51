"""``bpf.log(f"...")``: messages to user space, with the time, the place and the values.

Invariant: the kernel sends a message's number and its raw values; the words stand once, in the object, in a table
that user space formats them with.  A message that finds the ring full is counted.

The ring is named ``beespace_log``.  A record is the message's number (u32), four bytes of zero, the time (u64,
nanoseconds of CLOCK_BOOTTIME), then the values: numbers and bools as 8 bytes, others at their size, rounded up
to 8.  The table is the constant ``beespace_messages``: a line of JSON for each message.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence

from beespace.compiler import ir
from beespace.compiler.expressions.texts import copied
from beespace.compiler.frame import Frame, Unit
from beespace.compiler.kernel.calls import call
from beespace.compiler.lost import LOG_MAP, count_lost
from beespace.compiler.statements.messages import Hole, Part, kind_of, located_hole
from beespace.compiler.types import U64, Address, Bool, Int, Text
from beespace.compiler.values import Value, not_null, number, offset
from beespace.schema import BytesKind
from beespace.schema.kinds import kind_size

__all__ = ["LOG_MAP", "MESSAGES", "log_map", "message_table", "report"]

MESSAGES = "beespace_messages"
_RINGBUF = 27  # BPF_MAP_TYPE_RINGBUF
_RING_BYTES = 1 << 18
_HEADER = 16
_RECORD = ir.PointerType(ir.Region.RING)


def report(frame: Frame, node: ast.AST, parts: Sequence[Part], *, failed: bool = False) -> ir.Block:
    """Send one message."""
    block: ir.Block = ()
    values: list[tuple[Value, int]] = []
    for part in parts:
        if isinstance(part, Hole):
            before, value = located_hole(frame, part)
            block += before
            kind = kind_of(value)
            values.append((value, kind_size(kind) if kind is not None else 8))
    size = _HEADER + sum(_room(length) for _, length in values)
    name, time = frame.scope.fresh(), frame.scope.fresh()
    record = ir.Local(name, _RECORD)
    message = ir.Const(_number(frame, node, parts, failed=failed), ir.U32)
    filling: ir.Block = (
        ir.Store(record, message),
        ir.Store(offset(record, 4), ir.Const(0, ir.U32)),
        ir.Store(offset(record, 8), ir.Local(time, ir.U64)),
    )
    at = _HEADER
    for value, length in values:
        filling += _written(record, at, value, length)
        at += _room(length)
    reserve = call("ringbuf_reserve", _RECORD, ir.MapAddress(LOG_MAP), number(size, U64), number(0, U64))
    submit = ir.Evaluate(call("ringbuf_submit", ir.VOID, record, number(0, U64)))
    return (
        *block,
        ir.Declare(time, ir.U64, call("ktime_get_boot_ns", ir.U64)),
        ir.Declare(name, _RECORD, reserve),
        ir.If(not_null(record), (*filling, submit), count_lost(frame, LOG_MAP)),
    )


def _room(size: int) -> int:
    return -(-size // 8) * 8


def _written(record: ir.Expression, at: int, value: Value, length: int) -> ir.Block:
    target = offset(record, at)
    if isinstance(value.type, Int):
        wide = ir.IntType(64, value.type.signed)
        code = value.expression if value.expression.type == wide else ir.Convert(value.expression, wide)
        return (ir.Store(target, code),)
    if isinstance(value.type, Bool):
        return (ir.Store(target, ir.Convert(value.expression, ir.U64)),)
    return copied(target, _room(length), 8, value.expression, length, 8)


def _number(frame: Frame, node: ast.AST, parts: Sequence[Part], *, failed: bool) -> int:
    """The message's number; the same message at the same place has one."""
    span = frame.span(node)
    pieces: list[object] = []
    for part in parts:
        if isinstance(part, str):
            pieces.append(part)
        else:
            kind = kind_of(part.value)
            pieces.append(
                [_letter(part.value), kind_size(kind) if kind is not None else 8, part.conversion, part.format]
            )
    entry = {
        "file": span.file.name, "line": span.line, "program": frame.source.node.name, "failed": failed, "parts": pieces,
    }  # fmt: skip
    known = frame.unit.messages
    return known.setdefault(json.dumps(entry, separators=(",", ":"), ensure_ascii=False), len(known))


def _letter(value: Value) -> str:
    """How user space reads the value: i and u numbers, b bool, t text, a address, r raw bytes."""
    if isinstance(value.type, Int):
        return "i" if value.type.signed else "u"
    if isinstance(value.type, Bool):
        return "b"
    return "t" if isinstance(value.type, Text) else "a" if isinstance(value.type, Address) else "r"


def log_map() -> ir.MapDefinition:
    """The ring that messages go through."""
    return ir.MapDefinition(LOG_MAP, _RINGBUF, max_entries=_RING_BYTES)


def message_table(unit: Unit) -> ir.GlobalDefinition:
    """Every message of the program, for user space."""
    data = "\n".join(unit.messages).encode()
    return ir.GlobalDefinition(MESSAGES, BytesKind(len(data)), ir.Section.RODATA, data)
