"""Memory of an arena (``BPF_MAP_TYPE_ARENA``, Linux 6.9), which must lie at an address that the map may prescribe."""

from __future__ import annotations

import ctypes
import mmap
from contextlib import suppress

from beespace.syscall import door, refusal
from beespace.syscall.descriptor import Fd, number

_MAP_FIXED_NOREPLACE = 0x100000  # include/uapi/asm-generic/mman-common.h; Linux 4.17


class ArenaMemory:
    """``length`` bytes at ``address``, as the memoryview :attr:`view`, until :meth:`close`."""

    __slots__ = ("address", "length", "view")

    def __init__(self, address: int, length: int) -> None:
        self.address = address
        self.length = length
        self.view = memoryview((ctypes.c_ubyte * length).from_address(address)).cast("B")

    def close(self) -> None:
        """Unmap it, unless somebody still looks into it: then it stays until the process ends."""
        with suppress(BufferError):
            self.view.release()
            length, self.length = self.length, 0
            if length:
                door.issue("munmap", (self.address, length))


def map_arena(fd: Fd, length: int, address: int = 0) -> ArenaMemory:
    """Map an arena: at ``address`` (the map's ``map_extra``), or where the kernel likes; it keeps to that.

    Source: ``arena_map_mmap()`` in kernel/bpf/arena.c.
    """
    flags = mmap.MAP_SHARED | (_MAP_FIXED_NOREPLACE if address else 0)
    protection = mmap.PROT_READ | mmap.PROT_WRITE
    result = door.issue("mmap", (address, length, protection, flags, number(fd), 0))
    if result < 0:
        raise refusal.error("mmap", -result, f"map an arena of {length} bytes into memory")
    return ArenaMemory(result, length)


def address_of(view: memoryview) -> int:
    """Where writable memory lies in this process."""
    return ctypes.addressof(ctypes.c_char.from_buffer(view))
