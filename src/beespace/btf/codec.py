"""``codec``: the bytes of a BTF type <-> a value of Python.

============================================ =====================================================
type                                         value
============================================ =====================================================
integer, enumeration, pointer, bit-field     ``int`` (an enumeration may be given by its word, too)
``bool``                                     ``bool``
``float``, ``double``                        ``float``
``char[N]``                                  ``str`` up to the first NUL (UTF-8, ``surrogateescape``)
the last field of an event of variable length ``str`` or ``bytes``
``u8[N]``, anything of no known shape        ``bytes``
other arrays                                 ``tuple``
struct, union                                :class:`~beespace.btf.values.Record`
============================================ =====================================================

A struct may be given as a record, as a mapping (fields that are left out are zero, as in C) or as a sequence of
all its fields; a union as a mapping with one of its readings, or with several that agree.  ``bytes`` of the right
length are taken for every type as they are.  Padding is written as zero.

>>> pair = codec(btf, btf.find("pair", Kind.STRUCT))                           # doctest: +SKIP
>>> pair.decode(b"\\1\\0\\0\\0\\2\\0\\0\\0").a                                     # doctest: +SKIP
1
"""

from __future__ import annotations

import sys

from beespace.btf.codecs import (
    MAX_DEPTH,
    VARIABLE,
    Array,
    Base,
    Blob,
    Boolean,
    Enumeration,
    Integer,
    Real,
    Text,
    Wide,
)
from beespace.btf.codecs import Variable as VariableCodec
from beespace.btf.reader import Btf
from beespace.btf.record_codec import BitField, Place, RecordCodec
from beespace.btf.types import Array as ArrayType
from beespace.btf.types import Enum, Float, Int, IntEncoding, Pointer, Struct, Variable
from beespace.btf.values import Record
from beespace.errors import FormatError, UsageError
from beespace.typed import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["Codec", "Record", "Value", "codec"]

Value = Any  # int | bool | float | str | bytes | tuple[Value, ...] | Record
ByteOrder = Literal["little", "big"]
_WHOLE = (1, 2, 4, 8)
_FLOATS = (2, 4, 8)  # what struct knows; a long double is bytes


class Codec(Protocol):
    """One type both ways.  ``size`` is in bytes; without the elements of a flexible array at its end."""

    size: int
    type_id: int

    def decode(self, data: ReadableBuffer, offset: int = 0) -> Value:
        """The value at ``offset``.  A flexible array at the end of a struct takes all that is left of ``data``.

        Raises :class:`FormatError` if there are too few bytes.
        """

    def encode(self, value: Value) -> bytes:
        """The bytes of a value.  :class:`UsageError` names type, field, value and range of what does not fit."""


def codec(btf: Btf, type_id: int, byteorder: ByteOrder = sys.byteorder) -> Codec:
    """The codec of a type, made once and kept with ``btf``.

    Raises :class:`UsageError` for what has no size (``void``, a function, a struct that is only declared).
    """
    return _make(btf, type_id, byteorder, 0)


def _make(btf: Btf, type_id: int, byteorder: ByteOrder, depth: int) -> Base:
    key = (type_id, byteorder)
    known = btf.codecs.get(key)
    if known is None:
        if depth > MAX_DEPTH:
            raise FormatError(f"BTF: type {type_id} ({btf.describe(type_id)}) is nested without end")
        known = btf.codecs[key] = _new(btf, type_id, byteorder, depth)
    assert isinstance(known, Base)
    return known


def _new(btf: Btf, type_id: int, byteorder: ByteOrder, depth: int) -> Base:
    order = "<" if byteorder == "little" else ">"
    resolved = btf.resolve(type_id)
    name = btf.describe(type_id)
    match btf.type(resolved):
        case Int() as scalar:
            return _integer(scalar, type_id, name, order)
        case Enum() as enum if enum.size in _WHOLE:
            words = {each.name: each.value for each in enum.values}
            return Enumeration(type_id, name, enum.size, enum.is_signed, order, words)
        case Pointer():
            return Integer(type_id, name, btf.pointer_size, False, order)
        case Float() as real if real.size in _FLOATS:
            return Real(type_id, name, real.size, order)
        case Float() | Enum() as odd:
            return Blob(type_id, name, odd.size)
        case ArrayType() as array:
            return _array(btf, array, type_id, name, byteorder, depth)
        case Struct(name=name_) as struct if name_ == VARIABLE and len(struct.members) == 2:
            length, data = (_make(btf, member.type, byteorder, depth + 1) for member in struct.members)
            return VariableCodec(type_id, name, struct.size, length, data)
        case Struct() as struct:
            return _record(btf, struct, type_id, name, byteorder, depth)
        case Variable() as variable:
            return _make(btf, variable.type, byteorder, depth + 1)
        case other:
            raise UsageError(
                f"a value of type {name} cannot be read or written: it has no size",
                help="a pointer to it can" if type(other).__name__ != "DataSection" else "its variables can",
            )


def _integer(scalar: Int, type_id: int, name: str, order: str) -> Base:
    if scalar.encoding & IntEncoding.BOOL and scalar.size == 1:
        return Boolean(type_id, name, order)
    if scalar.size in _WHOLE:
        return Integer(type_id, name, scalar.size, scalar.is_signed, order)
    return Wide(type_id, name, scalar.size, scalar.is_signed, order)


def _array(btf: Btf, array: ArrayType, type_id: int, name: str, byteorder: ByteOrder, depth: int) -> Base:
    element = btf.type(btf.resolve(array.type))
    if isinstance(element, Int) and element.size == 1 and not element.encoding & IntEncoding.BOOL:
        if element.name == "char" or element.encoding & IntEncoding.CHAR:
            return Text(type_id, name, array.count)
        if not element.is_signed:
            return Blob(type_id, name, array.count)
    return Array(type_id, name, _make(btf, array.type, byteorder, depth + 1), array.count, byteorder)


def _record(btf: Btf, struct: Struct, type_id: int, name: str, byteorder: ByteOrder, depth: int) -> RecordCodec:
    places: list[Place] = []
    for member in struct.members:
        bit_offset, bits = member.bit_offset, member.bitfield_size
        scalar = btf.type(btf.resolve(member.type))
        if not bits and isinstance(scalar, Int) and (scalar.bits != 8 * scalar.size or scalar.bit_offset):
            bit_offset, bits = bit_offset + scalar.bit_offset, scalar.bits  # as encoders before Linux 5.0 wrote it
        if bits or bit_offset % 8:
            places.append(_bit_field(btf, member.name, member.type, bit_offset, bits, byteorder))
            continue
        field = _make(btf, member.type, byteorder, depth + 1)
        places.append(Place(member.name, bit_offset // 8, field))
    return RecordCodec(type_id, name, struct.size, struct.is_union, places, byteorder)


def _bit_field(btf: Btf, name: str, type_id: int, bit_offset: int, bits: int, byteorder: ByteOrder) -> Place:
    scalar = btf.type(btf.resolve(type_id))
    if not isinstance(scalar, Int | Enum) or not 0 < bits <= 128:
        raise FormatError(f"BTF: member {name or '(anonymous)'} cannot be a bit-field of {btf.describe(type_id)}")
    boolean = isinstance(scalar, Int) and bool(scalar.encoding & IntEncoding.BOOL)
    field = BitField(type_id, f"{btf.describe(type_id)}:{bits}", bit_offset % 8, bits, scalar.is_signed, byteorder)
    field.boolean = boolean
    return Place(name, bit_offset // 8, field)
