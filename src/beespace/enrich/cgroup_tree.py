"""From a cgroup id, as the kernel stamps it on packets and events, to the cgroup's path.

A cgroup id is the inode number of the cgroup's folder in the v2 hierarchy (64-bit inodes: Linux 5.5, commit
40430452fd5d), and is never given out again while the system runs.  So a folder that was seen once may be remembered
after its removal, and an id that a whole walk did not find is not worth a second walk.

Where the kernel's own events feed the tree (:meth:`CgroupTree.observe`), one walk at the start is all; without them,
and after events were lost, it walks again when it is asked for an id that it does not know.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from beespace.enrich.cgroup import Membership, parse_path
from beespace.enrich.changes import Changes
from beespace.errors import KernelError
from beespace.syscall.descriptor import Descriptor
from beespace.syscall.mounts import detached_mount, parse_mountinfo, widest_mount

__all__ = ["Cgroup", "CgroupTree"]


@dataclass(frozen=True, slots=True)
class Cgroup:
    """A cgroup v2 folder.  ``valid_from`` and ``valid_to`` in ns since 1970; no ``valid_to``: it exists."""

    id: int
    path: str
    membership: Membership
    valid_from: int
    valid_to: int | None = None


class CgroupTree:
    """Paths by cgroup id.  Walks the hierarchy when asked for an id that it does not know, at most every
    ``interval_s`` seconds and never for more than a twentieth of the time; remembers ``remembered`` removed cgroups.

    ``root`` is the hierarchy's folder; without it, the widest visible mount, else a detached one (CAP_SYS_ADMIN,
    Linux 5.2).  A machine without cgroup v2 gives a tree that knows nothing.  Events may come from another thread.
    """

    def __init__(
        self,
        root: Path | None = None,
        *,
        interval_s: float = 0.25,
        remembered: int = 16_384,
        clock: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._mount: Descriptor | None = None
        self._root = root or self._find_root()
        self._interval_s = interval_s
        self._remembered = remembered
        self._clock = clock
        self._now_ns = now_ns
        self._lock = threading.RLock()
        self._live: dict[int, Cgroup] = {}
        self._pod_containers: dict[str, int] = {}  # cgroups of containers that exist, by pod
        self._pod_began: OrderedDict[str, int] = OrderedDict()
        self._removed: OrderedDict[int, Cgroup] = OrderedDict()
        self._absent: OrderedDict[int, None] = OrderedDict()
        self._next_walk = 0.0
        self._walks = self._walk_ns = self._deferred = 0
        self.changes: Changes[int, Cgroup] = Changes(remembered)

    def _find_root(self) -> Path | None:
        with suppress(OSError):
            mounts = parse_mountinfo(Path("/proc/self/mountinfo").read_text(errors="surrogateescape"))
            if path := widest_mount(mounts):
                return Path(path)
        with suppress(KernelError):  # not permitted, or no such file system: nothing can be resolved, and says so
            self._mount = detached_mount("cgroup2")
            return Path(f"/proc/self/fd/{self._mount.fileno()}")
        return None

    @property
    def root(self) -> Path | None:
        """The folder that is walked, None if there is no cgroup v2."""
        return self._root

    def close(self) -> None:
        """Give up the detached mount, if there is one."""
        if self._mount is not None:
            self._mount.close()
            self._mount = None
            self._root = None

    def get(self, cgroup_id: int) -> Cgroup | None:
        """The cgroup of that id, walking if need be; None: it is not known (any more, or not yet)."""
        self.prepare((cgroup_id,))
        return self.known(cgroup_id)

    def known(self, cgroup_id: int) -> Cgroup | None:
        """The cgroup of that id if it is known already; never walks."""
        return self._live.get(cgroup_id) or self._removed.get(cgroup_id)

    def prepare(self, cgroup_ids: Iterable[int]) -> None:
        """One walk, if it is due, for all of ``cgroup_ids`` that are not known."""
        wanted = [
            cgroup_id
            for cgroup_id in cgroup_ids
            if cgroup_id and self.known(cgroup_id) is None and cgroup_id not in self._absent
        ]
        if not wanted:
            return
        if self._clock() < self._next_walk or self._root is None:
            self._deferred += len(wanted)
            return
        self.walk()
        # The kernel named these before the walk began: what it did not find is gone, or outside our namespace.
        for cgroup_id in wanted:
            if cgroup_id not in self._live:
                self._absent[cgroup_id] = None
        while len(self._absent) > self._remembered:
            self._absent.popitem(last=False)

    def observe(self, cgroup_id: int, path: str, at_ns: int | None = None) -> Cgroup:
        """A cgroup was made (tracepoint ``cgroup:cgroup_mkdir``, v2 hierarchy): known before any process runs in it.

        ``at_ns``: when, ns since 1970; None: now.
        """
        with self._lock:
            return self._add(cgroup_id, path, at_ns)

    def observe_removed(self, cgroup_id: int, at_ns: int | None = None) -> str | None:
        """A cgroup was removed (tracepoint ``cgroup:cgroup_rmdir``); the pod whose last container it was, if any."""
        with self._lock:
            return self._remove(cgroup_id, at_ns)

    def pod_began(self, pod_uid: str) -> int | None:
        """When the first cgroup of a container of that pod was seen to be made; None if it was there before."""
        return self._pod_began.get(pod_uid)

    def take_changes(self) -> list[Cgroup]:
        """The cgroups that are new or gone since the last call."""
        with self._lock:
            return self.changes.take()

    def walk(self) -> None:
        """Read the whole hierarchy now."""
        if self._root is None:
            return
        began = time.perf_counter_ns()
        with self._lock:  # or a cgroup that is made meanwhile, in a folder that was read already, would count as gone
            seen = set()
            for cgroup_id, path in _folders(str(self._root)):
                seen.add(cgroup_id)
                self._add(cgroup_id, path)
            for cgroup_id in self._live.keys() - seen:
                self._remove(cgroup_id)
        took = time.perf_counter_ns() - began
        self._walks += 1
        self._walk_ns += took
        self._next_walk = self._clock() + max(self._interval_s, 20 * took / 1e9)

    def _add(self, cgroup_id: int, path: str, at_ns: int | None = None) -> Cgroup:
        known = self._live.get(cgroup_id)
        if known is not None:
            return known
        self._absent.pop(cgroup_id, None)
        cgroup = Cgroup(cgroup_id, path, parse_path(path), at_ns or self._now_ns())
        self._live[cgroup_id] = cgroup
        self.changes.note(cgroup_id, cgroup)
        if (uid := _pod_of(cgroup)) is not None:
            self._pod_containers[uid] = self._pod_containers.get(uid, 0) + 1
            if at_ns is not None:
                self._pod_began.setdefault(uid, at_ns)
                while len(self._pod_began) > self._remembered:
                    self._pod_began.popitem(last=False)
        return cgroup

    def _remove(self, cgroup_id: int, at_ns: int | None = None) -> str | None:
        cgroup = self._live.pop(cgroup_id, None)
        if cgroup is None:
            return None
        cgroup = replace(cgroup, valid_to=at_ns or self._now_ns())
        self._removed[cgroup_id] = cgroup
        self.changes.note(cgroup_id, cgroup)
        while len(self._removed) > self._remembered:
            self._removed.popitem(last=False)
        uid = _pod_of(cgroup)
        if uid is None:
            return None
        left = self._pod_containers.get(uid, 1) - 1
        if left:
            self._pod_containers[uid] = left
            return None
        self._pod_containers.pop(uid, None)
        return uid

    def statistics(self) -> dict[str, int]:
        """Cgroups known, removed and remembered, not found; walks and their time; look-ups put off to a later walk."""
        return {
            "cgroups": len(self._live),
            "removed": len(self._removed),
            "not_found": len(self._absent),
            "walks": self._walks,
            "walk_us": self._walk_ns // 1000,
            "deferred": self._deferred,
        }


def _pod_of(cgroup: Cgroup) -> str | None:
    """The pod of a container's cgroup; folders inside of a container count, too."""
    member = cgroup.membership
    return member.pod_uid if member.container_id is not None else None


def _folders(root: str) -> Iterator[tuple[int, str]]:
    """Inode number and path of every folder from ``root`` ("/") down; folders that vanish meanwhile are passed over."""
    try:
        yield Path(root).stat().st_ino, "/"
    except OSError:
        return
    waiting = [("", root)]
    while waiting:
        path, folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        yield entry.inode(), f"{path}/{entry.name}"
                        waiting.append((f"{path}/{entry.name}", entry.path))
        except OSError:
            continue
