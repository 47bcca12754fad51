"""Kinds: what a field, map key or variable is made of.

A kind knows its C size and alignment, the unit of its value and what it means (``pid``,
``cgroup_id``, ``address``), so that every later shape (Arrow type, SQL column, JSON text) is a
function of the kind alone.  Kinds are values: equal when they describe the same thing.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from beespace.record import dataclass

if TYPE_CHECKING:
    from beespace.schema.struct import Struct


class _Named:
    """What annotations name, so that ``-> u64 | None`` is Python whether or not it is evaluated."""

    __slots__ = ()

    def __or__(self, other: object) -> Any:
        return (self, other) if other is None else NotImplemented

    def __ror__(self, other: object) -> Any:
        return (self, other) if other is None else NotImplemented


@dataclass(frozen=True, slots=True)
class IntKind(_Named):
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
class EnumKind(IntKind):
    """An integer that holds a member of an enumeration of the author's (or a union of its flags)."""

    enum: type[IntEnum] | type[IntFlag] = IntEnum


@dataclass(frozen=True, slots=True)
class BoolKind(_Named):
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
class TextKind(_Named):
    """``size`` bytes of UTF-8, ended by the first NUL or by the end of the field (C ``char[size]``)."""

    size: int
    name: str = "text"

    @property
    def align(self) -> int:
        return 1

    def __call__(self, value: object) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class BytesKind(_Named):
    """``size`` raw bytes (C ``unsigned char[size]``)."""

    size: int
    name: str = "bytes"

    @property
    def align(self) -> int:
        return 1

    def __call__(self, value: bytes) -> bytes:
        return value[: self.size].ljust(self.size, b"\0")


@dataclass(frozen=True, slots=True)
class AddressKind(_Named):
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


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """Something of the kernel's own inside a map's value: a lock, a timer, a pointer that it counts.

    ``struct`` is its C type, which the kernel finds by name (``btf_get_field_type()`` in kernel/bpf/btf.c).
    ``target`` is the kernel struct that a ``kptr`` points to; ``holds`` the Struct that is in a list or tree, by its
    field ``link``.  Programs use it by its own words alone; outside it reads as None.
    """

    name: str
    struct: str
    size: int
    align: int
    target: str = ""
    holds: Any = None
    link: str = ""


@dataclass(frozen=True, slots=True)
class VariableKind:
    """A text or raw bytes at the end of an event, of which only what is used is sent.

    In memory ``struct { unsigned int length; char data[of.size]; }``; a record ends after ``length`` bytes of data.
    """

    of: TextKind | BytesKind

    @property
    def name(self) -> str:
        return self.of.name

    @property
    def capacity(self) -> int:
        """The most bytes of data."""
        return self.of.size

    @property
    def size(self) -> int:
        return LENGTH_SIZE + -(-self.of.size // LENGTH_SIZE) * LENGTH_SIZE

    @property
    def align(self) -> int:
        return LENGTH_SIZE

    def __call__(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class PointerKind:
    """The address of a struct in the program's arena, or null: a field ``next: Node | None``."""

    struct: type[Struct]

    @property
    def name(self) -> str:
        return f"{self.struct.__name__} | None"

    @property
    def size(self) -> int:
        return 8

    @property
    def align(self) -> int:
        return 8

    def __call__(self, value: Any) -> Any:
        return value


LENGTH_SIZE = 4  # of the number in front of the data of a VariableKind


Kind: TypeAlias = (
    "IntKind | BoolKind | TextKind | BytesKind | AddressKind | ArrayKind | ResourceKind | VariableKind | PointerKind"
    " | type[Struct]"
)


KINDS = (IntKind, BoolKind, TextKind, BytesKind, AddressKind, ArrayKind, ResourceKind, VariableKind, PointerKind)


def enum_kind(enum: type[IntEnum] | type[IntFlag], of: IntKind | None = None) -> EnumKind:
    """How members of ``enum`` are stored: as ``of``, or in 32 bits (64 if one needs them), signed if one is negative.

    ``ValueError`` names a member that does not fit ``of``.
    """
    values = [int(member) for member in enum.__members__.values()] or [0]
    if of is None:
        signed = min(values) < 0
        bits = 32 if min(values) >= -(1 << 31) and max(values) < 1 << (31 if signed else 32) else 64
        of = IntKind("", bits, signed)
    for name, member in enum.__members__.items():
        if not of.minimum <= member <= of.maximum:
            raise ValueError(f"{enum.__name__}.{name} is {int(member)}, which does not fit {of.name or '64 bits'}")
    return EnumKind(enum.__name__, of.bits, of.signed, of.big_endian, enum=enum)


def as_kind(found: Any) -> Kind | None:
    """The kind that an annotation or argument stands for; ``None`` if it is none.

    ``bool`` and enumerations of whole numbers (``IntEnum``, ``IntFlag``) are kinds as they are.
    """
    if isinstance(found, KINDS):
        return found
    if found is bool:
        return BoolKind()
    if isinstance(found, UnionType):
        return _pointer(found)
    if isinstance(found, type) and issubclass(found, IntEnum | IntFlag) and found not in (IntEnum, IntFlag):
        return enum_kind(found)
    return found if isinstance(found, type) and hasattr(found, "layout") else None


def _pointer(found: UnionType) -> PointerKind | None:
    """``Node | None``; the class may still be in the making, so that it has no layout yet."""
    others = [each for each in get_args(found) if each is not NoneType]
    if len(others) != 1 or len(get_args(found)) != 2 or not hasattr(others[0], "_union"):
        return None
    return PointerKind(others[0])


def has_pointer(kind: Kind) -> bool:
    """Whether there is a pointer into an arena in it."""
    if isinstance(kind, ArrayKind):
        return has_pointer(kind.element)
    if isinstance(kind, type):
        return any(has_pointer(field.kind) for field in kind.layout.fields)
    return isinstance(kind, PointerKind)


def kind_name(kind: Kind) -> str:
    """The name that messages use: ``u32``, ``text``, ``u8[6]``, or the struct's class name."""
    return kind.__name__ if isinstance(kind, type) else kind.name


def kind_size(kind: Kind) -> int:
    """Bytes that a value of this kind takes."""
    return kind.layout.size if isinstance(kind, type) else kind.size


def is_variable(kind: Kind) -> bool:
    """Whether values are sent in as many bytes as they use."""
    return kind.layout.variable is not None if isinstance(kind, type) else isinstance(kind, VariableKind)


def kind_align(kind: Kind) -> int:
    """Alignment in bytes."""
    return kind.layout.align if isinstance(kind, type) else kind.align
