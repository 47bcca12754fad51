"""``BtfBuilder``: types -> BTF."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from beespace.btf.kinds import Kind
from beespace.btf.layout import MAGIC
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
    Void,
)
from beespace.typed import TypeAlias

__all__ = ["BtfBuilder"]

MAX_ITEMS = 0xFFFF  # BTF_MAX_VLEN of the kernels that there are; the newest headers allow more
_U32 = 0xFFFFFFFF

# The builder has methods int() and bytes(), which hide the built-in types inside the class.
Id: TypeAlias = int
Encoded: TypeAlias = bytes


class BtfBuilder:
    """Collects types and encodes them.

    Every method that adds a type returns its id.  A type that refers to itself is made with
    :meth:`declare` and :meth:`define`.  Equal types of the kinds that have no identity of their own
    (integers, pointers, arrays, modifiers, ...) are kept once.  The same calls give the same bytes.

    ``first_id`` and ``first_string`` continue a base BTF (:attr:`Btf.count`, :attr:`Btf.string_end`).
    """

    def __init__(self, *, first_id: Id = 1, first_string: Id = 0) -> None:
        self._first_id = first_id
        self._types: list[Type | None] = []
        self._known: dict[Type, int] = {}
        self._first_string = first_string
        self._strings = bytearray() if first_string else bytearray(1)
        self._offsets: dict[str, int] = {"": 0}

    @property
    def count(self) -> Id:
        """The id that the next type gets."""
        return self._first_id + len(self._types)

    # -- adding --------------------------------------------------------------------------------------------

    def add(self, new: Type) -> Id:
        """Append a type as it is, even if there is an equal one."""
        self._check(new)
        self._types.append(new)
        return self.count - 1

    def intern(self, new: Type) -> Id:
        """The id of an equal type made by :meth:`intern` before, or a new one."""
        if isinstance(new, Void):
            return 0
        known = self._known.get(new)
        if known is None:
            known = self._known[new] = self.add(new)
        return known

    def declare(self) -> Id:
        """Take an id for a type that :meth:`define` gives later."""
        self._types.append(None)
        return self.count - 1

    def define(self, type_id: Id, new: Type) -> None:
        """Give the type of a declared id."""
        if self._types[type_id - self._first_id] is not None:
            raise ValueError(f"type {type_id} is defined already")
        self._check(new)
        self._types[type_id - self._first_id] = new

    def int(
        self, name: str, size: Id, *, signed: bool = False, char: bool = False, boolean: bool = False, bits: Id = 0
    ) -> Id:
        """An integer of ``size`` bytes (1, 2, 4, 8 or 16)."""
        flags = (IntEncoding.SIGNED, signed), (IntEncoding.CHAR, char), (IntEncoding.BOOL, boolean)
        encoding = IntEncoding(sum(flag for flag, on in flags if on))
        return self.intern(Int(name, size, encoding, bits or 8 * size))

    def float(self, name: str, size: Id) -> Id:
        """A floating-point number of ``size`` bytes."""
        return self.intern(Float(name, size))

    def pointer(self, target: Id) -> Id:
        """``target *``."""
        return self.intern(Pointer(target))

    def array(self, element: Id, count: Id, index: Id | None = None) -> Id:
        """``element[count]``; ``index`` is the type of its index, by default a 32-bit integer."""
        if index is None:
            index = self.int("__ARRAY_SIZE_TYPE__", 4)
        return self.intern(Array(element, index, count))

    def struct(self, name: str, size: Id, members: Sequence[Member]) -> Id:
        """A struct of ``size`` bytes."""
        return self.add(Struct(name, size, tuple(members), False, any(m.bitfield_size for m in members)))

    def union(self, name: str, size: Id, members: Sequence[Member]) -> Id:
        """A union of ``size`` bytes."""
        return self.add(Struct(name, size, tuple(members), True, any(m.bitfield_size for m in members)))

    def enum(self, name: str, values: Sequence[tuple[str, Id]], *, size: Id = 4) -> Id:
        """An enumeration; values beyond 32 bits make it a 64-bit one (Linux 6.0)."""
        signed = any(value < 0 for _, value in values)
        is_64 = size == 8 or any(not -(1 << 31) <= v < 1 << (31 if signed else 32) for _, v in values)
        return self.add(Enum(name, 8 if is_64 else size, tuple(Enumerator(n, v) for n, v in values), signed, is_64))

    def forward(self, name: str, *, is_union: bool = False) -> Id:
        """``struct name;``."""
        return self.intern(Forward(name, is_union))

    def typedef(self, name: str, target: Id) -> Id:
        """``typedef target name;``."""
        return self.intern(Typedef(name, target))

    def const(self, target: Id) -> Id:
        """``const target``."""
        return self.intern(Modifier(Kind.CONST, target))

    def volatile(self, target: Id) -> Id:
        """``volatile target``."""
        return self.intern(Modifier(Kind.VOLATILE, target))

    def restrict(self, target: Id) -> Id:
        """``restrict target``."""
        return self.intern(Modifier(Kind.RESTRICT, target))

    def type_tag(self, tag: str, target: Id) -> Id:
        """``__attribute__((btf_type_tag(tag))) target`` (Linux 5.17)."""
        return self.intern(Modifier(Kind.TYPE_TAG, target, tag))

    def decl_tag(self, tag: str, target: Id, component: Id = -1) -> Id:
        """``__attribute__((btf_decl_tag(tag)))`` on a type, or on its numbered member or parameter (Linux 5.16)."""
        return self.intern(DeclTag(tag, target, component))

    def prototype(self, result: Id, parameters: Sequence[tuple[str, Id]]) -> Id:
        """A function's type."""
        return self.intern(FunctionPrototype(result, tuple(Parameter(n, t) for n, t in parameters)))

    def function(self, name: str, prototype: Id, linkage: Linkage = Linkage.STATIC) -> Id:
        """A function."""
        return self.add(Function(name, prototype, linkage))

    def variable(self, name: str, target: Id, linkage: Linkage = Linkage.GLOBAL) -> Id:
        """A global variable."""
        return self.add(Variable(name, target, linkage))

    def section(self, name: str, size: Id, variables: Sequence[tuple[Id, Id, Id]]) -> Id:
        """A data section of ``(variable id, byte offset, size)``."""
        return self.add(DataSection(name, size, tuple(SectionVariable(*v) for v in variables)))

    # -- encoding ------------------------------------------------------------------------------------------

    def string(self, text: str) -> Id:
        """The offset of ``text`` in the string section, where it is put if it is not there."""
        offset = self._offsets.get(text)
        if offset is None:
            encoded = text.encode("utf-8", "surrogateescape")
            if b"\0" in encoded:
                raise ValueError(f"a name cannot hold a zero byte: {text!r}")
            offset = self._offsets[text] = self._first_string + len(self._strings)
            self._strings += encoded + b"\0"
        return offset

    def bytes(self) -> Encoded:
        """The encoded BTF, in native byte order."""
        types = bytearray()
        for number, each in enumerate(self._types):
            if each is None:
                raise ValueError(f"type {self._first_id + number} was declared and never defined")
            words = _ENCODERS[type(each)](each, self.string)
            types += struct.pack(f"={len(words)}I", *(word & _U32 for word in words))
        header = struct.pack("=HBBIIIII", MAGIC, 1, 0, 24, 0, len(types), len(types), len(self._strings))
        return b"".join((header, types, self._strings))

    @staticmethod
    def _check(new: Type) -> None:
        """Refuse what the encoding cannot hold."""
        what = f"{type(new).__name__} {new.name}".rstrip()
        items: Sequence[object] = ()
        match new:
            case Struct():
                items = new.members
                limit = 24 if new.has_bitfields else 32
                for member in new.members:
                    if not 0 <= member.bit_offset < 1 << limit or not 0 <= member.bitfield_size < 256:
                        raise ValueError(f"{what}: the place of member {member.name} does not fit {limit} bits")
                    if member.bitfield_size and not new.has_bitfields:
                        raise ValueError(f"{what}: member {member.name} is a bitfield, so has_bitfields must be set")
            case Enum():
                items = new.values
                bits = 64 if new.is_64 else 32
                low, high = (-(1 << bits - 1), 1 << bits - 1) if new.is_signed else (0, 1 << bits)
                for value in new.values:
                    if not low <= value.value < high:
                        raise ValueError(f"{what}: {value.name} = {value.value} does not fit")
            case FunctionPrototype():
                items = new.parameters
            case DataSection():
                items = new.variables
            case Void():
                raise ValueError("void is type 0 and has no record")
            case _:
                pass
        if len(items) > MAX_ITEMS:
            raise ValueError(f"{what} has {len(items)} items; BTF holds {MAX_ITEMS}")


