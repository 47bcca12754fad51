"""Helpers on :class:`~beespace.vm.dynptrs.Dynptr` (Linux 5.19), and the ring of user space (Linux 6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.dynptrs import LARGEST, RING, Dynptr
from beespace.vm.errno import Errno
from beespace.vm.helpers.rings import ringbuf_discard, ringbuf_reserve, ringbuf_submit
from beespace.vm.maps.ring import UserRing
from beespace.vm.memory import Rights, Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = [
    "dynptr_data", "dynptr_from_mem", "dynptr_read", "dynptr_write", "ringbuf_discard_dynptr", "ringbuf_reserve_dynptr",
    "ringbuf_submit_dynptr", "user_ringbuf_drain",
]  # fmt: skip

_WAKING = 3  # BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP
_MOST = 128 * 1024  # BPF_MAX_USER_RINGBUF_SAMPLES


def dynptr_from_mem(run: Run, data: int, size: int, flags: int, target: int) -> int:
    """One of memory: ``E2BIG`` for 16 MiB and more."""
    size &= 0xFFFFFFFF
    if size > LARGEST or flags:
        Dynptr.clear(run, target)
        return -Errno.E2BIG if size > LARGEST else -Errno.EINVAL
    if size:
        run.memory.locate(data, size, Rights.READ)
    return Dynptr(data, size).write(run, target)


def dynptr_read(run: Run, target: int, size: int, source: int, offset: int, flags: int) -> int:
    """Copy from it; ``E2BIG`` where it does not go so far."""
    held = Dynptr.read(run, source)
    if held is None or flags:
        return -Errno.EINVAL
    run.memory.write(target, held.load(run, offset & 0xFFFFFFFF, size & 0xFFFFFFFF))
    return 0


def dynptr_write(run: Run, target: int, offset: int, source: int, size: int, flags: int) -> int:
    """Copy to it."""
    held = Dynptr.read(run, target)
    if held is None or held.read_only or (flags and not held.of_packet):
        return -Errno.EINVAL
    held.store(run, offset & 0xFFFFFFFF, run.memory.read(source, size & 0xFFFFFFFF))
    return 0


def dynptr_data(run: Run, place: int, offset: int, size: int) -> int:
    """The address of some of its bytes, or 0: of packets there is none."""
    held = Dynptr.read(run, place)
    offset, size = offset & 0xFFFFFFFF, size & 0xFFFFFFFF
    if held is None or held.read_only or held.of_packet or size > held.size or offset > held.size - size:
        return 0
    return held.place(run, offset, size)


def ringbuf_reserve_dynptr(run: Run, ring: int, size: int, flags: int, target: int) -> int:
    """Room for a record; what points to nothing must be given back, too."""
    Dynptr.clear(run, target)
    size &= 0xFFFFFFFF
    if flags:
        return -Errno.EINVAL
    if size > LARGEST:
        return -Errno.E2BIG
    record = ringbuf_reserve(run, ring, size, 0)
    return Dynptr(record, size, kind=RING).write(run, target) if record else -Errno.EINVAL


def ringbuf_submit_dynptr(run: Run, place: int, flags: int) -> None:
    """Give the record on."""
    held = Dynptr.read(run, place)
    if held is not None:
        ringbuf_submit(run, held.address, flags)
        Dynptr.clear(run, place)


def ringbuf_discard_dynptr(run: Run, place: int, flags: int) -> None:
    """Give the record away."""
    held = Dynptr.read(run, place)
    if held is not None:
        ringbuf_discard(run, held.address, flags)
        Dynptr.clear(run, place)


def user_ringbuf_drain(run: Run, map: int, callback: int, context: int, flags: int) -> int:
    """Call a function with each record of user space; how many it was.  It ends that with 1.  Linux 6.1."""
    which = run.machine.map(map)
    if not isinstance(which, UserRing):
        raise Violation(f"takes map {which.spec.name!r} for a ring of user space")
    if flags & ~_WAKING:
        return -Errno.EINVAL
    if which.busy:
        return -Errno.EBUSY
    count, which.busy = 0, True
    try:
        while count < _MOST and (record := which.next()) is not None:
            count += 1
            with run.machine.lent("a record of user space", record) as data:
                held = run.memory.add("a dynptr", bytearray(16), Rights.BOTH)
                try:
                    Dynptr(data, len(record), read_only=True).write(run, held.base)
                    ends = run.callback(callback, held.base, context)
                finally:
                    run.memory.remove(held)
            if ends:
                break
    finally:
        which.busy = False
    return count
