"""``Binary``: what probes need of an ELF file of user programs: functions, their places in the file, notes.

Programs, shared libraries and objects of 32 and 64 bits, of either byte order (System V ABI, chapter 4).  Nothing is
read before it is asked for, and everything that the file says is checked against its size: a file that is cut or
hostile is a :class:`FormatError` with the offset.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping

from beespace.errors import FormatError, UsageError
from beespace.syscall import Descriptor
from beespace.typed import NamedTuple, Self

__all__ = ["Binary", "Function", "Section", "Segment"]

_ELF = b"\x7fELF"
_SHT_SYMTAB, _SHT_STRTAB, _SHT_NOBITS, _SHT_DYNSYM = 2, 3, 8, 11
_SHT_VERDEF, _SHT_VERSYM = 0x6FFFFFFD, 0x6FFFFFFF
_PT_LOAD, _PF_X = 1, 1
_STT_NOTYPE, _STT_OBJECT, _STT_FUNC, _STT_GNU_IFUNC = 0, 1, 2, 10
_VERSION_HIDDEN = 0x8000
_DEBUG = "/usr/lib/debug/.build-id"


class _Format(NamedTuple):
    """The tables of one ELF class as :mod:`struct` formats, without byte order; ``symbol`` is name, info, section,
    address, size by their place in the unpacked tuple."""

    header: str
    section: str
    segment: str
    symbol: str
    symbol_order: tuple[int, int, int, int, int]
    segment_order: tuple[int, int, int, int, int, int]  # type, flags, offset, address, file size, memory size


_FORMATS: Mapping[int, _Format] = {
    1: _Format("16sHHIIIIIHHHHHH", "IIIIIIIIII", "IIIIIIII", "IIIBBH", (0, 3, 5, 1, 2), (0, 6, 1, 2, 4, 5)),
    2: _Format("16sHHIQQQIHHHHHH", "IIQQQQIIQQ", "IIQQQQQQ", "IBBHQQ", (0, 1, 3, 4, 5), (0, 1, 2, 3, 5, 6)),
}


class Section(NamedTuple):
    """One entry of the section table."""

    name: str
    type: int
    address: int
    offset: int
    size: int
    link: int
    info: int


class Segment(NamedTuple):
    """One entry of the program header table."""

    type: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int


class Function(NamedTuple):
    """A function symbol.  ``rank``: 0 is local, 1 weak, 2 global; ``default``: of its versions, who links gets this."""

    name: str
    version: str
    address: int
    size: int
    rank: int
    indirect: bool
    default: bool


_RANKS = {0: 0, 2: 1, 1: 2, 10: 2}  # STB_LOCAL, STB_WEAK, STB_GLOBAL, STB_GNU_UNIQUE


class Binary:
    """An open ELF file.  ``path`` is what it was opened by; a context manager."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        try:
            self._file = Descriptor(os.open(self.path, os.O_RDONLY | os.O_CLOEXEC), "binary")
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read: {os.strerror(error.errno or 0)}") from None
        try:
            self._size = os.fstat(self._file.fileno()).st_size
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        magic = self.read(0, min(16, self._size))
        if magic[:4] != _ELF or len(magic) < 16:
            archive = magic[:4] == b"PK\x03\x04"
            raise UsageError(
                f"{self.path} is no ELF file{', but an archive' if archive else ''}",
                help="unpack the library, and name the file" if archive else "name a program or a shared library",
            )
        formats = _FORMATS.get(magic[4])
        if formats is None or magic[5] not in (1, 2):
            raise FormatError(f"{self.path}: this ELF class or byte order does not exist", offset=4)
        self._formats = formats
        self._order = "<" if magic[5] == 1 else ">"
        self.bits = 32 * magic[4]
        self.byteorder = "little" if magic[5] == 1 else "big"
        (_, self.type, self.machine, _, _, self._phoff, self._shoff, _, _, self._phentsize, self._phnum,
         self._shentsize, self._shnum, self._shstrndx) = self.unpack(formats.header, 0)  # fmt: skip
        self._sections: tuple[Section, ...] | None = None
        self._segments: tuple[Segment, ...] | None = None

    # -- bytes -----------------------------------------------------------------------------------------------------

    def read(self, offset: int, size: int) -> bytes:
        """``size`` bytes at ``offset`` of the file."""
        if offset < 0 or size < 0 or offset + size > self._size:
            raise FormatError(f"{self.path} ends before {size} bytes", offset=offset)
        data = os.pread(self._file.fileno(), size, offset)
        while len(data) < size:
            more = os.pread(self._file.fileno(), size - len(data), offset + len(data))
            if not more:
                raise FormatError(f"{self.path} became shorter while it was read", offset=offset + len(data))
            data += more
        return data

    def unpack(self, format: str, offset: int) -> tuple[int, ...]:
        """Numbers of a :mod:`struct` format at ``offset``, in the byte order of the file."""
        layout = struct.Struct(self._order + format)
        return layout.unpack(self.read(offset, layout.size))

    def content(self, section: Section) -> bytes:
        """The bytes of a section; empty if it has none in the file."""
        return b"" if section.type == _SHT_NOBITS else self.read(section.offset, section.size)

    def _table(self, format: str, offset: int, count: int, entry: int) -> Iterator[tuple[int, ...]]:
        layout = struct.Struct(self._order + format)
        if count and entry < layout.size:
            raise FormatError(f"{self.path}: entries of {entry} bytes are too short", offset=offset)
        data = self.read(offset, count * entry)
        for index in range(count):
            yield layout.unpack_from(data, index * entry)

    # -- tables ----------------------------------------------------------------------------------------------------

    @property
    def sections(self) -> tuple[Section, ...]:
        """The section table; empty in files that were stripped of it."""
        if self._sections is None:
            self._sections = tuple(self._read_sections()) if self._shoff else ()
        return self._sections

    def _read_sections(self) -> Iterator[Section]:
        count, names = self._shnum, self._shstrndx
        if not count or names == 0xFFFF:  # more than fit: the first entry has the numbers
            first = next(self._table(self._formats.section, self._shoff, 1, self._shentsize))
            count, names = count or first[5], first[6] if names == 0xFFFF else names
        entries = list(self._table(self._formats.section, self._shoff, count, self._shentsize))
        texts = self.read(entries[names][4], entries[names][5]) if names < len(entries) else b""
        for name, type, _, address, offset, size, link, info, _, _ in entries:
            yield Section(_text(texts, name), type, address, offset, size, link, info)

    def section(self, name: str) -> Section | None:
        """The section of that name."""
        return next((section for section in self.sections if section.name == name), None)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The program headers: which part of the file lies where in memory."""
        if self._segments is None:
            order = self._formats.segment_order
            entries = self._table(self._formats.segment, self._phoff, self._phnum, self._phentsize)
            self._segments = tuple(Segment(*(entry[place] for place in order)) for entry in entries)
        return self._segments

    def file_offset(self, address: int, *, executable: bool = True) -> int:
        """Where ``address`` (of a symbol) lies in the file.  :class:`FormatError` if nothing of it is loaded there."""
        for segment in self.segments:
            if segment.type != _PT_LOAD or (executable and not segment.flags & _PF_X):
                continue
            if segment.address <= address < segment.address + segment.memory_size:
                return address - segment.address + segment.offset
        kind = "code" if executable else "data"
        raise FormatError(f"{self.path}: address {address:#x} is in no {kind} that is loaded from the file")

    # -- functions -------------------------------------------------------------------------------------------------

    def functions(self, name: str | None = None) -> Iterator[Function]:
        """Function symbols that have code here, those of the dynamic table first, or those of one ``name`` alone."""
        return self._symbols(name, (_STT_FUNC, _STT_GNU_IFUNC))

    def variable(self, name: str) -> int | None:
        """The address of the variable ``name``; ``None`` if there is none, or several."""
        addresses = {symbol.address for symbol in self._symbols(name, (_STT_OBJECT, _STT_NOTYPE))}
        return addresses.pop() if len(addresses) == 1 else None

    def _symbols(self, name: str | None, types: tuple[int, ...]) -> Iterator[Function]:
        for type in (_SHT_DYNSYM, _SHT_SYMTAB):  # of each a file has one at most
            table = next((section for section in self.sections if section.type == type), None)
            if table is not None:
                yield from self._of_table(table, name, types)

    def _of_table(self, table: Section, wanted: str | None, types: tuple[int, ...]) -> Iterator[Function]:
        if table.link >= len(self.sections):
            raise FormatError(f"{self.path}: symbol table {table.name} names no string table", offset=table.offset)
        texts = self.content(self.sections[table.link])
        layout = struct.Struct(self._order + self._formats.symbol)
        at_name, at_info, at_section, at_address, at_size = self._formats.symbol_order
        places = None if wanted is None else _places(texts, wanted)
        if places is not None and not places:
            return
        data = self.content(table)
        versions = self._versions() if table.type == _SHT_DYNSYM else None
        for index, symbol in enumerate(layout.iter_unpack(data[: len(data) // layout.size * layout.size])):
            type = symbol[at_info] & 15
            if type not in types or not symbol[at_section]:
                continue
            if places is not None and symbol[at_name] not in places:
                continue
            version, default = versions(index) if versions else ("", True)
            yield Function(
                _text(texts, symbol[at_name]), version, symbol[at_address], symbol[at_size],
                _RANKS.get(symbol[at_info] >> 4, 0), type == _STT_GNU_IFUNC, default,
            )  # fmt: skip

    def _versions(self) -> _Versions | None:
        table = next((section for section in self.sections if section.type == _SHT_VERSYM), None)
        defined = next((section for section in self.sections if section.type == _SHT_VERDEF), None)
        if table is None or defined is None or defined.link >= len(self.sections):
            return None
        content = self.content(table)
        numbers = struct.unpack(f"{self._order}{len(content) // 2}H", content[: len(content) // 2 * 2])
        return _Versions(numbers, self._version_names(defined))

    def _version_names(self, section: Section) -> dict[int, str]:
        """Version number -> name, from ``Elf64_Verdef`` records, each with the name in its first ``Verdaux``."""
        texts = self.content(self.sections[section.link])
        names: dict[int, str] = {}
        at = section.offset
        for _ in range(min(section.info, section.size // 20)):
            _, _, number, _, _, auxiliary, following = self.unpack("HHHHIII", at)
            names[number] = _text(texts, self.unpack("II", at + auxiliary)[0])
            if not following:
                break
            at += following
        return names

    def debug_file(self) -> str | None:
        """The file that holds the symbols which this one was stripped of, by its build id, if it is installed."""
        section = self.section(".note.gnu.build-id")
        if section is None or section.size < 16:
            return None
        build = self.content(section)[16:].hex()
        path = f"{_DEBUG}/{build[:2]}/{build[2:]}.debug"
        return path if os.path.isfile(path) else None

    def close(self) -> None:
        """Close the file.  Calling it again does nothing."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Versions:
    """Symbol index -> name of its version, and whether it is the default one."""

    def __init__(self, numbers: tuple[int, ...], names: Mapping[int, str]) -> None:
        self._numbers, self._names = numbers, names

    def __call__(self, index: int) -> tuple[str, bool]:
        number = self._numbers[index] if index < len(self._numbers) else 0
        if number & ~_VERSION_HIDDEN < 2:  # local, or without version
            return "", True
        return self._names.get(number & ~_VERSION_HIDDEN, ""), not number & _VERSION_HIDDEN


def _text(texts: bytes, offset: int) -> str:
    """The string at ``offset`` of a string table; empty behind its end."""
    end = texts.find(b"\0", offset)
    return texts[offset : end if end >= 0 else len(texts)].decode("utf-8", "surrogateescape")


def _places(texts: bytes, name: str) -> frozenset[int]:
    """The offsets in a string table at which ``name`` can be read: linkers let names share their ends."""
    encoded = name.encode("utf-8", "surrogateescape") + b"\0"
    found: list[int] = []
    at = texts.find(encoded)
    while at >= 0:
        found.append(at)
        at = texts.find(encoded, at + 1)
    return frozenset(found)
