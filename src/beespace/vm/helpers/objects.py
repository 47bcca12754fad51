"""Helpers on pointers that maps own, copies for each CPU, and what a program is attached with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.errno import Errno
from beespace.vm.kfuncs.objects import owned
from beespace.vm.maps.storage import CgroupStorage
from beespace.vm.memory import Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = [
    "get_attach_cookie", "get_local_storage", "kptr_xchg", "per_cpu_ptr", "probe_write_user", "send_signal",
    "send_signal_thread", "seq_write", "this_cpu_ptr",
]  # fmt: skip

_SIGNALS = 64


def kptr_xchg(run: Run, place: int, pointer: int) -> int:
    """Put a pointer into a value; the one that was there.  Linux 5.19."""
    old = run.memory.load(place, 8)
    run.memory.store(place, 8, pointer)
    return old


def per_cpu_ptr(run: Run, address: int, cpu: int) -> int:
    """A CPU's copy of an object, or 0 for a CPU that there is not.  Linux 5.10."""
    _, held = owned(run, address)
    cpu &= 0xFFFFFFFF
    if not held.copies:
        raise Violation(f"passes {address:#x}, of which CPUs have no copies")
    return held.copies[cpu].base if cpu < len(held.copies) else 0


def this_cpu_ptr(run: Run, address: int) -> int:
    """The copy of the CPU that runs.  Linux 5.10."""
    return per_cpu_ptr(run, address, run.machine.inputs.cpu)


def get_local_storage(run: Run, map: int, flags: int) -> int:
    """The value of the cgroup that the program is attached to.  Linux 4.19."""
    which = run.machine.map(map)
    if not isinstance(which, CgroupStorage):
        raise Violation(f"takes map {which.spec.name!r} for a storage")
    return run.machine.address(which, which.local(run.machine.inputs.cpu))


def get_attach_cookie(run: Run, context: int) -> int:
    """The number that the program was attached with.  Linux 5.15."""
    return run.machine.inputs.cookie


def send_signal(run: Run, signal: int) -> int:
    """Noted in ``machine.signals``.  Linux 5.3."""
    signal &= 0xFFFFFFFF
    if not 0 < signal <= _SIGNALS:
        return -Errno.EINVAL
    run.machine.signals.append(signal)
    return 0


send_signal_thread = send_signal


def probe_write_user(run: Run, target: int, source: int, size: int) -> int:
    """Write memory of user space; ``EFAULT`` where there is none."""
    data = run.memory.read(source, size & 0xFFFFFFFF)
    try:
        run.memory.write(target, data)
    except Violation:
        return -Errno.EFAULT
    return 0


def seq_write(run: Run, file: int, data: int, size: int) -> int:
    """Bytes of an iterator's output, which ``machine.written`` collects.  Linux 5.8."""
    run.machine.written += run.memory.read(data, size & 0xFFFFFFFF)
    return 0
