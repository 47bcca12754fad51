"""``.BTF.ext``: function types, source lines and CO-RE relocations, by instruction.

Records are grouped by section and count bytes from its start; here they are handed out to functions
and count instructions from theirs.  Layout: ``struct btf_ext_header`` (tools/lib/bpf/btf.h) and
``struct bpf_func_info``, ``bpf_line_info``, ``bpf_core_relo`` (include/uapi/linux/bpf.h).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from struct import Struct

from beespace.elf.functions import Functions
from beespace.elf.sections import Section
from beespace.elf.strings import Strings, StringTable
from beespace.errors import FormatError
from beespace.record import dataclass, field
from beespace.spec import CoreReloc, FunctionInfo, FunctionSpec, LineInfo

#: magic version flags header-length, then offset and length of functions, lines, CO-RE relocations
HEADER = Struct("<HBBI6I")
MAGIC = 0xEB9F
_SHORT_HEADER = 24  # before CO-RE there were two tables
_SECTION = Struct("<II")  # name, number of records
_SIZE = Struct("<I")
_FUNCTION = Struct("<II")  # byte offset, type
_QUAD = Struct("<IIII")  # of a line: offset, file, text, line << 10 | column; of CO-RE: offset, type, access, kind
_COLUMN_BITS = 10


@dataclass(slots=True)
class Info:
    """What ``.BTF.ext`` knows of one function."""

    functions: list[FunctionInfo] = field(default_factory=list)
    lines: list[LineInfo] = field(default_factory=list)
    core: list[CoreReloc] = field(default_factory=list)


def read_info(
    section: Section, strings: Strings, sections: Sequence[Section], functions: Functions
) -> Mapping[str, Info]:
    """Everything by function name.  ``strings`` are those of ``.BTF``."""
    data, base = section.data, section.offset
    if len(data) < _SHORT_HEADER:
        raise FormatError(f"truncated: {len(data)} bytes cannot hold a .BTF.ext header", offset=base)
    header = HEADER.unpack(data[: HEADER.size].ljust(HEADER.size, b"\0"))
    magic, version, _flags, length = header[:4]
    if magic != MAGIC or version != 1 or not _SHORT_HEADER <= length <= len(data):
        raise FormatError(f".BTF.ext has magic {magic:#x}, version {version}, header of {length} bytes", offset=base)
    found: dict[str, Info] = defaultdict(Info)
    by_name = {other.name: other.index for other in reversed(sections) if other.executable}

    def line(index: int, row: tuple[int, ...], info: Info) -> None:
        _, file, text, packed = row
        position = packed >> _COLUMN_BITS, packed & (1 << _COLUMN_BITS) - 1
        info.lines.append(LineInfo(index, strings.at(file), strings.at(text), *position, file, text))

    def core(index: int, row: tuple[int, ...], info: Info) -> None:
        info.core.append(CoreReloc(index, row[1], strings.at(row[2]), row[3]))

    def function(index: int, row: tuple[int, ...], info: Info) -> None:
        info.functions.append(FunctionInfo(index, row[1]))

    tables: Sequence[tuple[str, Struct, Callable[[int, tuple[int, ...], Info], None]]] = (
        ("function", _FUNCTION, function),
        ("line", _QUAD, line),
        ("CO-RE", _QUAD, core),
    )
    for number, (what, layout, add) in enumerate(tables):
        start, size = header[4 + 2 * number : 6 + 2 * number] if 16 + 8 * number <= length else (0, 0)
        if start + size > len(data) - length:
            raise FormatError(f"the {what} records of .BTF.ext end beyond it", offset=base + 8 + 8 * number)
        table = data[length + start : length + start + size]
        for name, row, where in _rows(table, layout, what, base + length + start):
            index = by_name.get(strings.at(name))
            owner = functions.containing(index, row[0]) if index is not None else None
            if owner is None and index is not None and row[0] < sections[index].size:
                continue  # code of an overridden weak function
            if owner is None or row[0] % 8:
                raise FormatError(
                    f"a {what} record for {row[0]:#x} of {strings.at(name)!r}, where there is no instruction",
                    offset=where,
                )
            add((row[0] - owner.start) // 8, row, found[owner.name])
    return found


def _rows(table: bytes, layout: Struct, what: str, base: int) -> Iterator[tuple[int, tuple[int, ...], int]]:
    """``(section name, record, file offset)`` of each record of one table."""
    if not table:
        return
    step = _SIZE.unpack(table[:4].ljust(4, b"\0"))[0]
    if step < layout.size or step % 4:
        raise FormatError(f"{what} records of {step} bytes; they have {layout.size}", offset=base)
    position = 4
    while position < len(table):
        if position + _SECTION.size > len(table):
            raise FormatError(f"truncated: the {what} records of .BTF.ext", offset=base + position)
        name, count = _SECTION.unpack_from(table, position)
        position += _SECTION.size
        if count * step > len(table) - position:
            raise FormatError(f"truncated: {count} {what} records do not fit .BTF.ext", offset=base + position)
        for _ in range(count):
            yield name, layout.unpack_from(table, position), base + position
            position += step


def write_info(placed: Sequence[tuple[str, int, FunctionSpec]], strings: StringTable) -> bytes:
    """``.BTF.ext`` for functions at ``(section, byte offset)``; empty if none of them has a record.

    ``strings`` are those of ``.BTF``; what is missing there is added.
    """

    def text_at(offset: int, text: str) -> int:
        return offset if strings.holds(offset, text) else strings.add(text)

    def functions(spec: FunctionSpec, base: int) -> Iterator[bytes]:
        for info in spec.functions:
            yield _FUNCTION.pack(base + info.index * 8, info.type_id)

    def lines(spec: FunctionSpec, base: int) -> Iterator[bytes]:
        for info in spec.lines:
            packed = info.line << _COLUMN_BITS | info.column
            file, text = text_at(info.file_offset, info.file), text_at(info.text_offset, info.text)
            yield _QUAD.pack(base + info.index * 8, file, text, packed & 0xFFFF_FFFF)

    def core(spec: FunctionSpec, base: int) -> Iterator[bytes]:
        for info in spec.core:
            yield _QUAD.pack(base + info.index * 8, info.type_id, strings.add(info.access), info.kind)

    tables = []
    for layout, rows_of in ((_FUNCTION, functions), (_QUAD, lines), (_QUAD, core)):
        by_section: dict[str, list[bytes]] = defaultdict(list)
        for section, base, spec in placed:
            by_section[section] += rows_of(spec, base)
        groups = [
            _SECTION.pack(strings.add(name), len(rows)) + b"".join(rows) for name, rows in by_section.items() if rows
        ]
        tables.append(_SIZE.pack(layout.size) + b"".join(groups) if groups else b"")
    if not any(tables):
        return b""
    extents, start = [], 0
    for table in tables:
        extents += [start, len(table)]
        start += len(table)
    return HEADER.pack(MAGIC, 1, 0, HEADER.size, *extents) + b"".join(tables)
