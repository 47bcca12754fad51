"""Processes by pid and start time, from three sources: events, owner facts of the kernel, and ``/proc``.

A pid alone names nobody: the kernel hands it out again.  The pair of pid and start time (``start_boottime`` of the
thread group's leader, ns since boot) names one process until the next boot, and ``/proc`` is believed only when the
start time that it shows is the same, to the tick.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from beespace.enrich.cgroup import NOTHING, Membership, parse_proc
from beespace.enrich.changes import Changes
from beespace.enrich.procfs import TICK_NS, Found, distrust, read_process, read_start

__all__ = ["Process", "Processes"]

Key: TypeAlias = tuple[int, int]  # pid, start in ticks
RECHECK_S = 1.0


@dataclass(frozen=True, slots=True)
class Process:
    """One version of a process: an execution begins a new one.  None is unknown.

    ``start_ns`` counts from boot (CLOCK_BOOTTIME); ``valid_from`` and ``valid_to`` are ns since 1970.  The first
    version begins with the process, the last ends with it, where no exit event told when: at the first look that
    missed it.  ``membership`` is what its cgroup belongs to, ``cgroup_id`` 0 if unknown.
    """

    pid: int
    start_ns: int
    valid_from: int
    valid_to: int | None = None
    parent_pid: int | None = None
    uid: int | None = None
    name: str | None = None
    executable: str | None = None
    args: tuple[str, ...] | None = None
    cgroup_id: int = 0
    cgroup_path: str | None = None
    membership: Membership = NOTHING

    @property
    def container_id(self) -> str | None:
        return self.membership.container_id


class _Entry:
    """A process and when we looked; ``kernel_name`` is what its last owner fact called it."""

    __slots__ = ("blank", "checked", "kernel_name", "looked_ns", "process")

    def __init__(self, process: Process, kernel_name: str | None) -> None:
        self.process = process
        self.kernel_name = kernel_name
        self.checked: float | None = None  # when /proc was last read; None: it has to be
        self.blank: float | None = None  # since when /proc shows a program without arguments
        self.looked_ns = 0  # the same, in ns since boot, if it showed the process


class Processes:
    """What is known of up to ``capacity`` processes, least recently used forgotten first.

    ``proc`` is where procfs is (``/host/proc`` in a pod without the host's PID namespace).  ``trusted`` says whether
    its pids are those of the kernel's initial namespace; by default that is found out, and ``/proc`` is left alone
    if they are not (``distrusted`` is the reason).
    """

    def __init__(
        self,
        proc: Path = Path("/proc"),
        *,
        trusted: bool | None = None,
        capacity: int = 32_768,
        clock: Callable[[], float] = time.monotonic,
        boot_ns: Callable[[], int] | None = None,
    ) -> None:
        self.distrusted = distrust(proc) if trusted is None else None if trusted else "not asked for"
        self._proc = proc
        self._capacity = capacity
        self._clock = clock
        self._boot_ns = boot_ns or _boot_time_ns
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._newest: dict[int, Key] = {}  # pid -> the process that has it now, as far as we know
        self._alive: OrderedDict[Key, None] = OrderedDict()  # to be checked for their end, oldest check first
        self._reads = self._mismatches = self._evicted = 0
        self.changes: Changes[tuple[int, int, int], Process] = Changes(capacity)

    # What is seen

    def observe_exec(
        self,
        pid: int,
        start_ns: int,
        *,
        time_ns: int,
        name: str,
        executable: str | None = None,
        args: Sequence[str] | None = None,
        parent_pid: int | None = None,
        uid: int | None = None,
        cgroup_id: int = 0,
    ) -> None:
        """A process executed a program at ``time_ns`` (ns since boot)."""
        entry = self._entry(pid, start_ns)
        old = entry.process
        at = self._wall(time_ns)
        same = old.name == name and (old.args is None or args is None or old.args == tuple(args))
        if not same and time_ns < entry.looked_ns:
            return  # events arrive late; /proc has shown a later state already
        if old.name is not None and not same and at > old.valid_from:
            self._note(replace(old, valid_to=at))
            entry.process = replace(old, valid_from=at, executable=None, args=None)
        self._update(
            entry,
            name=name,
            executable=entry.process.executable or executable,
            args=tuple(args) if args is not None else entry.process.args,
            parent_pid=entry.process.parent_pid if entry.process.parent_pid is not None else parent_pid,
            uid=uid if uid is not None else entry.process.uid,
            cgroup_id=cgroup_id or entry.process.cgroup_id,
        )
        entry.kernel_name = name
        if not same:
            entry.checked = None

    def observe_exit(
        self,
        pid: int,
        start_ns: int,
        *,
        time_ns: int,
        name: str | None = None,
        parent_pid: int | None = None,
        uid: int | None = None,
        cgroup_id: int = 0,
    ) -> None:
        """A process ended at ``time_ns`` (ns since boot).  What the event says of it counts where nothing is known."""
        entry = self._entry(pid, start_ns)
        process = entry.process
        self._update(
            entry,
            valid_to=self._wall(time_ns),
            name=process.name or name,
            parent_pid=process.parent_pid if process.parent_pid is not None else parent_pid,
            uid=process.uid if process.uid is not None else uid,
            cgroup_id=process.cgroup_id or cgroup_id,
        )
        self._alive.pop((pid, start_ns // TICK_NS), None)

    def observe_owner(self, pid: int, start_ns: int, uid: int | None, name: str, cgroup_id: int = 0) -> None:
        """The kernel stored that this process owns a socket; ``name`` is its name, or one of its threads', then."""
        key = (pid, start_ns // TICK_NS)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entry(pid, start_ns)
        elif entry.kernel_name == name:
            self._entries.move_to_end(key)
            return
        process = entry.process
        if process.name is None or process.uid is None or not process.cgroup_id:
            self._update(
                entry,
                uid=process.uid if process.uid is not None else uid,
                name=process.name or name or None,
                cgroup_id=process.cgroup_id or cgroup_id,
            )
        # Another name than last time: it may have executed another program, so look again, but not for each thread.
        if entry.kernel_name is not None and entry.checked is not None and self._clock() - entry.checked > RECHECK_S:
            entry.checked = None
        entry.kernel_name = name

    # What is asked

    def get(self, pid: int, start_ns: int, *, look: bool = True) -> Process | None:
        """The process, or None if nothing is known of it.  With ``look``, ``/proc`` is read if it never was."""
        key = (pid, start_ns // TICK_NS)
        entry = self._entries.get(key)
        if look and start_ns and (entry is None or (entry.checked is None and entry.process.valid_to is None)):
            entry = self._look(pid, start_ns, entry)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry.process

    def wants_look(self, pid: int, start_ns: int) -> bool:
        """Whether :meth:`get` would read ``/proc`` now; for callers with a time budget."""
        if self.distrusted:
            return False
        entry = self._entries.get((pid, start_ns // TICK_NS))
        return entry is None or (entry.checked is None and entry.process.valid_to is None)

    def sweep(self, limit: int = 64) -> None:
        """Check whether up to ``limit`` processes still live; where no exit event tells, this ends their validity."""
        if self.distrusted:
            return
        for _ in range(min(limit, len(self._alive))):
            key, _none = self._alive.popitem(last=False)
            entry = self._entries.get(key)
            if entry is None:
                continue
            if read_start(key[0], self._proc) == key[1]:
                self._alive[key] = None
            else:
                self._update(entry, valid_to=time.time_ns())

    def statistics(self) -> dict[str, int]:
        """Processes known and alive, ``/proc`` reads, those where the pid had another owner by then, forgotten ones."""
        return {
            "processes": len(self._entries),
            "alive": len(self._alive),
            "proc_reads": self._reads,
            "pid_reused": self._mismatches,
            "forgotten": self._evicted,
            "changes_dropped": self.changes.dropped,
        }

    # Inside

    def _look(self, pid: int, start_ns: int, entry: _Entry | None) -> _Entry | None:
        if self.distrusted:
            return entry
        self._reads += 1
        found = read_process(pid, self._proc)
        if found is not None and found.start_ticks != start_ns // TICK_NS:
            self._mismatches += 1
            found = None
        if found is None:
            if entry is not None:
                entry.checked = self._clock()
                self._update(entry, valid_to=time.time_ns())
                self._alive.pop((pid, start_ns // TICK_NS), None)
            return entry
        entry = entry or self._entry(pid, start_ns)
        entry.checked = self._clock()
        entry.looked_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if found.args or not found.executable:
            entry.blank = None
        else:  # in the middle of an execution: the name comes first, the arguments follow
            if entry.blank is None or found.name != entry.process.name:
                entry.blank = entry.checked
            if entry.checked - entry.blank < RECHECK_S:
                entry.checked = None
        self._believe(entry, found)
        return entry

    def _believe(self, entry: _Entry, found: Found) -> None:
        path, membership = parse_proc(found.cgroup)
        old = entry.process
        self._update(
            entry,
            name=found.name,
            executable=found.executable or old.executable,
            args=found.args or (old.args if found.name == old.name else None),
            uid=found.uid if found.uid is not None else old.uid,
            parent_pid=old.parent_pid if old.parent_pid is not None else found.parent_pid,
            cgroup_path=path,
            membership=membership,
        )

    def _entry(self, pid: int, start_ns: int) -> _Entry:
        """The entry of that process, made if it is new; it is then the pid's owner, and the one before has ended."""
        key = (pid, start_ns // TICK_NS)
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            return entry
        started = self._wall(start_ns)
        entry = self._entries[key] = _Entry(Process(pid, start_ns, valid_from=started), None)
        self._alive[key] = None
        before = self._newest.get(pid)
        if before is None or before[1] < key[1]:
            self._newest[pid] = key
            if before is not None and (older := self._entries.get(before)) and older.process.valid_to is None:
                self._update(older, valid_to=started)
                self._alive.pop(before, None)
        while len(self._entries) > self._capacity:
            forgotten, _entry = self._entries.popitem(last=False)
            self._alive.pop(forgotten, None)
            if self._newest.get(forgotten[0]) == forgotten:
                del self._newest[forgotten[0]]
            self._evicted += 1
        return entry

    def _update(self, entry: _Entry, **values: object) -> None:
        process = replace(entry.process, **values)  # type: ignore[arg-type]
        if process != entry.process:
            entry.process = process
            self._note(process)

    def _note(self, process: Process) -> None:
        self.changes.note((process.pid, process.start_ns, process.valid_from), process)

    def _wall(self, boot_relative_ns: int) -> int:
        return self._boot_ns() + boot_relative_ns


def _boot_time_ns() -> int:
    """When the system booted, ns since 1970, by the wall clock as it is set now."""
    return time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
