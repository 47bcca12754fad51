"""Implementations of kernel interfaces: the variables of ``.struct_ops`` and ``.struct_ops.link``."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from beespace.btf import Btf, DataSection, FunctionPrototype, Member, Pointer, Struct, Variable
from beespace.elf.functions import Functions
from beespace.elf.relocations import R_BPF_64_64, R_BPF_64_ABS64, Relocation
from beespace.elf.sections import SHT_PROGBITS, Section
from beespace.elf.symbols import Symbol
from beespace.errors import FormatError
from beespace.isa import ByteOrder
from beespace.spec import StructOpsSpec

__all__ = ["LINK", "PLAIN", "is_struct_ops", "read_struct_ops", "section_of"]

PLAIN, LINK = ".struct_ops", ".struct_ops.link"
#: Section names of programs that a kernel interface may call.
_PROGRAMS = ("struct_ops", "struct_ops.s")
_POINTER = 8


def is_struct_ops(section: Section) -> bool:
    """Whether the variables of a section are implementations; a leading ``?``: made only if somebody names them."""
    return section.name.removeprefix("?") in (PLAIN, LINK) and section.type == SHT_PROGBITS and section.size > 0


def section_of(spec: StructOpsSpec) -> str:
    """The section that a spec comes from."""
    return ("?" if spec.optional else "") + (LINK if spec.link else PLAIN)


def read_struct_ops(
    btf: Btf | None,
    data_types: Mapping[str, tuple[int, DataSection]],
    sections: Sequence[Section],
    symbols: Sequence[Symbol],
    relocations: Mapping[int, Sequence[Relocation]],
    functions: Functions,
    byteorder: ByteOrder,
) -> dict[str, StructOpsSpec]:
    """Every implementation by name.  Raises FormatError where one holds what is no program of this object."""
    found: dict[str, StructOpsSpec] = {}
    for section in sections:
        if not is_struct_ops(section):
            continue
        if btf is None or section.name not in data_types:
            raise FormatError(
                f"section {section.name!r} has no type information", offset=section.offset, help="compile with -g"
            )
        rows = sorted(relocations.get(section.index, ()), key=_offset)
        offsets = [row.offset for row in rows]
        end = taken = 0
        for row in data_types[section.name][1].variables:
            name, type_id, struct = _variable(btf, row.type, section)
            if row.offset < end or row.offset + struct.size > section.size:
                raise FormatError(f"{name!r} overlaps another variable of {section.name!r}, or ends beyond it",
                                  offset=section.offset)  # fmt: skip
            end = row.offset + struct.size
            if name in found:
                raise FormatError(f"two implementations are called {name!r}", offset=section.offset)
            data = bytearray(section.data[row.offset : end])
            members = {member.bit_offset: member for member in reversed(struct.members)}
            programs: dict[int, str] = {}
            mine = rows[bisect_left(offsets, row.offset) : bisect_left(offsets, end)]
            taken += len(mine)
            for relocation in mine:
                at = relocation.offset - row.offset
                member = members.get(8 * at)
                _check_member(btf, name, member, relocation)
                what = f"{name}.{member.name if member is not None else at}"
                programs[at] = _program(relocation, data, at, symbols, sections, functions, what, byteorder)
            found[name] = StructOpsSpec(
                name=name, type_id=type_id, data=bytes(data), programs=MappingProxyType(programs),
                link=section.name.endswith(LINK), optional=section.name.startswith("?"),
            )  # fmt: skip
        if taken != len(rows):
            raise FormatError(f"{section.name!r} holds an address where no variable is", offset=rows[0].where)
    return found


def _offset(relocation: Relocation) -> int:
    return relocation.offset


def _variable(btf: Btf, type_id: int, section: Section) -> tuple[str, int, Struct]:
    variable = btf.type(type_id)
    if not isinstance(variable, Variable):
        raise FormatError(f"BTF: type {type_id} in {section.name} is no variable")
    struct_id = btf.resolve(variable.type)
    struct = btf.type(struct_id)
    if not isinstance(struct, Struct) or struct.is_union or not struct.name:
        what = btf.describe(struct_id)
        raise FormatError(f"{variable.name!r} in {section.name!r} is {what}, no struct of the kernel",
                          offset=section.offset)  # fmt: skip
    return variable.name, struct_id, struct


def _check_member(btf: Btf, variable: str, member: Member | None, relocation: Relocation) -> None:
    """Raises FormatError unless the member is a pointer to a function."""
    if member is None or member.bitfield_size:
        raise FormatError(f"{variable} holds an address where no member starts", offset=relocation.where)
    pointer = btf.type(btf.resolve(member.type))
    if not isinstance(pointer, Pointer) or not isinstance(btf.type(btf.resolve(pointer.type)), FunctionPrototype):
        raise FormatError(
            f"{variable}.{member.name} holds an address, but is no pointer to a function",
            offset=relocation.where,
            help="only functions can be filled in: set the others to numbers, or leave them out",
        )


def _program(
    relocation: Relocation,
    data: bytearray,
    at: int,
    symbols: Sequence[Symbol],
    sections: Sequence[Section],
    functions: Functions,
    what: str,
    byteorder: ByteOrder,
) -> str:
    symbol = symbols[relocation.symbol]
    if relocation.type not in (R_BPF_64_ABS64, R_BPF_64_64) or at + _POINTER > len(data):
        raise FormatError(f"{what} has a relocation of type {relocation.type}", offset=relocation.where)
    target = symbol.value + int.from_bytes(data[at : at + _POINTER], byteorder)
    data[at : at + _POINTER] = bytes(_POINTER)
    name = functions.starting_at(symbol.section, target)
    if name is None or name not in functions.programs:
        raise FormatError(f"{what} is {symbol.name!r}, which is no program of this object", offset=relocation.where)
    section = sections[symbol.section].name
    if section.removeprefix("?").partition("/")[0] not in _PROGRAMS:
        raise FormatError(
            f"{what} is program {name!r} of section {section!r}",
            offset=relocation.where,
            help=f'put it into SEC("struct_ops/{what.partition(".")[2]}")',
        )
    return name
