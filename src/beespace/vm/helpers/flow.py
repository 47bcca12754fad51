"""Helpers that call functions and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.errno import Errno
from beespace.vm.maps.array import ProgramArray
from beespace.vm.memory import Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = ["loop", "tail_call"]

_MAX_LOOPS = 8 << 20  # BPF_MAX_LOOPS (include/linux/bpf.h)


def tail_call(run: Run, context: int, map: int, index: int) -> None:
    """``bpf_tail_call``: goes on with the program at ``index``; where it cannot, the caller goes on."""
    programs = run.machine.map(map)
    if not isinstance(programs, ProgramArray):
        raise Violation("bpf_tail_call() takes a map of programs")
    code = programs.program(index & 0xFFFFFFFF)
    if code is not None:
        run.tail_call(code, context)


def loop(run: Run, count: int, callback: int, context: int, flags: int) -> int:
    """``bpf_loop``: how often the callback was called; it ends the loop by anything but 0.  Linux 5.17."""
    count &= 0xFFFFFFFF
    if flags:
        return -Errno.EINVAL
    if count > _MAX_LOOPS:
        return -Errno.E2BIG
    for index in range(count):
        if run.callback(callback, index, context):
            return index + 1
    return count
