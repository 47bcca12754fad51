"""Words about the Internet checksum (RFC 1071): sums of 16-bit words that wrap around into themselves."""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import known
from beespace.compiler.frame import Frame
from beespace.compiler.types import U16, Int
from beespace.compiler.values import Value, number, sequence
from beespace.compiler.words.helpers import helper_call
from beespace.compiler.words.word import Word

__all__ = ["WORDS"]


def _folded(frame: Frame, sum: ir.Expression) -> Value:
    """The complement of a 32-bit sum folded into 16 bits.  The kernel sums words as they stand in memory."""
    mask, bits = ir.Const(0xFFFF, ir.U32), ir.Const(16, ir.U32)

    def once(part: ir.Expression) -> tuple[ir.Block, ir.Expression]:
        before, code = frame.bind(part)
        low = ir.Binary(ir.BinaryOp.AND, code, mask)
        return before, ir.Binary(ir.BinaryOp.ADD, low, ir.Binary(ir.BinaryOp.SHR, code, bits))

    first, total = once(ir.Convert(sum, ir.U32))
    second, total = once(total)
    folded = ir.Binary(ir.BinaryOp.XOR, ir.Convert(total, ir.U16), number(0xFFFF, U16))
    return Value(U16, sequence(first + second, ir.ByteSwap(folded)))


def _csum_fold(frame: Frame, node: ast.Call) -> Value:
    """``bpf.csum_fold(sum)``: what stands in a header, of a sum that bpf_csum_diff() gave."""
    value = known(frame, frame.value(node.args[0]), node.args[0], "a sum")
    if not isinstance(value.type, Int) or value.type.bits < 32:
        raise frame.error(
            rules.TypeMismatch, node.args[0], place="bpf.csum_fold()", expected="a sum of bpf.csum_diff()",
            found=value.type,
        )  # fmt: skip
    return _folded(frame, value.expression)


def _checksum(frame: Frame, node: ast.Call) -> Value:
    """``bpf.checksum(header)``, or of a header and what was summed before it."""
    nothing = ast.copy_location(ast.Constant(None), node.args[0])
    summing = ast.copy_location(ast.Call(node.func, [nothing, *node.args], []), node)
    return _folded(frame, helper_call(frame, "csum_diff", summing).expression)


WORDS: dict[str, tuple[int, Word]] = {"csum_fold": (1, _csum_fold), "checksum": (1, _checksum)}
