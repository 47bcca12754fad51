"""One record -> one frozen type: a table of functions by kind."""

from __future__ import annotations

from collections.abc import Callable

from beespace.btf.kinds import ITEMS, KIND, Kind, kind_of
from beespace.btf.types import (
    Array,
    DataSection,
    DeclTag,
    Enum,
    Enumerator,
    Float,
    Forward,
    Function,
    FunctionPrototype,
    Int,
    IntEncoding,
    Linkage,
    Member,
    Modifier,
    Parameter,
    Pointer,
    SectionVariable,
    Struct,
    Type,
    Typedef,
    Variable,
)
from beespace.errors import FormatError

__all__ = ["decode_record"]

Name = Callable[[int], str]
Words = tuple[int, ...]


def _signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word


def _linkage(number: int) -> Linkage:
    if number > Linkage.EXTERN:
        raise FormatError(f"BTF: linkage {number} is not one of {', '.join(f'{n.value} ({n.name})' for n in Linkage)}")
    return Linkage(number)


def _int(words: Words, name: Name) -> Type:
    encoded = words[3]
    encoding = encoded >> 24 & 0xF
    if encoding > 7:
        raise FormatError(f"BTF: integer encoding {encoding:#x} has bits that no kernel defines")
    return Int(name(words[0]), words[2], IntEncoding(encoding), encoded & 0xFF, encoded >> 16 & 0xFF)


def _float(words: Words, name: Name) -> Type:
    return Float(name(words[0]), words[2])


def _pointer(words: Words, name: Name) -> Type:
    return Pointer(words[2], name(words[0]))


def _array(words: Words, name: Name) -> Type:
    return Array(words[3], words[4], words[5], name(words[0]))


def _struct(words: Words, name: Name) -> Type:
    # With kind_flag the offset word is bitfield_size << 24 | bit_offset, without it it is bit_offset.
    info = words[1]
    bitfields = bool(info >> 31)
    end = 3 + 3 * (info & ITEMS)
    columns = zip(words[3:end:3], words[4:end:3], words[5:end:3], strict=True)
    if bitfields:
        members = tuple(Member(name(n), t, o & 0xFFFFFF, o >> 24) for n, t, o in columns)
    else:
        members = tuple(Member(name(n), t, o) for n, t, o in columns)
    return Struct(name(words[0]), words[2], members, kind_of(info) is Kind.UNION, bitfields)


def _enum(words: Words, name: Name) -> Type:
    info = words[1]
    signed = bool(info >> 31)
    end = 3 + 2 * (info & ITEMS)
    # Encoders before Linux 6.0 never set the flag: a value with the top bit set was then meant as negative,
    # but nothing in the record says so; the flag is what the kernel and libbpf go by.
    value = _signed if signed else int
    values = tuple(Enumerator(name(n), value(v)) for n, v in zip(words[3:end:2], words[4:end:2], strict=True))
    return Enum(name(words[0]), words[2], values, signed)


def _enum64(words: Words, name: Name) -> Type:
    info = words[1]
    signed = bool(info >> 31)
    end = 3 + 3 * (info & ITEMS)
    columns = zip(words[3:end:3], words[4:end:3], words[5:end:3], strict=True)
    values = tuple(Enumerator(name(n), (_signed(high) if signed else high) << 32 | low) for n, low, high in columns)
    return Enum(name(words[0]), words[2], values, signed, is_64=True)


def _forward(words: Words, name: Name) -> Type:
    return Forward(name(words[0]), bool(words[1] >> 31))


def _typedef(words: Words, name: Name) -> Type:
    return Typedef(name(words[0]), words[2])


def _modifier(words: Words, name: Name) -> Type:
    return Modifier(kind_of(words[1]), words[2], name(words[0]), bool(words[1] >> 31))


def _function(words: Words, name: Name) -> Type:
    # The one kind whose linkage lives in vlen.
    return Function(name(words[0]), words[2], _linkage(words[1] & ITEMS))


def _prototype(words: Words, name: Name) -> Type:
    end = 3 + 2 * (words[1] & ITEMS)
    parameters = tuple(Parameter(name(n), t) for n, t in zip(words[3:end:2], words[4:end:2], strict=True))
    return FunctionPrototype(words[2], parameters, name(words[0]))


def _variable(words: Words, name: Name) -> Type:
    return Variable(name(words[0]), words[2], _linkage(words[3]))


def _section(words: Words, name: Name) -> Type:
    end = 3 + 3 * (words[1] & ITEMS)
    columns = zip(words[3:end:3], words[4:end:3], words[5:end:3], strict=True)
    return DataSection(name(words[0]), words[2], tuple(SectionVariable(t, o, s) for t, o, s in columns))


def _decl_tag(words: Words, name: Name) -> Type:
    return DeclTag(name(words[0]), words[2], _signed(words[3]), bool(words[1] >> 31))


_DECODERS: dict[int, Callable[[Words, Name], Type]] = {
    Kind.INT: _int,
    Kind.PTR: _pointer,
    Kind.ARRAY: _array,
    Kind.STRUCT: _struct,
    Kind.UNION: _struct,
    Kind.ENUM: _enum,
    Kind.FWD: _forward,
    Kind.TYPEDEF: _typedef,
    Kind.VOLATILE: _modifier,
    Kind.CONST: _modifier,
    Kind.RESTRICT: _modifier,
    Kind.FUNC: _function,
    Kind.FUNC_PROTO: _prototype,
    Kind.VAR: _variable,
    Kind.DATASEC: _section,
    Kind.FLOAT: _float,
    Kind.DECL_TAG: _decl_tag,
    Kind.TYPE_TAG: _modifier,
    Kind.ENUM64: _enum64,
}


def decode_record(words: Words, name: Name) -> Type:
    """The type of a record; ``words`` is the whole record, ``name`` turns a string offset into text."""
    return _DECODERS[words[1] >> 24 & KIND](words, name)
