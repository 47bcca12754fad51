"""The reader against llvm-readelf and llvm-objcopy, on objects that clang has made of our own sources."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from beespace import elf
from beespace.btf import Btf, Kind
from beespace.elf.datasec import string_section, types_of
from beespace.spec import FunctionSpec, ObjectSpec, SymbolKind, SymbolReloc

SOURCES = Path(__file__).parent / "elf_sources"
NAMES = sorted(path.stem for path in SOURCES.glob("*.c"))
TOOLS = ("clang", "llvm-readelf", "llvm-objcopy")

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)} (Debian: clang llvm)"
)


@pytest.fixture(scope="module", params=NAMES)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("elf") / f"{request.param}.bpf.o"
    source = SOURCES / f"{request.param}.c"
    subprocess.run(["clang", "-target", "bpf", "-g", "-O2", "-Wall", "-Werror", "-c", source, "-o", target], check=True)
    return target


@pytest.fixture(scope="module")
def spec(built: Path) -> ObjectSpec:
    return elf.read(built.read_bytes(), built.name.split(".")[0])


@pytest.fixture(scope="module", params=["as built", "as written"])
def path(request: pytest.FixtureRequest, built: Path, spec: ObjectSpec) -> Path:
    """The object of clang, and the one that our writer makes of it."""
    if request.param == "as built":
        return built
    written = built.with_suffix(".written.o")
    written.write_bytes(elf.write(spec))
    return written


def readelf(option: str, path: Path) -> str:
    return subprocess.run(["llvm-readelf", option, "-W", path], check=True, capture_output=True, text=True).stdout


def sections_of(path: Path) -> dict[int, str]:
    return {int(number): name for number, name in re.findall(r"^  \[ *(\d+)\] (\S*) ", readelf("-S", path), re.M)}


def symbols_of(path: Path) -> Iterator[tuple[str, str, str, str, int, int]]:
    """(name, type, binding, section name, value, size)"""
    sections = sections_of(path)
    row = r"^ *\d+: ([0-9a-f]+) +(\d+) (\w+) +(\w+) +(\w+) +(\w+) ?(.*)$"
    for value, size, kind, binding, visibility, index, name in re.findall(row, readelf("-s", path), re.M):
        home = sections[int(index)] if index.isdigit() else index
        yield name, kind, "HIDDEN" if visibility == "HIDDEN" else binding, home, int(value, 16), int(size)


def relocations_of(path: Path) -> Iterator[tuple[str, int, str, int, str]]:
    """(section, offset, type, symbol value, symbol name)"""
    section = ""
    for line in readelf("-r", path).splitlines():
        title = re.match(r"Relocation section '\.rel(.*)' at", line)
        row = re.match(r"([0-9a-f]{16})  [0-9a-f]+ (R_\w+) +([0-9a-f]+) (\S+)", line)
        if title:
            section = title[1]
        elif row:
            yield section, int(row[1], 16), row[2], int(row[3], 16), row[4]


def functions_of(spec: ObjectSpec) -> dict[str, FunctionSpec]:
    return {name: program.entry for name, program in spec.programs.items()} | dict(spec.subprograms)


def code_sections(path: Path) -> set[str]:
    return {home for _, kind, _, home, _, _ in symbols_of(path) if kind == "FUNC"}


def test_functions(path: Path, spec: ObjectSpec) -> None:
    read = elf.read(path.read_bytes(), spec.name)
    found = {name: size for name, kind, _, _, _, size in symbols_of(path) if kind == "FUNC"}
    assert {name: len(each.code) for name, each in functions_of(read).items()} == found
    homes = {
        name: home for name, kind, binding, home, _, _ in symbols_of(path) if kind == "FUNC" and binding != "LOCAL"
    }
    assert {name: ("" if program.autoload else "?") + program.section for name, program in read.programs.items()} == {
        name: home for name, home in homes.items() if home != ".text"
    }


def test_code_but_for_placeholders(path: Path, spec: ObjectSpec, tmp_path: Path) -> None:
    functions = functions_of(elf.read(path.read_bytes(), spec.name))
    for section in code_sections(path):
        dumped = tmp_path / "section"
        subprocess.run(["llvm-objcopy", f"--dump-section={section}={dumped}", path, "/dev/null"], check=True)
        code = dumped.read_bytes()
        for name, kind, _, home, start, size in symbols_of(path):
            if kind != "FUNC" or home != section:
                continue
            ours, theirs = bytearray(functions[name].code), bytearray(code[start : start + size])
            for reloc in functions[name].symbols:
                for buffer in (ours, theirs):
                    buffer[8 * reloc.index + 1] &= 0x0F
                    buffer[8 * reloc.index + 4 : 8 * reloc.index + 8] = bytes(4)
            assert ours == theirs, name


def agrees(reloc: SymbolReloc, spec: ObjectSpec, kind: str, value: int, symbol: str) -> bool:
    """Whether our reading of a relocation can be what the table says; section symbols have the section's name."""
    match reloc.kind:
        case SymbolKind.CALL:
            return kind == "R_BPF_64_32" and (symbol == reloc.symbol or symbol in (".text", "socket"))
        case SymbolKind.KFUNC:
            return kind == "R_BPF_64_32" and symbol == reloc.symbol
        case SymbolKind.MAP:
            return kind == "R_BPF_64_64" and symbol in (reloc.symbol, ".maps")
        case SymbolKind.MAP_VALUE if symbol in spec.variables:
            variable = spec.variables[symbol]
            return (variable.map, variable.offset) == (reloc.symbol, value) and reloc.addend >= value
        case SymbolKind.MAP_VALUE:
            return symbol in (reloc.symbol, "shy")
        case SymbolKind.FUNCTION:
            return kind == "R_BPF_64_64" and symbol in (reloc.symbol, ".text")
        case SymbolKind.KSYM | SymbolKind.ADDRESS | SymbolKind.JUMP_TABLE:
            return kind == "R_BPF_64_64" and symbol == reloc.symbol


