"""How the kernel's structures lie in memory, and how Python values get into and out of them.

A :class:`Layout` is one C structure: named fields with an offset and a :mod:`struct` format.  The
layouts themselves are data (:mod:`beespace.syscall._attributes`), written by ``tools/gen_syscall.py``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

from beespace.record import dataclass, field
from beespace.typed import NamedTuple, TypeAlias

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


class _Code(NamedTuple):
    """A slot made ready: its packer, where it starts and ends."""

    packer: struct.Struct
    start: int
    end: int
    is_text: bool
    slot: Slot


@dataclass(frozen=True, slots=True)
class Layout:
    """A C structure of ``size`` bytes.  A field inside a named member is spelt ``member.field``."""

    name: str
    size: int
    fields: Mapping[str, Slot]
    _codes: dict[str, _Code] = field(default_factory=dict, repr=False, compare=False)

    def code(self, name: str) -> _Code:
        """Field ``name``, ready to pack; made at its first use, because most fields have none."""
        try:
            return self._codes[name]
        except KeyError:
            slot = self.fields[name]
            packer = struct.Struct("=" + slot.format)
            code = _Code(packer, slot.offset, slot.offset + packer.size, slot.format.endswith("s"), slot)
            self._codes[name] = code
            return code

    def end(self, name: str) -> int:
        """The offset of the first byte after field ``name``."""
        return self.code(name).end

    def write(self, memory: bytearray, name: str, value: int | bytes) -> None:
        """Store ``value`` (an integer, or bytes for a ``char[n]``) in field ``name``."""
        code = self.code(name)
        if code.slot.width:
            _, _, shift, width = code.slot
            word = code.packer.unpack_from(memory, code.start)[0]
            mask = ((1 << width) - 1) << shift
            value = (word & ~mask) | (int(value) << shift & mask)
        code.packer.pack_into(memory, code.start, value)

    def read(self, memory: Buffer, name: str) -> int | bytes:
        """The value of field ``name``; ``char[n]`` and ``u8[n]`` come as bytes, everything else as an integer."""
        code = self.code(name)
        value: int | bytes = code.packer.unpack_from(memory, code.start)[0]
        if code.slot.width and isinstance(value, int):
            return value >> code.slot.shift & ((1 << code.slot.width) - 1)
        return value

    def used(self, names: Iterable[str]) -> int:
        """How many leading bytes cover all of ``names``."""
        return max((self.end(name) for name in names), default=0)
