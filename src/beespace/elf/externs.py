"""Symbols that the object declares and the kernel defines: ``.ksyms`` and ``.kconfig``."""

from __future__ import annotations

from beespace.btf import Btf, DataSection, Function, Int, Kind, Variable
from beespace.errors import FormatError
from beespace.record import dataclass

KSYMS, KCONFIG = ".ksyms", ".kconfig"

#: What ``.kconfig`` may ask for, and of how many bytes.  The loader fills the value in.
KCONFIG_VARIABLES = {"LINUX_KERNEL_VERSION": 4}


@dataclass(frozen=True, slots=True)
class Extern:
    """A symbol of the kernel, or (``offset`` is not None) a variable at that offset of ``.kconfig``."""

    name: str
    function: bool
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


def read_externs(btf: Btf, sections: dict[str, tuple[int, DataSection]]) -> dict[str, Extern]:
    """All externs by name.  Raises FormatError for a kernel option that only a running kernel can tell."""
    found: dict[str, Extern] = {}
    if KSYMS in sections:
        for row in sections[KSYMS][1].variables:
            symbol = btf.type(row.type)
            if not isinstance(symbol, (Function, Variable)):
                raise FormatError(f"BTF: type {row.type} in .ksyms is neither a function nor a variable")
            found[symbol.name] = Extern(symbol.name, isinstance(symbol, Function))
    if KCONFIG in sections:
        for row in sections[KCONFIG][1].variables:
            variable = btf.type(row.type)
            if not isinstance(variable, Variable):
                raise FormatError(f"BTF: type {row.type} in .kconfig is no variable")
            _check_kconfig(btf, variable, row.size)
            found[variable.name] = Extern(variable.name, False, row.offset)
    return found


def _check_kconfig(btf: Btf, variable: Variable, size: int) -> None:
    known = ", ".join(KCONFIG_VARIABLES)
    expected = KCONFIG_VARIABLES.get(variable.name)
    if expected is None:
        raise FormatError(
            f"the object asks for {variable.name} of the kernel's configuration, which is not supported",
            help=f"only {known} is; pass other options in as `const volatile` globals",
        )
    if size != expected or not isinstance(btf.type(btf.resolve(variable.type)), Int):
        raise FormatError(f"{variable.name} is declared as {size} bytes; it is an integer of {expected}")