def test_relocations(path: Path, spec: ObjectSpec) -> None:
    read = elf.read(path.read_bytes(), spec.name)
    starts = {name: (home, start) for name, kind, _, home, start, _ in symbols_of(path) if kind == "FUNC"}
    ours = {
        (starts[name][0], starts[name][1] + 8 * reloc.index): reloc
        for name, each in functions_of(read).items()
        for reloc in each.symbols
    }
    code = code_sections(path)
    theirs = {(row[0], row[1]): row[2:] for row in relocations_of(path) if row[0] in code}
    for place, (kind, value, symbol) in theirs.items():
        assert agrees(ours[place], read, kind, value, symbol), (place, symbol, ours[place])
    # What the table lacks is what the assembler has resolved: calls within a section.
    assert all(reloc.kind is SymbolKind.CALL for place, reloc in ours.items() if place not in theirs)
    weak = {name for name, _, binding, home, _, _ in symbols_of(path) if binding == "WEAK" and home == "UND"}
    assert {reloc.symbol for reloc in ours.values() if reloc.weak} == weak


def test_variables_and_data(path: Path, spec: ObjectSpec, tmp_path: Path) -> None:
    read = elf.read(path.read_bytes(), spec.name)
    data = {name for name in sections_of(path).values() if re.match(r"\.(data|rodata|bss)", name)}
    assert {name for name in read.data if name != ".kconfig"} == data
    globals_of = {
        name: (home, value, size)
        for name, kind, binding, home, value, size in symbols_of(path)
        if kind == "OBJECT" and binding in ("GLOBAL", "WEAK") and home in data
    }
    variables = {each.name: (each.map, each.offset, each.size) for each in read.variables.values()}
    assert {name: place for name, place in variables.items() if place[0] != ".kconfig"} == globals_of
    btf = Btf(read.btf)
    for variable in read.variables.values():
        assert btf.size(variable.type_id) == variable.size
    for name in data - {name for name in data if name.startswith(".bss")}:
        dumped = tmp_path / "data"
        subprocess.run(["llvm-objcopy", f"--dump-section={name}={dumped}", path, "/dev/null"], check=True)
        assert read.data[name] == dumped.read_bytes()


def test_maps_are_the_symbols_of_their_section(path: Path, spec: ObjectSpec) -> None:
    read = elf.read(path.read_bytes(), spec.name)
    found = {name for name, kind, _, home, _, _ in symbols_of(path) if kind == "OBJECT" and home == ".maps"}
    assert set(read.maps) - set(read.data) == found


def test_round_trip(built: Path, spec: ObjectSpec) -> None:
    written = elf.write(spec)
    again = elf.read(written, spec.name)
    assert replace(again, btf=b"") == replace(spec, btf=b"")
    assert types_of(again.btf) == types_of(spec.btf)
    # Static functions move to .text, whose name the strings may lack.
    assert string_section(again.btf).startswith(string_section(spec.btf))
    assert string_section(again.btf)[len(string_section(spec.btf)) :] in (b"", b".text\0")
    assert elf.write(again) == written
    assert len(written) < built.stat().st_size


# -- what the sources say ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source(built: Path) -> list[str]:
    return (SOURCES / f"{built.name.split('.')[0]}.c").read_text().splitlines()


def test_lines_are_those_of_the_source(spec: ObjectSpec, source: list[str]) -> None:
    for each in functions_of(spec).values():
        assert each.lines[0].index == 0
        assert [line.index for line in each.lines] == sorted(line.index for line in each.lines)
        assert all(line.index < len(each.code) // 8 for line in each.lines)
        for line in each.lines:
            assert line.file.endswith(f"{spec.name}.c")
            assert line.line == 0 or source[line.line - 1] == line.text


def test_function_types_have_the_names_of_the_functions(spec: ObjectSpec) -> None:
    btf = Btf(spec.btf)
    for name, each in functions_of(spec).items():
        assert [(info.index, btf.kind(info.type_id), btf.name(info.type_id)) for info in each.functions] == [
            (0, Kind.FUNC, name)
        ]


def test_sections_of_data_have_sizes_and_order(spec: ObjectSpec) -> None:
    btf = Btf(spec.btf)
    for type_id in btf.ids(Kind.DATASEC):
        section = btf.type(type_id)
        if section.name == ".ksyms":
            continue
        assert section.size > 0  # type: ignore[union-attr]
        end = 0
        for row in section.variables:  # type: ignore[union-attr]
            assert row.offset >= end, section.name
            end = row.offset + row.size
        assert end <= section.size  # type: ignore[union-attr]
