"""Global variables: the data sections, which become maps of one value each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from beespace.btf import Btf, DataSection, Variable
from beespace.elf.externs import KCONFIG
from beespace.elf.relocations import R_BPF_NONE, Relocation
from beespace.elf.sections import SHT_NOBITS, SHT_PROGBITS, Section
from beespace.elf.symbols import STT_OBJECT, Symbol
from beespace.errors import FormatError
from beespace.isa import MapType
from beespace.isa.constants import MapFlag
from beespace.spec import MapSpec, VariableSpec

#: Names of data sections, exact or before a further dot, and the flags of their maps.
_FLAGS = {".data": MapFlag(0), ".bss": MapFlag(0), ".rodata": MapFlag.RDONLY_PROG, KCONFIG: MapFlag.RDONLY_PROG}


def is_data(section: Section) -> bool:
    """Whether the section becomes a map: ``.data``, ``.rodata``, ``.bss``, also ``.data.anything``."""
    base = ".".join(section.name.split(".", 2)[:2])
    return base in _FLAGS and section.type in (SHT_PROGBITS, SHT_NOBITS) and section.size > 0


def data_map(name: str, size: int, type_id: int, *, visible: bool) -> MapSpec:
    """The map of a data section of ``size`` bytes; user space can map it if it has ``visible`` variables.

    One that has only static variables is private to the programs, as in libbpf: the kernel allows spin
    locks and the like in such a map alone.
    """
    flags = _FLAGS[".".join(name.split(".", 2)[:2])] | (MapFlag.MMAPABLE if visible else MapFlag(0))
    return MapSpec(
        name=name,
        type=int(MapType.ARRAY),
        key_size=4,
        value_size=size,
        max_entries=1,
        flags=int(flags),
        value_type=type_id,
    )


def read_variables(
    sections: Sequence[Section],
    symbols: Sequence[Symbol],
    btf: Btf | None,
    data_types: Mapping[str, tuple[int, DataSection]],
    arena: tuple[Section, str] | None = None,
) -> tuple[dict[str, VariableSpec], dict[str, MapSpec], dict[str, bytes]]:
    """Variables, maps and initial values of all data sections, of ``.kconfig``, and of the arena (of its map, no map).

    A variable is a global symbol; static ones stay the object's own.  Raises FormatError if one is
    outside its section or two have one name.
    """
    variables: dict[str, VariableSpec] = {}
    maps: dict[str, MapSpec] = {}
    data: dict[str, bytes] = {}
    data_sections = {section.index: section for section in sections if is_data(section)}
    for section in data_sections.values():
        if section.name in data:
            raise FormatError(f"two sections are called {section.name!r}", offset=section.offset)
        data[section.name] = section.data if section.type == SHT_PROGBITS else bytes(section.size)
    types = _variable_types(btf, data_types, data)
    if arena is not None:
        data_sections[arena[0].index] = arena[0]
        types |= _variable_types(btf, data_types, [arena[0].name])
    for symbol in symbols:
        home = data_sections.get(symbol.section)
        if home is None or symbol.type != STT_OBJECT or not symbol.exported:
            continue
        if symbol.value + symbol.size > home.size:
            raise FormatError(f"variable {symbol.name!r} ends beyond {home.name!r}", offset=home.offset)
        owner = arena[1] if arena is not None and home is arena[0] else home.name
        type_id = types.get((home.name, symbol.name), 0)
        _add(variables, VariableSpec(symbol.name, owner, symbol.value, symbol.size, type_id))
    if KCONFIG in data_types and btf is not None:
        data[KCONFIG] = bytes(data_types[KCONFIG][1].size)
        for row in data_types[KCONFIG][1].variables:
            found = btf.type(row.type)
            assert isinstance(found, Variable)  # fix_up() has looked
            _add(variables, VariableSpec(found.name, KCONFIG, row.offset, row.size, found.type))
    visible = {variable.map for variable in variables.values()}
    for name, value in data.items():
        type_id = data_types[name][0] if name in data_types else 0
        maps[name] = data_map(name, len(value), type_id, visible=name in visible)
    if arena is not None:
        data[arena[1]] = arena[0].data
    return variables, maps, data


def _add(variables: dict[str, VariableSpec], variable: VariableSpec) -> None:
    if variable.name in variables:
        raise FormatError(f"two variables are called {variable.name!r}")
    variables[variable.name] = variable


def _variable_types(
    btf: Btf | None, data_types: Mapping[str, tuple[int, DataSection]], data: Iterable[str]
) -> dict[tuple[str, str], int]:
    if btf is None:
        return {}
    found: dict[tuple[str, str], int] = {}
    for name in data:
        if name not in data_types:
            continue
        for row in data_types[name][1].variables:
            variable = btf.type(row.type)
            if not isinstance(variable, Variable):
                raise FormatError(f"BTF: type {row.type} in {name} is no variable")
            found[name, variable.name] = variable.type
    return found


def refuse_pointers(
    sections: Sequence[Section], symbols: Sequence[Symbol], relocations: Mapping[int, Sequence[Relocation]]
) -> None:
    """Raises FormatError if a data section holds an address: it would silently be zero in the kernel."""
    for index, rows in relocations.items():
        section = sections[index]
        if not is_data(section):
            continue
        for row in rows:
            if row.type == R_BPF_NONE:
                continue
            target = symbols[row.symbol]
            name = target.name or (sections[target.section].name if target.section < len(sections) else "")
            owners = (s.name for s in symbols if s.section == index and s.value <= row.offset < s.value + s.size)
            owner = next(owners, "a variable")
            raise FormatError(
                f"{owner} in {section.name!r} holds the address of {name!r} at {row.offset:#x}; "
                "the kernel fills in no addresses in data",
                offset=row.where,
                help="write an array of char for a pointer to a string, a switch for a table of functions",
            )
