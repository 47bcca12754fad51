"""Reading objects: the forms that compilers give a reference, and files that are no objects."""

from __future__ import annotations

import struct
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beespace import elf
from beespace.btf import BtfBuilder, Linkage, Member
from beespace.elf.image import Image
from beespace.elf.relocations import R_BPF_64_32, R_BPF_64_64, R_BPF_64_ABS64
from beespace.elf.sections import SHF_ALLOC, SHF_EXECINSTR
from beespace.elf.symbols import STB_GLOBAL, STB_LOCAL, STB_WEAK, STT_FUNC, STT_NOTYPE, STT_OBJECT, STT_SECTION
from beespace.errors import FormatError
from beespace.isa import Insn, MapType, decode, encode
from beespace.spec import (
    FunctionSpec,
    JumpTable,
    KconfigSpec,
    MapSpec,
    ObjectSpec,
    ProgramSpec,
    SymbolKind,
    SymbolReloc,
    VariableSpec,
)

CODE = SHF_ALLOC | SHF_EXECINSTR
EXIT = Insn(0x95, 0, 0, 0, 0)
ZERO = Insn(0xB7, 0, 0, 0, 0)


def call(imm: int) -> Insn:
    return Insn(0x85, 0, 1, 0, imm)


def load(low: int, high: int = 0) -> tuple[Insn, Insn]:
    return Insn(0x18, 1, 0, 0, low), Insn(0, 0, 0, 0, high)


def two_sections(*insns: Insn, static: bool = False) -> tuple[Image, int]:
    """``main`` of these instructions in section ``socket``; ``first`` (16 bytes) and ``second`` in ``.text``."""
    image = Image()
    text = image.add_section(".text", CODE, encode([ZERO, EXIT, ZERO, EXIT]))
    socket = image.add_section("socket", CODE, encode(insns))
    binding = STB_LOCAL if static else STB_GLOBAL
    image.add_symbol("text", "", STT_SECTION, STB_LOCAL, text)
    image.add_symbol("first", "first", STT_FUNC, binding, text, 0, 16)
    image.add_symbol("second", "second", STT_FUNC, binding, text, 16, 16)
    image.add_symbol("main", "main", STT_FUNC, STB_GLOBAL, socket, 0, 8 * len(insns))
    return image, socket


def only_symbol(image: Image) -> tuple[SymbolReloc, list[Insn]]:
    entry = elf.read(image.bytes(), "x").programs["main"].entry
    (reloc,) = entry.symbols
    return reloc, decode(entry.code)


@pytest.mark.parametrize(("key", "imm"), [("second", -1), ("text", 1), ("first", 1)])
def test_call_by_function_or_by_section(key: str, imm: int) -> None:
    image, socket = two_sections(ZERO, call(imm), EXIT)
    image.relocate(socket, [(8, R_BPF_64_32, key)])
    reloc, code = only_symbol(image)
    assert reloc == SymbolReloc(1, SymbolKind.CALL, "second")
    assert code[1] == call(0)


@pytest.mark.parametrize(("key", "addend"), [("second", 0), ("text", 16)])
def test_address_of_a_function(key: str, addend: int) -> None:
    image, socket = two_sections(*load(addend), EXIT, static=True)
    image.relocate(socket, [(0, R_BPF_64_64, key)])
    reloc, code = only_symbol(image)
    assert reloc == SymbolReloc(0, SymbolKind.FUNCTION, "second")
    assert code[:2] == [Insn(0x18, 1, 4, 0, 0), Insn(0, 0, 0, 0, 0)]


def test_call_inside_of_a_section_has_no_relocation() -> None:
    image = Image()
    text = image.add_section(".text", CODE, encode([call(1), EXIT, ZERO, call(-2), EXIT]))
    image.add_symbol("a", "a", STT_FUNC, STB_LOCAL, text, 0, 16)
    image.add_symbol("b", "b", STT_FUNC, STB_LOCAL, text, 16, 24)
    functions = elf.read(image.bytes(), "x").subprograms
    assert functions["a"].symbols == (SymbolReloc(0, SymbolKind.CALL, "b"),)
    assert functions["b"].symbols == (SymbolReloc(1, SymbolKind.CALL, "b"),)
    assert decode(functions["b"].code)[1] == call(0)


