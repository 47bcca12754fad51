"""What a relocation asks for, worked out on one kernel's types."""

from __future__ import annotations

from collections.abc import Callable

from beespace.btf import Array, Btf, Enum, Int, Pointer
from beespace.errors import RelocationError
from beespace.isa.constants import CoreRelocKind as Kind
from beespace.record import dataclass
from beespace.reloc.access import Path

__all__ = ["ENUM_KINDS", "FIELD_KINDS", "TYPE_KINDS", "Value", "enumerator_value", "field_value", "may_resize"]

FIELD_KINDS = frozenset(kind for kind in Kind if kind.name.startswith("FIELD_"))
TYPE_KINDS = frozenset(kind for kind in Kind if kind.name.startswith("TYPE_"))
ENUM_KINDS = frozenset(kind for kind in Kind if kind.name.startswith("ENUMVAL_"))


@dataclass(frozen=True, slots=True)
class Value:
    """The number to write.

    ``exact`` tells whether the compiler must have written the same number for its own types; of bitfields
    it may choose otherwise.  ``size`` is the width in bytes of the field at a byte offset, 0 if
    that is no matter, and ``type_id`` its type: a load or store changes its width with them.
    """

    number: int
    exact: bool = True
    size: int = 0
    type_id: int = 0


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the bits of a field are; for a bitfield, inside the smallest aligned integer that holds it."""

    byte_offset: int
    byte_size: int
    bit_offset: int
    bit_size: int
    is_bitfield: bool


def field_value(kind: Kind, path: Path) -> Value:
    """``BPF_CORE_FIELD_*`` but EXISTS, which asks for no more than the path."""
    if path.last.name is None:
        return _element_value(kind, path)
    place = _place(path)
    number = _FIELD[kind](path, place)
    exact = not place.is_bitfield or kind in (Kind.FIELD_SIGNED, Kind.FIELD_RSHIFT_U64)
    if kind is Kind.FIELD_BYTE_OFFSET and not place.is_bitfield:
        type_id = path.btf.resolve(path.member().type)
        return Value(number, exact, _element_size(path.btf, type_id), type_id)
    return Value(number, exact)


def _element_value(kind: Kind, path: Path) -> Value:
    """Of ``array[i]``, or of what a pointer itself points to."""
    type_id = path.last.type_id
    if kind is Kind.FIELD_BYTE_OFFSET:
        return Value(path.bit_offset // 8, True, _element_size(path.btf, type_id), type_id)
    if kind is Kind.FIELD_BYTE_SIZE:
        return Value(_size(path.btf, type_id))
    raise RelocationError(f"{kind.name} cannot be asked of an array element ({path.btf.describe(type_id)})")


def _place(path: Path) -> _Place:
    member = path.member()
    size = _size(path.btf, path.btf.resolve(member.type))
    if not member.bitfield_size:
        return _Place(path.bit_offset // 8, size, path.bit_offset, 8 * size, False)
    if not size:
        raise RelocationError(f"bitfield {path} has a type of no size")
    end = path.bit_offset + member.bitfield_size
    start = path.bit_offset // 8 // size * size
    while end - 8 * start > 8 * size:
        size *= 2
        start = path.bit_offset // 8 // size * size
        if size > 8:
            raise RelocationError(f"bitfield {path} cannot be read with one load of 64 bits")
    return _Place(start, size, path.bit_offset, member.bitfield_size, True)


def _signed(path: Path, _: _Place) -> int:
    found = path.btf.type(path.btf.resolve(path.member().type))
    return int(isinstance(found, Int | Enum) and found.is_signed)


def _left(path: Path, place: _Place) -> int:
    before = place.bit_offset - 8 * place.byte_offset  # bits of the loaded word that the field comes after
    if path.btf.byteorder == "big":  # bit-fields begin at the top of a word
        return 64 - 8 * place.byte_size + before
    return 64 - before - place.bit_size


_FIELD: dict[Kind, Callable[[Path, _Place], int]] = {
    Kind.FIELD_BYTE_OFFSET: lambda _, place: place.byte_offset,
    Kind.FIELD_BYTE_SIZE: lambda _, place: place.byte_size,
    Kind.FIELD_SIGNED: _signed,
    # Shift left until the field's top bit is bit 63, then right until its lowest is bit 0.
    Kind.FIELD_LSHIFT_U64: _left,
    Kind.FIELD_RSHIFT_U64: lambda _, place: 64 - place.bit_size,
}


def _size(btf: Btf, type_id: int) -> int:
    try:
        return btf.size(type_id)
    except TypeError as error:
        raise RelocationError(str(error)) from None


def _element_size(btf: Btf, type_id: int) -> int:
    """Of an array, the size of one element: that is what one load reads."""
    found = btf.type(btf.resolve(type_id))
    while isinstance(found, Array):
        type_id = found.type
        found = btf.type(btf.resolve(type_id))
    return _size(btf, type_id)


def may_resize(local: Btf, mine: Value, target: Btf, theirs: Value) -> bool:
    """Whether a load can take the other width: pointers, and integers that are zero-extended."""
    if mine.size == theirs.size:
        return True
    first, second = local.type(mine.type_id), target.type(theirs.type_id)
    if isinstance(first, Pointer) and isinstance(second, Pointer):
        return True
    return isinstance(first, Int) and isinstance(second, Int) and not first.is_signed and not second.is_signed


def enumerator_value(btf: Btf, type_id: int, index: int) -> Value:
    """The value of an enumerator as 64 bits.

    32-bit ones are sign-extended, as libbpf does: encoders before Linux 6.0 did not record signs.
    """
    enum = btf.type(type_id)
    assert isinstance(enum, Enum)
    number = enum.values[index].value
    if not enum.is_64 and number >= 1 << 31:
        number -= 1 << 32
    return Value(number)
