"""The object's BTF, with what LLVM leaves to the loader filled in.

LLVM does not know section sizes and symbol offsets when it writes BTF, so every DATASEC says size 0
and every global is at offset 0.  The ELF symbols know; the kernel wants both right and in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from struct import Struct

from beespace.btf import Btf, Kind, Linkage, Variable
from beespace.btf.kinds import FIXED_WORDS, ITEM_WORDS, record_words
from beespace.elf.externs import KCONFIG, KSYMS
from beespace.elf.relocations import Relocation
from beespace.elf.sections import Section
from beespace.elf.strings import Strings
from beespace.elf.symbols import STT_FUNC, STT_OBJECT, Symbol
from beespace.errors import FormatError

#: magic version flags header-length type-offset type-length string-offset string-length
HEADER = Struct("<HBBIIIII")
MAGIC = 0xEB9F
_WORD = Struct("<I")
_RECORD = Struct("<III")  # name, info, size or type; a VarSecinfo (type, offset, size) is as long
#: Names are at most 511 bytes in the kernel (KSYM_NAME_LEN); file names and source lines may be longer.
MAX_NAME = 511
#: Kinds whose items begin with a name.
_NAMED_ITEMS = frozenset((Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.FUNC_PROTO))


def string_section(data: bytes) -> bytes:
    """The strings of a BTF blob whose header has been checked (by :class:`~beespace.btf.Btf`)."""
    header = HEADER.unpack_from(data)
    start = header[3] + header[6]
    return data[start : start + header[7]]


def types_of(data: bytes) -> bytes:
    """The type section of a BTF blob whose header has been checked."""
    header = HEADER.unpack_from(data)
    start = header[3] + header[4]
    return data[start : start + header[5]]


def join(types: bytes, strings: bytes) -> bytes:
    """A BTF blob of these two sections."""
    header = HEADER.pack(MAGIC, 1, 0, HEADER.size, 0, len(types), len(types), len(strings))
    return header + types + strings


def records(data: bytes | bytearray) -> Iterator[tuple[int, int, int, int]]:
    """``(position, name offset, info, length)`` of each type record, in bytes; the first one is type 1."""
    header = HEADER.unpack_from(data)
    position = header[3] + header[4]
    end = position + header[5]
    while position < end:
        name, info, _ = _RECORD.unpack_from(data, position)
        length = record_words(info) * 4
        yield position, name, info, length
        position += length


def fix_up(
    section: Section, sections: Sequence[Section], symbols: Sequence[Symbol], relocations: Sequence[Relocation]
) -> bytes:
    """The bytes of ``section`` (``.BTF``) with DATASEC sizes, offsets of variables and linkage as they are.

    Static variables that clang has moved elsewhere (strings, into ``.rodata.str1.1``) leave the DATASEC
    that still lists them; only ``relocations``, those of ``.BTF``, tell.  Symbols hidden from other objects
    become static, as in libbpf: the verifier then follows calls of such a function instead of checking it
    on its own.  Raises FormatError for damaged BTF, and for a variable that has no symbol.
    """
    data = bytearray(section.data)
    if data[:2] != _WORD.pack(MAGIC)[:2]:
        raise FormatError(".BTF does not begin with its magic number in little-endian order", offset=section.offset)
    btf = Btf(section.data)
    text = string_section(section.data)
    _check_names(data, text, section.offset)
    strings = Strings(text, "the BTF strings", section.offset)
    by_name = {other.name: other for other in reversed(sections)}
    defined = [symbol for symbol in symbols if symbol.section and symbol.type in (STT_FUNC, STT_OBJECT)]
    exported = {symbol.name: symbol for symbol in defined if symbol.binding}
    positions = [0]
    sections_of_data: list[tuple[int, str, int]] = []
    for position, name_offset, info, _ in records(data):
        positions.append(position)
        kind = info >> 24 & 0x1F
        if kind == Kind.FUNC and info & 0xFFFF == Linkage.GLOBAL:
            symbol = exported.get(strings.at(name_offset))
            if symbol is not None and not symbol.exported:
                _WORD.pack_into(data, position + 4, info & ~0xFFFF | Linkage.STATIC)
        elif kind == Kind.DATASEC:
            sections_of_data.append((position, strings.at(name_offset), info & 0xFFFF))
    homes = {row.offset: symbols[row.symbol].section for row in relocations}
    changes: list[tuple[int, int, bytes]] = []
    for position, name, count in sections_of_data:
        start = position + _RECORD.size
        rows = list(_RECORD.iter_unpack(data[start : start + _RECORD.size * count]))
        name_offset, info, size = _RECORD.unpack_from(data, position)
        if name == KCONFIG:
            size, rows = _lay_out(btf, rows)
        elif name in by_name:
            home = by_name[name]
            size = home.size
            if size > 0xFFFF_FFFF:
                raise FormatError(f"section {name!r} of {size} bytes is too big", offset=section.offset + position)
            placed = (_placed(data, positions, strings, row, exported, home, section.offset) for row in rows)
            there = (homes.get(start + _RECORD.size * number + 4, home.index) for number in range(count))
            rows = [row for row, index in zip(placed, there, strict=True) if index == home.index]
            rows.sort(key=lambda row: row[1])
            for type_id, offset, length in rows:
                if offset + length > size:
                    raise FormatError(f"BTF: variable {type_id} ends beyond {name!r}", offset=section.offset + position)
        elif name != KSYMS and size == 0:
            rows = []
        else:
            continue
        if rows:
            head = name_offset, info & ~0xFFFF | len(rows), size
        else:  # the kernel refuses an empty DATASEC; its id has to stay, so it becomes an empty struct
            head = 0, Kind.STRUCT << 24, 0
        new = b"".join(_RECORD.pack(*row) for row in (head, *rows))
        changes.append((position, _RECORD.size * (count + 1), new))
    return _changed(data, changes)


def _changed(data: bytearray, changes: Sequence[tuple[int, int, bytes]]) -> bytes:
    """The blob with ``length`` bytes at each ``position`` exchanged for others, which may be fewer."""
    if all(len(new) == length for _, length, new in changes):
        for position, length, new in changes:
            data[position : position + length] = new
        return bytes(data)
    pieces: list[bytes | bytearray] = []
    header = HEADER.unpack_from(data)
    at = header[3] + header[4]
    end = at + header[5]
    for position, length, new in changes:
        pieces += [data[at:position], new]
        at = position + length
    return join(b"".join((*pieces, data[at:end])), string_section(bytes(data)))


def _placed(
    data: bytearray,
    positions: Sequence[int],
    strings: Strings,
    row: tuple[int, ...],
    exported: Mapping[str, Symbol],
    section: Section,
    base: int,
) -> tuple[int, ...]:
    """A ``struct btf_var_secinfo`` with the offset that its symbol has."""
    type_id, _, size = row
    if not 0 < type_id < len(positions):
        raise FormatError(f"BTF: {section.name!r} has a variable of type {type_id}, which there is not", offset=base)
    position = positions[type_id]
    name_offset, info, _ = _RECORD.unpack_from(data, position)
    if info >> 24 & 0x1F != Kind.VAR:
        raise FormatError(f"BTF: type {type_id} in {section.name!r} is no variable", offset=base + position)
    (linkage,) = _WORD.unpack_from(data, position + 12)
    if linkage == Linkage.STATIC:  # relocated against the section, so its offset is in place
        return row
    name = strings.at(name_offset)
    symbol = exported.get(name)
    if linkage == Linkage.EXTERN:
        what = "map" if section.name == ".maps" else "variable"
        raise FormatError(
            f"{what} {name!r} is declared extern: it is in another object",
            offset=base + position,
            help="link the objects first: bpftool gen object",
        )
    if symbol is None or symbol.section != section.index:
        raise FormatError(
            f"BTF has a variable {name!r} in {section.name!r}, the symbol table has not", offset=base + position
        )
    if not symbol.exported and section.name != ".maps":  # a static map would be none to libbpf
        _WORD.pack_into(data, position + 12, Linkage.STATIC)
    return type_id, symbol.value, size


def _lay_out(btf: Btf, rows: Sequence[tuple[int, ...]]) -> tuple[int, list[tuple[int, ...]]]:
    """Places the variables of ``.kconfig``, which no ELF section has placed, as libbpf does: the widest first."""
    end = 0
    placed: list[tuple[int, ...]] = []
    order: list[tuple[int, int, str, int]] = []
    for type_id, _, size in rows:
        if not isinstance(btf.type(type_id), Variable):
            raise FormatError(f"BTF: type {type_id} in .kconfig is no variable")
        try:
            order.append((-btf.align(type_id), size, btf.name(type_id), type_id))
        except TypeError as error:
            raise FormatError(f"BTF: a variable in .kconfig: {error}") from None
    for align, size, _, type_id in sorted(order):
        offset = -(-end // -align) * -align
        placed.append((type_id, offset, size))
        end = offset + size
    if end > 1 << 16:
        raise FormatError(f"BTF: .kconfig of {end} bytes")
    return end, placed


def _check_names(data: bytearray, strings: bytes, base: int) -> None:
    """Refuses names that the kernel refuses too.

    Thousands of names may point into one long string, each a little further on; decoded, they would take
    memory quadratic in the file size.
    """
    if max(map(len, strings.split(b"\0"))) <= MAX_NAME:
        return
    for position, name, info, length in records(data):
        kind = info >> 24 & 0x1F
        offsets = [name]
        if kind in _NAMED_ITEMS:
            start, step = position + 4 * FIXED_WORDS[kind], 4 * ITEM_WORDS[kind]
            offsets += [_WORD.unpack_from(data, at)[0] for at in range(start, position + length, step)]
        for offset in offsets:
            if strings.find(b"\0", offset, offset + MAX_NAME + 1) < 0:
                raise FormatError(f"BTF: a name at {offset:#x} of more than {MAX_NAME} bytes", offset=base + position)