@pytest.mark.parametrize(
    ("key", "low", "high", "addend"),
    [
        ("data", 12, 0, 12),
        ("variable", 0, 0, 8),
        ("variable", 4, 0, 12),
        ("variable", -4, 0, 4),
        ("variable", -4, -1, 4),
    ],
)
def test_address_in_a_data_section(key: str, low: int, high: int, addend: int) -> None:
    image, socket = two_sections(*load(low, high), EXIT)
    data = image.add_section(".data", SHF_ALLOC, bytes(range(16)))
    image.add_symbol("data", "", STT_SECTION, STB_LOCAL, data)
    image.add_symbol("variable", "variable", STT_OBJECT, STB_GLOBAL, data, 8, 8)
    image.relocate(socket, [(0, R_BPF_64_64, key)])
    reloc, code = only_symbol(image)
    assert reloc == SymbolReloc(0, SymbolKind.MAP_VALUE, ".data", addend)
    assert code[:2] == [Insn(0x18, 1, 2, 0, 0), Insn(0, 0, 0, 0, 0)]
    spec = elf.read(image.bytes(), "x")
    assert spec.data == {".data": bytes(range(16))}
    assert spec.variables == {"variable": VariableSpec("variable", ".data", 8, 8)}


def test_static_functions_of_one_name_are_told_apart() -> None:
    image = Image()
    text = image.add_section(".text", CODE, encode([ZERO, EXIT, EXIT, EXIT]))
    socket = image.add_section("socket", CODE, encode([call(-1), call(1), call(2), EXIT]))
    image.add_symbol("text", "", STT_SECTION, STB_LOCAL, text)
    image.add_symbol("1", "same", STT_FUNC, STB_LOCAL, text, 0, 16)
    image.add_symbol("2", "same", STT_FUNC, STB_LOCAL, text, 16, 8)
    image.add_symbol("3", "same.1", STT_FUNC, STB_GLOBAL, text, 24, 8)
    image.add_symbol("main", "main", STT_FUNC, STB_GLOBAL, socket, 0, 32)
    image.relocate(socket, [(8 * at, R_BPF_64_32, "text") for at in range(3)])
    spec = elf.read(image.bytes(), "x")
    assert {name: len(each.code) for name, each in spec.subprograms.items()} == {"same": 16, "same.2": 8, "same.1": 8}
    assert [reloc.symbol for reloc in spec.programs["main"].entry.symbols] == ["same", "same.2", "same.1"]
    assert elf.read(elf.write(spec), "x") == spec


def test_functions_without_size_reach_to_the_next_one() -> None:
    image = Image()
    socket = image.add_section("socket", CODE, encode([ZERO, EXIT, EXIT]))
    image.add_symbol("b", "b", STT_FUNC, STB_GLOBAL, socket, 16, 0)
    image.add_symbol("a", "a", STT_FUNC, STB_GLOBAL, socket, 0, 0)
    programs = elf.read(image.bytes(), "x").programs
    assert {name: len(each.entry.code) for name, each in programs.items()} == {"a": 16, "b": 8}


def jumps(*targets: int, size: int | None = None) -> bytes:
    """``other``, then ``main``, which jumps by a table of byte offsets in their section."""
    image = Image()
    socket = image.add_section("socket", CODE, encode([ZERO, EXIT, *load(0), ZERO, EXIT]))
    table = image.add_section(".jumptables", 0, b"".join(target.to_bytes(8, "little") for target in targets))
    image.add_symbol("other", "other", STT_FUNC, STB_GLOBAL, socket, 0, 16)
    image.add_symbol("main", "main", STT_FUNC, STB_GLOBAL, socket, 16, 32)
    length = 8 * len(targets) if size is None else size
    image.add_symbol("table", "BPF.JT.0.0", STT_OBJECT, STB_LOCAL, table, 0, length)
    image.relocate(socket, [(16, R_BPF_64_64, "table")])
    return image.bytes()


