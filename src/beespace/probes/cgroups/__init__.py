"""``cgroups``: every cgroup that is made or removed."""

from beespace.probes.cgroups.probe import Cgroup, Cgroups, Happened

__all__ = ["Cgroup", "Cgroups", "Happened"]
