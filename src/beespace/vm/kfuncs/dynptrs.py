"""Functions on :class:`~beespace.vm.dynptrs.Dynptr` (Linux 6.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.dynptrs import SKB, XDP, Dynptr
from beespace.vm.errno import Errno
from beespace.vm.memory import Rights

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = [
    "dynptr_adjust", "dynptr_clone", "dynptr_copy", "dynptr_from_skb", "dynptr_from_xdp", "dynptr_is_null",
    "dynptr_is_rdonly", "dynptr_memset", "dynptr_size", "dynptr_slice", "dynptr_slice_rdwr",
]  # fmt: skip

_U32 = 0xFFFFFFFF


def dynptr_from_skb(run: Run, context: int, flags: int, target: int) -> int:
    """One of the packet, for programs with ``struct __sk_buff``."""
    return _of_packet(run, context, flags, target, SKB)


def dynptr_from_xdp(run: Run, context: int, flags: int, target: int) -> int:
    """One of the packet, for XDP."""
    return _of_packet(run, context, flags, target, XDP)


def _of_packet(run: Run, context: int, flags: int, target: int, kind: int) -> int:
    packet = run.packet
    if flags or packet is None:
        Dynptr.clear(run, target)
        return -Errno.EINVAL
    writable = packet.rights is Rights.BOTH
    return Dynptr(context, packet.end - packet.data, kind=kind, read_only=not writable).write(run, target)


def dynptr_slice(run: Run, place: int, offset: int, buffer: int, size: int) -> int:
    """The address of bytes, to be read; if they cannot be seen, they are copied to ``buffer`` where there is one."""
    held = Dynptr.read(run, place)
    offset, size = offset & _U32, size & _U32
    if held is None or size > held.size or offset > held.size - size:
        return 0
    found = held.place(run, offset, size)
    if found or not buffer:
        return found
    run.memory.write(buffer, held.load(run, offset, size))
    return buffer


def dynptr_slice_rdwr(run: Run, place: int, offset: int, buffer: int, size: int) -> int:
    """The same, to be written; what cannot be seen must be written back."""
    held = Dynptr.read(run, place)
    return 0 if held is None or held.read_only else dynptr_slice(run, place, offset, buffer, size)


def dynptr_adjust(run: Run, place: int, start: int, end: int) -> int:
    """It begins at ``start`` and ends before ``end``.  Linux 6.5."""
    held, start, end = Dynptr.read(run, place), start & _U32, end & _U32
    if held is None or start > end:
        return -Errno.EINVAL
    if start > held.size or end > held.size:
        return -Errno.ERANGE
    return Dynptr(held.address, end - start, held.offset + start, held.kind, held.read_only).write(run, place)


def dynptr_is_null(run: Run, place: int) -> int:
    """Whether it points to nothing.  Linux 6.5."""
    return int(Dynptr.read(run, place) is None)


def dynptr_is_rdonly(run: Run, place: int) -> int:
    """Whether it can only be read.  Linux 6.5."""
    held = Dynptr.read(run, place)
    return int(held is not None and held.read_only)


def dynptr_size(run: Run, place: int) -> int:
    """How many bytes it is of; ``EINVAL`` of nothing.  Linux 6.5."""
    held = Dynptr.read(run, place)
    return -Errno.EINVAL & _U32 if held is None else held.size


def dynptr_clone(run: Run, place: int, target: int) -> int:
    """Another one of the same.  Linux 6.5."""
    held = Dynptr.read(run, place)
    if held is None:
        Dynptr.clear(run, target)
        return -Errno.EINVAL
    return held.write(run, target)


def dynptr_copy(run: Run, target: int, target_offset: int, source: int, source_offset: int, size: int) -> int:
    """Copy from one to another.  Linux 6.16."""
    into, held = Dynptr.read(run, target), Dynptr.read(run, source)
    size &= _U32
    if into is None or held is None:
        return -Errno.EINVAL
    into.check(target_offset & _U32, size)
    into.store(run, target_offset & _U32, held.load(run, source_offset & _U32, size))
    return 0


def dynptr_memset(run: Run, place: int, offset: int, size: int, value: int) -> int:
    """Fill bytes of it.  Linux 6.17."""
    held, size = Dynptr.read(run, place), size & _U32
    if held is None or held.read_only:
        return -Errno.EINVAL
    held.check(offset & _U32, size)
    held.store(run, offset & _U32, bytes([value & 0xFF]) * size)
    return 0