def test_tables_of_jump_targets() -> None:
    spec = elf.read(jumps(16 + 24, 16 + 16), "x")
    main = spec.programs["main"].entry
    assert main.symbols == (SymbolReloc(0, SymbolKind.JUMP_TABLE, "BPF.JT.0.0"),)
    assert main.jump_tables == (JumpTable("BPF.JT.0.0", (3, 2)),)
    assert elf.read(elf.write(spec), "x") == spec
    assert "leads to 0x14, which is no instruction" in refusal(jumps(20))
    assert "jumps by a table of 24 bytes" in refusal(jumps(16, size=24))
    assert "jumps by a table of 0 bytes" in refusal(jumps(16, size=0))


def test_what_is_missing_is_empty() -> None:
    spec = elf.read(Image().bytes(), "nothing")
    assert spec == ObjectSpec("nothing", "", {})


# -- refusals ----------------------------------------------------------------------------------------------


def refusal(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        elf.read(data, "x")
    return str(caught.value)


WHOLE = elf.write(
    ObjectSpec(
        "x",
        "GPL",
        {"main": ProgramSpec("main", "socket", FunctionSpec("main", encode([ZERO, EXIT])))},
        maps={"m": MapSpec("m", MapType.ARRAY, 4, 4, 1)},
    )
)


def patched(offset: int, new: bytes) -> bytes:
    return WHOLE[:offset] + new + WHOLE[offset + len(new) :]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an ELF file"),
        (b"#!/bin/sh\n", "not an ELF file"),
        (WHOLE[:40], "cannot hold an ELF header"),
        (patched(4, b"\1"), "not a 64-bit ELF file"),
        (patched(5, b"\3"), "unknown ELF byte order 3"),
        (patched(5, b"\2"), "not for BPF"),
        (patched(16, b"\2"), "an executable, not a relocatable"),
        (patched(18, b"\x3e\0"), "for x86-64, not for BPF"),
        (patched(40, bytes(8)), "no section headers"),
        (patched(40, b"\xff" * 8), "truncated"),
        (patched(58, b"\x28"), "section headers of 40 bytes"),
        (patched(60, b"\xff\xff"), "truncated: 65535 section headers"),
        (patched(62, b"\1\0"), "should hold the section names"),
        (WHOLE[:-1], "truncated"),
    ],
)
def test_files_that_are_no_objects(data: bytes, message: str) -> None:
    assert message in refusal(data)


def test_every_prefix_is_refused() -> None:
    for length in range(len(WHOLE)):
        refusal(WHOLE[:length])


def test_errors_say_where() -> None:
    with pytest.raises(FormatError) as caught:
        elf.read(patched(18, b"\x3e\0"), "x")
    assert caught.value.offset == 18
    assert "at offset 0x12" in str(caught.value)


@pytest.mark.parametrize(
    ("section", "message"),
    [("maps", "libbpf 1.0 has dropped"), (".struct_ops.link", "struct_ops"), (".maps", "maps but no BTF")],
)
def test_sections_that_a_spec_cannot_say(section: str, message: str) -> None:
    image = Image()
    image.add_section(section, SHF_ALLOC, bytes(32))
    assert message in refusal(image.bytes())


def test_addresses_in_data() -> None:
    image = Image()
    strings = image.add_section(".rodata.str1.1", SHF_ALLOC, b"hello\0")
    names = image.add_section(".data", SHF_ALLOC, bytes(16))
    image.add_symbol("strings", "", STT_SECTION, STB_LOCAL, strings)
    image.add_symbol("names", "names", STT_OBJECT, STB_GLOBAL, names, 0, 16)
    image.relocate(names, [(8, R_BPF_64_ABS64, "strings")])
    assert "names in '.data' holds the address of '.rodata.str1.1'" in refusal(image.bytes())


