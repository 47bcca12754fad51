"""An object file under construction: sections, symbols and relocations, laid out at the end."""

from __future__ import annotations

from collections.abc import Sequence

from beespace.elf import header, relocations, sections, symbols
from beespace.elf.header import Header
from beespace.elf.order import turn_info, turn_types
from beespace.elf.strings import StringTable
from beespace.isa import ByteOrder, turn
from beespace.record import dataclass, field

_ALIGN = 8


@dataclass(slots=True)
class _Section:
    name: str
    type: int
    flags: int
    data: bytes
    size: int
    link: int = 0
    info: int = 0
    entry_size: int = 0


@dataclass(frozen=True, slots=True)
class _Symbol:
    name: str
    type: int
    binding: int
    section: int
    value: int
    size: int


@dataclass(slots=True)
class Image:
    """Collects the parts of an object; the same calls in the same order give the same bytes.

    Symbols are told apart by the key that :meth:`add_symbol` takes, since their indices are known at
    the end alone: ELF wants local ones first.
    """

    _sections: list[_Section] = field(default_factory=lambda: [_Section("", 0, 0, b"", 0)])
    _symbols: dict[object, _Symbol] = field(default_factory=dict)
    _relocations: list[tuple[int, Sequence[tuple[int, int, object]]]] = field(default_factory=list)
    byteorder: ByteOrder = "little"

    def add_section(self, name: str, flags: int, data: bytes, *, zero_filled: bool = False) -> int:
        """Appends a section and returns its index.  A zero-filled one keeps only the length of ``data``."""
        kind = sections.SHT_NOBITS if zero_filled else sections.SHT_PROGBITS
        self._sections.append(_Section(name, kind, flags, b"" if zero_filled else data, len(data)))
        return len(self._sections) - 1

    def replace(self, section: int, data: bytes) -> None:
        """Gives a section other bytes of the same number."""
        self._sections[section].data = data

    def add_symbol(
        self, key: object, name: str, kind: int, binding: int, section: int = 0, value: int = 0, size: int = 0
    ) -> None:
        """Adds a symbol of type ``kind`` unless there is one of this key."""
        self._symbols.setdefault(key, _Symbol(name, kind, binding, section, value, size))

    def has_symbol(self, key: object) -> bool:
        """Whether :meth:`add_symbol` was called with ``key``."""
        return key in self._symbols

    def relocate(self, section: int, rows: Sequence[tuple[int, int, object]]) -> None:
        """Relocations of ``section`` as ``(byte offset, type, key of the symbol)``, if there are any."""
        if rows:
            self._relocations.append((section, rows))

    def _stored(self, section: _Section) -> bytes:
        """What is in the file: code and types of a big-endian one are turned round."""
        if self.byteorder == "little" or not section.data:
            return section.data
        if section.flags & sections.SHF_EXECINSTR:
            return turn(section.data)
        turned = {".BTF": turn_types, ".BTF.ext": turn_info}.get(section.name)
        return turned(section.data, "little") if turned is not None else section.data

    def bytes(self) -> bytes:
        """The file."""
        ordered = sorted(self._symbols.items(), key=lambda item: item[1].binding != symbols.STB_LOCAL)
        index = {key: number for number, (key, _) in enumerate(ordered, 1)}
        local = sum(symbol.binding == symbols.STB_LOCAL for _, symbol in ordered) + 1
        everything = list(self._sections)
        table_index = len(everything) + len(self._relocations)
        for target, rows in self._relocations:
            in_order = sorted(rows, key=_first)
            pack = relocations.LAYOUT[self.byteorder].pack
            data = b"".join(pack(at, index[key] << 32 | kind) for at, kind, key in in_order)
            name, flags = ".rel" + self._sections[target].name, sections.SHF_INFO_LINK
            size = relocations.LAYOUT[self.byteorder].size
            everything.append(_Section(name, sections.SHT_REL, flags, data, len(data), table_index, target, size))
        names = StringTable()
        rows_of_symbols = [bytes(symbols.LAYOUT[self.byteorder].size)]
        for _, symbol in ordered:
            info = symbol.binding << 4 | symbol.type
            row = names.add(symbol.name), info, 0, symbol.section, symbol.value, symbol.size
            rows_of_symbols.append(symbols.LAYOUT[self.byteorder].pack(*row))
        table = b"".join(rows_of_symbols)
        strings_index = table_index + 1
        size = symbols.LAYOUT[self.byteorder].size
        everything.append(_Section(".symtab", sections.SHT_SYMTAB, 0, table, len(table), strings_index, local, size))
        name_offsets = [names.add(section.name) for section in everything]
        name_offsets.append(names.add(".strtab"))
        text = names.bytes()
        everything.append(_Section(".strtab", sections.SHT_STRTAB, 0, text, len(text)))

        body = bytearray(header.LAYOUT[self.byteorder].size)
        rows_of_sections = []
        for name_offset, section in zip(name_offsets, everything, strict=True):
            body += bytes(-len(body) % _ALIGN)
            offset = len(body) if section.type else 0
            body += self._stored(section)
            rows_of_sections.append(
                sections.LAYOUT[self.byteorder].pack(
                    name_offset, section.type, section.flags, 0, offset, section.size, section.link, section.info,
                    _ALIGN if section.type else 0, section.entry_size,
                )
            )  # fmt: skip
        body += bytes(-len(body) % _ALIGN)
        file_header = Header(len(body), len(everything), strings_index, self.byteorder).write()
        body[: len(file_header)] = file_header
        return bytes(body) + b"".join(rows_of_sections)


def _first(row: tuple[int, int, object]) -> int:
    return row[0]
