"""``read``: the bytes of a ``.bpf.o`` -> ``ObjectSpec``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from beespace.btf import Btf
from beespace.elf import lines
from beespace.elf.datasec import fix_up, string_section
from beespace.elf.externs import data_sections, read_externs
from beespace.elf.functions import Function, find_functions
from beespace.elf.header import Header
from beespace.elf.maps import MAPS, fill_in, read_maps
from beespace.elf.relocations import Relocation, Targets, read_relocations
from beespace.elf.sections import Section, read_sections
from beespace.elf.strings import Strings
from beespace.elf.symbols import read_symbols
from beespace.elf.variables import is_data, read_variables, refuse_pointers
from beespace.errors import FormatError
from beespace.isa.opcodes import CALL, CALL_LOCAL
from beespace.spec import FunctionSpec, MapSpec, ObjectSpec, ProgramSpec, SymbolReloc

LICENSE = "license"
_NO_DEBUG = "compile with -g: maps and types are in the debug information"
#: Sections that mean something which a spec cannot say.
_REFUSED = {
    "maps": ("maps as `struct bpf_map_def` in section \"maps\", which libbpf 1.0 has dropped too",
             "define them by BTF: struct { __uint(type, BPF_MAP_TYPE_HASH); ... } name SEC(\".maps\");"),
    ".struct_ops": ("a struct_ops table, which is not supported", None),
    ".struct_ops.link": ("a struct_ops table, which is not supported", None),
    ".addr_space.1": ("variables in an arena, which are not supported", None),
}  # fmt: skip


def read(data: bytes, name: str) -> ObjectSpec:
    """Reads a BPF object: an ELF64 little-endian relocatable file, as clang and LLVM write it.

    ``name`` is what the spec is called (the file name without its suffixes, say).  Raises
    :class:`~beespace.errors.FormatError` for everything that the file says and a spec cannot, and for
    whatever is damaged.  Code is given as the kernel takes it, with zero immediates and the right
    ``BPF_PSEUDO_*`` source register where a relocation will write.
    """
    data = bytes(data)
    sections = read_sections(data, Header.read(data))
    _refuse(sections)
    symbols = read_symbols(sections)
    relocations = read_relocations(sections, len(symbols))
    refuse_pointers(sections, symbols, relocations)
    functions = find_functions(sections, symbols)

    btf_section, ext_section = _only(sections, ".BTF"), _only(sections, ".BTF.ext")
    btf_bytes = b""
    if btf_section is not None:
        btf_bytes = fix_up(btf_section, sections, symbols, relocations.get(btf_section.index, []))
    btf = Btf(btf_bytes) if btf_bytes else None
    data_types = data_sections(btf) if btf is not None else {}
    externs = read_externs(btf, data_types) if btf is not None else {}

    map_section = _only(sections, MAPS)
    maps: dict[str, MapSpec] = {}
    map_offsets: dict[int, str] = {}
    if map_section is not None and map_section.size:
        if btf is None or MAPS not in data_types:
            raise FormatError("the object has maps but no BTF for them", offset=map_section.offset, help=_NO_DEBUG)
        definitions = read_maps(btf, data_types[MAPS][1])
        map_relocations = relocations.get(map_section.index, [])
        maps = fill_in(definitions, map_relocations, symbols, map_section, functions)
        map_offsets = {definition.offset: definition.spec.name for definition in definitions}
    variables, data_maps, initial = read_variables(sections, symbols, btf, data_types)

    targets = Targets(
        sections=sections,
        symbols=symbols,
        functions=functions,
        map_section=map_section.index if map_section is not None else -1,
        maps=map_offsets,
        data={section.index: section.name for section in sections if is_data(section)},
        externs=externs,
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
        spec = _function(function, by_function.get(function.name, ()), targets, infos.get(function.name, lines.Info()))
        if function.program:
            programs[function.name] = ProgramSpec(function.name, sections[function.section].name, spec)
        else:
            subprograms[function.name] = spec
    return ObjectSpec(
        name=name,
        license=_license(_only(sections, LICENSE)),
        programs=MappingProxyType(programs),
        subprograms=MappingProxyType(subprograms),
        maps=MappingProxyType(maps | data_maps),
        variables=MappingProxyType(variables),
        data=MappingProxyType(initial),
        btf=btf_bytes,
    )


def _refuse(sections: Sequence[Section]) -> None:
    for section in sections:
        # "?" in front asks libbpf not to load the section by itself.
        name = section.name.removeprefix("?")
        base = name.split("/")[0]
        if base in _REFUSED and section.size:
            what, help = _REFUSED[base]
            raise FormatError(f"the object has {what}", offset=section.offset, help=help)


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
            if function is None:
                raise FormatError(
                    f"a relocation at {row.offset:#x} of {targets.sections[section].name!r}, beyond its end",
                    offset=row.where,
                )
            found.setdefault(function.name, []).append(row)
    return found


def _function(
    function: Function, relocations: Sequence[Relocation], targets: Targets, info: lines.Info
) -> FunctionSpec:
    section = targets.sections[function.section]
    code = bytearray(section.data[function.start : function.end])
    symbols: dict[int, SymbolReloc] = {}
    for row in relocations:
        reloc = targets.resolve(code, function.start, row, function.name)
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
    )


def _find_all(opcodes: bytearray, opcode: int) -> list[int]:
    found = []
    at = opcodes.find(opcode)
    while at >= 0:
        found.append(at)
        at = opcodes.find(opcode, at + 1)
    return found
