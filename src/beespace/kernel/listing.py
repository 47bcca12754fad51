"""The code of a loaded program in words: its translated instructions, and the source behind them."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from beespace.btf import Btf
from beespace.isa import disassemble
from beespace.record import dataclass
from beespace.syscall import bpf
from beespace.syscall.descriptor import Fd

__all__ = ["SourceLine", "listing", "source_lines"]

_LINE = struct.Struct("=IIII")  # struct bpf_line_info


@dataclass(frozen=True, slots=True)
class SourceLine:
    """The source of the translated instructions from ``index`` on; ``line`` and ``column`` count from 1."""

    index: int
    file: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text.strip()}"


def source_lines(program: Fd, types: Btf | None) -> tuple[SourceLine, ...]:
    """The lines of a loaded program, whose names are strings of the BTF that it was loaded with."""
    size = bpf.prog_info(program).line_info_rec_size
    if types is None or size < _LINE.size:
        return ()
    data = bpf.prog_line_info(program)
    return tuple(_lines(data, size, types))


def _lines(data: bytes, size: int, types: Btf) -> Iterator[SourceLine]:
    for at in range(0, len(data) - _LINE.size + 1, size):
        index, file, text, place = _LINE.unpack_from(data, at)
        if place >> 10:  # line 0 is code that the compiler made of no line in particular
            yield SourceLine(index, types.string(file), place >> 10, place & 0x3FF, types.string(text))


def listing(code: bytes, lines: Sequence[SourceLine]) -> str:
    """Instructions as the kernel writes them, each line of source before those that it became."""
    starts = {line.index: line for line in lines}
    shown: list[str] = []
    last = ""
    for instruction in disassemble(code):
        index = int(instruction.partition(":")[0])
        if index in starts and str(starts[index]) != last:
            last = str(starts[index])
            shown.append(f"; {last}")
        shown.append(instruction)
    return "\n".join(shown)
