"""Cgroups are known before the first packet from them: the kernel's events, read on a thread of their own.

Whoever makes rows calls :meth:`CgroupEvents.drain` first, so that everything that was made before those rows is
known to them; the thread in between lets the runtimes be asked while a container that lives for a moment only is
still there to be asked about.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self

from beespace.enrich import Who
from beespace.errors import BeespaceError
from beespace.probes.cgroups import Cgroups, Happened
from beespace.probes.cgroups.probe import PATH_MAX
from beespace.session.live_events import LiveRing
from beespace.syscall.poll import Poller

__all__ = ["CgroupEvents"]


class CgroupEvents:
    """The ``cgroups`` probe, attached, and what it sees told to ``who``.  A context manager.

    A kernel that cannot run the probe leaves the walks of the hierarchy (:attr:`note` says so).  ``boot_offset``
    gives boot in ns since 1970.
    """

    def __init__(self, who: Who, boot_offset: Callable[[], int]) -> None:
        self._who = who
        self._boot_offset = boot_offset
        self.probe = Cgroups()
        self._reading = threading.Lock()
        self._poller: Poller[str] = Poller()
        self._thread: threading.Thread | None = None
        self._stop = False
        self._lost = 0
        self.events = 0
        self.note: str | None = None

    def __enter__(self) -> Self:
        try:
            self.probe.start()
        except BeespaceError as error:
            self.probe.close()
            self.note = f"cgroups are found by walking the hierarchy, which misses short-lived ones: {error}"
            return self
        self._ring: LiveRing = self.probe.changes.backend
        self._poller.register(self._ring.fileno(), "changes")
        self._thread = threading.Thread(target=self._run, name="beespace-cgroups", daemon=True)
        self._thread.start()
        self._who.cgroups.walk()  # what existed before the first event
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the thread and detach; calling it again does nothing."""
        self._stop = True
        if self._thread is not None:
            self._poller.wake()
            self._thread.join()
            self._thread = None
        self._poller.close()
        self.probe.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """What this kernel could not do as asked."""
        return self.probe.notes if self.note is None else (self.note,)

    @property
    def lost(self) -> int:
        """Events that did not fit the ring, since the start; each loss is followed by a walk."""
        return self._lost

    def drain(self) -> None:
        """Take in what happened until now."""
        if self._thread is None:
            return
        with self._reading:
            self._take()
            before, self._lost = self._lost, self._ring.lost()
        if self._lost > before:
            self._who.cgroups.walk()

    def _run(self) -> None:
        while not self._stop:
            self._poller.wait()
            with self._reading:
                self._take()

    def _take(self) -> None:
        offset = self._boot_offset()
        more = True
        while more:
            drained = self._ring.take(offset)
            more = drained.more
            rows = drained.records
            times = rows.column("time").cast("int64").to_pylist()
            columns = (rows.column(name).to_pylist() for name in ("what", "cgroup", "path"))
            for at, what, cgroup_id, path in zip(times, *columns, strict=True):
                self.events += 1
                self._tell(at, what, cgroup_id, path)

    def _tell(self, at: int, what: int, cgroup_id: int, path: str) -> None:
        if what == Happened.MADE and len(path.encode()) < PATH_MAX - 1:  # a longer one may have been cut
            self._who.cgroup_made(cgroup_id, path, at)
        elif what == Happened.REMOVED:
            self._who.cgroup_removed(cgroup_id, at)
