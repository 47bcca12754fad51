"""Section headers (``Elf64_Shdr``) and the bytes of sections."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from beespace.elf.header import SECTION_HEADER_SIZE, Header
from beespace.elf.order import in_both_orders, turn_info, turn_types
from beespace.elf.strings import Strings
from beespace.errors import FormatError
from beespace.isa import ByteOrder, turn
from beespace.record import dataclass, replace

SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_RELA, SHT_NOBITS, SHT_REL = 1, 2, 3, 4, 8, 9
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR, SHF_INFO_LINK = 0x1, 0x2, 0x4, 0x40
SHN_UNDEF, SHN_XINDEX = 0, 0xFFFF

#: name type flags addr offset size link info addralign entsize
LAYOUT = in_both_orders("IIQQQQIIQQ")

#: All zero-filled sections of an object together; they take no room in the file, so it cannot bound them.
MAX_ZERO_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its header fields, and its bytes (a zero-filled one has none).

    ``offset`` is where the bytes are in the file, for messages.
    """

    index: int
    name: str
    type: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    entry_size: int
    data: bytes

    @property
    def executable(self) -> bool:
        """Holds instructions."""
        return self.type == SHT_PROGBITS and bool(self.flags & SHF_EXECINSTR) and self.size > 0


def read_sections(data: bytes, header: Header) -> list[Section]:
    """All sections of the file in order; the first one is the null section.

    Raises FormatError if a header or the bytes of a section lie outside the file, or if two sections
    share bytes (no compiler does that, and copies of shared bytes could add up without bound).
    """
    if header.section_offset == 0:
        raise FormatError("no section headers: the object is stripped or cut off", offset=40)
    count, names_index = header.section_count, header.names_index
    if count == 0 or names_index == SHN_XINDEX:
        raise FormatError("more than 65279 sections, or none", offset=60)
    if count * SECTION_HEADER_SIZE > len(data) - header.section_offset:
        raise FormatError(
            f"truncated: {count} section headers at {header.section_offset:#x} do not fit into {len(data)} bytes",
            offset=header.section_offset,
        )
    layout = LAYOUT[header.byteorder]
    rows = [_unpack_header(data, header.section_offset + n * SECTION_HEADER_SIZE, layout) for n in range(count)]
    _check_extents(rows, len(data), header.section_offset)
    if not 0 < names_index < count:
        raise FormatError(f"the section names are in section {names_index}; there are {count}", offset=62)
    names_offset, names_size = rows[names_index][4:6]
    if rows[names_index][1] != SHT_STRTAB:
        raise FormatError(f"section {names_index} should hold the section names but is no string table", offset=62)
    names = Strings(data[names_offset : names_offset + names_size], "the section names", names_offset)
    sections = []
    for index, (name, kind, flags, _addr, offset, size, link, info, _align, entry_size) in enumerate(rows):
        content = b"" if kind == SHT_NOBITS or index == 0 else data[offset : offset + size]
        text = "" if index == 0 else names.at(name)
        sections.append(Section(index, text, kind, flags, offset, size, link, info, entry_size, content))
    return sections if header.byteorder == "little" else [_turned(section, header.byteorder) for section in sections]


def _turned(section: Section, order: ByteOrder) -> Section:
    """Code and types of the other byte order; data stay as they are, since only types tell what they are."""
    if section.executable:
        return replace(section, data=turn(section.data))
    if section.name == ".BTF" and section.size:
        return replace(section, data=turn_types(section.data, order, section.offset))
    if section.name == ".BTF.ext" and section.size:
        return replace(section, data=turn_info(section.data, order, section.offset))
    return section


def table_of(section: Section, entry: Struct, what: str) -> Struct:
    """Checks that ``section`` is a whole number of ``entry`` structs; raises FormatError otherwise."""
    if section.entry_size not in (0, entry.size) or section.size % entry.size:
        raise FormatError(
            f"section {section.name!r} is no table of {what}: {section.size} bytes in entries of {section.entry_size}",
            offset=section.offset,
        )
    return entry


def section_at(sections: Sequence[Section], index: int, what: str, offset: int) -> Section:
    """Section ``index``, which ``what`` (found at file ``offset``) refers to."""
    if not 0 < index < len(sections):
        raise FormatError(f"{what} refers to section {index}; there are {len(sections)}", offset=offset)
    return sections[index]


def _unpack_header(data: bytes, offset: int, layout: Struct) -> tuple[int, ...]:
    if offset + SECTION_HEADER_SIZE > len(data):
        raise FormatError(
            f"truncated: the section headers should be at {offset:#x}, the file ends at {len(data):#x}",
            offset=min(offset, len(data)),
        )
    return layout.unpack_from(data, offset)


def _check_extents(rows: Sequence[tuple[int, ...]], length: int, table: int) -> None:
    extents = []
    zeros = 0
    for index, (_name, kind, _flags, _addr, offset, size, *_rest) in enumerate(rows):
        if index == 0 or size == 0:
            continue
        where = table + index * SECTION_HEADER_SIZE
        if kind == SHT_NOBITS:
            zeros += size
            if zeros > MAX_ZERO_BYTES:
                raise FormatError(f"more than {MAX_ZERO_BYTES >> 20} MiB of zero-filled sections", offset=where)
        elif offset + size > length:
            raise FormatError(
                f"truncated: section {index} ends at {offset + size:#x}, the file at {length:#x}", offset=where
            )
        else:
            extents.append((offset, size, index))
    extents.sort()
    end = previous = 0
    for offset, size, index in extents:
        if offset < end:
            raise FormatError(f"sections {previous} and {index} share bytes", offset=offset)
        end, previous = offset + size, index
