"""Tables of jump targets in the kernel: one map of places for each table of each program."""

from __future__ import annotations

import struct
from contextlib import ExitStack

from beespace.errors import FormatError, KernelError, NotSupported
from beespace.isa.constants import MapType
from beespace.reloc.image import Image
from beespace.spec import SymbolReloc
from beespace.syscall import Descriptor, bpf

__all__ = ["jump_table"]

_PLACE = struct.Struct("=IIII")  # struct bpf_insn_array_value: place in this program, two that the kernel fills in


def jump_table(image: Image, symbol: SymbolReloc, held: ExitStack) -> Descriptor:
    """The table that the instruction refers to, as the verifier takes it (``BPF_MAP_TYPE_INSN_ARRAY``, Linux 6.19).

    ``held`` closes it; the program keeps it.  Raises :class:`NotSupported` where the kernel has none.
    """
    function, at = image.locate(symbol.index)
    start = symbol.index - at
    table = next((each for each in function.jump_tables if each.name == symbol.symbol), None)
    if table is None:
        raise FormatError(f"{function.name} jumps by table {symbol.symbol!r}, which it has not")
    try:
        made = held.enter_context(
            bpf.map_create(MapType.INSN_ARRAY, 4, _PLACE.size, len(table.targets), name=".jumptables")
        )
    except NotSupported:
        raise
    except KernelError as error:
        raise NotSupported(
            f"tables of jump targets, by which {function.name} jumps",
            since="6.19",
            call=error.call,
            errno=error.errno,
            help="compile with -mcpu=v3, or with -fno-jump-tables",
        ) from None
    for number, target in enumerate(table.targets):
        bpf.map_update(made, struct.pack("=I", number), _PLACE.pack(start + target & 0xFFFF_FFFF, 0, 0, 0))
    bpf.map_freeze(made)
    return made
