"""``Image``: one program with the sub-programs that it reaches, as a single run of instructions.

The kernel takes a program and its sub-programs as one array.  Here they are put one after the other,
calls among them get their distances, and function and line records move with them.  What depends on
the running machine (map descriptors, kernel symbols) stays open in ``symbols``.  Pure.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache

from beespace.btf import Btf, DeclTag, Kind
from beespace.errors import FormatError
from beespace.record import dataclass, replace
from beespace.spec import FunctionSpec, LineInfo, ObjectSpec, SymbolKind, SymbolReloc

__all__ = ["Image", "Placed", "assemble", "exception_callbacks", "set_source_register", "write_immediate"]

_LOCAL = {SymbolKind.CALL, SymbolKind.FUNCTION}
# The source register says what an immediate means (include/uapi/linux/bpf.h).
_PSEUDO = {SymbolKind.CALL: 1, SymbolKind.FUNCTION: 4}  # BPF_PSEUDO_CALL, BPF_PSEUDO_FUNC
_MAX_COLUMN = (1 << 10) - 1
_CALLBACK = "exception_callback:"  # __exception_cb(name) of a program: where bpf_throw() goes (Linux 6.7)


@dataclass(frozen=True, slots=True)
class Placed:
    """A function and the instruction it starts at."""

    start: int
    function: FunctionSpec


@dataclass(frozen=True, slots=True)
class Image:
    """The whole program.  Indices count instructions from its start.

    ``func_info`` and ``line_info`` are packed ``struct bpf_func_info`` and ``bpf_line_info``; each is
    empty unless all functions have theirs, as the kernel wants it.
    """

    name: str
    code: bytes
    placed: tuple[Placed, ...]
    symbols: tuple[SymbolReloc, ...]
    lines: tuple[LineInfo, ...]
    func_info: bytes
    line_info: bytes

    def locate(self, index: int) -> tuple[FunctionSpec, int]:
        """The function that instruction ``index`` belongs to, and its index there."""
        position = bisect_right(self.placed, index, key=lambda placed: placed.start) - 1
        found = self.placed[max(position, 0)]
        return found.function, index - found.start

    def source(self, index: int) -> str | None:
        """``file:line: text`` of instruction ``index``, if the object says so."""
        position = bisect_right(self.lines, index, key=lambda line: line.index) - 1
        if position < 0 or self.lines[position].index < index - self.locate(index)[1]:
            return None
        line = self.lines[position]
        return f"{line.file}:{line.line}: {line.text.strip()}"


def assemble(spec: ObjectSpec, entry: FunctionSpec) -> Image:
    """Put ``entry`` and everything it calls together, and what it names as its exception callback.

    :class:`FormatError` names a sub-program that is missing.
    """
    placed = _place(spec, entry)
    starts = {each.function.name: each.start for each in placed}
    code = bytearray().join(each.function.code for each in placed)
    symbols: list[SymbolReloc] = []
    for each in placed:
        for symbol in each.function.symbols:
            moved = replace(symbol, index=symbol.index + each.start)
            if symbol.kind in _LOCAL:
                # Distances count from the instruction after the reference.
                write_immediate(code, moved.index, starts[symbol.symbol] - moved.index - 1)
                set_source_register(code, moved.index, _PSEUDO[symbol.kind])
            else:
                symbols.append(moved)
    lines = tuple(line for each in placed for line in _lines(each))
    have_lines = all(_lines(each) for each in placed)
    return Image(
        entry.name, bytes(code), tuple(placed), tuple(symbols), lines, _func_info(placed),
        b"".join(_pack_line(line) for line in lines) if have_lines else b"",
    )  # fmt: skip


def _place(spec: ObjectSpec, entry: FunctionSpec) -> list[Placed]:
    placed: list[Placed] = []
    seen = {entry.name}
    waiting = [entry]
    callbacks = exception_callbacks(spec.btf)
    start = 0
    while waiting:
        function = waiting.pop(0)
        placed.append(Placed(start, function))
        start += len(function.code) // 8
        called = list(function.calls)
        if function is entry and entry.name in callbacks:
            called.append(callbacks[entry.name])
        for name in called:
            if name in seen:
                continue
            if name not in spec.subprograms:
                raise FormatError(f"{spec.name}: {function.name} calls {name!r}, which the object does not hold")
            seen.add(name)
            waiting.append(spec.subprograms[name])
    return placed


@lru_cache(maxsize=1)
def exception_callbacks(btf: bytes) -> Mapping[str, str]:
    """For each function that names one, its exception callback: a declaration tag of the function says it."""
    if _CALLBACK.encode() not in btf:
        return {}
    types = Btf(btf)
    found: dict[str, str] = {}
    for number in types.ids(Kind.DECL_TAG):
        tag = types.type(number)
        if isinstance(tag, DeclTag) and tag.component < 0 and tag.name.startswith(_CALLBACK):
            function = types.name(tag.type)
            # Of two the kernel says what is wrong with them, if it gets neither.
            found[function] = "" if function in found else tag.name.removeprefix(_CALLBACK)
    return {function: callback for function, callback in found.items() if callback}


def _func_info(placed: list[Placed]) -> bytes:
    if not all(any(info.index == 0 for info in each.function.functions) for each in placed):
        return b""
    return b"".join(
        struct.pack("=II", each.start + info.index, info.type_id)
        for each in placed
        for info in sorted(each.function.functions, key=lambda info: info.index)
    )


def _lines(placed: Placed) -> list[LineInfo]:
    """The function's lines at their new place: one an instruction, in order, the first at its start."""
    lines: dict[int, LineInfo] = {}
    for line in sorted(placed.function.lines, key=lambda line: line.index):
        index = line.index if lines else 0
        lines.setdefault(index, replace(line, index=index + placed.start))
    return list(lines.values())


def _pack_line(line: LineInfo) -> bytes:
    position = line.line << 10 | min(line.column, _MAX_COLUMN)
    return struct.pack("=IIII", line.index, line.file_offset, line.text_offset, position)


def write_immediate(code: bytearray, index: int, value: int) -> None:
    """Set the 32-bit immediate of instruction ``index``; ``value`` may be signed or unsigned."""
    struct.pack_into("=I", code, 8 * index + 4, value & 0xFFFFFFFF)


def set_source_register(code: bytearray, index: int, register: int) -> None:
    """Set the source register of instruction ``index`` (the high half of its second byte, little endian)."""
    code[8 * index + 1] = code[8 * index + 1] & 0x0F | register << 4
