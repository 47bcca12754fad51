"""``perf_event_open(2)``: how programs attach to tracepoints, kprobes and uprobes."""

from __future__ import annotations

import errno

from beespace.syscall import capabilities, door, process, refusal
from beespace.syscall._attributes import PERF_EVENT_ATTR
from beespace.syscall.descriptor import Descriptor, Fd, number
from beespace.syscall.layout import Value

# include/uapi/linux/perf_event.h
TYPE_SOFTWARE = 1
TYPE_TRACEPOINT = 2
SOFTWARE_CPU_CLOCK = 0
SOFTWARE_DUMMY = 9
_FLAG_FD_CLOEXEC = 1 << 3
_PARANOID = "kernel.perf_event_paranoid"
_IOC_ENABLE = 0x2400
_IOC_DISABLE = 0x2401
_IOC_SET_BPF = 0x40042408
_IOC_PAUSE_OUTPUT = 0x40042409


def perf_event_open(
    type: int,
    config: int,
    *,
    pid: int = -1,
    cpu: int = 0,
    group: Fd | None = None,
    fields: dict[str, Value] | None = None,
    what: str = "open a perf event",
) -> Descriptor:
    """A perf event of ``type`` and ``config``, not yet enabled where ``fields`` say ``disabled``.

    ``pid`` -1 with a ``cpu`` watches all processes on that CPU (a BPF program attached to a tracepoint
    event runs for all CPUs).  ``fields`` are more of ``struct perf_event_attr``; buffers become pointers.  Raises
    :class:`~beespace.errors.NotPermitted` (``CAP_PERFMON``) and :class:`~beespace.errors.KernelError`.
    """
    memory = bytearray(PERF_EVENT_ATTR.size)
    keep: list[object] = []
    values: dict[str, Value] = {"type": type, "config": config, "size": PERF_EVENT_ATTR.size, **(fields or {})}
    for name, value in values.items():
        PERF_EVENT_ATTR.write(memory, name, value if isinstance(value, int) else door.address(value, keep))
    while True:
        result = door.issue("perf_event_open", (memory, pid, cpu, number(group, -1), _FLAG_FD_CLOEXEC))
        known = PERF_EVENT_ATTR.read(memory, "size")
        # An older kernel leaves the size that it knows; what lies behind is zero, so cutting it loses nothing.
        if result != -errno.E2BIG or not isinstance(known, int) or not 0 < known < len(memory):
            break
        memory = memory[:known]
    if result in (-errno.EPERM, -errno.EACCES):
        raise refusal.not_permitted("perf_event_open", -result, what, needs=_needs(), sysctl=_PARANOID)
    if result < 0:
        raise refusal.error("perf_event_open", -result, what)
    return Descriptor(result, "perf event")


def _needs() -> tuple[str, ...]:
    """What a refused process lacks: above level 2, which only distributions have, CAP_PERFMON is not always enough."""
    level = process.sysctl(_PARANOID)
    perfmon = (capabilities.PERFMON,)
    return perfmon if level is None or level <= 2 or process.rights().lacks(perfmon) else ("CAP_SYS_ADMIN",)


def open_tracepoint(tracepoint_id: int) -> Descriptor:
    """The perf event of a tracepoint, by the number in its ``id`` file under tracefs ``events/``.

    Source: perf_event_open(2), ``PERF_TYPE_TRACEPOINT``.
    """
    return perf_event_open(TYPE_TRACEPOINT, tracepoint_id, fields={"sample_period": 1}, what="open a tracepoint")


def set_bpf(event: Fd, prog_fd: Fd) -> None:
    """Run a program on each hit of the event until it closes; the way before perf links (5.15)."""
    _ioctl(event, _IOC_SET_BPF, number(prog_fd), "attach a program to a perf event")


def enable(event: Fd) -> None:
    """Let the event happen."""
    _ioctl(event, _IOC_ENABLE, 0, "enable a perf event")


def disable(event: Fd) -> None:
    """Stop the event."""
    _ioctl(event, _IOC_DISABLE, 0, "disable a perf event")


def pause_output(event: Fd) -> None:
    """Let nothing into the event's ring (Linux 4.7)."""
    _ioctl(event, _IOC_PAUSE_OUTPUT, 1, "pause a perf event's output")


def resume_output(event: Fd) -> None:
    """Let records into the event's ring again."""
    _ioctl(event, _IOC_PAUSE_OUTPUT, 0, "resume a perf event's output")


def _ioctl(fd: Fd, command: int, argument: int, what: str) -> None:
    result = door.issue("ioctl", (number(fd), command, argument))
    if result < 0:
        raise refusal.error("ioctl", -result, what, needs=(capabilities.BPF, capabilities.PERFMON))