@pytest.mark.parametrize(
    ("insns", "row", "message"),
    [
        ((ZERO, EXIT), (0, R_BPF_64_32, "first"), "opcode 0xb7) cannot have a relocation"),
        ((call(-1), EXIT), (0, R_BPF_64_64, "first"), "opcode 0x85) cannot have a relocation"),
        ((call(-1), EXIT), (4, R_BPF_64_32, "first"), "inside of an instruction"),
        ((call(-1), EXIT), (16, R_BPF_64_32, "first"), "beyond its end"),
        ((call(0), EXIT), (0, R_BPF_64_32, "first"), "0x8 of section '.text', where no function starts"),
        ((call(7), EXIT), (0, R_BPF_64_32, "first"), "where no function starts"),
        ((call(-1), EXIT), (0, R_BPF_64_32, "main"), "main calls main, which is a program"),
        ((call(-1), EXIT), (0, R_BPF_64_32, "unknown"), "'unknown' is declared in the object, but defined nowhere"),
        ((*load(0), EXIT), (0, R_BPF_64_64, "note"), "'.note', which is neither code, data nor maps"),
        ((*load(99), EXIT), (0, R_BPF_64_64, "data"), "0x63 of '.data', which has 0x8 bytes"),
        ((call(3), EXIT), None, "where no sub-program starts"),
    ],
)
def test_references_to_nothing(insns: tuple[Insn, ...], row: tuple[int, int, object] | None, message: str) -> None:
    image, socket = two_sections(*insns)
    note, data = image.add_section(".note", 0, bytes(8)), image.add_section(".data", SHF_ALLOC, bytes(8))
    image.add_symbol("note", "", STT_SECTION, STB_LOCAL, note)
    image.add_symbol("data", "", STT_SECTION, STB_LOCAL, data)
    if row is not None and row[2] == "unknown":
        image.add_symbol("unknown", "unknown", STT_NOTYPE, STB_WEAK)
    image.relocate(socket, [row] if row else [])
    assert message in refusal(image.bytes())


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        ([("a", 0, 16), ("b", 8, 16)], "'a' overlaps"),
        ([], "section 'socket' has code but no function"),
        ([("a", 0, 12), ("b", 12, 12)], "not whole instructions"),
        ([("a", 0, 32)], "ends beyond"),
        ([("a", 0, 8), ("a", 8, 16)], "two functions are called 'a'"),
        ([("", 0, 24)], "without a name"),
    ],
)
def test_functions_that_do_not_fit(symbols: list[tuple[str, int, int]], message: str) -> None:
    image = Image()
    socket = image.add_section("socket", CODE, encode([ZERO, ZERO, EXIT]))
    for number, (name, start, size) in enumerate(symbols):
        image.add_symbol(number, name, STT_FUNC, STB_GLOBAL, socket, start, size)
    assert message in refusal(image.bytes())


def test_code_of_overridden_weak_functions_is_left_out() -> None:
    image = Image()
    text = image.add_section(".text", CODE, encode([ZERO, EXIT]))
    socket = image.add_section("socket", CODE, encode([call(-1), EXIT, call(-1), EXIT]))
    image.add_symbol("first", "first", STT_FUNC, STB_GLOBAL, text, 0, 16)
    image.add_symbol("main", "main", STT_FUNC, STB_GLOBAL, socket, 16, 16)
    image.relocate(socket, [(0, R_BPF_64_32, "first"), (16, R_BPF_64_32, "first")])
    main = elf.read(image.bytes(), "x").programs["main"].entry
    assert len(main.code) == 16
    assert [(reloc.index, reloc.symbol) for reloc in main.symbols] == [(0, "first")]


def kernel_option(name: str, size: int = 4) -> bytes:
    types = BtfBuilder()
    variable = types.variable(name, types.int("int", size), Linkage.EXTERN)
    types.section(".kconfig", 0, [(variable, 0, size)])
    image = Image()
    image.add_section(".BTF", 0, types.bytes())
    return image.bytes()


def test_kernel_options() -> None:
    spec = elf.read(kernel_option("LINUX_KERNEL_VERSION"), "x")
    assert spec.variables["LINUX_KERNEL_VERSION"].map == ".kconfig"
    assert spec.kconfig == (KconfigSpec("LINUX_KERNEL_VERSION", 0, 4, 1, weak=True),)
    assert elf.read(kernel_option("CONFIG_HZ", 8), "x").kconfig[0].size == 8
    assert "CONFIG_HZ is declared as int, which no option" in refusal(kernel_option("CONFIG_HZ", 16))


def map_definition(*members: tuple[str, int]) -> bytes:
    types = BtfBuilder()
    integer = types.int("int", 4)
    rows = [
        Member(name, types.pointer(types.array(integer, value)), 64 * at) for at, (name, value) in enumerate(members)
    ]
    variable = types.variable("m", types.struct("", 8 * len(rows), rows))
    types.section(".maps", 0, [(variable, 0, 8 * len(rows))])
    image = Image()
    section = image.add_section(".maps", SHF_ALLOC, bytes(8 * len(rows)))
    image.add_symbol("m", "m", STT_OBJECT, STB_GLOBAL, section, 0, 8 * len(rows))
    image.add_section(".BTF", 0, types.bytes())
    return image.bytes()


