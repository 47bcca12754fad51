"""Words that read memory of the kernel and of processes."""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.expressions.numbers import fit, known, present
from beespace.compiler.expressions.texts import string_recipe
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.memory import SLOT_ALIGN
from beespace.compiler.types import U32, U64, Bytes, KernelPointer, Text
from beespace.compiler.values import Recipe, Value, number
from beespace.compiler.words.arguments import Taken, pass_argument
from beespace.compiler.words.word import Word
from beespace.isa.signatures import SIGNATURES

__all__ = ["WORDS"]


def _address(frame: Frame, node: ast.expr, region: ir.Region, word_name: str) -> ir.Expression:
    """A number or kernel pointer as an address in ``region``."""
    value = present(frame, frame.value(node, U64), node)
    if isinstance(value.type, KernelPointer):
        return ir.Convert(value.expression, ir.PointerType(region))
    return ir.Convert(fit(frame, value, U64, node, f"bpf.{word_name}()"), ir.PointerType(region))


def _text_at(region: ir.Region, word_name: str) -> Word:
    def text_at(frame: Frame, node: ast.Call) -> Value:
        before, source = frame.bind(_address(frame, node.args[0], region, word_name))
        recipe = string_recipe(source)
        return Value(Text(None), recipe=Recipe(recipe.fill, before))

    return text_at


def _user_bytes(frame: Frame, node: ast.Call) -> Value:
    """As many bytes as are asked for and fit; the rest is zero."""
    before, source = frame.bind(_address(frame, node.args[0], ir.Region.USER, "user_bytes"))
    size_value = known(frame, frame.value(node.args[1], U32), node.args[1], "a size")
    between, wanted = frame.bind(fit(frame, size_value, U32, node.args[1], "a size"))

    def fill(target: ir.Expression, size: int, align: int) -> ir.Block:
        limit = number(size, U64)
        opening, asked = frame.opaque(ir.Convert(wanted, ir.U64))
        take = ir.Select(ir.Compare(ir.CompareOp.LT, asked, limit), asked, limit)
        reading = call("probe_read_user", ir.I64, target, take, source)
        return (ir.Zero(target, size, align), *opening, ir.Evaluate(reading))

    return Value(Bytes(None), recipe=Recipe(fill, before + between))


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

    return Value(Text(None), recipe=Recipe(fill, passed.before))


WORDS: dict[str, tuple[int, Word]] = {
    "kernel_text": (1, _text_at(ir.Region.KERNEL_UNTRUSTED, "kernel_text")),
    "user_text": (1, _text_at(ir.Region.USER, "user_text")),
    "user_bytes": (2, _user_bytes),
    "path": (1, _path),
}
