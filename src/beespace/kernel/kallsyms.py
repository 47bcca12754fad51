"""``/proc/kallsyms``: addresses of kernel symbols, for those that have no type to go by.

The list has a hundred thousand lines and more, which the kernel writes anew for each reader: it is read once
for all names that are wanted, in pieces, and never kept.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

from beespace.errors import NotPermitted, NotSupported, RelocationError
from beespace.record import dataclass
from beespace.syscall import Descriptor

__all__ = ["KALLSYMS", "KernelSymbol", "addresses", "find_symbols"]

KALLSYMS = "/proc/kallsyms"
_PIECE = 1 << 18
#: What a compiler that optimises over all files puts behind the name of a static symbol.
_LLVM = b".llvm."
_ALWAYS_THERE = "_stext"  # where the kernel's code begins, include/asm-generic/sections.h


@dataclass(frozen=True, slots=True)
class KernelSymbol:
    """One line: ``type`` is a letter as ``nm`` writes it, ``module`` empty for the kernel itself."""

    address: int
    type: str
    name: str
    module: str = ""


def addresses(names: Collection[str]) -> dict[str, int]:
    """The address of each symbol that is there.

    Raises :class:`RelocationError` for a name that several symbols have, and :class:`NotPermitted` where addresses
    are hidden (``kernel.kptr_restrict``).
    """
    found: dict[str, int] = {}
    for symbol in find_symbols(names):
        known = found.setdefault(symbol.name, symbol.address)
        if known != symbol.address:
            raise RelocationError(
                f"several kernel symbols are called {symbol.name!r}: at {known:#x} and {symbol.address:#x}",
                help="an address cannot tell which is meant; declare it with its type, if the kernel's BTF has it",
            )
    hidden = [name for name, address in found.items() if not address]
    # 0 may be true: on x86 variables of CPUs were counted from there until Linux 6.15.
    if hidden and not any(symbol.address for symbol in find_symbols((_ALWAYS_THERE,))):
        raise NotPermitted(
            f"learn the address of kernel symbol {hidden[0]!r}",
            missing=f"{KALLSYMS} shows zeroes to this process",
            help="give it CAP_SYSLOG, and set sysctl kernel.kptr_restrict to 0 or 1",
        )
    return found


def find_symbols(names: Collection[str]) -> Iterator[KernelSymbol]:
    """Every symbol of one of these names, in one pass (``name.llvm.123`` is one of ``name``)."""
    wanted = {name: b" " + name.encode() for name in names}
    for piece in _pieces():
        for name, needle in wanted.items():
            at = piece.find(needle)
            while at >= 0:
                end = at + len(needle)
                if piece[end] in b"\t\n" or piece.startswith(_LLVM, end):
                    start = piece.rfind(b"\n", 0, at) + 1
                    yield _symbol(piece[start : piece.index(b"\n", end)], name)
                at = piece.find(needle, end)


def _symbol(line: bytes, name: str) -> KernelSymbol:
    """``ffffffff81000000 T name`` and, of a module, a tab and ``[module]``."""
    text = line.decode("utf-8", "replace")
    address, kind, rest = text.split(" ", 2)
    module = rest.partition("\t")[2].strip("[] ")
    return KernelSymbol(int(address, 16), kind, name, module)


def _pieces() -> Iterator[bytes]:
    """The list in pieces of whole lines."""
    try:
        file = Descriptor(os.open(KALLSYMS, os.O_RDONLY | os.O_CLOEXEC), "kernel symbols")
    except OSError as error:
        raise NotSupported(
            f"listing kernel symbols: {KALLSYMS} cannot be read ({os.strerror(error.errno or 0)})",
            since="2.5.71, CONFIG_KALLSYMS=y",
            call="open",
            errno=error.errno or 0,
        ) from None
    with file:
        rest = b""
        while data := os.read(file.fileno(), _PIECE):
            whole, newline, tail = data.rpartition(b"\n")
            if newline:
                yield rest + whole + newline
                rest = tail
            else:
                rest += data
        if rest:
            yield rest + b"\n"
