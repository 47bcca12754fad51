"""What the operations of RFC 9669 compute, on numbers of 32 or 64 bits.

Operands are unsigned; a result is cut to its width by who asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from beespace.isa.opcodes import AluOp, AtomicOp, JumpOp

__all__ = ["ATOMIC", "BINARY", "COMPARE", "SIGNED", "U64", "signed", "swapped"]

Operation: TypeAlias = Callable[[int, int, int], int]
U64 = (1 << 64) - 1


def signed(value: int, bits: int) -> int:
    """The lower ``bits`` of a number, as two's complement."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def swapped(value: int, bits: int) -> int:
    """The lower ``bits``, bytes in the other order."""
    return int.from_bytes((value & (1 << bits) - 1).to_bytes(bits // 8, "little"), "big")


def _quotient(a: int, b: int) -> int:
    """Towards zero, as C divides."""
    return -(-a // b) if (a < 0) != (b < 0) else a // b


def _signed_divide(a: int, b: int, bits: int) -> int:
    return _quotient(signed(a, bits), signed(b, bits)) if b else 0


def _signed_modulo(a: int, b: int, bits: int) -> int:
    dividend, divisor = signed(a, bits), signed(b, bits)
    return dividend - divisor * _quotient(dividend, divisor) if b else a


#: (destination, source, bits) -> result.  Division by zero gives 0, modulo zero the dividend (section 4.1).
BINARY: Mapping[int, Operation] = {
    AluOp.ADD: lambda a, b, bits: a + b,
    AluOp.SUB: lambda a, b, bits: a - b,
    AluOp.MUL: lambda a, b, bits: a * b,
    AluOp.DIV: lambda a, b, bits: a // b if b else 0,
    AluOp.OR: lambda a, b, bits: a | b,
    AluOp.AND: lambda a, b, bits: a & b,
    AluOp.LSH: lambda a, b, bits: a << (b & bits - 1),
    AluOp.RSH: lambda a, b, bits: a >> (b & bits - 1),
    AluOp.MOD: lambda a, b, bits: a % b if b else a,
    AluOp.XOR: lambda a, b, bits: a ^ b,
    AluOp.ARSH: lambda a, b, bits: signed(a, bits) >> (b & bits - 1),
}

#: With offset 1.
SIGNED: Mapping[int, Operation] = {AluOp.DIV: _signed_divide, AluOp.MOD: _signed_modulo}

COMPARE: Mapping[int, Callable[[int, int, int], bool]] = {
    JumpOp.JEQ: lambda a, b, bits: a == b,
    JumpOp.JGT: lambda a, b, bits: a > b,
    JumpOp.JGE: lambda a, b, bits: a >= b,
    JumpOp.JSET: lambda a, b, bits: a & b != 0,
    JumpOp.JNE: lambda a, b, bits: a != b,
    JumpOp.JSGT: lambda a, b, bits: signed(a, bits) > signed(b, bits),
    JumpOp.JSGE: lambda a, b, bits: signed(a, bits) >= signed(b, bits),
    JumpOp.JLT: lambda a, b, bits: a < b,
    JumpOp.JLE: lambda a, b, bits: a <= b,
    JumpOp.JSLT: lambda a, b, bits: signed(a, bits) < signed(b, bits),
    JumpOp.JSLE: lambda a, b, bits: signed(a, bits) <= signed(b, bits),
}

#: (in memory, source) -> in memory afterwards.
ATOMIC: Mapping[int, Callable[[int, int], int]] = {
    AtomicOp.ADD: lambda a, b: a + b,
    AtomicOp.OR: lambda a, b: a | b,
    AtomicOp.AND: lambda a, b: a & b,
    AtomicOp.XOR: lambda a, b: a ^ b,
}
