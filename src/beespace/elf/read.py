"""``read``: the bytes of a ``.bpf.o`` -> ``ObjectSpec``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from beespace.btf import Btf
from beespace.elf import lines
from beespace.elf.arena import find_arena
from beespace.elf.datasec import fix_up, string_section
from beespace.elf.externs import data_sections, read_externs, read_kconfig
from beespace.elf.functions import Function, find_functions
from beespace.elf.header import Header
from beespace.elf.jump_tables import JumpTables, find_jump_tables
from beespace.elf.maps import MAPS, fill_in, read_maps
from beespace.elf.order import turn_spec
from beespace.elf.relocations import Relocation, Targets, read_relocations
from beespace.elf.sections import Section, read_sections
from beespace.elf.strings import Strings
from beespace.elf.struct_ops import read_struct_ops
from beespace.elf.symbols import read_symbols
from beespace.elf.variables import is_data, read_variables, refuse_pointers
from beespace.errors import FormatError
from beespace.isa.opcodes import CALL, CALL_LOCAL
from beespace.spec import FunctionSpec, JumpTable, MapSpec, ObjectSpec, ProgramSpec, SymbolKind, SymbolReloc

LICENSE = "license"
_NO_DEBUG = "compile with -g: maps and types are in the debug information"


def read(data: bytes, name: str) -> ObjectSpec:
    """Reads a BPF object: an ELF64 relocatable file of either byte order, as clang and LLVM write it.

    ``name`` is what the spec is called (the file name without its suffixes, say).  Raises
    :class:`~beespace.errors.FormatError` for everything that the file says and a spec cannot, and for
    whatever is damaged.  Code is given as the kernel takes it, with zero immediates and the right
    ``BPF_PSEUDO_*`` source register where a relocation will write.
    """
    data = bytes(data)
    header = Header.read(data)
    order = header.byteorder
    sections = read_sections(data, header)
    _refuse_legacy(sections)
    symbols = read_symbols(sections, order)
    relocations = read_relocations(sections, len(symbols), order)
    refuse_pointers(sections, symbols, relocations)
    functions = find_functions(sections, symbols)

    btf_section, ext_section = _only(sections, ".BTF"), _only(sections, ".BTF.ext")
    btf_bytes = b""
    if btf_section is not None:
        btf_bytes = fix_up(btf_section, sections, symbols, relocations.get(btf_section.index, []))
    btf = Btf(btf_bytes) if btf_bytes else None
    data_types = data_sections(btf) if btf is not None else {}
    externs = read_externs(btf, data_types, symbols)

    map_section = _only(sections, MAPS)
    maps: dict[str, MapSpec] = {}
    map_offsets: dict[int, str] = {}
    if map_section is not None and map_section.size:
        if btf is None or MAPS not in data_types:
            raise FormatError("the object has maps but no BTF for them", offset=map_section.offset, help=_NO_DEBUG)
        definitions = read_maps(btf, data_types[MAPS][1])
        map_relocations = relocations.get(map_section.index, [])
        maps = fill_in(definitions, map_relocations, symbols, map_section, functions, order)
        map_offsets = {definition.offset: definition.spec.name for definition in definitions}
    arena = find_arena(sections, maps)
    variables, data_maps, initial = read_variables(sections, symbols, btf, data_types, arena)
    data_of = {section.index: section.name for section in sections if is_data(section)}

    jump_tables = find_jump_tables(sections, order)
    targets = Targets(
        sections=sections,
        symbols=symbols,
        functions=functions,
        map_section=map_section.index if map_section is not None else -1,
        maps=map_offsets,
        data=data_of if arena is None else data_of | {arena[0].index: arena[1]},
        externs=externs,
        jump_tables=jump_tables.index,
    )
    infos: Mapping[str, lines.Info] = {}
    if ext_section is not None:
        if btf_section is None:
            raise FormatError("the object has .BTF.ext but no .BTF", offset=ext_section.offset, help=_NO_DEBUG)
        strings = Strings(string_section(btf_bytes), "the BTF strings", btf_section.offset)
        infos = lines.read_info(ext_section, strings, sections, functions)

    programs: dict[str, ProgramSpec] = {}
    subprograms: dict[str, FunctionSpec] = {}
    by_function = _by_function(relocations, targets)
    for function in functions:
        code = _function(
            function, by_function.get(function.name, ()), targets, infos.get(function.name, lines.Info()), jump_tables
        )
        if function.program:
            section = sections[function.section].name
            programs[function.name] = ProgramSpec(
                name=function.name, section=section.removeprefix("?"), entry=code,
                autoload=not section.startswith("?"),
            )  # fmt: skip
        else:
            subprograms[function.name] = code
    spec = ObjectSpec(
        name=name,
        license=_license(_only(sections, LICENSE)),
        programs=MappingProxyType(programs),
        subprograms=MappingProxyType(subprograms),
        maps=MappingProxyType(maps | data_maps),
        variables=MappingProxyType(variables),
        data=MappingProxyType(initial),
        btf=btf_bytes,
        kconfig=read_kconfig(btf, data_types, externs),
        struct_ops=MappingProxyType(read_struct_ops(btf, data_types, sections, symbols, relocations, functions, order)),
        byteorder=order,
    )
    return spec if order == "little" else turn_spec(spec, "little")


def _refuse_legacy(sections: Sequence[Section]) -> None:
    for section in sections:
        if section.name == "maps" or section.name.startswith("maps/"):
            raise FormatError(
                f'the object has maps as `struct bpf_map_def` in section "{section.name}", '
                "which libbpf 1.0 has dropped too",
                offset=section.offset,
                help='define them by BTF: struct { __uint(type, BPF_MAP_TYPE_HASH); ... } name SEC(".maps");',
            )


def _only(sections: Sequence[Section], name: str) -> Section | None:
    found = [section for section in sections if section.name == name]
    if len(found) > 1:
        raise FormatError(f"two sections are called {name!r}", offset=found[1].offset)
    return found[0] if found else None


def _license(section: Section | None) -> str:
    if section is None:
        return ""
    try:
        return section.data.split(b"\0", 1)[0].decode()
    except UnicodeDecodeError:
        help = 'char _license[] SEC("license") = "GPL";'
        raise FormatError("the license is no text", offset=section.offset, help=help) from None


def _by_function(relocations: Mapping[int, Sequence[Relocation]], targets: Targets) -> dict[str, list[Relocation]]:
    found: dict[str, list[Relocation]] = {}
    for section, rows in relocations.items():
        if not targets.sections[section].executable:
            continue
        for row in rows:
            function = targets.functions.containing(section, row.offset)
            if function is not None:  # a linker leaves the code of overridden weak functions, which is nobody's
                found.setdefault(function.name, []).append(row)
            elif row.offset >= targets.sections[section].size:
                raise FormatError(
                    f"a relocation at {row.offset:#x} of {targets.sections[section].name!r}, beyond its end",
                    offset=row.where,
                )
    return found


def _function(
    function: Function, relocations: Sequence[Relocation], targets: Targets, info: lines.Info, jump_tables: JumpTables
) -> FunctionSpec:
    section = targets.sections[function.section]
    code = bytearray(section.data[function.start : function.end])
    symbols: dict[int, SymbolReloc] = {}
    tables: dict[str, JumpTable] = {}
    for row in relocations:
        reloc = targets.resolve(code, function.start, row, function.name)
        if reloc.kind is SymbolKind.JUMP_TABLE and reloc.symbol not in tables:
            tables[reloc.symbol] = jump_tables.read(targets.symbols[row.symbol], row, function)
        if reloc.index in symbols:
            raise FormatError(f"two relocations of instruction {reloc.index} of {function.name}", offset=row.where)
        symbols[reloc.index] = reloc
    # Calls inside of one section need no relocation in the file, but do as soon as functions move.
    for at in _find_all(code[0::8], CALL):
        if code[at * 8 + 1] >> 4 == CALL_LOCAL and at not in symbols:
            symbols[at] = targets.call_without_relocation(function, at, code)
    return FunctionSpec(
        name=function.name,
        code=bytes(code),
        symbols=tuple(symbols[index] for index in sorted(symbols)),
        core=tuple(info.core),
        functions=tuple(info.functions),
        lines=tuple(info.lines),
        jump_tables=tuple(tables.values()),
    )


def _find_all(opcodes: bytearray, opcode: int) -> list[int]:
    found = []
    at = opcodes.find(opcode)
    while at >= 0:
        found.append(at)
        at = opcodes.find(opcode, at + 1)
    return found
