"""The symbol table (``Elf64_Sym``)."""

from __future__ import annotations

from collections.abc import Sequence

from beespace.elf.order import in_both_orders
from beespace.elf.sections import SHT_STRTAB, SHT_SYMTAB, Section, section_at, table_of
from beespace.elf.strings import Strings
from beespace.errors import FormatError
from beespace.isa import ByteOrder
from beespace.record import dataclass

STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION, STT_FILE = 0, 1, 2, 3, 4
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2
#: STV_INTERNAL and STV_HIDDEN: not visible outside the object, which libbpf takes for static.
STV_DEFAULT, STV_INTERNAL, STV_HIDDEN = 0, 1, 2

#: name info other shndx value size
LAYOUT = in_both_orders("IBBHQQ")


@dataclass(frozen=True, slots=True)
class Symbol:
    """One symbol; ``value`` is an offset into section ``section`` (0: undefined, an extern)."""

    name: str
    type: int
    binding: int
    visibility: int
    section: int
    value: int
    size: int

    @property
    def exported(self) -> bool:
        """Visible outside of the object: global or weak, and not hidden."""
        return self.binding != STB_LOCAL and self.visibility not in (STV_INTERNAL, STV_HIDDEN)


def read_symbols(sections: Sequence[Section], byteorder: ByteOrder = "little") -> list[Symbol]:
    """All symbols in order; the first one is the null symbol.  An object has one symbol table."""
    tables = [section for section in sections if section.type == SHT_SYMTAB]
    if len(tables) != 1:
        what = "no symbol table: the object is stripped" if not tables else f"{len(tables)} symbol tables"
        raise FormatError(what, offset=tables[1].offset if tables else None, help="use the object as clang wrote it")
    table = tables[0]
    layout = table_of(table, LAYOUT[byteorder], "symbols")
    strings = section_at(sections, table.link, "the symbol table", table.offset)
    if strings.type != SHT_STRTAB:
        raise FormatError(f"the symbol names are in section {strings.name!r}, no string table", offset=table.offset)
    names = Strings(strings.data, strings.name, strings.offset)
    return [
        Symbol(names.at(name), info & 0xF, info >> 4, other & 3, section, value, size)
        for name, info, other, section, value, size in layout.iter_unpack(table.data)
    ]
