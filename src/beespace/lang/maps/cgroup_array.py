"""``CgroupArray``: cgroups to compare with."""

from __future__ import annotations

import os
from typing import Any

from beespace.lang.maps.declaration import kernel_only
from beespace.lang.maps.slots import Slots

__all__ = ["CgroupArray"]


class CgroupArray(Slots):
    """Cgroups (v2) by index.  Linux 4.8.

    Outside, ``probe.cgroups[0] = path`` (or an open directory) puts one in; the kernel does not tell what is in.
    """

    map_type = 8  # BPF_MAP_TYPE_CGROUP_ARRAY

    def __setitem__(self, index: int, cgroup: Any) -> None:
        if not isinstance(cgroup, int) and not hasattr(cgroup, "fileno"):
            descriptor = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                self.backend.container[index] = descriptor
            finally:
                os.close(descriptor)
            return
        self.backend.container[index] = cgroup

    def current_in(self, index: int) -> bool:
        """Kernel only: whether the running thread is in the cgroup at ``index``, or below it; False if none is."""
        raise kernel_only("current_in")

    def packet_in(self, ctx: Any, index: int) -> bool:
        """Kernel only, tc: whether the packet's socket is in the cgroup at ``index``, or below it."""
        raise kernel_only("packet_in")

    def plain(self) -> None:
        return None
