"""Helpers that ask for what is in :class:`~beespace.vm.inputs.Inputs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.errno import Errno
from beespace.vm.memory import Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = [
    "get_current_cgroup_id", "get_current_comm", "get_current_pid_tgid", "get_current_task", "get_current_task_btf",
    "get_current_uid_gid", "get_numa_node_id", "get_prandom_u32", "get_smp_processor_id", "jiffies64",
    "ktime_get_boot_ns", "ktime_get_coarse_ns", "ktime_get_ns", "ktime_get_tai_ns",
]  # fmt: skip

_JIFFY = 4_000_000  # nanoseconds, with CONFIG_HZ=250
_LEAP = 37_000_000_000  # TAI is so much ahead of UTC, since 2017


def ktime_get_ns(run: Run) -> int:
    """Time since boot without that of suspension."""
    return run.machine.inputs.now()


def ktime_get_coarse_ns(run: Run) -> int:
    """The same, of the last tick.  Linux 5.11."""
    return run.machine.inputs.now() // _JIFFY * _JIFFY


def ktime_get_boot_ns(run: Run) -> int:
    """Time since boot.  Linux 5.7."""
    return run.machine.inputs.now() + run.machine.inputs.slept


def ktime_get_tai_ns(run: Run) -> int:
    """International atomic time.  Linux 6.1."""
    return run.machine.inputs.now() + run.machine.inputs.slept + run.machine.inputs.epoch + _LEAP


def jiffies64(run: Run) -> int:
    """Ticks since boot.  Linux 5.5."""
    return run.machine.inputs.now() // _JIFFY


def get_prandom_u32(run: Run) -> int:
    """A random number."""
    return run.machine.inputs.random()


def get_smp_processor_id(run: Run) -> int:
    """The CPU."""
    return run.machine.inputs.cpu


def get_numa_node_id(run: Run) -> int:
    """The NUMA node."""
    return run.machine.inputs.numa_node


def get_current_pid_tgid(run: Run) -> int:
    """Process in the upper half, thread in the lower."""
    return run.machine.inputs.tgid << 32 | run.machine.inputs.pid


def get_current_task(run: Run) -> int:
    """The address of the task that runs."""
    if not run.machine.task:
        raise Violation("asks for the current task, and nobody has made one")
    return run.machine.task


get_current_task_btf = get_current_task


def get_current_uid_gid(run: Run) -> int:
    """Group in the upper half, user in the lower."""
    return run.machine.inputs.gid << 32 | run.machine.inputs.uid


def get_current_cgroup_id(run: Run) -> int:
    """Id of the process's cgroup v2."""
    return run.machine.inputs.cgroup


def get_current_comm(run: Run, buffer: int, size: int) -> int:
    """The process's name, cut so that it ends with 0, and zeros behind it."""
    if size == 0:
        return -Errno.EINVAL
    name = run.machine.inputs.comm.encode()[: min(size, 16) - 1]
    run.memory.clear(buffer, size)
    run.memory.write(buffer, name)
    return 0
