"""``header``: BTF as C, the ``vmlinux.h`` that ``bpftool btf dump file ... format c`` writes.

C wants a definition before what holds it by value, and a declaration before what points to it; BTF knows no order.
So types come in the order of their ids, each after what it holds by value (:class:`~beespace.btf.order.Order`); what
is only pointed to and not there yet is declared in front.  Names that two types have get a number: ``name___2``.

The text is that of bpftool 7.5 and later with ``unsorted``, but for the prototypes of kernel functions; earlier ones
leave out the attributes that keep the size of small and wide enumerations (``mode(byte)``, ``mode(word)``), and those
of type tags that stand for any attribute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from beespace.btf.kinds import Kind
from beespace.btf.order import Limit, Order
from beespace.btf.padding import is_packed, padding
from beespace.btf.reader import Btf
from beespace.btf.types import (
    Array,
    Enum,
    Float,
    Forward,
    FunctionPrototype,
    Int,
    Modifier,
    Pointer,
    Struct,
    Type,
    Typedef,
    Void,
)
from beespace.errors import FormatError

__all__ = ["declarations", "header"]

_BEFORE = """\
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

"""
_AFTER = """\
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
"""
# GCC's own types for Arm's vectors, which other compilers do not know.
_MISSING = {
    "__Poly8_t": "unsigned char",
    "__Poly16_t": "unsigned short",
    "__Poly64_t": "unsigned long long",
    "__Poly128_t": "unsigned __int128",
}


def header(btf: Btf, ids: Iterable[int] | None = None) -> str:
    """A C header with all types, or those of ``ids`` and what they need.

    Raises :class:`FormatError` for types that C cannot express (a struct that holds itself).
    """
    return "".join([_BEFORE, *declarations(btf, ids), _AFTER])


def declarations(btf: Btf, ids: Iterable[int] | None = None) -> Iterator[str]:
    """The declarations of a header one by one, each with its semicolon and an empty line."""
    limit = Limit(btf)
    order, text = Order(btf, limit), _Text(btf, limit)
    for type_id in range(1, btf.count) if ids is None else ids:
        for next_id in order.before(type_id):
            text.emit(next_id, 0, 0)
        yield from text.finished()


class _Names:
    """Names as they are written: of several types with one name, each but the first has a number."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}
        self._given: dict[int, str] = {}

    def unique(self, name: str) -> str:
        """``name`` the first time, ``name___2`` the second."""
        number = self._used[name] = self._used.get(name, 0) + 1
        return name if number == 1 else f"{name}___{number}"

    def of(self, type_id: int, found: Type) -> str:
        """The name of a type, the same each time."""
        if not found.name or isinstance(found, Forward) or (isinstance(found, Enum) and not found.values):
            return found.name
        given = self._given.get(type_id)
        if given is None:
            given = self._given[type_id] = self.unique(found.name)
        return given


