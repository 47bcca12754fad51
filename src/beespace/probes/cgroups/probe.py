"""Cgroups of the v2 hierarchy, as they come and go.

A runtime makes a container's cgroup before it starts the first process in it, so whoever reads these events knows
the container before its first packet, and one that lived for a moment only has not been missed.  The ids are those
that stand in packets and events (``kn->id``); the path is the kernel's own, from the root of the hierarchy.

``REMOVED`` is the end of the folder.  Sockets that outlive it (descriptors passed on) still carry the id, until
``RELEASED``; the kernel never gives it to another cgroup.  Only cgroups of version 1 can be renamed (kernfs of the
v2 hierarchy has no ``rename``), so that event has nothing to say here.
"""

from __future__ import annotations

from enum import IntEnum

from beespace.lang import Event, Program, Ring, bpf, btf_tracepoint, function
from beespace.types import CgroupId, Text, Timestamp, i32, text, u32

UNIFIED = 0  # hierarchy id of cgroup v2 (cgroup_dfl_root is set up first; /proc/PID/cgroup: "0::")
PATH_MAX = 512  # with the zero byte; a longer one is cut, and whoever reads looks the folder up instead


class Happened(IntEnum):
    """What happened to the cgroup."""

    MADE = 1
    REMOVED = 2
    RELEASED = 3


class Cgroup(Event):
    """Something happened to a cgroup.  ``time`` counts from boot."""

    time: Timestamp
    cgroup: CgroupId
    what: u32
    level: i32  # how far below the root
    path: Text = text(512)


class Cgroups(Program):
    """Every cgroup that is made, removed or released (tracepoints ``cgroup:*``, Linux 4.10)."""

    changes = Ring(Cgroup, size="1 MiB")

    @btf_tracepoint("cgroup_mkdir")
    def on_made(self, cgrp, path):
        self.note(cgrp, path, Happened.MADE)

    @btf_tracepoint("cgroup_rmdir")
    def on_removed(self, cgrp, path):
        self.note(cgrp, path, Happened.REMOVED)

    @btf_tracepoint("cgroup_release")
    def on_released(self, cgrp, path):
        self.note(cgrp, path, Happened.RELEASED)

    @function
    def note(self, cgrp, path, what: u32):
        if cgrp.root.hierarchy_id != UNIFIED:
            return
        self.changes.emit(Cgroup(time=bpf.now(), cgroup=cgrp.kn.id, what=what, level=cgrp.level, path=path))
