"""How the kernel's structures lie in memory, and how Python values get into and out of them.

A :class:`Layout` is one C structure: named fields with an offset and a :mod:`struct` format.  The
layouts themselves are data (:mod:`beespace.syscall._attributes`), written by ``tools/gen_syscall.py``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview
"""Memory whose address goes into a pointer field; the kernel can only write into a ``bytearray`` or writable view."""

Value: TypeAlias = int | Buffer


class Slot(NamedTuple):
    """One field: ``offset`` in bytes, ``format`` for :mod:`struct` (native byte order, no padding).

    A bit field has ``width`` > 0 and lies ``shift`` bits above the lowest bit of its word.
    """

    offset: int
    format: str
    shift: int = 0
    width: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """A C structure of ``size`` bytes.  A field inside a named member is spelt ``member.field``."""

    name: str
    size: int
    fields: Mapping[str, Slot]

    def end(self, name: str) -> int:
        """The offset of the first byte after field ``name``."""
        slot = self.fields[name]
        return slot.offset + struct.calcsize("=" + slot.format)

    def write(self, memory: bytearray, name: str, value: int | bytes) -> None:
        """Store ``value`` (an integer, or bytes for a ``char[n]``) in field ``name``."""
        slot = self.fields[name]
        if slot.width:
            word = struct.unpack_from("=" + slot.format, memory, slot.offset)[0]
            mask = ((1 << slot.width) - 1) << slot.shift
            value = (word & ~mask) | (int(value) << slot.shift & mask)
        struct.pack_into("=" + slot.format, memory, slot.offset, value)

    def read(self, memory: Buffer, name: str) -> int | bytes:
        """The value of field ``name``; ``char[n]`` and ``u8[n]`` come as bytes, everything else as an integer."""
        slot = self.fields[name]
        value: int | bytes = struct.unpack_from("=" + slot.format, memory, slot.offset)[0]
        if slot.width and isinstance(value, int):
            return value >> slot.shift & ((1 << slot.width) - 1)
        return value

    def used(self, names: Iterable[str]) -> int:
        """How many leading bytes cover all of ``names``."""
        return max((self.end(name) for name in names), default=0)
