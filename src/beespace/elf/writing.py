"""``write``: ``ObjectSpec`` -> the bytes of a ``.bpf.o``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from beespace.btf import Btf, DataSection, Function, Linkage, Variable
from beespace.elf.arena import ARENA
from beespace.elf.blob import with_maps, with_strings
from beespace.elf.datasec import string_section
from beespace.elf.externs import KCONFIG, KSYMS, data_sections
from beespace.elf.image import Image
from beespace.elf.jump_tables import JUMP_TABLES
from beespace.elf.lines import write_info
from beespace.elf.maps import MAPS, SLOT_SIZE, MapDefinition, read_maps
from beespace.elf.order import turn_spec
from beespace.elf.read import LICENSE, read
from beespace.elf.relocations import R_BPF_64_32, R_BPF_64_64, R_BPF_64_ABS64, place
from beespace.elf.sections import SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE
from beespace.elf.strings import StringTable
from beespace.elf.struct_ops import section_of
from beespace.elf.symbols import STB_GLOBAL, STB_LOCAL, STB_WEAK, STT_FUNC, STT_NOTYPE, STT_OBJECT, STT_SECTION
from beespace.errors import FormatError
from beespace.isa import ByteOrder, MapType
from beespace.record import replace
from beespace.spec import FunctionSpec, MapSpec, ObjectSpec, SymbolKind, SymbolReloc

TEXT = ".text"
_CODE = SHF_ALLOC | SHF_EXECINSTR
#: Keys of symbols in the image: what they are, and the name.
_FUNCTION, _SECTION, _VARIABLE, _EXTERN, _TABLE = "function", "section", "variable", "extern", "table"
_Row = tuple[int, int, object]


def write(spec: ObjectSpec) -> bytes:
    """A canonical object that :func:`~beespace.elf.read.read` reads back to an equal spec.

    If the BTF of ``spec`` lacks a string, or defines other maps than ``spec.maps``, it is extended in the
    file; everything else is equal.  Raises :class:`~beespace.errors.FormatError` if the spec says what an
    object file cannot: initial contents other than maps and programs, say.
    """
    # Everything in between works on little-endian code and types.
    little = spec if spec.byteorder == "little" else turn_spec(spec, "big")
    return _Writer(little).write()


class _Writer:
    """The state of one :func:`write`: the image, and where functions and sections went."""

    def __init__(self, spec: ObjectSpec) -> None:
        self.spec = spec
        self.image = Image(byteorder=spec.byteorder)
        self._types(spec.btf)
        self.definitions = self._definitions()
        self.sections: dict[str, int] = {}
        self.places: dict[str, tuple[str, int]] = {}  # function -> section, byte offset

    def write(self) -> bytes:
        """The whole file."""
        code = self._code_sections()
        self._data_sections()
        self._symbols(code)
        self._jump_tables(code)
        self._map_contents()
        self._struct_ops()
        for name, functions in code.items():
            self._relocate(name, functions)
        self._type_sections(code)
        data = self.image.bytes()
        got = read(data, self.spec.name)
        self._check(got if got.byteorder == "little" else turn_spec(got, "big"))
        return data

    # -- sections ------------------------------------------------------------------------------------------

    def _types(self, data: bytes) -> None:
        """What the file's BTF is."""
        self.btf_bytes = data
        self.btf = Btf(data) if data else None
        self.data_types = data_sections(self.btf) if self.btf is not None else {}

    def _definitions(self) -> dict[str, MapDefinition]:
        """The maps as the BTF defines them, or as it has to be made to define them."""
        wanted = {
            name: spec
            for name, spec in self.spec.maps.items()
            if name not in self.spec.data or spec.type == MapType.ARENA
        }
        for spec in wanted.values():
            if any(isinstance(value, bytes) for _, value in spec.contents):
                raise FormatError(
                    f"map {spec.name!r} has initial contents of bytes, which an object file cannot hold",
                    help="put them into a `.rodata` array",
                )
        if self.btf is not None:
            known = read_maps(self.btf, self.data_types[MAPS][1]) if MAPS in self.data_types else []
            found = {definition.spec.name: definition for definition in known}
            if found.keys() == wanted.keys() and all(
                _defines(found[name], spec, self.spec.byteorder) for name, spec in wanted.items()
            ):
                return found
        elif not wanted:
            return {}
        self._types(with_maps(self.btf_bytes, list(wanted.values()), self.spec.byteorder))
        if not wanted:
            return {}
        assert self.btf is not None
        return {definition.spec.name: definition for definition in read_maps(self.btf, self.data_types[MAPS][1])}

    def _code_sections(self) -> dict[str, list[FunctionSpec]]:
        code: dict[str, list[FunctionSpec]] = {}
        if self.spec.subprograms:
            code[TEXT] = list(self.spec.subprograms.values())
        for program in self.spec.programs.values():
            if program.section == TEXT:
                raise FormatError(f"program {program.name!r} is in section .text, which is for sub-programs")
            code.setdefault(program.section if program.autoload else f"?{program.section}", []).append(program.entry)
        for name, functions in code.items():
            offset = 0
            for function in functions:
                if function.name in self.places:
                    raise FormatError(f"two functions are called {function.name!r}")
                self.places[function.name] = name, offset
                offset += len(function.code)
            # The bytes come later: they hold addends, which depend on where everything is.
            self.sections[name] = self.image.add_section(name, _CODE, b"".join(f.code for f in functions))
        return code

    def _data_sections(self) -> None:
        if self.spec.license or LICENSE in self.data_types:
            size = self.data_types[LICENSE][1].size if LICENSE in self.data_types else 0
            text = self.spec.license.encode() + b"\0"
            self.sections[LICENSE] = self.image.add_section(LICENSE, SHF_ALLOC | SHF_WRITE, text.ljust(size, b"\0"))
        for name, value in self.spec.data.items():
            if name == KCONFIG:
                continue
            if self.spec.maps[name].type == MapType.ARENA:
                self.sections[ARENA] = self.image.add_section(ARENA, SHF_ALLOC | SHF_WRITE, value)
                continue
            zero_filled = name.startswith(".bss")
            if zero_filled and any(value):
                raise FormatError(f"{name} has initial values other than zero", help="put the variable into .data")
            flags = SHF_ALLOC if name.startswith(".rodata") else SHF_ALLOC | SHF_WRITE
            self.sections[name] = self.image.add_section(name, flags, value, zero_filled=zero_filled)
        if self.definitions:
            end = max(definition.offset + definition.size for definition in self.definitions.values())
            self.sections[MAPS] = self.image.add_section(MAPS, SHF_ALLOC | SHF_WRITE, bytes(end))

    def _type_sections(self, code: Mapping[str, Sequence[FunctionSpec]]) -> None:
        strings = StringTable(string_section(self.btf_bytes) if self.btf_bytes else b"\0")
        placed = [(name, self.places[f.name][1], f) for name, functions in code.items() for f in functions]
        info = write_info(placed, strings)
        if self.btf_bytes or info:
            self.image.add_section(".BTF", 0, with_strings(self.btf_bytes, strings))
        if info:
            self.image.add_section(".BTF.ext", 0, info)

    # -- symbols -------------------------------------------------------------------------------------------

    def _symbols(self, code: Mapping[str, Sequence[FunctionSpec]]) -> None:
        for name, index in self.sections.items():
            self.image.add_symbol((_SECTION, name), "", STT_SECTION, STB_LOCAL, index)
        for name, functions in code.items():
            for function in functions:
                binding = STB_LOCAL if name == TEXT and self._is_static(function) else STB_GLOBAL
                offset, size = self.places[function.name][1], len(function.code)
                key = _FUNCTION, function.name
                self.image.add_symbol(key, function.name, STT_FUNC, binding, self.sections[name], offset, size)
        for variable in self.spec.variables.values():
            if variable.map != KCONFIG:
                index = self._section_of(self._home(variable.map), f"variable {variable.name!r}")
                self._object(variable.name, STB_GLOBAL, index, variable.offset, variable.size)
        for name, (_, section) in self.data_types.items():
            if name in self.sections:
                for variable_type, offset, size in self._variables(section):
                    static = variable_type.linkage == Linkage.STATIC
                    # Static variables need no symbol, but a static map has to be told from the others.
                    if not static or name == MAPS:
                        binding = STB_LOCAL if static else STB_GLOBAL
                        self._object(variable_type.name, binding, self.sections[name], offset, size)
        weak = {reloc.symbol for reloc in self._all_symbols() if reloc.weak}
        weak |= {option.name for option in self.spec.kconfig if option.weak}
        used = {reloc.symbol for reloc in self._all_symbols()}
        for name in (KSYMS, KCONFIG):
            if name in self.data_types:
                assert self.btf is not None
                for row in self.data_types[name][1].variables:
                    symbol = self.btf.name(row.type)
                    # One that nothing refers to any more must not keep the object from loading.
                    binding = STB_WEAK if symbol in weak or (name == KSYMS and symbol not in used) else STB_GLOBAL
                    self.image.add_symbol((_EXTERN, symbol), symbol, STT_NOTYPE, binding)

    def _object(self, name: str, binding: int, section: int, offset: int, size: int) -> None:
        self.image.add_symbol((_VARIABLE, name), name, STT_OBJECT, binding, section, offset, size)

    def _variables(self, section: DataSection) -> Iterator[tuple[Variable, int, int]]:
        assert self.btf is not None
        for row in section.variables:
            variable = self.btf.type(row.type)
            if isinstance(variable, Variable):
                yield variable, row.offset, row.size

    def _is_static(self, function: FunctionSpec) -> bool:
        if self.btf is None or not function.functions:
            return True
        found = self.btf.type(function.functions[0].type_id)
        return not isinstance(found, Function) or found.linkage == Linkage.STATIC

    def _all_symbols(self) -> Iterator[SymbolReloc]:
        for program in self.spec.programs.values():
            yield from program.entry.symbols
        for function in self.spec.subprograms.values():
            yield from function.symbols

    def _home(self, name: str) -> str:
        """The section of a map that variables are in."""
        owner = self.spec.maps.get(name)
        return ARENA if owner is not None and owner.type == MapType.ARENA else name

    def _section_of(self, name: str, what: str) -> int:
        if name not in self.sections:
            raise FormatError(f"{what} is in {name!r}, which the object has not")
        return self.sections[name]

    # -- relocations ---------------------------------------------------------------------------------------

    def _relocate(self, name: str, functions: Sequence[FunctionSpec]) -> None:
        rows: list[_Row] = []
        parts = []
        for function in functions:
            code = bytearray(function.code)
            base = self.places[function.name][1]
            for reloc in function.symbols:
                at = reloc.index * 8
                if not 0 <= at <= len(code) - 8:
                    raise FormatError(f"{function.name} refers to {reloc.symbol} at {reloc.index}, beyond its end")
                kind, key, imm = _PLACERS[reloc.kind](self, reloc, function.name)
                code[at + 4 : at + 8] = (imm & 0xFFFF_FFFF).to_bytes(4, "little")
                if kind == R_BPF_64_64:
                    code[at + 1] &= 0x0F  # the loader says what it is, not the compiler
                else:
                    code[at + 1] = code[at + 1] & 0x0F | 0x10
                rows.append((base + at, kind, key))
            parts.append(bytes(code))
        self.image.replace(self.sections[name], b"".join(parts))
        self.image.relocate(self.sections[name], rows)

    def _to_map(self, reloc: SymbolReloc, function: str) -> tuple[int, object, int]:
        if reloc.symbol not in self.definitions:
            raise FormatError(f"{function} refers to map {reloc.symbol!r}, which the object has not")
        return R_BPF_64_64, (_VARIABLE, reloc.symbol), 0

    def _to_value(self, reloc: SymbolReloc, function: str) -> tuple[int, object, int]:
        if reloc.symbol != KCONFIG:
            home = self._home(reloc.symbol)
            self._section_of(home, f"what {function} refers to")
            return R_BPF_64_64, (_SECTION, home), reloc.addend
        for variable, offset, size in self._variables(self.data_types[KCONFIG][1]) if self.data_types else ():
            if offset <= reloc.addend < offset + size:
                return R_BPF_64_64, (_EXTERN, variable.name), reloc.addend - offset
        raise FormatError(f"{function} refers to {reloc.addend:#x} of .kconfig, where there is nothing")

    def _to_function(self, reloc: SymbolReloc, function: str) -> tuple[int, object, int]:
        section, offset = self.places.get(reloc.symbol, ("", 0))
        if section != TEXT:
            raise FormatError(f"{function} refers to sub-program {reloc.symbol!r}, which the object has not")
        called = reloc.kind is SymbolKind.CALL
        kind = R_BPF_64_32 if called else R_BPF_64_64
        if self._is_static(self.spec.subprograms[reloc.symbol]):
            # libbpf takes a static function by its section alone.
            return kind, (_SECTION, TEXT), offset // 8 - 1 if called else offset
        return kind, (_FUNCTION, reloc.symbol), -1 if called else 0

    def _to_table(self, reloc: SymbolReloc, function: str) -> tuple[int, object, int]:
        key = _TABLE, function, reloc.symbol
        if not self.image.has_symbol(key):
            raise FormatError(f"{function} jumps by table {reloc.symbol!r}, which it has not")
        return R_BPF_64_64, key, 0

    def _to_kernel(self, reloc: SymbolReloc, function: str) -> tuple[int, object, int]:
        key = _EXTERN, reloc.symbol
        if not self.image.has_symbol(key):
            raise FormatError(f"{function} refers to {reloc.symbol!r} of the kernel, which the BTF does not declare")
        return (R_BPF_64_32, key, -1) if reloc.kind is SymbolKind.KFUNC else (R_BPF_64_64, key, 0)

    def _map_contents(self) -> None:
        rows: list[_Row] = []
        for name, definition in self.definitions.items():
            spec = self.spec.maps[name]
            kind = _FUNCTION if spec.type == MapType.PROG_ARRAY else _VARIABLE
            for key, value in spec.contents:
                if not self.image.has_symbol((kind, value)):
                    raise FormatError(f"map {name!r} holds {value!r}, which the object has not")
                slot = int.from_bytes(key, self.spec.byteorder)
                offset = definition.offset + definition.values + slot * SLOT_SIZE
                rows.append((offset, R_BPF_64_ABS64, (kind, value)))
        if rows:
            self.image.relocate(self.sections[MAPS], rows)

    def _jump_tables(self, code: Mapping[str, Sequence[FunctionSpec]]) -> None:
        tables = [
            (function, each) for functions in code.values() for function in functions for each in function.jump_tables
        ]
        if not tables:
            return
        data = bytearray()
        section = self.image.add_section(JUMP_TABLES, 0, bytes(8 * sum(len(each.targets) for _, each in tables)))
        for function, each in tables:
            base, size = self.places[function.name][1], 8 * len(each.targets)
            self.image.add_symbol(
                (_TABLE, function.name, each.name), each.name, STT_OBJECT, STB_LOCAL, section, len(data), size
            )
            for target in each.targets:
                data += (base + 8 * target).to_bytes(8, self.spec.byteorder)
        self.image.replace(section, bytes(data))

    def _struct_ops(self) -> None:
        """The sections of implementations, laid out as the types say."""
        for name, (_, section) in self.data_types.items():
            mine = {n: each for n, each in self.spec.struct_ops.items() if section_of(each) == name}
            if not mine:
                continue
            data = bytearray(section.size)
            rows: list[_Row] = []
            places = {variable.name: offset for variable, offset, _ in self._variables(section)}
            for variable, each in mine.items():
                if variable not in places:
                    continue
                start = places[variable]
                data[start : start + len(each.data)] = each.data
                for at, program in each.programs.items():
                    if not self.image.has_symbol((_FUNCTION, program)):
                        raise FormatError(f"{variable} names program {program!r}, which the object has not")
                    rows.append((start + at, R_BPF_64_ABS64, (_FUNCTION, program)))
            self.sections[name] = self.image.add_section(name, SHF_ALLOC | SHF_WRITE, bytes(data))
            for each_type, offset, size in self._variables(section):
                if each_type.linkage != Linkage.STATIC:
                    self._object(each_type.name, STB_GLOBAL, self.sections[name], offset, size)
            self.image.relocate(self.sections[name], rows)

    # -- the proof -----------------------------------------------------------------------------------------

    def _check(self, got: ObjectSpec) -> None:
        """An object that does not say what the spec says must not leave this room."""
        pairs = [
            ("the license", self.spec.license, got.license),
            *_differences("map", self.spec.maps, got.maps),
            *_differences("variable", self.spec.variables, got.variables),
            *_differences("the initial value of", self.spec.data, got.data),
            *_differences("implementation", self.spec.struct_ops, got.struct_ops),
            *_differences("program", _plain_programs(self.spec), _plain_programs(got)),
            *_differences("sub-program", _plain(self.spec.subprograms), _plain(got.subprograms)),
        ]
        for what, wanted, found in pairs:
            if wanted != found:
                raise FormatError(f"an object file cannot express {what}: {wanted!r} would become {found!r}")


