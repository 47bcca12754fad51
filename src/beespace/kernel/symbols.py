"""Filling in what only the running kernel knows: descriptors of maps, kernel functions, variables and addresses."""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping
from contextlib import ExitStack

from beespace.btf.kinds import Kind
from beespace.errors import FormatError, RelocationError
from beespace.reloc.image import Image, set_source_register, write_immediate
from beespace.spec import ObjectSpec, SymbolKind, SymbolReloc
from beespace.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from beespace.btf import Btf
    from beespace.kernel.kernel_types import Found, KernelTypes
    from beespace.syscall import HasFileno

__all__ = ["MISSING_KFUNC", "KernelSymbols", "check_byte_order", "fill_symbols"]

# Source registers that say what an immediate means (include/uapi/linux/bpf.h).
_MAP_FD, _MAP_VALUE, _KFUNC_CALL, _BTF_ID = 1, 2, 2, 3
_MAX_MODULES = (1 << 15) - 1  # a call names its module by an index of 16 bits, signed

MISSING_KFUNC = 2_002_000_000
"""A call of a weak kernel function that is missing goes to helper ``MISSING_KFUNC`` + its place in the image's symbols.

No kernel has that helper, so the verifier refuses the program if the call can be reached, and only then.
"""


def check_byte_order(spec: ObjectSpec) -> None:
    """:class:`FormatError` for an object of the other byte order."""
    if spec.byteorder != sys.byteorder:
        raise FormatError(
            f"object {spec.name!r} is {spec.byteorder}-endian, this machine is {sys.byteorder}-endian",
            help="compile it with `clang -target bpf`, for the machine that compiles, or with "
            f"`-target {'bpfel' if sys.byteorder == 'little' else 'bpfeb'}`",
        )


class KernelSymbols:
    """What the programs of one object refer to in the kernel, each looked up once.

    ``descriptors`` is what programs are loaded with (``fd_array``, Linux 5.17): calls name the module that a kernel
    function is in by its place there; 0 is the kernel itself.
    """

    def __init__(self, spec: ObjectSpec, kernel: KernelTypes) -> None:
        self.spec = spec
        self.kernel = kernel
        self.descriptors: list[HasFileno | int] = []
        self._modules: dict[str, int] = {}
        self._found: dict[tuple[str, Kind], Found | None] = {}
        self._addresses: dict[str, int] | None = None
        self._own: Btf | None = None
        self._declared: dict[str, tuple[int, bool]] | None = None

    def is_function(self, name: str) -> bool:
        """Whether the object declares ``name`` as a function."""
        return self._declaration(name)[1]

    def find(self, symbol: SymbolReloc, kind: Kind) -> Found | None:
        """A function or variable of the kernel or of a module; ``None`` if it is weak and not there.

        Raises :class:`RelocationError` for one that is missing, or has another type than the object declares.
        """
        key = (symbol.symbol, kind)
        if key not in self._found:
            self._found[key] = self._find(symbol, kind)
        found = self._found[key]
        if found is None and not symbol.weak:
            what = "function" if kind is Kind.FUNC else "variable"
            raise RelocationError(
                f"this kernel has no {what} {symbol.symbol!r} for BPF programs, nor has a loaded module",
                help="declare it weak and test whether it is there, load the module that has it, or use a newer kernel",
            )
        return found

    def _find(self, symbol: SymbolReloc, kind: Kind) -> Found | None:
        from beespace.btf import essential_name

        # Objects may declare one function in several ways, name___flavour.
        name = essential_name(symbol.symbol) if kind is Kind.FUNC else symbol.symbol
        found = self.kernel.find(name, kind)
        declared = self._declaration(symbol.symbol)[0]
        if found is None or not declared or self._compatible(declared, found):
            return found
        if symbol.weak and kind is Kind.FUNC:
            return None
        assert self._own is not None
        there = found.btf.describe(_type_of(found.btf, found.id))
        raise RelocationError(
            f"{symbol.symbol!r} is declared as {self._own.describe(declared)}; in this kernel it is {there}",
            help="declare it as the kernel does (bpftool btf dump file /sys/kernel/btf/vmlinux format c)",
        )

    def _declaration(self, name: str) -> tuple[int, bool]:
        """The object's own type of ``name`` (0: it declares none), and whether that is a function."""
        if self._declared is None:
            self._declared = self._declarations()
        return self._declared.get(name, (0, False))

    def _declarations(self) -> dict[str, tuple[int, bool]]:
        if not self.spec.btf:
            return {}
        from beespace.btf import Btf, DataSection, Function, Variable

        own = self._own = Btf(self.spec.btf)
        declared: dict[str, tuple[int, bool]] = {}
        for section_id in own.find_all(".ksyms", Kind.DATASEC):
            section = own.type(section_id)
            for row in section.variables if isinstance(section, DataSection) else ():
                found = own.type(row.type)
                if isinstance(found, (Function, Variable)):
                    declared[found.name] = (own.resolve(found.type), isinstance(found, Function))
        return declared

    def _compatible(self, declared: int, found: Found) -> bool:
        from beespace.reloc.compatible import types_are_compatible

        assert self._own is not None
        return types_are_compatible(self._own, declared, found.btf, _type_of(found.btf, found.id), forward=True)

    def module(self, name: str | None) -> HasFileno | None:
        """The BTF object of a module; ``None`` for the kernel itself."""
        return None if name is None else self.kernel.descriptor(name)

    def place(self, module: str | None) -> int:
        """The place of a module in :attr:`descriptors`."""
        if module is None:
            return 0
        if module not in self._modules:
            if not self.descriptors:
                self.descriptors.append(0)  # never looked at: place 0 is the kernel
            if len(self.descriptors) > _MAX_MODULES:
                raise RelocationError(f"functions of more than {_MAX_MODULES} modules are called")
            self._modules[module] = len(self.descriptors)
            self.descriptors.append(self.kernel.descriptor(module))
        return self._modules[module]

    def address(self, symbol: SymbolReloc) -> int:
        """The address of a symbol without a type, 0 if it is weak and not there; all of an object are found at once."""
        if self._addresses is None:
            from beespace.kernel.kallsyms import addresses

            functions = [*(p.entry for p in self.spec.programs.values()), *self.spec.subprograms.values()]
            relocs = (reloc for function in functions for reloc in function.symbols)
            self._addresses = addresses({reloc.symbol for reloc in relocs if reloc.kind is SymbolKind.ADDRESS})
        found = self._addresses.get(symbol.symbol)
        if found is None and not symbol.weak:
            raise RelocationError(
                f"this kernel has no symbol {symbol.symbol!r}",
                help="declare it weak and test whether it is there; variables are listed in /proc/kallsyms only with "
                "CONFIG_KALLSYMS_ALL",
            )
        return found or 0