_Words = list[int]
_String = Callable[[str], int]


def _info(kind: Kind, items: int = 0, flag: bool = False) -> int:
    return int(flag) << 31 | kind << 24 | items


def _struct(new: Struct, string: _String) -> _Words:
    kind = Kind.UNION if new.is_union else Kind.STRUCT
    words = [string(new.name), _info(kind, len(new.members), new.has_bitfields), new.size]
    for member in new.members:
        words += string(member.name), member.type, member.bitfield_size << 24 | member.bit_offset
    return words


def _enum(new: Enum, string: _String) -> _Words:
    kind = Kind.ENUM64 if new.is_64 else Kind.ENUM
    words = [string(new.name), _info(kind, len(new.values), new.is_signed), new.size]
    for value in new.values:
        words += (string(value.name), value.value)
        if new.is_64:
            words.append(value.value >> 32)
    return words


def _prototype(new: FunctionPrototype, string: _String) -> _Words:
    words = [string(new.name), _info(Kind.FUNC_PROTO, len(new.parameters)), new.result]
    for parameter in new.parameters:
        words += string(parameter.name), parameter.type
    return words


def _section(new: DataSection, string: _String) -> _Words:
    words = [string(new.name), _info(Kind.DATASEC, len(new.variables)), new.size]
    for variable in new.variables:
        words += variable.type, variable.offset, variable.size
    return words


