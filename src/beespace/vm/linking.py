"""``code_of``: a program's instructions with all that they name filled in, or the error that says what is missing."""

from __future__ import annotations

from collections.abc import Mapping

from beespace.errors import FormatError, RelocationError
from beespace.isa.constants import MapType
from beespace.isa.helpers import BY_NUMBER
from beespace.isa.opcodes import CALL, CALL_HELPER
from beespace.reloc.image import Image, set_source_register, write_immediate
from beespace.spec import ObjectSpec, SymbolKind, SymbolReloc
from beespace.vm.code import Code
from beespace.vm.helpers import HELPERS
from beespace.vm.kfuncs import NUMBERS

__all__ = ["code_of"]

_MAP_FD, _MAP_VALUE = 1, 2  # BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE
_KNOWN = 1  # the address of a function of the kernel that there is
_NONE = -1  # the number of a function that there is not
_HELP = "docs/testing.md says what the machine has"


def code_of(image: Image, spec: ObjectSpec, numbers: Mapping[str, int], callback: str | None) -> Code:
    """The program; ``numbers`` are those of its maps, ``callback`` is what ``bpf_throw()`` calls.

    What only a kernel has is 0 where it may be missing.
    """
    code = bytearray(image.code)
    for symbol in image.symbols:
        match symbol.kind:
            case SymbolKind.MAP | SymbolKind.MAP_VALUE:
                _map(code, image, spec, symbol, numbers)
            case SymbolKind.KFUNC:
                if symbol.symbol not in NUMBERS and not symbol.weak:
                    raise _missing(image, symbol.index, f"calls the kernel's {symbol.symbol}()")
                write_immediate(code, symbol.index, NUMBERS.get(symbol.symbol, _NONE))
                set_source_register(code, symbol.index, 2)  # BPF_PSEUDO_KFUNC_CALL
            case SymbolKind.KSYM | SymbolKind.ADDRESS if symbol.weak or symbol.symbol in NUMBERS:
                write_immediate(code, symbol.index, _KNOWN if symbol.symbol in NUMBERS else 0)
                write_immediate(code, symbol.index + 1, 0)
                set_source_register(code, symbol.index, 0)
            case _:
                raise _missing(image, symbol.index, f"needs the kernel's {symbol.symbol!r}")
    exception = None
    if callback is not None:
        exception = next((each.start for each in image.placed if each.function.name == callback), None)
    made = Code.of(bytes(code), name=image.name, lines=image.lines, exception=exception)
    for index, insn in enumerate(made.insns):
        known = BY_NUMBER.get(insn.imm)  # what CO-RE poisoned calls none
        if insn.opcode == CALL and insn.src == CALL_HELPER and known is not None and insn.imm not in HELPERS:
            raise _missing(image, index, f"calls bpf_{known.name}()")
    return made


def _map(code: bytearray, image: Image, spec: ObjectSpec, symbol: SymbolReloc, numbers: Mapping[str, int]) -> None:
    if symbol.symbol not in numbers:
        if symbol.symbol not in spec.maps:
            raise FormatError(f"{image.name} refers to map {symbol.symbol!r}, which the object does not hold")
        number = spec.maps[symbol.symbol].type
        kind = MapType(number).name if number in set(MapType) else str(number)
        raise _missing(image, symbol.index, f"uses map {symbol.symbol!r} of type {kind}")
    write_immediate(code, symbol.index, numbers[symbol.symbol])
    value = symbol.kind is SymbolKind.MAP_VALUE
    set_source_register(code, symbol.index, _MAP_VALUE if value else _MAP_FD)
    if value:
        write_immediate(code, symbol.index + 1, symbol.addend)


def _missing(image: Image, index: int, what: str) -> RelocationError:
    where = image.source(index)
    place = f"instruction {index}" + (f", {where}" if where else "")
    return RelocationError(f"program {image.name!r} {what}, which the machine does not have ({place})", help=_HELP)
