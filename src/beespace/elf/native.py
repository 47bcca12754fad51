"""Objects of native code, as LLVM makes them for the machine that this runs on."""

from __future__ import annotations

from collections.abc import Mapping

from beespace.elf.header import LAYOUT, MAGIC, Header
from beespace.elf.sections import SHT_REL, SHT_RELA, read_sections
from beespace.elf.symbols import STB_GLOBAL, STT_FUNC, read_symbols
from beespace.errors import FormatError

__all__ = ["read_native"]


def read_native(data: bytes) -> tuple[bytes, Mapping[str, int]]:
    """The code, which is one section and needs nothing else, and where its global functions are in it.

    :class:`FormatError` for an object of another shape.
    """
    if data[:4] != MAGIC or len(data) < LAYOUT["little"].size:
        raise FormatError("not an ELF file", offset=0)
    fields = LAYOUT["little"].unpack_from(data)
    sections = read_sections(data, Header(fields[6], fields[12], fields[13]))
    code = [section for section in sections if section.executable]
    if len(code) != 1:
        raise FormatError(f"native code in {len(code)} sections, not in one")
    if any(each.type in (SHT_REL, SHT_RELA) and each.info == code[0].index and each.size for each in sections):
        raise FormatError("native code that needs relocation")
    functions = {
        symbol.name: symbol.value
        for symbol in read_symbols(sections)
        if symbol.section == code[0].index and symbol.type == STT_FUNC and symbol.binding == STB_GLOBAL
    }
    return code[0].data, functions