def test_map_definitions() -> None:
    spec = elf.read(map_definition(("type", 1), ("max_entries", 5), ("key_size", 3), ("value_size", 9)), "x")
    assert spec.maps == {"m": MapSpec("m", MapType.HASH, 3, 9, 5)}
    assert "does not say its type" in refusal(map_definition(("max_entries", 5)))
    assert "a member 'max_entires', which means nothing" in refusal(map_definition(("type", 1), ("max_entires", 5)))
    assert "says both 4 and 8 for key_size" in refusal(map_definition(("type", 1), ("key_size", 4), ("key_size", 8)))
    assert "pinning 2" in refusal(map_definition(("type", 1), ("pinning", 2)))
    assert "'values' of map 'm' is no array" in refusal(map_definition(("type", 12), ("values", 1))).replace("`", "'")


# -- hostile input -----------------------------------------------------------------------------------------


def cost_of(data: bytes) -> tuple[float, int]:
    """Seconds and peak bytes of refusing ``data``."""
    tracemalloc.start()
    started = time.process_time()
    try:
        refusal(data)
        return time.process_time() - started, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def headers(rows: list[tuple[int, ...]], body: bytes) -> bytes:
    start = 64 + len(body)
    ident = b"\x7fELF\2\1\1" + bytes(9)
    header = struct.pack("<16sHHIQQQIHHHHHH", ident, 1, 247, 1, 0, 0, start, 0, 64, 0, 0, 64, len(rows), 1)
    return header + body + b"".join(struct.pack("<IIQQQQIIQQ", *row) for row in rows)


def test_sections_that_share_bytes_do_not_multiply_them() -> None:
    body = bytes(1 << 20)
    shared = (0, 1, 3, 0, 64, len(body), 0, 0, 8, 0)
    names = (0, 3, 0, 0, 64, 1, 0, 0, 1, 0)
    data = headers([(0,) * 10, names, *[shared] * 2000], body)
    seconds, peak = cost_of(data)
    assert peak < 8 * len(data)
    assert seconds < 5


def test_zero_filled_sections_are_bounded() -> None:
    names = (0, 3, 0, 0, 64, 1, 0, 0, 1, 0)
    huge = (0, 8, 3, 0, 64, 1 << 62, 0, 0, 8, 0)
    assert "more than 64 MiB of zero-filled sections" in refusal(headers([(0,) * 10, names, huge], bytes(64)))


def test_names_that_share_one_long_string_do_not_multiply_it() -> None:
    image = Image()
    image.add_symbol("long", "n" * 60_000, STT_NOTYPE, STB_GLOBAL)
    for number in range(20_000):
        image.add_symbol(number, "", STT_NOTYPE, STB_GLOBAL)
    data = bytearray(image.bytes())
    # Every name begins a little further on in the one string.
    table = data.index(struct.pack("<IBBHQQ", 1, 0x10, 0, 0, 0, 0))
    for number in range(1, 20_001):
        struct.pack_into("<I", data, table + 24 * number, 1 + number)
    seconds, peak = cost_of(bytes(data))
    assert peak < 32 * len(data)
    assert seconds < 5
    assert "overlap without end" in refusal(bytes(data))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_ends_in_a_spec_or_a_format_error(choose: st.DataObject) -> None:
    data = bytearray(WHOLE)
    for _ in range(choose.draw(st.integers(1, 6))):
        offset = choose.draw(st.integers(0, len(data) - 8))
        size = choose.draw(st.sampled_from([1, 2, 4, 8]))
        interesting = st.sampled_from([0, 1, 8, 0xFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 63, len(WHOLE)])
        value = choose.draw(interesting | st.integers(0, 1 << 64))
        data[offset : offset + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
    try:
        spec = elf.read(bytes(data), "x")
    except FormatError:
        return
    try:
        written = elf.write(spec)
    except FormatError:
        return
    assert elf.read(written, "x").programs.keys() == spec.programs.keys()
