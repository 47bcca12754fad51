"""Values: a static type together with the code that gives it.

Invariant: code is a tree that evaluates everything it needs, once, in Python's order; whoever needs
it twice binds it to a local first (:meth:`beespace.compiler.frame.Frame.bind`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from beespace.compiler import ir
from beespace.compiler.types import Int, Literal, Type
from beespace.record import dataclass

__all__ = [
    "Bounds",
    "Fill",
    "Recipe",
    "Value",
    "is_null",
    "not_null",
    "null",
    "number",
    "offset",
    "place_of",
    "sequence",
]

# How a recipe is carried out: (address to build at, size of the memory there, its alignment).
Fill: TypeAlias = Callable[[ir.Expression, int, int], ir.Block]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The numbers that an integer can be here; ``nonzero`` leaves a hole at 0."""

    low: int
    high: int
    nonzero: bool = False

    @property
    def excludes_zero(self) -> bool:
        return self.nonzero or self.low > 0 or self.high < 0

    def union(self, other: Bounds) -> Bounds:
        return Bounds(min(self.low, other.low), max(self.high, other.high), self.excludes_zero and other.excludes_zero)

    def cut(self, low: int | None = None, high: int | None = None) -> Bounds:
        """The part from ``low`` to ``high``; itself where nothing would be left."""
        new_low = self.low if low is None else max(self.low, low)
        new_high = self.high if high is None else min(self.high, high)
        return self if new_low > new_high else Bounds(new_low, new_high, self.nonzero)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A value with more bytes than a register, made at the place where it is wanted.

    ``prepare`` runs first, in the same block, and declares locals that ``fill`` reads.  ``reads`` tells
    that ``fill`` copies from memory that the place could overlap.  ``measured``, where a value knows how long it is,
    builds at most that many bytes at an address, leaves the rest as it is, and gives their number (a u32).
    """

    fill: Fill
    prepare: ir.Block = ()
    reads: bool = False
    measured: Callable[[ir.Expression, int], tuple[ir.Block, ir.Expression]] | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """``code`` is the number, or the address of what has more bytes; compile-time things have none.

    ``align`` is known of the address; ``path`` is what a check of this value says something about
    (a local, a field of the context, an option); ``recipe`` stands in for ``code``.  ``literal``: a choice
    of literals, which takes the type of its use as a literal does.  ``settled``: the truth value that the kernel's
    types give it, so that what depends on it need not be compiled.
    """

    type: Type
    code: ir.Expression | None = None
    bounds: Bounds | None = None
    path: str | None = None
    recipe: Recipe | None = None
    align: int = 1
    literal: bool = False
    settled: bool | None = None

    @property
    def expression(self) -> ir.Expression:
        """The code of a value that must have some."""
        assert self.code is not None, f"{self.type} has no code"
        return self.code

    @property
    def range(self) -> Bounds:
        """What an integer can be."""
        if isinstance(self.type, Literal):
            return Bounds(self.type.value, self.type.value)
        assert isinstance(self.type, Int)
        return self.bounds or Bounds(self.type.minimum, self.type.maximum)


_PLACES = {
    ir.Region.STACK: "on the stack",
    ir.Region.MAP_VALUE: "in a map",
    ir.Region.ARENA: "in the arena",
    ir.Region.RING: "in a ring",
    ir.Region.PACKET: "in a packet",
    ir.Region.OBJECT: "of bpf.new()",
    ir.Region.LENT: "of a list or tree",
    ir.Region.KERNEL_TRUSTED: "in the kernel",
    ir.Region.KERNEL_UNTRUSTED: "in the kernel, not trusted,",
}


def place_of(code: ir.Expression) -> str:
    """Where an address points, for messages."""
    region = code.type.region if isinstance(code.type, ir.PointerType) else None
    return _PLACES.get(region, "elsewhere") if region is not None else "in a register"


def number(value: int, type: Int) -> ir.Const:
    """A constant; ``value`` is wrapped to the type."""
    wrapped = value & ((1 << type.bits) - 1)
    return ir.Const(wrapped - (1 << type.bits) if wrapped > type.maximum else wrapped, type.code)


def null(region: ir.Region) -> ir.Const:
    return ir.Const(0, ir.PointerType(region))


def is_null(pointer: ir.Expression) -> ir.Expression:
    return ir.Compare(ir.CompareOp.EQ, pointer, ir.Const(0, pointer.type))


def not_null(pointer: ir.Expression) -> ir.Expression:
    return ir.Compare(ir.CompareOp.NE, pointer, ir.Const(0, pointer.type))


def offset(pointer: ir.Expression, bytes: int) -> ir.Expression:
    """``pointer`` moved on by a constant."""
    if bytes == 0:
        return pointer
    if isinstance(pointer, ir.Offset) and isinstance(pointer.bytes, int):
        return ir.Offset(pointer.pointer, pointer.bytes + bytes)
    return ir.Offset(pointer, bytes)


def sequence(body: Iterable[ir.Statement], value: ir.Expression) -> ir.Expression:
    """``value`` after ``body``."""
    block = tuple(body)
    if not block:
        return value
    if isinstance(value, ir.Sequence):
        return ir.Sequence(block + value.body, value.value)
    return ir.Sequence(block, value)
