"""Words that read memory of the kernel and of processes."""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.expressions.numbers import fit, known, present
from beespace.compiler.expressions.texts import string_recipe, without_end
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.kernel.types import address as address_of
from beespace.compiler.memory import SLOT_ALIGN
from beespace.compiler.types import U32, U64, Bytes, KernelObject, KernelPointer, Text
from beespace.compiler.values import Recipe, Value, number
from beespace.compiler.words.arguments import Taken, pass_argument
from beespace.compiler.words.word import Word
from beespace.isa.signatures import SIGNATURES
from beespace.record import replace

__all__ = ["WORDS", "at_most", "wanted_size"]


def _address(frame: Frame, node: ast.expr, region: ir.Region, word_name: str) -> ir.Expression:
    """A number or kernel pointer as an address in ``region``."""
    value = present(frame, frame.value(node, U64), node)
    if isinstance(value.type, KernelPointer):
        return ir.Convert(value.expression, ir.PointerType(region))
    if isinstance(value.type, KernelObject) and region is ir.Region.KERNEL_UNTRUSTED:
        return ir.Convert(address_of(value), ir.PointerType(region))
    return ir.Convert(fit(frame, value, U64, node, f"bpf.{word_name}()"), ir.PointerType(region))


def _text_at(region: ir.Region, word_name: str) -> Word:
    def text_at(frame: Frame, node: ast.Call) -> Value:
        before, source = frame.bind(_address(frame, node.args[0], region, word_name))
        return Value(Text(None), recipe=replace(string_recipe(frame, source), prepare=before))

    return text_at


def _bytes_at(region: ir.Region, helper: str, word_name: str) -> Word:
    def bytes_at(frame: Frame, node: ast.Call) -> Value:
        """As many bytes as are asked for and fit; the rest is zero."""
        before, source = frame.bind(_address(frame, node.args[0], region, word_name))
        between, wanted = wanted_size(frame, node.args[1])

        def fill(target: ir.Expression, size: int, align: int) -> ir.Block:
            opening, take = at_most(frame, wanted, size)
            reading = call(helper, ir.I64, target, take, source)
            return (ir.Zero(target, size, align), *opening, ir.Evaluate(reading))

        def measured(target: ir.Expression, size: int) -> tuple[ir.Block, ir.Expression]:
            opening, take = at_most(frame, wanted, size)
            middle, take = frame.bind(take)
            after, result = frame.bind(call(helper, ir.I64, target, take, source))
            read = ir.Compare(ir.CompareOp.EQ, result, ir.Const(0, ir.I64))
            length = ir.Select(read, ir.Convert(take, ir.U32), ir.Const(0, ir.U32))
            return (*opening, *middle, *after), length

        return Value(Bytes(None), recipe=Recipe(fill, before + between, measured=measured))

    return bytes_at


def wanted_size(frame: Frame, node: ast.expr) -> tuple[ir.Block, ir.Expression]:
    """How many bytes are asked for, a u32."""
    value = known(frame, frame.value(node, U32), node, "a size")
    return frame.bind(fit(frame, value, U32, node, "a size"))


def at_most(frame: Frame, wanted: ir.Expression, size: int) -> tuple[ir.Block, ir.Expression]:
    """``wanted`` (a u32), but not more than ``size``, as the verifier can follow it."""
    limit = number(size, U64)
    opening, asked = frame.opaque(ir.Convert(wanted, ir.U64))
    return opening, ir.Select(ir.Compare(ir.CompareOp.LT, asked, limit), asked, limit)


def _path(frame: Frame, node: ast.Call) -> Value:
    """``bpf.path(file.f_path)``: what bpf_d_path() writes; what does not fit is empty."""
    taken = Taken("bpf.path()", SIGNATURES["d_path"].arguments[0])
    passed = pass_argument(frame, taken, node.args[0])

    def fill(target: ir.Expression, size: int, align: int) -> ir.Block:
        # The helper writes from the end of the memory, and leaves that behind the text.
        slot = frame.scope.slot(size)
        writing = call("d_path", ir.I64, *passed.codes, slot, number(size, U32), span=frame.code_span(node))
        between, length = frame.bind(writing)
        reading = call("probe_read_kernel_str", ir.I64, target, number(size, U64), slot)
        written = ir.If(ir.Compare(ir.CompareOp.GT, length, ir.Const(0, ir.I64)), (ir.Evaluate(reading),))
        return (ir.Zero(slot, size, SLOT_ALIGN), *between, ir.Zero(target, size, align), written)

    def measured(target: ir.Expression, size: int) -> tuple[ir.Block, ir.Expression]:
        codes = (*passed.codes, target, number(size, U32))
        return without_end(frame, call("d_path", ir.I64, *codes, span=frame.code_span(node)))

    return Value(Text(None), recipe=Recipe(fill, passed.before, measured=measured))


WORDS: dict[str, tuple[int, Word]] = {
    "kernel_text": (1, _text_at(ir.Region.KERNEL_UNTRUSTED, "kernel_text")),
    "user_text": (1, _text_at(ir.Region.USER, "user_text")),
    "user_bytes": (2, _bytes_at(ir.Region.USER, "probe_read_user", "user_bytes")),
    "kernel_bytes": (2, _bytes_at(ir.Region.KERNEL_UNTRUSTED, "probe_read_kernel", "kernel_bytes")),
    "path": (1, _path),
}
