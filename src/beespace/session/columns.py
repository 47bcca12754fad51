"""Structs of an object's own BTF as layouts, so that their records become columns.

=========================================  ==========================================
BTF                                        kind of the column
=========================================  ==========================================
integer, enumeration, pointer of 1 to 8    integer of that width
``bool``                                   bool
``char[N]``                                text
``u8[N]``                                  bytes
array of anything else                     list
struct                                     struct
union, bit-field, float, wider integers    bytes (the field's own, undecoded)
=========================================  ==========================================
"""

from __future__ import annotations

from beespace.btf import Array, Btf, Enum, Int, IntEncoding, Member, Pointer
from beespace.btf import Struct as StructType
from beespace.btf.codecs import VARIABLE
from beespace.errors import UsageError
from beespace.schema import ArrayKind, BoolKind, BytesKind, Field, IntKind, Kind, Layout, Struct, TextKind, VariableKind

__all__ = ["layout_from"]

_WIDTHS = (1, 2, 4, 8)


def layout_from(btf: Btf, type_id: int) -> Layout:
    """The layout of struct ``type_id``.  :class:`UsageError` if it is no struct, or has no fields."""
    found = btf.type(btf.resolve(type_id))
    if not isinstance(found, StructType) or found.is_union:
        raise UsageError(f"type {type_id} ({btf.name(type_id) or 'without a name'}) is no struct")
    fields = _fields(btf, found, 0)
    if not fields:
        raise UsageError(f"struct {found.name} has no fields")
    return Layout(found.name or "record", tuple(fields), found.size, 1)


def _fields(btf: Btf, struct: StructType, start: int) -> list[Field]:
    """The fields of ``struct``, which stands at byte ``start``; those of anonymous structs are its own."""
    fields: list[Field] = []
    for member in struct.members:
        kind = btf.type(btf.resolve(member.type))
        offset = start + member.bit_offset // 8
        if not member.name and isinstance(kind, StructType) and not kind.is_union:
            fields += _fields(btf, kind, offset)
        elif size := _bytes(btf, member):
            name = member.name or f"anonymous_{offset}"
            fields.append(Field(name, _kind(btf, member.type, size, bool(member.bitfield_size)), offset))
    return fields


def _bytes(btf: Btf, member: Member) -> int:
    """How many bytes the member touches; 0 for flexible arrays and empty structs."""
    if member.bitfield_size:
        return (member.bit_offset % 8 + member.bitfield_size + 7) // 8
    return btf.size(member.type)


def _kind(btf: Btf, type_id: int, size: int, is_bitfield: bool = False) -> Kind:
    found = btf.type(btf.resolve(type_id))
    if is_bitfield:
        return BytesKind(size)
    match found:
        case Int() if found.encoding & IntEncoding.BOOL and size == 1:
            return BoolKind()
        case Int() | Enum() if size in _WIDTHS:
            signed = found.is_signed
            return IntKind(f"{'i' if signed else 'u'}{8 * size}", 8 * size, signed)
        case Pointer():
            return IntKind(f"u{8 * size}", 8 * size)
        case Array():
            element = btf.type(btf.resolve(found.type))
            if isinstance(element, Int) and element.size == 1 and not element.encoding & IntEncoding.BOOL:
                if element.name == "char" or element.encoding & IntEncoding.CHAR:
                    return TextKind(size)
                if not element.is_signed:
                    return BytesKind(size)
            return ArrayKind(_kind(btf, found.type, btf.size(found.type)), found.count)
        case StructType(name=name) if name == VARIABLE and isinstance(
            data := _kind(btf, found.members[-1].type, btf.size(found.members[-1].type)), TextKind | BytesKind
        ):
            return VariableKind(data)
        case StructType() if not found.is_union and (fields := _fields(btf, found, 0)):
            nested: type[Struct] = type(found.name or "struct", (Struct,), {})
            nested.layout = Layout(nested.__name__, tuple(fields), found.size, 1)
            return nested
    return BytesKind(size)
