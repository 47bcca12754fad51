"""Helpers on checksums of the Internet (RFC 1071): sums of 32 bits with the carry put back, as the kernel has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.errno import Errno
from beespace.vm.memory import Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = ["csum_diff", "csum_level", "csum_update", "l3_csum_replace", "l4_csum_replace"]

_U32 = 0xFFFFFFFF
_SIZE = 0xF  # BPF_F_HDR_FIELD_MASK
_PSEUDO, _MANGLED_ZERO, _ENFORCE, _IPV6 = 0x10, 0x20, 0x40, 0x80  # BPF_F_PSEUDO_HDR and on
_FARTHEST = 0xFFFF


def _add(one: int, other: int) -> int:
    """``csum_add``."""
    total = one + other
    return total + (total >> 32) & _U32


def _partial(data: bytes, seed: int) -> int:
    """``csum_partial``: of words of 32 bits."""
    total = seed
    for place in range(0, len(data), 4):
        total = _add(total, int.from_bytes(data[place : place + 4], "little"))
    return total


def _to_16(total: int) -> int:
    """``csum_from32to16``."""
    return (total + (total >> 16 | total << 16 & _U32) & _U32) >> 16


def _fold(total: int) -> int:
    """``csum_fold``."""
    return ~_to_16(total) & 0xFFFF


def csum_diff(run: Run, old: int, old_size: int, new: int, new_size: int, seed: int) -> int:
    """How a sum changes when bytes become others, in 16 bits (since Linux 6.13; before it depended on the machine)."""
    old_size, new_size, seed = old_size & _U32, new_size & _U32, seed & _U32
    if (old_size | new_size) & 3:
        return -Errno.EINVAL
    added = run.memory.read(new, new_size) if new_size else b""
    removed = run.memory.read(old, old_size) if old_size else b""
    if added and removed:
        return _to_16(_add(_partial(added, seed), ~_partial(removed, 0) & _U32))
    if added:
        return _to_16(_partial(added, seed))
    if removed:
        return _to_16(~_partial(removed, ~seed & _U32) & _U32)
    return seed


def csum_update(run: Run, context: int, value: int) -> int:
    """Packets here have no sum of the whole: ``ENOTSUPP``."""
    return -Errno.ENOTSUPP


def csum_level(run: Run, context: int, level: int) -> int:
    """Nobody has checked sums of packets here: ``EACCES`` to who asks.  Linux 5.8."""
    if level == 0:  # BPF_CSUM_LEVEL_QUERY
        return -Errno.EACCES
    return 0 if level <= 3 else -Errno.EINVAL


def l3_csum_replace(run: Run, context: int, offset: int, old: int, new: int, flags: int) -> int:
    """Mend the sum of an IP header after a field changed."""
    if flags & ~_SIZE:
        return -Errno.EINVAL
    return _replace(run, offset & _U32, old, new, flags & _SIZE)


def l4_csum_replace(run: Run, context: int, offset: int, old: int, new: int, flags: int) -> int:
    """Mend the sum of TCP, UDP or ICMP; with the right flag, one that is 0 stays 0."""
    if flags & ~(_PSEUDO | _MANGLED_ZERO | _ENFORCE | _IPV6 | _SIZE):
        return -Errno.EINVAL
    return _replace(run, offset & _U32, old, new, flags & _SIZE, bool(flags & _MANGLED_ZERO), bool(flags & _ENFORCE))


def _replace(
    run: Run, offset: int, old: int, new: int, size: int, mangled: bool = False, enforced: bool = False
) -> int:
    packet = run.packet
    if packet is None:
        raise Violation("asks for a packet, and there is none")
    place = packet.data + offset
    held = None if offset > _FARTHEST or offset & 1 else packet.read(place, 2)
    if held is None:
        return -Errno.EFAULT
    before = int.from_bytes(held, "little")
    if mangled and not enforced and not before:
        return 0
    old, new = old & _U32, new & _U32
    if size == 0:
        if old:
            return -Errno.EINVAL
        after = _fold(_add(new, ~before & _U32))
    elif size in (2, 4):
        if size == 2:
            old, new = old & 0xFFFF, new & 0xFFFF
        after = _fold(_add(_add(~before & _U32, ~old & _U32), new))
    else:
        return -Errno.EINVAL
    packet.write(place, (after or (0xFFFF if mangled else 0)).to_bytes(2, "little"))
    return 0
