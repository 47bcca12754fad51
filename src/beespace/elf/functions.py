"""Functions: which bytes of an executable section are which function's."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from beespace.elf.sections import Section
from beespace.elf.symbols import STB_LOCAL, STT_FUNC, Symbol
from beespace.errors import FormatError
from beespace.record import dataclass


@dataclass(frozen=True, slots=True)
class Function:
    """``size`` bytes of code at offset ``start`` of section ``section``.

    ``name`` has a number behind it if several static functions (of files linked into one object)
    share a name; ``exported`` tells whether other objects may see it.
    """

    name: str
    section: int
    start: int
    size: int
    exported: bool
    program: bool

    @property
    def end(self) -> int:
        """Offset after the last byte."""
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class Functions:
    """All functions of an object, by section in the order of their offsets."""

    by_section: Mapping[int, Sequence[Function]]
    programs: frozenset[str]

    def __iter__(self) -> Iterator[Function]:
        for functions in self.by_section.values():
            yield from functions

    def containing(self, section: int, offset: int) -> Function | None:
        """The function whose code has the byte at ``offset``."""
        functions = self.by_section.get(section, ())
        at = bisect_right(functions, offset, key=lambda function: function.start) - 1
        return functions[at] if at >= 0 and offset < functions[at].end else None

    def starting_at(self, section: int, offset: int) -> str | None:
        """The name of the function whose first instruction is at ``offset``."""
        function = self.containing(section, offset)
        return function.name if function is not None and function.start == offset else None


def find_functions(sections: Sequence[Section], symbols: Sequence[Symbol]) -> Functions:
    """Cuts the executable sections into functions at their symbols.

    A program is an exported function in a section other than ``.text``; every other function is a
    sub-program.  Linkers leave the code of weak functions that were overridden behind, without a symbol; it
    is nobody's.  Raises FormatError if functions overlap, are empty or no whole number of instructions.
    """
    found: dict[int, list[Symbol]] = defaultdict(list)
    for symbol in symbols:
        if symbol.type == STT_FUNC and symbol.section < len(sections) and sections[symbol.section].executable:
            found[symbol.section].append(symbol)
    by_section: dict[int, tuple[Function, ...]] = {}
    # Names of exported functions are unique in an object; static ones have to make way.
    taken: set[str] = set()
    for symbol in (symbol for group in found.values() for symbol in group if symbol.binding != STB_LOCAL):
        if symbol.name in taken:
            where = sections[symbol.section].offset + symbol.value
            raise FormatError(f"two functions are called {symbol.name!r}", offset=where)
        taken.add(symbol.name)
    repeated: Counter[str] = Counter()
    programs: set[str] = set()
    for index in sorted(found):
        section = sections[index]
        group = sorted(found[index], key=lambda symbol: symbol.value)
        functions = []
        for symbol, next_start in zip(group, [*(symbol.value for symbol in group[1:]), section.size], strict=True):
            size = symbol.size or next_start - symbol.value  # hand-written assembly without .size has 0
            _check(section, symbol, size, next_start)
            local = symbol.binding == STB_LOCAL
            name = symbol.name
            while local and name in taken:
                repeated[symbol.name] += 1
                name = f"{symbol.name}.{repeated[symbol.name]}"
            taken.add(name)
            program = section.name != ".text" and not local
            if program:
                programs.add(name)
            functions.append(Function(name, index, symbol.value, size, symbol.exported, program))
        by_section[index] = tuple(functions)
    for section in sections:
        if section.executable and section.index not in by_section:
            raise FormatError(
                f"section {section.name!r} has code but no function",
                offset=section.offset,
                help="give it a symbol: `.type NAME, @function` in assembly",
            )
    return Functions(by_section, frozenset(programs))


def _check(section: Section, symbol: Symbol, size: int, next_start: int) -> None:
    where = section.offset + min(symbol.value, section.size)
    if not symbol.name:
        raise FormatError(f"a function without a name in {section.name!r}", offset=where)
    if size == 0 or size % 8 or symbol.value % 8:
        raise FormatError(
            f"function {symbol.name!r} is {size} bytes at {symbol.value:#x}: not whole instructions", offset=where
        )
    if symbol.value + size > section.size:
        raise FormatError(f"function {symbol.name!r} ends beyond section {section.name!r}", offset=where)
    if symbol.value + size > next_start:
        raise FormatError(f"function {symbol.name!r} overlaps the next one in {section.name!r}", offset=where)
