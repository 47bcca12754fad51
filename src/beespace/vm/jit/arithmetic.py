"""What the operations of :mod:`beespace.vm.arithmetic` are in LLVM's language, on values of ``bits`` bits.

LLVM leaves undefined what a division by zero, an overflow of one and a shift too far give: none gets that far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from beespace.isa.opcodes import AluOp, AtomicOp, JumpOp

__all__ = ["ATOMIC", "BINARY", "COMPARE", "SIGNED", "Writer"]


class Writer(Protocol):
    """Who takes instructions."""

    def value(self, text: str) -> str:
        """Append one that gives a value; its name."""


Operation: TypeAlias = Callable[[Writer, str, str, int], str]


def _plain(name: str) -> Operation:
    return lambda w, a, b, bits: w.value(f"{name} i{bits} {a}, {b}")


def _shift(name: str) -> Operation:
    def shifted(w: Writer, a: str, b: str, bits: int) -> str:
        return w.value(f"{name} i{bits} {a}, {w.value(f'and i{bits} {b}, {bits - 1}')}")

    return shifted


def _select(w: Writer, condition: str, then: str, otherwise: str, bits: int) -> str:
    return w.value(f"select i1 {condition}, i{bits} {then}, i{bits} {otherwise}")


def _is(w: Writer, value: str, number: int, bits: int) -> str:
    return w.value(f"icmp eq i{bits} {value}, {number}")


def _divide(w: Writer, a: str, b: str, bits: int) -> str:
    zero = _is(w, b, 0, bits)
    return _select(w, zero, "0", w.value(f"udiv i{bits} {a}, {_select(w, zero, '1', b, bits)}"), bits)


def _modulo(w: Writer, a: str, b: str, bits: int) -> str:
    zero = _is(w, b, 0, bits)
    return _select(w, zero, a, w.value(f"urem i{bits} {a}, {_select(w, zero, '1', b, bits)}"), bits)


def _signed_divide(w: Writer, a: str, b: str, bits: int) -> str:
    """By -1 is to negate, which the smallest number does not survive in LLVM's division."""
    zero, negates = _is(w, b, 0, bits), _is(w, b, -1, bits)
    divisor = _select(w, w.value(f"or i1 {zero}, {negates}"), "1", b, bits)
    quotient = w.value(f"sdiv i{bits} {a}, {divisor}")
    return _select(w, zero, "0", _select(w, negates, w.value(f"sub i{bits} 0, {a}"), quotient, bits), bits)


def _signed_modulo(w: Writer, a: str, b: str, bits: int) -> str:
    zero, negates = _is(w, b, 0, bits), _is(w, b, -1, bits)
    divisor = _select(w, w.value(f"or i1 {zero}, {negates}"), "1", b, bits)
    return _select(w, zero, a, w.value(f"srem i{bits} {a}, {divisor}"), bits)


BINARY: Mapping[int, Operation] = {
    AluOp.ADD: _plain("add"),
    AluOp.SUB: _plain("sub"),
    AluOp.MUL: _plain("mul"),
    AluOp.DIV: _divide,
    AluOp.OR: _plain("or"),
    AluOp.AND: _plain("and"),
    AluOp.LSH: _shift("shl"),
    AluOp.RSH: _shift("lshr"),
    AluOp.MOD: _modulo,
    AluOp.XOR: _plain("xor"),
    AluOp.ARSH: _shift("ashr"),
}

SIGNED: Mapping[int, Operation] = {AluOp.DIV: _signed_divide, AluOp.MOD: _signed_modulo}


def _any(w: Writer, a: str, b: str, bits: int) -> str:
    return w.value(f"icmp ne i{bits} {w.value(f'and i{bits} {a}, {b}')}, 0")


COMPARE: Mapping[int, Operation] = {
    JumpOp.JEQ: _plain("icmp eq"),
    JumpOp.JGT: _plain("icmp ugt"),
    JumpOp.JGE: _plain("icmp uge"),
    JumpOp.JSET: _any,
    JumpOp.JNE: _plain("icmp ne"),
    JumpOp.JSGT: _plain("icmp sgt"),
    JumpOp.JSGE: _plain("icmp sge"),
    JumpOp.JLT: _plain("icmp ult"),
    JumpOp.JLE: _plain("icmp ule"),
    JumpOp.JSLT: _plain("icmp slt"),
    JumpOp.JSLE: _plain("icmp sle"),
}

ATOMIC: Mapping[int, Operation] = {
    AtomicOp.ADD: _plain("add"),
    AtomicOp.OR: _plain("or"),
    AtomicOp.AND: _plain("and"),
    AtomicOp.XOR: _plain("xor"),
}
