"""Helpers on timers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.errno import Errno, Refused

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = ["timer_cancel", "timer_init", "timer_set_callback", "timer_start"]

_ABSOLUTE, _PINNED = 1, 2  # BPF_F_TIMER_ABS, BPF_F_TIMER_CPU_PIN
_CLOCKS = (0, 1, 7)  # CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME


def timer_init(run: Run, timer: int, map: int, flags: int) -> int:
    """Make the timer at an address in a value of ``map``.  Linux 5.15."""
    if flags not in _CLOCKS:
        return -Errno.EINVAL
    run.memory.read(timer, 16)
    try:
        run.machine.timers.create(timer, map)
    except Refused as refused:
        return -refused.errno
    return 0


def timer_set_callback(run: Run, timer: int, callback: int) -> int:
    """What is called."""
    try:
        run.machine.timers.set_callback(timer, callback)
    except Refused as refused:
        return -refused.errno
    return 0


def timer_start(run: Run, timer: int, nanoseconds: int, flags: int) -> int:
    """When it is called: after so many nanoseconds, or at that time."""
    if flags & ~(_ABSOLUTE | _PINNED):
        return -Errno.EINVAL
    now = 0 if flags & _ABSOLUTE else run.machine.inputs.time
    try:
        run.machine.timers.start(timer, now + nanoseconds)
    except Refused as refused:
        return -refused.errno
    return 0


def timer_cancel(run: Run, timer: int) -> int:
    """Stop it: 1 if it was started."""
    try:
        return int(run.machine.timers.cancel(timer))
    except Refused as refused:
        return -refused.errno
