"""Storage of kernel objects: a value for each task, socket, inode or cgroup."""

from __future__ import annotations

from beespace.spec import MapSpec
from beespace.vm.maps.map import Element, Map

__all__ = ["CgroupStorage", "PerCpuCgroupStorage", "Storage"]


class Storage(Map):
    """``BPF_MAP_TYPE_TASK_STORAGE`` and its likes.  The kernel's object is known by its address here."""

    sizes = (4, None)

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        super().__init__(_with_room(spec), cpus)
        self._elements: dict[int, Element] = {}

    def get(self, owner: int, initial: bytes | None) -> Element | None:
        """The value of an object; ``initial`` makes one where there is none."""
        if owner not in self._elements and initial is not None:
            self._elements[owner] = Element(initial)
        return self._elements.get(owner)

    def drop(self, owner: int) -> bool:
        """Remove the value of an object; whether there was one."""
        old = self._elements.pop(owner, None)
        self.dropped += [] if old is None else [old]
        return old is not None

    def owners(self) -> list[int]:
        """The objects that have a value."""
        return list(self._elements)


def _with_room(spec: MapSpec) -> MapSpec:
    """Its ``max_entries`` is 0: there is one for each object."""
    from beespace.record import replace

    return replace(spec, max_entries=1)


class CgroupStorage(Map):
    """``BPF_MAP_TYPE_CGROUP_STORAGE`` (Linux 4.19): the value of the one cgroup that the program is attached to."""

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        super().__init__(_with_room(spec), cpus)
        self._elements = [Element(bytes(spec.value_size)) for _ in range(cpus if self.per_cpu else 1)]

    def local(self, cpu: int) -> Element:
        """What ``bpf_get_local_storage`` gives."""
        return self._elements[cpu if self.per_cpu else 0]


class PerCpuCgroupStorage(CgroupStorage):
    """``BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE`` (Linux 4.20)."""

    per_cpu = True
