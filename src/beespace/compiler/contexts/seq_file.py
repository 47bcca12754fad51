"""``ctx.write(value)``: bytes into the file that reads an iterator.

The kernel calls the program again for the same object when the buffer was too small for what it wrote, so that
nothing is cut.
"""

from __future__ import annotations

import ast

from beespace import hooks
from beespace.btf import Kind
from beespace.compiler import ir, rules
from beespace.compiler.expressions.call_arguments import arguments_of
from beespace.compiler.expressions.numbers import present
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.kernel.types import core_kind
from beespace.compiler.memory import located
from beespace.compiler.statements.messages import parts_of
from beespace.compiler.statements.printing import format_of, in_array
from beespace.compiler.types import U32, VOID, Bytes, Context, StructType, Text
from beespace.compiler.values import Value, null, number, sequence
from beespace.schema import BytesKind, TextKind
from beespace.schema import Kind as FieldKind
from beespace.schema.kinds import kind_size

__all__ = ["seq_file", "write"]

_MOST = 12  # MAX_BPRINTF_VARARGS of include/linux/bpf.h
_TRUSTED = ir.PointerType(ir.Region.KERNEL_TRUSTED)


def seq_file(frame: Frame, context: Value) -> ir.Expression:
    """``ctx.meta.seq``, as the kernel's seq_file helpers take it."""
    assert isinstance(context.type, Context)
    btf = frame.unit.btf
    meta = btf.member(btf.find(context.type.name, Kind.STRUCT), "meta")
    access = ir.CoreAccess(context.type.name, (ir.CoreMember("meta", core_kind(btf, meta.type_id, 0)),))
    owner = ir.Load(ir.KernelField(context.expression, access), _TRUSTED)
    inner = ir.CoreAccess("bpf_iter_meta", (ir.CoreMember("seq", ir.CorePointer()),))
    return ir.Load(ir.KernelField(owner, inner), _TRUSTED)


def write(frame: Frame, context: Value, node: ast.Call) -> Value:
    """Write a struct, a text or raw bytes, all of its size."""
    assert isinstance(context.type, Context)
    if context.type.reading is not hooks.Context.ITERATOR:
        raise frame.error(
            rules.ContextOnly, node, word="write()", expected="the context of an iterator", found=context.type,
            suggestion="send an event: self.ring.emit(...)",
        )  # fmt: skip
    (argument,) = arguments_of(frame, node, "ctx.write", 1)
    if isinstance(argument, ast.JoinedStr) or (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
        return _write_text(frame, context, argument)
    value = present(frame, frame.value(argument), argument)
    kind: FieldKind
    if isinstance(value.type, StructType):
        kind = value.type.cls
    elif isinstance(value.type, Text) and value.type.size is not None:
        kind = TextKind(value.type.size)
    elif isinstance(value.type, Bytes) and value.type.size is not None:
        kind = BytesKind(value.type.size)
    else:
        raise frame.error(
            rules.TypeMismatch, argument, place="ctx.write()", found=value.type,
            expected="a Struct, an f-string, or a text or bytes of known size",
        )  # fmt: skip
    before, data = located(frame, value, kind, argument, "ctx.write()")
    writing = call("seq_write", ir.I64, seq_file(frame, context), data, number(kind_size(kind), U32))
    return Value(VOID, sequence(before, writing))


def _write_text(frame: Frame, context: Value, node: ast.expr) -> Value:
    """``ctx.write(f"{task.pid} {task.comm}\\n")``: bpf_seq_printf(), with at most twelve values."""
    line, size, block, codes = format_of(frame, node, parts_of(frame, node), breaks=True)
    if len(codes) > _MOST:
        raise frame.error(
            rules.NotSupported, node, what=f"a line with {len(codes)} values",
            suggestion=f"the kernel prints at most {_MOST} at once; write it in two parts",
        )  # fmt: skip
    stores, values, many = in_array(frame, codes) if codes else ((), null(ir.Region.STACK), ir.Const(0, ir.U32))
    made = call("seq_printf", ir.I64, seq_file(frame, context), line, size, values, many, span=frame.code_span(node))
    return Value(VOID, ir.Sequence((*block, *stores, ir.Evaluate(made)), ir.Const(0, ir.U64)))
