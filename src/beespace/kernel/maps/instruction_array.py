"""``InstructionArray``: where instructions of a program went.  INSN_ARRAY (Linux 6.19)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cached_property

from beespace.errors import UsageError
from beespace.kernel.maps.array import ArrayMap
from beespace.kernel.maps.coding import Coding
from beespace.typed import Any, NamedTuple

__all__ = ["Instruction", "InstructionArray"]

_VALUE = struct.Struct("=IIII")  # struct bpf_insn_array_value


class Instruction(NamedTuple):
    """One instruction: its offset in the loaded program, after the verifier, and (in bytes) in the machine's code.

    ``xlated`` is ``None`` if the verifier took the instruction out.
    """

    original: int
    xlated: int | None = 0
    jited: int = 0


class _Value:
    size = _VALUE.size

    def decode(self, data: bytes, offset: int = 0) -> Instruction:
        original, xlated, jited, _ = _VALUE.unpack_from(data, offset)
        return Instruction(original, None if xlated == 0xFFFF_FFFF else xlated, jited)

    def encode(self, value: Any) -> bytes:
        original = value.original if isinstance(value, Instruction) else value
        if not isinstance(original, int) or not 0 <= original < 1 << 32:
            raise UsageError(f"{value!r} is no offset of an instruction")
        return _VALUE.pack(original, 0, 0, 0)


class InstructionArray(ArrayMap):
    """Offsets of instructions go in before the map is frozen and its program is loaded; :class:`Instruction` comes out.

    One program uses it at a time.
    """

    @cached_property
    def value(self) -> Coding:
        return _Value()

    def __iter__(self) -> Iterator[Any]:
        return (self.read(index) for index in range(len(self)))