def _int(new: Int, string: _String) -> _Words:
    encoded = new.encoding << 24 | new.bit_offset << 16 | new.bits
    return [string(new.name), _info(Kind.INT), new.size, encoded]


_ENCODERS: dict[type, Callable[..., _Words]] = {
    Int: _int,
    Float: lambda new, string: [string(new.name), _info(Kind.FLOAT), new.size],
    Pointer: lambda new, string: [string(new.name), _info(Kind.PTR), new.type],
    Array: lambda new, string: [string(new.name), _info(Kind.ARRAY), 0, new.type, new.index_type, new.count],
    Struct: _struct,
    Enum: _enum,
    Forward: lambda new, string: [string(new.name), _info(Kind.FWD, flag=new.is_union), 0],
    Typedef: lambda new, string: [string(new.name), _info(Kind.TYPEDEF), new.type],
    Modifier: lambda new, string: [string(new.name), _info(new.kind, flag=new.is_attribute), new.type],
    Function: lambda new, string: [string(new.name), _info(Kind.FUNC, new.linkage), new.type],
    FunctionPrototype: _prototype,
    Variable: lambda new, string: [string(new.name), _info(Kind.VAR), new.type, new.linkage],
    DataSection: _section,
    DeclTag: lambda new, string: [
        string(new.name), _info(Kind.DECL_TAG, flag=new.is_attribute), new.type, new.component,
    ],
}  # fmt: skip
