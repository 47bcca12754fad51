"""Sections that nobody else can interrupt, casts, references: nothing else runs meanwhile, and nothing goes away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.errno import Errno

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = [
    "cgroup_acquire", "cgroup_release", "local_irq_restore", "local_irq_save", "preempt_disable", "preempt_enable",
    "rcu_read_lock", "rcu_read_unlock", "rdonly_cast", "task_acquire", "task_from_pid", "task_from_vpid",
    "task_release", "throw", "xdp_metadata_rx_hash", "xdp_metadata_rx_timestamp", "xdp_metadata_rx_vlan_tag",
]  # fmt: skip


def rcu_read_lock(run: Run) -> None:
    """Linux 6.3."""


rcu_read_unlock = preempt_disable = preempt_enable = rcu_read_lock


def local_irq_save(run: Run, flags: int) -> None:
    """Linux 6.14."""
    run.memory.store(flags, 8, 0x200)  # X86_EFLAGS_IF: they were on


def local_irq_restore(run: Run, flags: int) -> None:
    """Linux 6.14."""
    run.memory.load(flags, 8)


def rdonly_cast(run: Run, address: int, type_id: int) -> int:
    """The same address, of a type that the program says.  Linux 6.2."""
    return address


def task_acquire(run: Run, task: int) -> int:
    """The same task, which stays.  Linux 6.2."""
    return task


cgroup_acquire = task_acquire


def task_release(run: Run, task: int) -> None:
    """Nobody counts."""


cgroup_release = task_release


def task_from_pid(run: Run, pid: int) -> int:
    """The task that runs, if the number is its own, or 0: there is no other.  Linux 6.2."""
    return run.machine.task if pid & 0xFFFFFFFF == run.machine.inputs.pid else 0


task_from_vpid = task_from_pid


def throw(run: Run, cookie: int) -> None:
    """``bpf_throw``: ends the program, through its exception callback if it has one.  Linux 6.7."""
    from beespace.vm.run import Thrown

    raise Thrown(cookie)


def xdp_metadata_rx_timestamp(run: Run, context: int, timestamp: int) -> int:
    """No device says: ``EOPNOTSUPP``.  Linux 6.3."""
    return -Errno.EOPNOTSUPP


def xdp_metadata_rx_hash(run: Run, context: int, hash: int, kind: int) -> int:
    """The same.  Linux 6.3."""
    return -Errno.EOPNOTSUPP


def xdp_metadata_rx_vlan_tag(run: Run, context: int, protocol: int, tag: int) -> int:
    """The same.  Linux 6.8."""
    return -Errno.EOPNOTSUPP
