"""Filling in what only the running kernel knows: descriptors of maps, ids of kernel functions and variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from beespace.btf import Btf
from beespace.btf.kinds import Kind
from beespace.errors import FormatError, RelocationError
from beespace.kernel.image import Image, set_source_register, write_immediate
from beespace.kernel.maps import Map
from beespace.spec import SymbolKind, SymbolReloc

__all__ = ["MISSING_KFUNC", "fill_symbols"]

# Source registers that say what an immediate means (include/uapi/linux/bpf.h).
_MAP_FD, _MAP_VALUE, _KFUNC_CALL, _BTF_ID = 1, 2, 2, 3

MISSING_KFUNC = 2_002_000_000
"""A call of a weak kernel function that is missing goes to helper ``MISSING_KFUNC`` + its place in the image's symbols.

No kernel has that helper, so the verifier refuses the program if the call can be reached, and only then.
"""


def fill_symbols(image: Image, maps: Mapping[str, Map], btf: Callable[[], Btf]) -> bytes:
    """The image's instructions, ready to be loaded.

    Raises :class:`RelocationError` for a kernel symbol that this kernel does not have (and that is not weak).
    """
    code = bytearray(image.code)
    for number, symbol in enumerate(image.symbols):
        match symbol.kind:
            case SymbolKind.MAP | SymbolKind.MAP_VALUE:
                _map(code, image, symbol, maps)
            case SymbolKind.KFUNC:
                _kfunc(code, number, symbol, btf())
            case SymbolKind.KSYM:
                _variable(code, symbol, btf())
            case _:
                raise FormatError(f"{image.name}: a {symbol.kind.value} is not a thing of the kernel")
    return bytes(code)


def _map(code: bytearray, image: Image, symbol: SymbolReloc, maps: Mapping[str, Map]) -> None:
    if symbol.symbol not in maps:
        raise FormatError(f"{image.name} refers to map {symbol.symbol!r}, which the object does not hold")
    write_immediate(code, symbol.index, maps[symbol.symbol].fileno())
    if symbol.kind is SymbolKind.MAP:
        set_source_register(code, symbol.index, _MAP_FD)
    else:
        set_source_register(code, symbol.index, _MAP_VALUE)
        write_immediate(code, symbol.index + 1, symbol.addend)


def _kfunc(code: bytearray, number: int, symbol: SymbolReloc, btf: Btf) -> None:
    found = _find(symbol, btf, Kind.FUNC, "function")
    write_immediate(code, symbol.index, found or MISSING_KFUNC + number)
    set_source_register(code, symbol.index, _KFUNC_CALL if found else 0)


def _variable(code: bytearray, symbol: SymbolReloc, btf: Btf) -> None:
    found = _find(symbol, btf, Kind.VAR, "variable")
    # A weak variable that is missing has address 0, as in C.
    write_immediate(code, symbol.index, found)
    write_immediate(code, symbol.index + 1, 0)
    set_source_register(code, symbol.index, _BTF_ID if found else 0)


def _find(symbol: SymbolReloc, btf: Btf, kind: Kind, what: str) -> int:
    ids = btf.find_all(symbol.symbol, kind)
    if ids:
        return ids[0]
    if symbol.weak:
        return 0
    raise RelocationError(
        f"this kernel has no {what} {symbol.symbol!r} for BPF programs",
        help="declare it weak and test whether it is there, or use a newer kernel (modules are not searched)",
    )