_PLACERS = {
    SymbolKind.MAP: _Writer._to_map,
    SymbolKind.MAP_VALUE: _Writer._to_value,
    SymbolKind.CALL: _Writer._to_function,
    SymbolKind.FUNCTION: _Writer._to_function,
    SymbolKind.KFUNC: _Writer._to_kernel,
    SymbolKind.KSYM: _Writer._to_kernel,
    SymbolKind.ADDRESS: _Writer._to_kernel,
    SymbolKind.JUMP_TABLE: _Writer._to_table,
}


def _defines(definition: MapDefinition, spec: MapSpec, byteorder: ByteOrder) -> bool:
    """Whether a definition is that of ``spec``, with room for its contents."""
    slots = (definition.size - definition.values) // SLOT_SIZE if definition.values >= 0 else 0
    return definition.spec == replace(spec, contents=()) and all(
        int.from_bytes(key, byteorder) < slots for key, _ in spec.contents
    )


def _differences(
    what: str, wanted: Mapping[str, object], found: Mapping[str, object]
) -> Iterator[tuple[str, object, object]]:
    for name in [*wanted, *(name for name in found if name not in wanted)]:
        yield f"{what} {name!r}", wanted.get(name), found.get(name)


def _plain(functions: Mapping[str, FunctionSpec]) -> dict[str, FunctionSpec]:
    """Functions without what the writer puts right: string offsets of lines, placeholders in the code."""
    plain = {}
    for name, spec in functions.items():
        code = bytearray(spec.code)
        for reloc in spec.symbols:
            place(code, reloc.index, reloc.kind)
        lines = tuple(replace(line, file_offset=0, text_offset=0) for line in spec.lines)
        plain[name] = replace(spec, code=bytes(code), lines=lines)
    return plain


def _plain_programs(spec: ObjectSpec) -> dict[str, object]:
    entries = _plain({name: program.entry for name, program in spec.programs.items()})
    return {name: replace(program, entry=entries[name]) for name, program in spec.programs.items()}
