"""Work for later (Linux 6.10): a timer that is due at once, called when :meth:`Timers.advance` lets time go by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.errno import Errno

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = ["wq_init", "wq_set_callback_impl", "wq_start"]


def wq_init(run: Run, work: int, map: int, flags: int) -> int:
    """Make the work at an address in a value of ``map``."""
    if flags & 0xFFFFFFFF:
        return -Errno.EINVAL
    run.memory.read(work, 16)
    run.machine.timers.create(work, map)
    return 0


def wq_set_callback_impl(run: Run, work: int, callback: int, flags: int, aux: int = 0) -> int:
    """What is called."""
    if flags & 0xFFFFFFFF:
        return -Errno.EINVAL
    run.machine.timers.set_callback(work, callback)
    return 0


def wq_start(run: Run, work: int, flags: int) -> int:
    """Do it."""
    if flags & 0xFFFFFFFF:
        return -Errno.EINVAL
    run.machine.timers.start(work, run.machine.inputs.time)
    return 0
