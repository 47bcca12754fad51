"""Helpers that give records to user space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.errno import Errno, Refused
from beespace.vm.maps.ring import PerfEventArray, Record, Ring
from beespace.vm.memory import Rights, Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = [
    "perf_event_output", "ringbuf_discard", "ringbuf_output", "ringbuf_query", "ringbuf_reserve", "ringbuf_submit",
]  # fmt: skip

_WAKING = 3  # BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP: user space looks when it likes
_THIS_CPU = 0xFFFFFFFF  # BPF_F_CURRENT_CPU
_PACKET = 0xFFFFF << 32  # BPF_F_CTXLEN_MASK: so much of the packet is put behind the data


def _ring(run: Run, handle: int) -> Ring:
    map = run.machine.map(handle)
    if not isinstance(map, Ring):
        raise Violation(f"takes map {map.spec.name!r} for a ring")
    return map


def ringbuf_reserve(run: Run, ring: int, size: int, flags: int) -> int:
    """The address of room for a record, or 0.  Linux 5.8."""
    which = _ring(run, ring)
    record = which.reserve(size) if flags == 0 else None
    if record is None:
        return 0
    name = f"a record of {which.spec.name!r}"
    return run.memory.add(name, record.data, Rights.BOTH, owner=record).base


def _finish(run: Run, data: int, state: str) -> None:
    region = run.memory.find(data)
    if region is None or region.base != data or not isinstance(region.owner, Record):
        raise Violation(f"passes {data:#x}, which is no record")
    region.owner.state = state
    run.memory.remove(region)


def ringbuf_submit(run: Run, data: int, flags: int) -> None:
    """Give a record on; it cannot be used any more."""
    _finish(run, data, "submitted")


def ringbuf_discard(run: Run, data: int, flags: int) -> None:
    """Give a record away."""
    _finish(run, data, "discarded")


def ringbuf_output(run: Run, ring: int, data: int, size: int, flags: int) -> int:
    """A record with a copy of the data; ``EAGAIN`` if there is no room."""
    which = _ring(run, ring)
    if flags & ~_WAKING:
        return -Errno.EINVAL
    content = run.memory.read(data, size)
    record = which.reserve(size)
    if record is None:
        return -Errno.EAGAIN
    record.data[:] = content
    record.state = "submitted"
    return 0


def ringbuf_query(run: Run, ring: int, what: int) -> int:
    """Bytes that wait, the size, how far user space is, how far programs are (``BPF_RB_AVAIL_DATA`` and on)."""
    which = _ring(run, ring)
    answers = (which.produced - which.consumed, which.spec.max_entries, which.consumed, which.produced)
    return answers[what] if what < len(answers) else 0


def perf_event_output(run: Run, context: int, map: int, flags: int, data: int, size: int) -> int:
    """A record in the buffer of a CPU, with the beginning of the packet behind it where flags say so."""
    which = run.machine.map(map)
    if not isinstance(which, PerfEventArray):
        raise Violation(f"takes map {which.spec.name!r} for a perf buffer")
    if flags & ~(_PACKET | _THIS_CPU):
        return -Errno.EINVAL
    cpu = flags & _THIS_CPU
    added = (flags & _PACKET) >> 32
    packet = run.packet.content if run.packet is not None else b""
    if added > len(packet):
        return -Errno.EFAULT
    content = run.memory.read(data, size) + packet[:added]
    try:
        which.put(run.machine.inputs.cpu if cpu == _THIS_CPU else cpu, content)
    except Refused as refused:
        return -refused.errno
    return 0
