"""``print(f"...")``: lines in the kernel's trace pipe (/sys/kernel/tracing/trace_pipe).

Invariant: what the kernel prints is what Python would; a format that the two read differently is refused.  Up to
three values are printed by bpf_trace_printk(), more by bpf_trace_vprintk() (Linux 5.16).  Widths take Linux 5.13.
"""

from __future__ import annotations

import ast
import re

from beespace.compiler import ir, rules
from beespace.compiler.expressions.texts import copied, write_constant
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.memory import SLOT_ALIGN
from beespace.compiler.statements.messages import Hole, Part, kind_of, located_hole, parts_of
from beespace.compiler.types import VOID, Bool, Int, Text, Type
from beespace.compiler.values import Value, offset
from beespace.schema import TextKind
from beespace.schema.kinds import kind_size

__all__ = ["format_of", "in_array", "print_call", "printed"]

_FORMAT = re.compile(r"(0?[1-9][0-9]*)?([dxX]?)")
_DIRECT = 3  # values that bpf_trace_printk() takes


def print_call(frame: Frame, node: ast.Call, expected: Type | None) -> Value:
    """``print(...)``: its values with a space between."""
    if node.keywords:
        raise frame.error(rules.ArgumentNames, node.keywords[0], function="print()", problem="takes no names here")
    parts: list[Part] = []
    for at, argument in enumerate(node.args):
        parts += [" "] if at else []
        parts += parts_of(frame, argument)
    return printed(frame, node, parts)


def printed(frame: Frame, node: ast.AST, parts: list[Part]) -> Value:
    """One line."""
    line, size, block, codes = format_of(frame, node, parts)
    if len(codes) <= _DIRECT:
        made = call("trace_printk", ir.I64, line, size, *codes, span=frame.code_span(node))
        return Value(VOID, ir.Sequence((*block, ir.Evaluate(made)), ir.Const(0, ir.U64)))
    stores, values, many = in_array(frame, codes)
    made = call("trace_vprintk", ir.I64, line, size, values, many, span=frame.code_span(node))
    return Value(VOID, ir.Sequence((*block, *stores, ir.Evaluate(made)), ir.Const(0, ir.U64)))


def in_array(frame: Frame, codes: list[ir.Expression]) -> tuple[ir.Block, ir.Expression, ir.Expression]:
    """Values as helpers take many of them: written to memory, where that is, its size."""
    values = frame.scope.slot(8 * len(codes))
    stores = tuple(ir.Store(offset(values, 8 * at), code) for at, code in enumerate(codes))
    return stores, values, ir.Const(8 * len(codes), ir.U32)


def format_of(
    frame: Frame, node: ast.AST, parts: list[Part], *, breaks: bool = False
) -> tuple[ir.Expression, ir.Expression, ir.Block, list[ir.Expression]]:
    """A format of the kernel's and its size, what to do first, and the values; ``breaks``: it may have line ends."""
    format = ""
    block: ir.Block = ()
    codes: list[ir.Expression] = []
    for part in parts:
        if isinstance(part, str):
            format += part.replace("%", "%%")
            continue
        word, before, code = _argument(frame, part)
        format += word
        block += before
        codes.append(code)
    data = format.encode() + b"\0"
    if any((byte < 32 and not (breaks and byte in b"\n\t")) or byte > 126 for byte in data[:-1]):
        raise frame.error(
            rules.NotSupported, node, what="a line with other than printable ASCII characters",
            suggestion='the trace pipe takes only these; bpf.log(f"...") takes any',
        )  # fmt: skip
    kind = TextKind(len(data))
    name = frame.unit.constants.setdefault((kind, data), f"beespace_table_{len(frame.unit.constants)}")
    line, size = ir.GlobalAddress(name), ir.Const(len(data), ir.U32)
    return line, size, block, codes


def _argument(frame: Frame, hole: Hole) -> tuple[str, ir.Block, ir.Expression]:
    """How the kernel is told to print a value, and the value as 64 bits."""
    type_ = hole.value.type
    block, value = located_hole(frame, hole)
    if isinstance(type_, Int):
        found = _FORMAT.fullmatch(hole.format)
        letter = found[2] if found else ""
        if hole.conversion and hole.format:  # Python would pad a text, on its other side
            raise _unprintable(frame, hole, "leave the conversion out")
        if found is None or (letter in ("x", "X") and type_.signed):
            raise _unprintable(frame, hole, "print a signed number in hexadecimal as u64(...)" if found else "")
        wide = ir.IntType(64, type_.signed)
        code = value.expression if value.expression.type == wide else ir.Convert(value.expression, wide)
        word = f"%{found[1] or ''}ll{letter if letter in ('x', 'X') else 'd' if type_.signed else 'u'}"
        return word, block, ir.Convert(code, ir.U64) if type_.signed else code
    if hole.format or hole.conversion == "r":
        raise _unprintable(frame, hole, "")
    if isinstance(type_, Bool):
        slot = frame.scope.slot(8)
        yes, no = (write_constant(slot, word.ljust(8, b"\0"), 8) for word in (b"True", b"False"))
        return "%s", (*block, ir.If(value.expression, yes, no)), ir.Convert(slot, ir.U64)
    if not isinstance(type_, Text):
        raise _unprintable(frame, hole, "")
    # The kernel's %s ends at a zero byte, which a text that fills its field does not have.
    kind = kind_of(hole.value)
    assert kind is not None
    size = kind_size(kind)
    room = -(-(size + 1) // 8) * 8
    slot = frame.scope.slot(room)
    ended = copied(slot, room, SLOT_ALIGN, value.expression, size, SLOT_ALIGN)
    return "%s", (*block, *ended), ir.Convert(slot, ir.U64)


def _unprintable(frame: Frame, hole: Hole, suggestion: str) -> Exception:
    return frame.error(
        rules.NotSupported, hole.node, what=f"{hole.value.type} with the format {hole.format!r} in print()",
        suggestion=suggestion or 'bpf.log(f"...") takes every format and type, and formats in user space',
    )  # fmt: skip
