"""Kinds: what a field, map key or variable is made of.

A kind knows its C size and alignment, the unit of its value and what it means (``pid``,
``cgroup_id``, ``address``), so that every later shape (Arrow type, SQL column, JSON text) is a
function of the kind alone.  Kinds are values: equal when they describe the same thing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from beespace.record import dataclass

if TYPE_CHECKING:
    from beespace.schema.struct import Struct


@dataclass(frozen=True, slots=True)
class IntKind:
    """A C integer of ``bits`` bits.  Calling it converts, wrapping as the machine does."""

    name: str
    bits: int
    signed: bool = False
    big_endian: bool = False
    unit: str | None = None
    meaning: str | None = None

    @property
    def size(self) -> int:
        return self.bits // 8

    @property
    def align(self) -> int:
        return self.bits // 8

    @property
    def minimum(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        return (1 << (self.bits - self.signed)) - 1

    def __call__(self, value: int) -> int:
        wrapped = value & ((1 << self.bits) - 1)
        return wrapped - (1 << self.bits) if wrapped > self.maximum else wrapped


@dataclass(frozen=True, slots=True)
class BoolKind:
    """One byte, 0 or 1."""

    name: str = "bool"

    @property
    def size(self) -> int:
        return 1

    @property
    def align(self) -> int:
        return 1

    def __call__(self, value: object) -> bool:
        return bool(value)


@dataclass(frozen=True, slots=True)
class TextKind:
    """``size`` bytes of UTF-8, ended by the first NUL or by the end of the field (C ``char[size]``)."""

    size: int
    name: str = "text"

    @property
    def align(self) -> int:
        return 1

    def __call__(self, value: object) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class BytesKind:
    """``size`` raw bytes (C ``unsigned char[size]``)."""

    size: int
    name: str = "bytes"

    @property
    def align(self) -> int:
        return 1

    def __call__(self, value: bytes) -> bytes:
        return value[: self.size].ljust(self.size, b"\0")


@dataclass(frozen=True, slots=True)
class AddressKind:
    """An IPv6 address in network order, 16 bytes; IPv4 as ``::ffff:a.b.c.d`` (RFC 4291, 2.5.5.2)."""

    name: str = "address"

    @property
    def size(self) -> int:
        return 16

    @property
    def align(self) -> int:
        return 8

    def __call__(self, value: object) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class ArrayKind:
    """``length`` elements of one kind, one after another."""

    element: Kind
    length: int

    @property
    def name(self) -> str:
        return f"{kind_name(self.element)}[{self.length}]"

    @property
    def size(self) -> int:
        return kind_size(self.element) * self.length

    @property
    def align(self) -> int:
        return kind_align(self.element)

    def __call__(self, value: Any) -> Any:
        return value


Kind: TypeAlias = "IntKind | BoolKind | TextKind | BytesKind | AddressKind | ArrayKind | type[Struct]"


def kind_name(kind: Kind) -> str:
    """The name that messages use: ``u32``, ``text``, ``u8[6]``, or the struct's class name."""
    return kind.__name__ if isinstance(kind, type) else kind.name


def kind_size(kind: Kind) -> int:
    """Bytes that a value of this kind takes."""
    return kind.layout.size if isinstance(kind, type) else kind.size


def kind_align(kind: Kind) -> int:
    """Alignment in bytes."""
    return kind.layout.align if isinstance(kind, type) else kind.align
