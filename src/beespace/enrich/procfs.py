"""One process as ``/proc`` shows it, read so that a reused pid cannot mix two processes.

Every file is opened relative to one descriptor of ``/proc/PID``, which stands for that process alone: once it has
ended, reads fail with ESRCH even if the number has a new owner.  See proc_pid_stat(5), proc_pid_status(5).
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["TICK_NS", "Found", "distrust", "read_process", "read_start"]

# /proc counts a process's start in clock ticks (USER_HZ, 100 on every Linux architecture we know); matching a
# kernel time against it is done in ticks.
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

ARGUMENTS_MAX = 4096
_INITIAL_PID_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO, include/linux/proc_ns.h


@dataclass(frozen=True, slots=True)
class Found:
    """What ``/proc/PID`` said.  ``start_ticks`` since boot; ``uid`` is the real one; ``cgroup`` the file's text.

    ``executable`` is None for kernel threads and where reading it is not permitted; the last of ``args`` ends in
    ``…`` if there were more than 4096 bytes.
    """

    pid: int
    start_ticks: int
    parent_pid: int
    uid: int | None
    name: str
    executable: str | None
    args: tuple[str, ...]
    cgroup: str


def distrust(proc: Path) -> str | None:
    """Why ``proc`` must not be used to name processes, or None if its numbers are the kernel's.

    Kernel facts carry pids of the initial PID namespace; in another one the same numbers are other processes.
    """
    try:
        namespace = (proc / "1/ns/pid").readlink()
    except OSError:
        try:
            namespace = (proc / "self/ns/pid").readlink()
        except OSError:
            return f"{proc} is not readable: process names come from kernel facts alone"
    if str(namespace) != _INITIAL_PID_NAMESPACE:
        return f"{proc} belongs to a PID namespace of its own: run with the host's (hostPID) to see executables"
    with suppress(OSError):
        for line in (proc / "self/timens_offsets").read_text().splitlines():
            clock, seconds, nanoseconds = line.split()
            if clock in ("boottime", "7") and (seconds, nanoseconds) != ("0", "0"):
                return "this process runs in a time namespace: start times in /proc do not compare with the kernel's"
    return None


def read_start(pid: int, proc: Path) -> int | None:
    """When the process started, in ticks since boot; None if there is no such process (any more)."""
    try:
        text = (proc / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    return int(_fields(text)[_START])


def read_process(pid: int, proc: Path) -> Found | None:
    """Everything about a process at once; None if it does not exist (any more) or may not be seen."""
    try:
        directory = os.open(proc / str(pid), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        stat = _read(directory, "stat", 4096)
        fields = _fields(stat)
        status = _read(directory, "status", 8192)
        arguments = _read(directory, "cmdline", ARGUMENTS_MAX + 1)
        cgroup = _read(directory, "cgroup", 1 << 16)
        executable = None
        with suppress(OSError):
            executable = os.readlink("exe", dir_fd=directory).removesuffix(" (deleted)")
    except OSError:
        return None
    finally:
        os.close(directory)
    return Found(
        pid=pid,
        start_ticks=int(fields[_START]),
        parent_pid=int(fields[_PARENT]),
        uid=_uid(status),
        name=stat[stat.index(b"(") + 1 : stat.rindex(b")")].decode(errors="replace"),
        executable=executable,
        args=_arguments(arguments),
        cgroup=cgroup.decode(errors="replace"),
    )


_PARENT, _START = 1, 19  # counted from the field after the name, which may itself hold blanks and parentheses


def _fields(stat: bytes) -> list[bytes]:
    return stat[stat.rindex(b")") + 1 :].split()


def _read(directory: int, name: str, limit: int) -> bytes:
    file = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        parts = []
        while limit > 0 and (part := os.read(file, limit)):
            parts.append(part)
            limit -= len(part)
        return b"".join(parts)
    finally:
        os.close(file)


def _uid(status: bytes) -> int | None:
    _, found, rest = status.partition(b"\nUid:\t")
    return int(rest.split(None, 1)[0]) if found else None


def _arguments(text: bytes) -> tuple[str, ...]:
    cut = len(text) > ARGUMENTS_MAX
    text = text[:ARGUMENTS_MAX].rstrip(b"\0")
    if not text:
        return ()
    parts = [part.decode(errors="replace") for part in text.split(b"\0")]
    return (*parts[:-1], f"{parts[-1]}…") if cut else tuple(parts)
