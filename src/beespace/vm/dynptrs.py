"""``Dynptr``: a pointer with a size, in the 16 bytes of the program's ``struct bpf_dynptr`` (Linux 5.19).

They hold what the kernel's ``struct bpf_dynptr_kern`` holds: address, size with kind and rights, offset.  Nothing
follows from forging one: every access is checked as any other.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from beespace.record import dataclass
from beespace.vm.errno import Errno, Refused

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = ["LARGEST", "LOCAL", "RING", "SKB", "XDP", "Dynptr"]

LOCAL, RING, SKB, XDP = 1, 2, 3, 4  # enum bpf_dynptr_type (include/linux/bpf.h)
LARGEST = (1 << 24) - 1  # DYNPTR_MAX_SIZE
_LAYOUT = struct.Struct("<QII")
_KIND, _KINDS = 28, 7
_READ_ONLY = 1 << 31
_PACKETS = (SKB, XDP)


@dataclass(frozen=True, slots=True)
class Dynptr:
    """``address`` of memory, or of the context whose packet it is."""

    address: int
    size: int
    offset: int = 0
    kind: int = LOCAL
    read_only: bool = False

    @classmethod
    def read(cls, run: Run, place: int) -> Dynptr | None:
        """What the program has at ``place``; ``None`` for one that points to nothing."""
        address, size, offset = _LAYOUT.unpack(run.memory.read(place, _LAYOUT.size))
        if not address:
            return None
        return cls(address, size & LARGEST, offset, size >> _KIND & _KINDS, bool(size & _READ_ONLY))

    def write(self, run: Run, place: int) -> int:
        """Give it to the program."""
        size = self.size | self.kind << _KIND | (_READ_ONLY if self.read_only else 0)
        run.memory.write(place, _LAYOUT.pack(self.address, size, self.offset))
        return 0

    @staticmethod
    def clear(run: Run, place: int) -> None:
        """One that points to nothing."""
        run.memory.clear(place, _LAYOUT.size)

    @property
    def of_packet(self) -> bool:
        """Whether it is a packet's."""
        return self.kind in _PACKETS

    def check(self, offset: int, length: int) -> None:
        """``E2BIG`` where it does not go so far."""
        if length > self.size or offset > self.size - length:
            raise Refused(Errno.E2BIG)

    def load(self, run: Run, offset: int, length: int) -> bytes:
        """Bytes of it."""
        self.check(offset, length)
        if not self.of_packet:
            return run.memory.read(self.address + self.offset + offset, length)
        packet = run.packet
        found = packet.read(packet.data + self.offset + offset, length) if packet is not None else None
        if found is None:
            raise Refused(Errno.EFAULT if self.kind == SKB else Errno.EINVAL)
        return found

    def store(self, run: Run, offset: int, data: bytes) -> None:
        """Bytes to it."""
        if self.read_only:
            raise Refused(Errno.EINVAL)
        self.check(offset, len(data))
        if not self.of_packet:
            run.memory.write(self.address + self.offset + offset, data)
            return
        packet = run.packet
        if packet is None or not packet.write(packet.data + self.offset + offset, data):
            raise Refused(Errno.EFAULT if self.kind == SKB else Errno.EINVAL)

    def place(self, run: Run, offset: int, length: int) -> int:
        """The address of bytes of it, if programs can look at them themselves, or 0."""
        self.check(offset, length)
        if not self.of_packet:
            return self.address + self.offset + offset
        packet = run.packet
        if packet is None or not packet.visible or packet.data + self.offset + offset + length > packet.end:
            return 0
        return packet.address(packet.data + self.offset + offset)
