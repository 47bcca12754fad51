"""Tables of jump targets (``.jumptables``), which clang makes of a ``switch`` for CPU version 4."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from beespace.elf.functions import Function
from beespace.elf.relocations import Relocation
from beespace.elf.sections import Section
from beespace.elf.symbols import Symbol
from beespace.errors import FormatError
from beespace.isa import ByteOrder
from beespace.record import dataclass
from beespace.spec import JumpTable

__all__ = ["JUMP_TABLES", "JumpTables", "find_jump_tables"]

JUMP_TABLES = ".jumptables"
_ENTRY = {"little": Struct("<Q"), "big": Struct(">Q")}


@dataclass(frozen=True, slots=True)
class JumpTables:
    """The section and how its numbers are written; ``section`` ``None``: there is none."""

    section: Section | None
    byteorder: ByteOrder

    @property
    def index(self) -> int:
        """The section's number; -1 if there is none."""
        return -1 if self.section is None else self.section.index

    def read(self, symbol: Symbol, relocation: Relocation, function: Function) -> JumpTable:
        """The table that ``symbol`` is, as a table of ``function``.

        In the file, targets are byte offsets from the start of the function's section.
        """
        section = self.section
        assert section is not None
        entry = _ENTRY[self.byteorder]
        start, end = symbol.value, symbol.value + symbol.size
        if not symbol.name or start % entry.size or symbol.size % entry.size or not start < end <= section.size:
            raise FormatError(
                f"{function.name} jumps by a table of {symbol.size} bytes at {start:#x} of {JUMP_TABLES!r}",
                offset=relocation.where,
            )
        targets: list[int] = []
        for (target,) in entry.iter_unpack(section.data[start:end]):
            if target % 8 or target >= 1 << 34:  # whether it is in the function is the verifier's to say
                raise FormatError(
                    f"table {symbol.name} of {function.name} leads to {target:#x}, which is no instruction",
                    offset=section.offset + start + len(targets) * entry.size,
                )
            targets.append((target - function.start) // 8)
        return JumpTable(symbol.name, tuple(targets))


def find_jump_tables(sections: Sequence[Section], byteorder: ByteOrder) -> JumpTables:
    """The section of an object."""
    return JumpTables(next((s for s in sections if s.name == JUMP_TABLES and s.size and s.data), None), byteorder)
