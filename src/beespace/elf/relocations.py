"""Relocation entries (``Elf64_Rel``), and what an instruction's relocation stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct

from beespace.elf.externs import Extern
from beespace.elf.functions import Function, Functions
from beespace.elf.order import in_both_orders
from beespace.elf.sections import SHT_REL, SHT_RELA, Section, section_at, table_of
from beespace.elf.symbols import STT_SECTION, Symbol
from beespace.errors import FormatError
from beespace.isa import ByteOrder
from beespace.isa.opcodes import CALL, CALL_KFUNC, CALL_LOCAL, LD_IMM64, Pseudo
from beespace.record import dataclass
from beespace.spec import SymbolKind, SymbolReloc

# Relocation types of BPF (llvm/BinaryFormat/ELFRelocs/BPF.def; Documentation/bpf/llvm_reloc.rst).
R_BPF_NONE = 0
R_BPF_64_64 = 1  # both immediates of ld_imm64
R_BPF_64_ABS64 = 2  # eight bytes of data
R_BPF_64_ABS32 = 3  # four bytes of data
R_BPF_64_NODYLD32 = 4  # four bytes of .BTF or .BTF.ext, already in place
R_BPF_64_32 = 10  # the immediate of a call

#: offset info (symbol index in the upper half, type in the lower)
LAYOUT = in_both_orders("QQ")

#: source register of a placeholder, which tells the kernel what the immediate is (``BPF_PSEUDO_*``)
PSEUDO = {
    SymbolKind.MAP: Pseudo.MAP_FD,
    SymbolKind.MAP_VALUE: Pseudo.MAP_VALUE,
    SymbolKind.KSYM: Pseudo.BTF_ID,
    SymbolKind.ADDRESS: Pseudo.NONE,
    SymbolKind.JUMP_TABLE: Pseudo.MAP_VALUE,
    SymbolKind.FUNCTION: Pseudo.FUNC,
    SymbolKind.CALL: CALL_LOCAL,
    SymbolKind.KFUNC: CALL_KFUNC,
}
_IMMEDIATE = Struct("<i")


@dataclass(frozen=True, slots=True)
class Relocation:
    """Bytes at ``offset`` of a section refer to symbol ``symbol``; ``where`` is the file offset of the entry."""

    offset: int
    type: int
    symbol: int
    where: int


def read_relocations(
    sections: Sequence[Section], symbol_count: int, byteorder: ByteOrder = "little"
) -> dict[int, list[Relocation]]:
    """The relocations of every section that has some, by the index of that section."""
    found: dict[int, list[Relocation]] = {}
    for section in sections:
        if section.type not in (SHT_REL, SHT_RELA):
            continue
        target = section_at(sections, section.info, f"{section.name!r}", section.offset)
        if section.type == SHT_RELA:
            if target.executable or target.name == ".maps":
                raise FormatError(
                    f"{section.name!r} has relocations with addends; BPF objects have them in the instruction",
                    offset=section.offset,
                    help="compile with clang",
                )
            continue
        layout = table_of(section, LAYOUT[byteorder], "relocations")
        rows = found.setdefault(target.index, [])
        for number, (offset, info) in enumerate(layout.iter_unpack(section.data)):
            where = section.offset + number * layout.size
            if info >> 32 >= symbol_count:
                raise FormatError(f"{section.name!r} refers to symbol {info >> 32} of {symbol_count}", offset=where)
            rows.append(Relocation(offset, info & 0xFFFF_FFFF, info >> 32, where))
    return found


@dataclass(frozen=True, slots=True)
class Targets:
    """Everything that an instruction can refer to.

    ``maps`` are map names by offset in section ``map_section``; ``data`` are the data sections, which
    are maps themselves (or begin an arena), by section index; ``externs`` by name; ``jump_tables`` is a section.
    """

    sections: Sequence[Section]
    symbols: Sequence[Symbol]
    functions: Functions
    map_section: int
    maps: Mapping[int, str]
    data: Mapping[int, str]
    externs: Mapping[str, Extern]
    jump_tables: int = -1

    def resolve(self, code: bytearray, start: int, relocation: Relocation, function: str) -> SymbolReloc:
        """What the instruction of ``function`` (whose ``code`` is at ``start`` of its section) refers to.

        Leaves the instruction with the right ``BPF_PSEUDO_*`` source register and zero immediates.
        Raises FormatError if the relocation does not fit the instruction or its target is nothing known.
        """
        at = relocation.offset - start
        symbol = self.symbols[relocation.symbol]
        index, rest = divmod(at, 8)
        if rest:
            raise FormatError(f"a relocation inside of an instruction of {function}", offset=relocation.where)
        if relocation.type == R_BPF_64_32 and code[at] == CALL:
            reloc = self._call(index, symbol, _IMMEDIATE.unpack_from(code, at + 4)[0], relocation, function)
        elif relocation.type == R_BPF_64_64 and code[at] == LD_IMM64 and at + 16 <= len(code):
            low, high = code[at + 4 : at + 8], code[at + 12 : at + 16]
            addend = int.from_bytes(low + high, "little", signed=True)
            if not any(high):  # clang fills in the lower half only, also of a negative number
                addend = _IMMEDIATE.unpack(low)[0]
            reloc = self._address(index, symbol, addend, relocation, function)
            code[at + 12 : at + 16] = bytes(4)
        else:
            raise FormatError(
                f"instruction {index} of {function} (opcode {code[at]:#04x}) cannot have a relocation of type "
                f"{relocation.type}",
                offset=relocation.where,
            )
        place(code, index, reloc.kind)
        return reloc

    def call_without_relocation(self, function: Function, index: int, code: bytearray) -> SymbolReloc:
        """The target of a call inside of one section, which the assembler has resolved already."""
        imm = _IMMEDIATE.unpack_from(code, index * 8 + 4)[0]
        target = function.start + (index + 1 + imm) * 8
        name = self.functions.starting_at(function.section, target)
        section = self.sections[function.section]
        if name is None or name in self.functions.programs:
            raise FormatError(
                f"instruction {index} of {function.name} calls {target:#x} of section {section.name!r}, "
                "where no sub-program starts",
                offset=section.offset + function.start + index * 8,
            )
        place(code, index, SymbolKind.CALL)
        return SymbolReloc(index, SymbolKind.CALL, name)

    def _call(self, index: int, symbol: Symbol, imm: int, relocation: Relocation, function: str) -> SymbolReloc:
        if symbol.section == 0:
            extern = self._extern(symbol, relocation, function)
            if not extern.function:
                raise FormatError(f"{function} calls {extern.name}, which is a variable", offset=relocation.where)
            return SymbolReloc(index, SymbolKind.KFUNC, extern.name, weak=extern.weak)
        target = symbol.value + (imm + 1) * 8
        return SymbolReloc(index, SymbolKind.CALL, self._subprogram(symbol, target, relocation, function))

    def _address(self, index: int, symbol: Symbol, addend: int, relocation: Relocation, function: str) -> SymbolReloc:
        if symbol.section == 0:
            extern = self._extern(symbol, relocation, function)
            if extern.offset is not None:
                return SymbolReloc(index, SymbolKind.MAP_VALUE, ".kconfig", extern.offset + addend)
            if addend:
                raise FormatError(f"{function} takes an address inside of {extern.name}", offset=relocation.where)
            return SymbolReloc(index, extern.address, extern.name, weak=extern.weak)
        target = symbol.value + addend
        section = self._section(symbol, relocation, function)
        if section.index == self.map_section:
            name = self.maps.get(target)
            if name is None:
                raise FormatError(
                    f"{function} refers to {target:#x} of .maps, where no map starts", offset=relocation.where
                )
            return SymbolReloc(index, SymbolKind.MAP, name)
        if section.index in self.data:
            if not 0 <= target <= section.size:
                raise FormatError(
                    f"{function} refers to {target:#x} of {section.name!r}, which has {section.size:#x} bytes",
                    offset=relocation.where,
                )
            return SymbolReloc(index, SymbolKind.MAP_VALUE, self.data[section.index], target)
        if section.index == self.jump_tables:
            return SymbolReloc(index, SymbolKind.JUMP_TABLE, symbol.name)
        if section.executable:
            return SymbolReloc(index, SymbolKind.FUNCTION, self._subprogram(symbol, target, relocation, function))
        raise FormatError(
            f"{function} refers to section {section.name!r}, which is neither code, data nor maps",
            offset=relocation.where,
            help="put globals into .data, .rodata or .bss",
        )

    def _subprogram(self, symbol: Symbol, target: int, relocation: Relocation, function: str) -> str:
        section = self._section(symbol, relocation, function)
        name = self.functions.starting_at(section.index, target)
        if name is None:
            raise FormatError(
                f"{function} refers to {target:#x} of section {section.name!r}, where no function starts",
                offset=relocation.where,
            )
        if name in self.functions.programs:
            raise FormatError(
                f"{function} calls {name}, which is a program of section {section.name!r}",
                offset=relocation.where,
                help=f"move the common code into a function without SEC(), and call that from {name} too",
            )
        return name

    def _section(self, symbol: Symbol, relocation: Relocation, function: str) -> Section:
        what = f"{function} refers to symbol {symbol.name!r}, which"
        return section_at(self.sections, symbol.section, what, relocation.where)

    def _extern(self, symbol: Symbol, relocation: Relocation, function: str) -> Extern:
        extern = self.externs.get(symbol.name)
        if extern is not None and symbol.type != STT_SECTION:
            return extern
        raise FormatError(
            f"{function} refers to {symbol.name!r}, which is defined nowhere in the object",
            offset=relocation.where,
            help="define it, or declare it `extern ... __ksym` or `__kconfig` if the kernel has it",
        )


def place(code: bytearray, index: int, kind: SymbolKind) -> None:
    """Makes instruction ``index`` the placeholder for a symbol of ``kind``: source register set, immediate zero."""
    at = index * 8
    code[at + 1] = code[at + 1] & 0x0F | PSEUDO[kind] << 4
    code[at + 4 : at + 8] = bytes(4)
