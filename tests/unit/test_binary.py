"""ELF files of user programs: functions, places, versions, notes; 32 and 64 bits, both byte orders; damage."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from beespace.errors import FormatError, UsageError
from beespace.kernel.binary import Binary
from beespace.kernel.functions import Place, find_function, find_functions
from beespace.kernel.usdt_notes import StaticProbe, static_probes

TEXT, DATA = 0x1000, 0x5000  # addresses; in the file they lie at 0x400 and 0x600
SYMTAB, STRTAB, DYNSYM, NOTE, PROGBITS, VERDEF, VERSYM = 2, 3, 11, 7, 1, 0x6FFFFFFD, 0x6FFFFFFF
FUNC, OBJECT, IFUNC = 2, 1, 10
LOCAL, GLOBAL, WEAK = 0, 1, 2


class Symbol(NamedTuple):
    name: str
    address: int
    type: int = FUNC
    bind: int = GLOBAL
    section: int = 1
    version: int = 1


class Shape(NamedTuple):
    bits: int
    order: str

    @property
    def word(self) -> str:
        return "Q" if self.bits == 64 else "I"


def strings(names: Sequence[str]) -> tuple[bytes, dict[str, int]]:
    table, at = b"\0", {}
    for name in names:
        at[name] = len(table)
        table += name.encode() + b"\0"
    return table, at


def build(
    shape: Shape,
    symbols: Sequence[Symbol] = (),
    *,
    dynamic: Sequence[Symbol] = (),
    versions: Sequence[str] = (),
    notes: bytes = b"",
    base: int = 0,
    machine: int = 62,
    type: int = 3,
) -> bytes:
    """A shared library of that shape."""
    bits, order = shape

    def pack(format: str, *values: object) -> bytes:
        return struct.pack(order + format, *values)

    def table(entries: Sequence[Symbol], at: dict[str, int]) -> bytes:
        found = bytes(24 if bits == 64 else 16)
        for each in entries:
            info = each.bind << 4 | each.type
            if bits == 64:
                found += pack("IBBHQQ", at[each.name], info, 0, each.section, each.address, 16)
            else:
                found += pack("IIIBBH", at[each.name], each.address, 16, info, 0, each.section)
        return found

    names, at = strings([each.name for each in (*symbols, *dynamic)] + list(versions))
    verdef = b""
    for number, version in enumerate(versions, 2):
        following = 28 if number - 2 < len(versions) - 1 else 0
        verdef += pack("HHHHIII", 1, 0, number, 1, 0, 20, following) + pack("II", at[version], 0)
    versym = pack("H", 0) + b"".join(pack("H", each.version) for each in dynamic)
    sections = [
        (".text", PROGBITS, TEXT, b"\x90" * 0x200, 0, 0),
        (".symtab", SYMTAB, 0, table(symbols, at), 4, 0),
        (".dynsym", DYNSYM, 0, table(dynamic, at), 4, 0),
        (".strtab", STRTAB, 0, names, 0, 0),
        (".note.stapsdt", NOTE, 0, notes, 0, 0),
        (".stapsdt.base", PROGBITS, base, b"\0", 0, 0),
    ]
    if versions:
        sections += [
            (".gnu.version", VERSYM, 0, versym, 3, 0),
            (".gnu.version_d", VERDEF, 0, verdef, 4, len(versions)),
        ]
    title, titles = strings([name for name, *_ in sections] + [".shstrtab"])
    sections.append((".shstrtab", STRTAB, 0, title, 0, 0))
    body = bytearray(0x400)
    headers = b""
    for name, kind, address, content, link, info in [("", 0, 0, b"", 0, 0), *sections]:
        body += bytes(-len(body) % 16)
        offset = len(body)
        body += content
        fields = (titles.get(name, 0), kind, 0, address, offset, len(content), link, info, 1, 0)
        headers += pack("IIQQQQIIQQ" if bits == 64 else "IIIIIIIIII", *fields)
    body += bytes(-len(body) % 16)
    shoff = len(body)
    body += headers
    segments = [(1, 5, 0x400, TEXT, 0x200, 0x200), (1, 6, 0x600, DATA, 0x100, 0x300)]
    phoff, entry = (64, 56) if bits == 64 else (52, 32)
    for index, (kind, flags, offset, address, file_size, memory_size) in enumerate(segments):
        packed = (
            pack("IIQQQQQQ", kind, flags, offset, address, address, file_size, memory_size, 4096)
            if bits == 64
            else pack("IIIIIIII", kind, offset, address, address, file_size, memory_size, flags, 4096)
        )
        body[phoff + index * entry : phoff + (index + 1) * entry] = packed
    ident = b"\x7fELF" + bytes([bits // 32, 1 if order == "<" else 2, 1]) + bytes(9)
    header = pack(
        "16sHHIQQQIHHHHHH" if bits == 64 else "16sHHIIIIIHHHHHH",
        ident, type, machine, 1, 0, phoff, shoff, 0, phoff, entry, len(segments),
        64 if bits == 64 else 40, len(sections) + 1, len(sections),
    )  # fmt: skip
    body[: len(header)] = header
    return bytes(body)


SHAPES = [Shape(bits, order) for bits in (64, 32) for order in "<>"]
Make = Callable[..., Binary]


@pytest.fixture(params=SHAPES, ids=lambda shape: f"{shape.bits}{'little' if shape.order == '<' else 'big'}")
def shape(request: pytest.FixtureRequest) -> Shape:
    found: Shape = request.param
    return found


@pytest.fixture
def make(tmp_path: Path, shape: Shape) -> Callable[..., Path]:
    def made(*symbols: Symbol, **more: object) -> Path:
        path = tmp_path / "lib.so"
        path.write_bytes(build(shape, symbols, **more))  # type: ignore[arg-type]
        return path

    return made


def test_what_it_is(make: Callable[..., Path], shape: Shape) -> None:
    with Binary(make()) as file:
        assert (file.bits, file.byteorder) == (shape.bits, "little" if shape.order == "<" else "big")
        assert (file.type, file.machine) == (3, 62)
        assert [each.name for each in file.sections][:3] == ["", ".text", ".symtab"]
        assert [(each.offset, each.address) for each in file.segments] == [(0x400, TEXT), (0x600, DATA)]


def test_a_function(make: Callable[..., Path]) -> None:
    path = make(
        Symbol("barfoo", TEXT + 0x40),
        Symbol("foo", TEXT + 0x20),
        Symbol("data", DATA, OBJECT, section=2),
        Symbol("elsewhere", 0, section=0),
    )
    with Binary(path) as file:
        assert find_function(file, "foo") == 0x420
        assert find_function(file, "barfoo") == 0x440
        assert file.variable("data") == DATA
        assert file.file_offset(DATA + 4, executable=False) == 0x604
        for name in ("data", "elsewhere", "nothing"):
            with pytest.raises(UsageError, match=f"has no function '{name}'"):
                find_function(file, name)
        with pytest.raises(UsageError, match=r"no function 'fooo'\n.*did you mean foo"):
            find_function(file, "fooo")
        with pytest.raises(FormatError, match="address 0x9000 is in no code"):
            file.file_offset(0x9000)
        with pytest.raises(FormatError, match="in no code"):
            file.file_offset(DATA)


def test_which_of_several(make: Callable[..., Path]) -> None:
    path = make(
        Symbol("both", TEXT + 0x10, bind=LOCAL),
        Symbol("both", TEXT + 0x20, bind=WEAK),
        Symbol("both", TEXT + 0x30),
        Symbol("twins", TEXT + 0x40, bind=LOCAL),
        Symbol("twins", TEXT + 0x50, bind=LOCAL),
        Symbol("same", TEXT + 0x60, bind=LOCAL),
        Symbol("same", TEXT + 0x60, bind=LOCAL),
        Symbol("chosen", TEXT + 0x70, IFUNC),
    )
    with Binary(path) as file:
        assert find_function(file, "both") == 0x430
        assert find_function(file, "same") == 0x460
        with pytest.raises(UsageError, match=r"has 2 functions 'twins'\n.*offset= one of 0x440, 0x450"):
            find_function(file, "twins")
        with pytest.raises(UsageError, match="IFUNC"):
            find_function(file, "chosen")


def test_versions(make: Callable[..., Path]) -> None:
    path = make(
        dynamic=[
            Symbol("call", TEXT + 0x10, version=2 | 0x8000),
            Symbol("call", TEXT + 0x20, version=3),
            Symbol("plain", TEXT + 0x30, version=1),
        ],
        versions=["BEE_1", "BEE_2"],
    )
    with Binary(path) as file:
        assert find_function(file, "call") == 0x420
        assert find_function(file, "call@BEE_1") == 0x410
        assert find_function(file, "call@BEE_2") == find_function(file, "call@@BEE_2") == 0x420
        assert find_function(file, "plain") == 0x430
        for name in ("call@@BEE_1", "call@BEE_3", "plain@BEE_1"):
            with pytest.raises(UsageError, match="has no function"):
                find_function(file, name)


def test_globs(make: Callable[..., Path]) -> None:
    path = make(
        Symbol("bee_b", TEXT + 0x40), Symbol("bee_a", TEXT + 0x20), Symbol("alias", TEXT + 0x20),
        Symbol("bee_i", TEXT + 0x60, IFUNC), Symbol("bee_lost", 0x9000), Symbol("wasp", TEXT + 0x80),
    )  # fmt: skip
    with Binary(path) as file:
        assert find_functions(file, "bee_*") == [Place("bee_a", 0x420), Place("bee_b", 0x440)]
        assert find_functions(file, ["wasp", "bee_?", "alias"]) == [
            Place("wasp", 0x480), Place("bee_a", 0x420), Place("bee_b", 0x440),
        ]  # fmt: skip
        with pytest.raises(UsageError, match="no function like 'hornet"):
            find_functions(file, "hornet*")
        with pytest.raises(UsageError, match="no function 'hornet'"):
            find_functions(file, ["wasp", "hornet"])


# -- notes -----------------------------------------------------------------------------------------------------


def note(
    shape: Shape, place: int, base: int, semaphore: int, *texts: str, name: bytes = b"stapsdt\0", kind: int = 3
) -> bytes:
    content = struct.pack(shape.order + shape.word * 3, place, base, semaphore)
    content += b"".join(text.encode() + b"\0" for text in texts)
    header = struct.pack(shape.order + "III", len(name), len(content), kind)
    return header + name + bytes(-len(name) % 4) + content + bytes(-len(content) % 4)


def test_static_probes(make: Callable[..., Path], shape: Shape) -> None:
    notes = (
        note(shape, TEXT + 8, 0, 0, "bee", "fly", "-4@%eax 8@$3")
        + note(shape, 0, 0, 0, "other", "kind", "", kind=1)
        + note(shape, 0, 0, 0, "other", "owner", "", name=b"GNU\0")
        + note(shape, TEXT + 0x20, 0, DATA + 2, "bee", "land", ":")
    )
    with Binary(make(notes=notes)) as file:
        assert list(static_probes(file)) == [
            StaticProbe("bee", "fly", TEXT + 8, 0x408, 0, "-4@%eax 8@$3"),
            StaticProbe("bee", "land", TEXT + 0x20, 0x420, 0x602, ""),
        ]


def test_a_prelinked_file(make: Callable[..., Path], shape: Shape) -> None:
    """The base tells how far the file was moved after the notes were written."""
    notes = note(shape, TEXT - 0x100 + 8, 0x2F00, DATA - 0x100, "bee", "fly", "")
    with Binary(make(notes=notes, base=0x3000)) as file:
        (probe,) = static_probes(file)
        assert (probe.address, probe.offset, probe.semaphore) == (TEXT + 8, 0x408, 0x600)


def test_damaged_notes(make: Callable[..., Path], shape: Shape) -> None:
    good = note(shape, TEXT + 8, 0, 0, "bee", "fly", "x")
    for notes, message in (
        (good[:-4], "note of static probes is cut"),
        (note(shape, TEXT, 0, 0, "bee"), "note of static probes is too short"),
        (note(shape, 0x9000, 0, 0, "bee", "fly", "x"), "is in no code"),
    ):
        with Binary(make(notes=notes)) as file, pytest.raises(FormatError, match=message):
            list(static_probes(file))


# -- what is no binary -----------------------------------------------------------------------------------------


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content, error, message in (
        (b"", UsageError, "is no ELF file"),
        (b"#!/bin/sh\n", UsageError, "is no ELF file"),
        (b"PK\x03\x04" + bytes(20), UsageError, r"is no ELF file, but an archive\n.*unpack"),
        (b"\x7fELF\x09\x01" + bytes(60), FormatError, "ELF class or byte order"),
        (b"\x7fELF\x02\x01" + bytes(12), FormatError, "ends before"),
    ):
        path.write_bytes(content)
        with pytest.raises(error, match=message):
            Binary(path)
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        Binary(tmp_path / "nosuch")


def test_damage_is_an_error_and_nothing_else(tmp_path: Path) -> None:
    """Every prefix, and some hundred files with some bytes changed."""
    shape = Shape(64, "<")
    symbols = [Symbol(f"bee_{number}", TEXT + number) for number in range(8)]
    dynamic = [Symbol("call", TEXT + 0x20, version=2)]
    notes = note(shape, TEXT + 8, 0, 0, "bee", "fly", "-4@%eax")
    whole = build(shape, symbols, dynamic=dynamic, versions=["BEE_1"], notes=notes)
    path = tmp_path / "lib.so"
    chance = random.Random(4)

    def look(content: bytes) -> None:
        path.write_bytes(content)
        try:
            with Binary(path) as file:
                find_functions(file, "bee_*")
                find_function(file, "call@BEE_1")
                list(static_probes(file))
        except (FormatError, UsageError):
            return

    for size in range(0, len(whole), 7):
        look(whole[:size])
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            at = chance.choice([chance.randrange(64), chance.randrange(len(whole) - 700, len(whole))])
            damaged[at] = chance.choice([0, 1, 0x7F, 0xFF, chance.randrange(256)])
        look(bytes(damaged))