class _Text:
    """Writes definitions, each with the declarations that it needs in front."""

    _DOING, _DONE = 1, 2

    def __init__(self, btf: Btf, limit: Limit) -> None:
        self.btf = btf
        self.limit = limit
        self.state = bytearray(btf.count)
        self.declared = bytearray(btf.count)
        self.tags = _Names()  # struct, union, enum
        self.words = _Names()  # typedefs and enumerators
        self.done: list[str] = []

    def finished(self) -> list[str]:
        """What has been written since the last call."""
        done, self.done = self.done, []
        return done

    def _write(self, text: str) -> None:
        self.limit.text(len(text) + 3)
        self.done.append(f"{text};\n\n")

    # -- what stands before a definition -------------------------------------------------------------------

    def emit(self, type_id: int, holder: int, depth: int) -> None:
        """Define a type (``holder`` 0), or see that it can be named in the definition of ``holder``."""
        state = self.state[type_id]
        if type_id == 0 or state == self._DONE:
            return
        found = self.btf.type(type_id)
        if state == self._DOING:
            self._inside(type_id, found, holder)
            return
        self.limit.step(depth)
        depth += 1
        match found:
            case Pointer() | Modifier() | Array():
                self.emit(found.type, holder, depth)
            case Int():
                if found.name in _MISSING:
                    self._write(f"typedef {_MISSING[found.name]} {self.tags.of(type_id, found)}")
                self.state[type_id] = self._DONE
            case Enum():
                if not holder:
                    self._write(self._enum(type_id, found, 0))
                self.state[type_id] = self._DONE
            case Forward():
                self._write(_tag(found, found.name))
                self.state[type_id] = self._DONE
            case Typedef():
                self.state[type_id] = self._DOING
                self.emit(found.type, type_id, depth)
                if not self.declared[type_id]:
                    self._typedef(type_id, found)
                self.state[type_id] = self._DONE
            case Struct():
                self._define(type_id, found, holder, depth)
            case FunctionPrototype():
                self.emit(found.result, holder, depth)
                for parameter in found.parameters:
                    self.emit(parameter.type, holder, depth)
            case _:
                pass

    def _inside(self, type_id: int, found: Type, holder: int) -> None:
        """A type that is being defined and needed already: by a pointer."""
        if self.declared[type_id]:
            return
        if isinstance(found, Struct):
            if type_id == holder or not found.name:
                return
            self._write(_tag(found, self.tags.of(type_id, found)))
        elif isinstance(found, Typedef):
            self._typedef(type_id, found)
        else:
            return
        self.declared[type_id] = 1

    def _define(self, type_id: int, struct: Struct, holder: int, depth: int) -> None:
        self.state[type_id] = self._DOING
        if not holder or not struct.name:  # its members will be written
            inner = type_id if struct.name else holder
            for member in struct.members:
                self.emit(member.type, inner, depth)
        elif not self.declared[type_id] and type_id != holder:
            self._write(_tag(struct, self.tags.of(type_id, struct)))
            self.declared[type_id] = 1
        if holder:
            self.state[type_id] = 0
            return
        self._write(self._struct(type_id, struct, 0))
        self.state[type_id] = self._DONE

    def _typedef(self, type_id: int, typedef: Typedef) -> None:
        if typedef.name == "__builtin_va_list":  # the compiler's own
            return
        name = self.words.of(type_id, typedef)
        if not typedef.type and name == "__gnuc_va_list":  # old compilers lost what it is
            self._write("typedef __builtin_va_list __gnuc_va_list")
            return
        self._write(f"typedef {self._declaration(typedef.type, name, 0)}")

    # -- definitions ---------------------------------------------------------------------------------------

    def _struct(self, type_id: int, struct: Struct, level: int) -> str:
        btf = self.btf
        self.limit.step(level)
        packed = not struct.is_union and is_packed(btf, struct)
        lines = [_tag(struct, self.tags.of(type_id, struct)) + " {"]
        at = 0
        after_bits = False
        for member in struct.members:
            bits = member.bitfield_size
            align = 1 if packed else _align(btf, member.type)
            lines += self._gap(at, member.bit_offset, align, after_bits and bits > 0)
            declared = self._declaration(member.type, member.name, level + 1)
            lines.append(f"{declared}: {bits};" if bits else f"{declared};")
            at = member.bit_offset + (bits or 8 * _size(btf, member.type))
            after_bits = bits > 0
            self.limit.text(len(declared))
        if not struct.is_union:
            lines += self._gap(at, 8 * struct.size, _align(btf, type_id), False)
        end = f"\n{_tabs(level)}}}" if struct.members or struct.size else "}"
        return f"\n{_tabs(level + 1)}".join(lines) + end + (" __attribute__((packed))" if packed else "")

    def _gap(self, at: int, to: int, align: int, in_bits: bool) -> list[str]:
        long = 8 * self.btf.pointer_size
        self.limit.text(max(0, to - at) // long * len("\tlong: 64;\n"))
        return padding(at, to, align, in_bits, long)

    def _enum(self, type_id: int, enum: Enum, level: int) -> str:
        start = _tag(enum, self.tags.of(type_id, enum))
        if not enum.values:
            return start
        suffix = ("LL" if enum.is_signed else "ULL") if enum.is_64 else ""
        unique, tabs = self.words.unique, _tabs(level + 1)
        rows = [f"\n{tabs}{unique(value.name)} = {value.value}{suffix}," for value in enum.values]
        text = f"{start} {{{''.join(rows)}\n{_tabs(level)}}}"
        self.limit.text(len(text))
        return text + self._enum_size(enum)

    def _enum_size(self, enum: Enum) -> str:
        if enum.size == 1:
            return " __attribute__((mode(byte)))"
        wide = enum.is_64 and any(value.value >> 32 for value in enum.values)
        return " __attribute__((mode(word)))" if enum.size == 8 == self.btf.pointer_size and not wide else ""

    # -- declarations --------------------------------------------------------------------------------------

    def _declaration(self, type_id: int, name: str, level: int) -> str:
        """``type name``, as for a member, a parameter or a typedef."""
        chain: list[tuple[int, Type]] = []
        current = type_id
        while True:
            found = self.btf.type(current)
            self.limit.step(level)
            chain.append((current, found))
            match found:
                case Pointer() | Modifier() | Array():
                    current = found.type
                case FunctionPrototype():
                    current = found.result
                case _:
                    break
        return self._chain(chain, name, level)

    def _chain(self, chain: list[tuple[int, Type]], name: str, level: int) -> str:
        """The innermost type is written first; what is left when an array or a function comes stands in parentheses."""
        text = ""
        after_pointer = True
        self.limit.step(level)
        while chain:
            type_id, found = chain.pop()
            match found:
                case Pointer():
                    text += "*" if after_pointer else " *"
                case Modifier(kind=Kind.TYPE_TAG):
                    tag = found.name if found.is_attribute else f'btf_type_tag("{found.name}")'
                    text += f"{_modifiers(chain)} __attribute__(({tag}))"
                case Modifier():
                    text += f" {found.kind.name.lower()}"
                case Array():
                    _drop_modifiers(chain)
                    return text + self._array(chain, found, name, after_pointer, level)
                case FunctionPrototype():
                    _drop_modifiers(chain)
                    inner = f" ({self._chain(chain, name, level + 1)})" if chain else _spaced(name, after_pointer)
                    return f"{text}{inner}({self._parameters(found, level)})"
                case Void():
                    text += f"{_modifiers(chain)}void"
                case Typedef():
                    text += _modifiers(chain) + self.words.of(type_id, found)
                case Struct() | Enum() | Forward():
                    text += _modifiers(chain) + self._tagged(type_id, found, level)
                case Int() | Float():
                    text += _modifiers(chain) + found.name
                case other:
                    raise FormatError(f"BTF: a {type(other).__name__} [{type_id}] stands where C wants a type")
            after_pointer = isinstance(found, Pointer)
        return text + _spaced(name, after_pointer)

    def _array(self, chain: list[tuple[int, Type]], array: Array, name: str, after_pointer: bool, level: int) -> str:
        if not chain:
            return f"{_spaced(name, after_pointer)}[{array.count}]"
        flat = isinstance(chain[-1][1], Array)  # of several dimensions
        space = " " if name and not after_pointer else ""
        inner = self._chain(chain, name, level + 1)
        return f"{space}{inner if flat else f'({inner})'}[{array.count}]"

    def _parameters(self, prototype: FunctionPrototype, level: int) -> str:
        parameters = prototype.parameters
        if not parameters or (len(parameters) == 1 and not parameters[0].type):
            return "void"
        shown = [self._declaration(each.type, each.name, level) for each in parameters[:-1]]
        last = parameters[-1]
        shown.append(self._declaration(last.type, last.name, level) if last.type else "...")
        return ", ".join(shown)

    def _tagged(self, type_id: int, found: Struct | Enum | Forward, level: int) -> str:
        """A struct, union or enumeration by its name; one that has none as it is."""
        if not found.name and isinstance(found, Struct):
            return self._struct(type_id, found, level)
        if not found.name and isinstance(found, Enum):
            return self._enum(type_id, found, level)
        return _tag(found, self.tags.of(type_id, found))


def _tabs(level: int) -> str:
    return "\t" * min(level, 13)  # as wide as bpftool's get


def _tag(found: Struct | Enum | Forward, name: str) -> str:
    word = "enum" if isinstance(found, Enum) else "union" if found.is_union else "struct"
    return f"{word} {name}" if name else word


def _spaced(name: str, after_pointer: bool) -> str:
    return f" {name}" if name and not after_pointer else name


def _is_modifier(found: Type) -> bool:
    return isinstance(found, Modifier) and found.kind is not Kind.TYPE_TAG


def _modifiers(chain: list[tuple[int, Type]]) -> str:
    """The modifiers next to a type that is no pointer stand before it."""
    text = ""
    while chain and _is_modifier(chain[-1][1]):
        modifier = chain.pop()[1]
        assert isinstance(modifier, Modifier)
        text += f"{modifier.kind.name.lower()} "
    return text


def _drop_modifiers(chain: list[tuple[int, Type]]) -> None:
    """Modifiers of an array or a function say nothing (GCC adds them)."""
    while chain and isinstance(chain[-1][1], Modifier):
        chain.pop()


def _size(btf: Btf, type_id: int) -> int:
    try:
        return btf.size(type_id)
    except TypeError:
        return 0


def _align(btf: Btf, type_id: int) -> int:
    try:
        return btf.align(type_id)
    except TypeError:
        return 0