def _type_of(btf: Btf, symbol_id: int) -> int:
    """The prototype of a function, or the plain type of a variable."""
    from beespace.btf import Function, Variable

    found = btf.type(symbol_id)
    assert isinstance(found, (Function, Variable))
    return btf.resolve(found.type)


def fill_symbols(image: Image, maps: Mapping[str, HasFileno], symbols: KernelSymbols, held: ExitStack) -> bytes:
    """The image's instructions, ready to be loaded with ``symbols.descriptors`` while ``held`` is open.

    Raises :class:`RelocationError` for a kernel symbol that this kernel does not have (and that is not weak).
    """
    code = bytearray(image.code)
    for number, symbol in enumerate(image.symbols):
        match symbol.kind:
            case SymbolKind.MAP | SymbolKind.MAP_VALUE:
                _map(code, image, symbol, maps)
            case SymbolKind.KFUNC:
                _kfunc(code, number, symbol, symbols)
            case SymbolKind.KSYM:
                _typed(code, symbol, symbols)
            case SymbolKind.JUMP_TABLE:
                from beespace.kernel.jump_tables import jump_table

                write_immediate(code, symbol.index, jump_table(image, symbol, held).fileno())
                set_source_register(code, symbol.index, _MAP_VALUE)
            case SymbolKind.ADDRESS:
                _immediate(code, symbol.index, symbols.address(symbol))
                set_source_register(code, symbol.index, 0)
            case _:
                raise FormatError(f"{image.name}: a {symbol.kind.value} is not a thing of the kernel")
    return bytes(code)


def _immediate(code: bytearray, index: int, value: int) -> None:
    """Both halves of a 64-bit immediate."""
    write_immediate(code, index, value)
    write_immediate(code, index + 1, value >> 32)


def _map(code: bytearray, image: Image, symbol: SymbolReloc, maps: Mapping[str, HasFileno]) -> None:
    if symbol.symbol not in maps:
        raise FormatError(f"{image.name} refers to map {symbol.symbol!r}, which the object does not hold")
    write_immediate(code, symbol.index, maps[symbol.symbol].fileno())
    if symbol.kind is SymbolKind.MAP:
        set_source_register(code, symbol.index, _MAP_FD)
    else:
        set_source_register(code, symbol.index, _MAP_VALUE)
        write_immediate(code, symbol.index + 1, symbol.addend)


def _kfunc(code: bytearray, number: int, symbol: SymbolReloc, symbols: KernelSymbols) -> None:
    found = symbols.find(symbol, Kind.FUNC)
    write_immediate(code, symbol.index, MISSING_KFUNC + number if found is None else found.id)
    set_source_register(code, symbol.index, 0 if found is None else _KFUNC_CALL)
    if found is not None:
        struct.pack_into("=h", code, 8 * symbol.index + 2, symbols.place(found.module))


def _typed(code: bytearray, symbol: SymbolReloc, symbols: KernelSymbols) -> None:
    """The address of a variable or function, which the kernel fills in by its type."""
    kind = Kind.FUNC if symbols.is_function(symbol.symbol) else Kind.VAR
    found = symbols.find(symbol, kind)
    if found is None:  # what is weak and missing has address 0, as in C
        _immediate(code, symbol.index, 0)
        set_source_register(code, symbol.index, 0)
        return
    write_immediate(code, symbol.index, found.id)
    module = symbols.module(found.module)
    write_immediate(code, symbol.index + 1, 0 if module is None else module.fileno())
    set_source_register(code, symbol.index, _BTF_ID)
