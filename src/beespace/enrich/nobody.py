"""Who is behind keys that no machine here knows: nobody."""

from __future__ import annotations

from pathlib import Path

from beespace.enrich.addresses import Addresses
from beespace.enrich.cgroup_tree import CgroupTree
from beespace.enrich.container import Containers
from beespace.enrich.process import Processes
from beespace.enrich.who import Who

__all__ = ["nobody"]

_NOWHERE = Path("/nonexistent")


def nobody(booted: int = 0) -> Who:
    """A :class:`Who` that asks neither ``/proc`` nor cgroups nor runtimes; it knows what it is told.

    ``booted`` is when the machine booted that the keys are of, ns since 1970.
    """
    return Who(
        Processes(_NOWHERE, trusted=False, boot_ns=lambda: booted),
        CgroupTree(_NOWHERE),
        Containers(()),
        addresses=Addresses(host=frozenset),
    )
