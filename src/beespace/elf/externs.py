"""Symbols that the object declares and the kernel defines: ``.ksyms`` and ``.kconfig``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from beespace.btf import Array, Btf, DataSection, Enum, Function, Int, Kind, Type, Variable, Void
from beespace.btf.types import IntEncoding
from beespace.elf.symbols import STB_LOCAL, STB_WEAK, STT_NOTYPE, Symbol
from beespace.elf.types import size_of
from beespace.errors import FormatError
from beespace.record import dataclass
from beespace.spec import KconfigSpec, SymbolKind

KSYMS, KCONFIG = ".ksyms", ".kconfig"
_MAX_INTEGER = 8


@dataclass(frozen=True, slots=True)
class Extern:
    """A symbol of the kernel, or (``offset`` is not None) a variable at that offset of ``.kconfig``.

    ``address`` is the kind of a reference to its address, by whether its type is known.
    """

    name: str
    function: bool
    address: SymbolKind
    weak: bool = False
    offset: int | None = None


def data_sections(btf: Btf) -> dict[str, tuple[int, DataSection]]:
    """Every DATASEC and its type id, by name.  Raises FormatError if there are two of a name."""
    found: dict[str, tuple[int, DataSection]] = {}
    for type_id in btf.ids(Kind.DATASEC):
        section = btf.type(type_id)
        assert isinstance(section, DataSection)
        if section.name in found:
            raise FormatError(f"BTF: two DATASECs {section.name!r}, types {found[section.name][0]} and {type_id}")
        found[section.name] = type_id, section
    return found


def read_externs(
    btf: Btf | None, sections: Mapping[str, tuple[int, DataSection]], symbols: Sequence[Symbol]
) -> dict[str, Extern]:
    """All externs by name.  Raises FormatError for a symbol that is neither defined here nor by the kernel."""
    declared = dict(_declared(btf, sections)) if btf is not None else {}
    found: dict[str, Extern] = {}
    for symbol in symbols:
        if symbol.section or symbol.binding == STB_LOCAL or symbol.type != STT_NOTYPE or not symbol.name:
            continue
        extern = declared.get(symbol.name)
        if extern is None:
            raise FormatError(
                f"{symbol.name!r} is declared in the object, but defined nowhere",
                help="define it, or link the object that does (bpftool gen object); what the kernel has is declared "
                "`extern ... __ksym` or `__kconfig`, and compiled with -g",
            )
        weak = symbol.binding == STB_WEAK
        found[symbol.name] = Extern(extern.name, extern.function, extern.address, weak, extern.offset)
    return found


def _declared(btf: Btf, sections: Mapping[str, tuple[int, DataSection]]) -> Iterator[tuple[str, Extern]]:
    for row in sections[KSYMS][1].variables if KSYMS in sections else ():
        symbol = btf.type(row.type)
        if not isinstance(symbol, (Function, Variable)):
            raise FormatError(f"BTF: type {row.type} in .ksyms is neither a function nor a variable")
        typeless = isinstance(symbol, Variable) and isinstance(btf.type(btf.resolve(symbol.type)), Void)
        address = SymbolKind.ADDRESS if typeless else SymbolKind.KSYM
        yield symbol.name, Extern(symbol.name, isinstance(symbol, Function), address)
    for row in sections[KCONFIG][1].variables if KCONFIG in sections else ():
        variable = _kconfig_variable(btf, row.type)
        yield variable.name, Extern(variable.name, False, SymbolKind.MAP_VALUE, offset=row.offset)


def _kconfig_variable(btf: Btf, type_id: int) -> Variable:
    variable = btf.type(type_id)
    if not isinstance(variable, Variable):
        raise FormatError(f"BTF: type {type_id} in .kconfig is no variable")
    return variable


def read_kconfig(
    btf: Btf | None, sections: Mapping[str, tuple[int, DataSection]], externs: Mapping[str, Extern]
) -> tuple[KconfigSpec, ...]:
    """What ``.kconfig`` asks for.  Raises FormatError for a type that no option of the kernel has."""
    if btf is None or KCONFIG not in sections:
        return ()
    found = []
    for row in sections[KCONFIG][1].variables:
        variable = _kconfig_variable(btf, row.type)
        kind = btf.type(btf.resolve(variable.type))
        if not _is_option(btf, kind):
            raise FormatError(
                f"{variable.name} is declared as {btf.describe(variable.type)}, which no option of the kernel is",
                help="bool, char, an integer, enum libbpf_tristate, or char[N]",
            )
        size = size_of(btf, variable.type, variable.name)
        if size != row.size:
            raise FormatError(f"BTF: {variable.name} has {row.size} bytes in .kconfig; its type has {size}")
        extern = externs.get(variable.name)
        found.append(KconfigSpec(variable.name, row.offset, size, variable.type, extern is None or extern.weak))
    return tuple(found)


def _is_option(btf: Btf, kind: Type) -> bool:
    match kind:
        case Int():
            size = 1 if kind.encoding & IntEncoding.BOOL else _MAX_INTEGER
            return kind.size <= size and kind.size.bit_count() == 1
        case Enum():
            return kind.name == "libbpf_tristate" and (kind.size == 4 or kind.is_64)
        case Array():
            element = btf.type(btf.resolve(kind.type))
            return isinstance(element, Int) and element.size == 1 and kind.count > 0
        case _:
            return False
