"""Probe events in tracefs: the way to kprobes and uprobes before they were perf events of their own (Linux 4.17).

Such an event has a name that the whole machine sees, ``beespace/N...``, and stays until somebody removes it: it is
removed when the link closes, and those that a killed process left are removed by the next that makes one.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count

from beespace.errors import KernelError, NotSupported
from beespace.syscall import Descriptor, capabilities, mounts, perf, refusal
from beespace.syscall.small_files import read_text

__all__ = ["GROUP", "TraceEvent", "open_trace_event"]

GROUP = "beespace"
_SINCE = {"kprobe_events": "4.1", "uprobe_events": "4.3"}  # for programs
_serial = count()
_PATIENCE = 2.0  # seconds in which the kernel lets go of an event that was closed


class TraceEvent:
    """An event that was made in ``file`` (``kprobe_events``, ``uprobe_events``), and its perf event."""

    def __init__(self, file: str, name: str, event: Descriptor) -> None:
        self.file, self.name, self.event = file, name, event

    def remove(self) -> None:
        """Remove the event; the perf event and its link must be closed before."""
        with mounts.tracefs() as tracefs:
            _write(tracefs, self.file, f"-:{GROUP}/{self.name}\n", time.monotonic() + _PATIENCE)


def open_trace_event(file: str, kind: str, place: str, pid: int = 0) -> TraceEvent:
    """Make an event of ``kind`` (``p``, or ``r`` for returns) at ``place``, and open it.

    Raises :class:`NotSupported` if the kernel has no such file in tracefs.
    """
    try:
        tracefs = mounts.tracefs()
    except NotSupported as error:
        raise NotSupported(f"{file}: it has no tracefs", call=error.call, errno=error.errno) from error
    with tracefs, ExitStack() as undo:
        if file not in mounts.list_at(tracefs):
            option = f"CONFIG_{file.removesuffix('s').upper()}S"
            raise NotSupported(f"probe events in tracefs: there is no {file}", since=f"{_SINCE[file]}, {option}")
        _remove_left_ones(tracefs, file)
        name = f"{_mark()}_{next(_serial)}_{kind}{file[0]}"
        _write(tracefs, file, f"{kind}:{GROUP}/{name} {place}\n")
        undo.callback(_write, tracefs, file, f"-:{GROUP}/{name}\n")
        number = int(mounts.read_at(tracefs, f"events/{GROUP}/{name}/id"))
        event = perf.perf_event_open(
            perf.TYPE_TRACEPOINT, number, pid=pid or -1, cpu=-1 if pid else 0, fields={"sample_period": 1},
            what=f"open probe event {GROUP}/{name}",
        )  # fmt: skip
        undo.pop_all()
    return TraceEvent(file, name, event)


def _write(tracefs: Descriptor, file: str, line: str, deadline: float = 0.0) -> None:
    """Append a line, for which the kernel answers with an errno; until ``deadline`` an event in use is waited for."""
    while True:
        with mounts.open_at(tracefs, file, os.O_WRONLY | os.O_APPEND) as opened:
            try:
                os.write(opened.fileno(), line.encode("utf-8", "surrogateescape"))
                return
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() >= deadline:
                    what = f"write {line.strip()!r} to {file}"
                    raise refusal.error("write", error.errno or 0, what, needs=(capabilities.PERFMON,)) from error
        time.sleep(0.01)


def _mark() -> str:
    """What names of this process's events begin with: its pid namespace, pid and start time."""
    return f"N{os.stat('/proc/self/ns/pid').st_ino}_{os.getpid()}_{_start_time(os.getpid())}"


def _start_time(pid: int) -> str:
    """Field 22 of ``/proc/PID/stat``: with the pid it names a process for good; empty if it is gone."""
    try:
        return read_text(f"/proc/{pid}/stat").rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _remove_left_ones(tracefs: Descriptor, file: str) -> None:
    """Remove events of processes that are gone; of another pid namespace nobody here can tell."""
    if GROUP not in mounts.list_at(tracefs, "events"):
        return
    here = f"N{os.stat('/proc/self/ns/pid').st_ino}"
    for name in mounts.list_at(tracefs, f"events/{GROUP}"):
        namespace, *parts = name.split("_")
        if namespace != here or len(parts) < 4 or not name.endswith(file[0]) or not parts[0].isdigit():
            continue
        if _start_time(int(parts[0])) != parts[1]:
            _forget(lambda name=name: _write(tracefs, file, f"-:{GROUP}/{name}\n"))  # type: ignore[misc]


def _forget(remove: Callable[[], None]) -> None:
    try:
        remove()
    except KernelError as error:
        if error.errno not in (errno.ENOENT, errno.EBUSY):  # somebody else was faster, or it is held open elsewhere
            raise
