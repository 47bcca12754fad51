"""Helpers on packets.  Whatever moves a packet's ends writes them into the context, too."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from beespace.vm.arithmetic import signed
from beespace.vm.errno import Errno
from beespace.vm.memory import Violation
from beespace.vm.packet import Packet

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = [
    "get_hash_recalc", "set_hash", "set_hash_invalid", "skb_change_head",
    "skb_change_tail", "skb_load_bytes", "skb_load_bytes_relative", "skb_pull_data", "skb_store_bytes",
    "xdp_adjust_head", "xdp_adjust_meta", "xdp_adjust_tail", "xdp_get_buff_len", "xdp_load_bytes", "xdp_store_bytes",
]  # fmt: skip

_ETHERNET = 14  # ETH_HLEN: an XDP frame is never shorter
_FRAME = 40  # struct xdp_frame, which the kernel puts at the beginning of the headroom
_META = 252  # the most of XDP metadata (Linux 6.5; 32 before)
_STORE_FLAGS = 0b11  # BPF_F_RECOMPUTE_CSUM, BPF_F_INVALIDATE_HASH
_FARTHEST = 0xFFFF
_LARGEST = 0x7FFFFFFF


def _packet(run: Run) -> Packet:
    if run.packet is None:
        raise Violation("asks for a packet, and there is none")
    return run.packet


def _moved(
    run: Run, packet: Packet, *, meta: int | None = None, data: int | None = None, end: int | None = None
) -> int:
    packet.move(meta=meta, data=data, end=end)
    run.refresh()
    return 0


def _load(run: Run, packet: Packet, place: int, target: int, size: int) -> int:
    found = packet.read(place, size)
    if found is None:
        run.memory.clear(target, size)
        return -Errno.EFAULT
    run.memory.write(target, found)
    return 0


def skb_load_bytes(run: Run, context: int, offset: int, target: int, size: int) -> int:
    """Copy bytes of the packet; where it has none, the target is zeroed and the result is ``EFAULT``."""
    packet, offset, size = _packet(run), offset & 0xFFFFFFFF, size & 0xFFFFFFFF
    return _load(run, packet, packet.data + offset if offset <= _LARGEST else packet.end + 1, target, size)


def skb_load_bytes_relative(run: Run, context: int, offset: int, target: int, size: int, header: int) -> int:
    """The same, counted from the link layer's header (0) or the network's (1).  Linux 4.18."""
    packet, offset, size = _packet(run), offset & 0xFFFFFFFF, size & 0xFFFFFFFF
    start = {0: packet.link, 1: packet.network}.get(header & 0xFFFFFFFF)
    return _load(run, packet, packet.end + 1 if start is None or offset > _FARTHEST else start + offset, target, size)


def skb_store_bytes(run: Run, context: int, offset: int, source: int, size: int, flags: int) -> int:
    """Write bytes of the packet."""
    packet, offset = _packet(run), offset & 0xFFFFFFFF
    if flags & ~_STORE_FLAGS:
        return -Errno.EINVAL
    data = run.memory.read(source, size & 0xFFFFFFFF)
    return 0 if offset <= _LARGEST and packet.write(packet.data + offset, data) else -Errno.EFAULT


def skb_pull_data(run: Run, context: int, size: int) -> int:
    """All bytes can be reached here; ``ENOMEM`` where there are not so many."""
    packet, size = _packet(run), size & 0xFFFFFFFF
    return 0 if size <= packet.end - packet.data else -Errno.ENOMEM


def skb_change_tail(run: Run, context: int, size: int, flags: int) -> int:
    """Another length; what is added is 0."""
    packet, size = _packet(run), size & 0xFFFFFFFF
    lowest = packet.network - packet.data if packet.network > packet.data else 0
    if flags or size < lowest or packet.data + size > packet.room:
        return -Errno.EINVAL
    before, end = packet.end, packet.data + size
    result = _moved(run, packet, end=end)
    packet.write(before, bytes(max(0, end - before)))
    return result


def skb_change_head(run: Run, context: int, room: int, flags: int) -> int:
    """Room in front, of zeros, for another header.  Linux 4.10."""
    packet, room = _packet(run), room & 0xFFFFFFFF
    if flags or room > packet.data:
        return -Errno.EINVAL
    result = _moved(run, packet, meta=packet.data - room, data=packet.data - room)
    packet.write(packet.data, bytes(room))
    packet.link = packet.data
    return result


def get_hash_recalc(run: Run, context: int) -> int:
    """A number that packets of one flow have in common; here it follows from the network and transport headers."""
    packet = _packet(run)
    if packet.hash is None:
        packet.hash = crc32(packet.read(packet.network, 40) or packet.content) or 1
    return packet.hash


def set_hash(run: Run, context: int, value: int) -> int:
    """Say which it is.  Linux 4.9."""
    _packet(run).hash = value & 0xFFFFFFFF
    return 0


def set_hash_invalid(run: Run, context: int) -> None:
    """Find it out again."""
    _packet(run).hash = None


def xdp_adjust_head(run: Run, context: int, delta: int) -> int:
    """The packet begins later, or earlier.  Linux 4.10."""
    packet = _packet(run)
    length = packet.data - packet.meta
    data = packet.data + signed(delta, 32)
    if data < _FRAME + length or data > packet.end - _ETHERNET:
        return -Errno.EINVAL
    meta = packet.read(packet.meta, length) or b""
    _moved(run, packet, meta=data - length, data=data)
    packet.write(packet.meta, meta)
    return 0


def xdp_adjust_tail(run: Run, context: int, delta: int) -> int:
    """The packet ends earlier, or (Linux 5.8) later; what is added is 0."""
    packet = _packet(run)
    before, end = packet.end, packet.end + signed(delta, 32)
    if end > packet.room or end < packet.data + _ETHERNET:
        return -Errno.EINVAL
    _moved(run, packet, end=end)
    packet.write(before, bytes(max(0, end - before)))
    return 0


def xdp_adjust_meta(run: Run, context: int, delta: int) -> int:
    """Room in front of the packet for data of the program.  Linux 4.15."""
    packet = _packet(run)
    meta = packet.meta + signed(delta, 32)
    if meta < _FRAME or meta > packet.data:
        return -Errno.EINVAL
    if (packet.data - meta) % 4 or packet.data - meta > _META:
        return -Errno.EACCES
    return _moved(run, packet, meta=meta)


def xdp_get_buff_len(run: Run, context: int) -> int:
    """The packet's length.  Linux 5.18."""
    return _packet(run).end - _packet(run).data


def xdp_load_bytes(run: Run, context: int, offset: int, target: int, size: int) -> int:
    """Copy bytes of the packet; ``EINVAL`` where it has none.  Linux 5.18."""
    packet, offset, size = _packet(run), offset & 0xFFFFFFFF, size & 0xFFFFFFFF
    if offset > _FARTHEST or size > _FARTHEST:
        return -Errno.EFAULT
    found = packet.read(packet.data + offset, size)
    if found is None:
        return -Errno.EINVAL
    run.memory.write(target, found)
    return 0


def xdp_store_bytes(run: Run, context: int, offset: int, source: int, size: int) -> int:
    """Write bytes of the packet.  Linux 5.18."""
    packet, offset, size = _packet(run), offset & 0xFFFFFFFF, size & 0xFFFFFFFF
    if offset > _FARTHEST or size > _FARTHEST:
        return -Errno.EFAULT
    return 0 if packet.write(packet.data + offset, run.memory.read(source, size)) else -Errno.EINVAL
