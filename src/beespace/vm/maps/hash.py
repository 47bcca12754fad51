"""Hash maps.  Their order is that of insertion; the kernel's is none that anybody could rely on."""

from __future__ import annotations

from collections.abc import Iterator

from beespace.spec import MapSpec
from beespace.vm.errno import Errno, Refused
from beespace.vm.maps.map import ANY, EXIST, LOCK, Element, Map, check_flags

__all__ = ["Hash", "LruHash", "LruPerCpuHash", "PerCpuHash"]


class Hash(Map):
    """``BPF_MAP_TYPE_HASH``.  An update makes a new element: who holds a pointer to the old one keeps its value."""

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        super().__init__(spec, cpus)
        self._elements: dict[bytes, list[Element]] = {}  # of each key one element, or one for each CPU

    def find(self, key: bytes, cpu: int) -> Element | None:
        found = self._elements.get(key)
        return None if found is None else found[cpu if self.per_cpu else 0]

    def update(self, key: bytes, value: bytes, flags: int, cpu: int) -> None:
        if flags & ~LOCK > EXIST:
            raise Refused(Errno.EINVAL)
        if flags & LOCK:  # the value has no lock
            raise Refused(Errno.EINVAL)
        old = self._elements.get(key)
        check_flags(flags, old is not None)
        if old is None:
            self._make_room()
            self._elements[key] = self._new(value, cpu)
        elif self.per_cpu:
            old[cpu].value[:] = value
        else:
            self.dropped += old
            self._elements[key] = [Element(value)]

    def _new(self, value: bytes, cpu: int) -> list[Element]:
        if not self.per_cpu:
            return [Element(value)]
        return [Element(value if each == cpu else bytes(len(value))) for each in range(self.cpus)]

    def _make_room(self) -> None:
        if len(self._elements) >= self.spec.max_entries:
            raise Refused(Errno.E2BIG)

    def delete(self, key: bytes) -> None:
        old = self._elements.pop(key, None)
        if old is None:
            raise Refused(Errno.ENOENT)
        self.dropped += old

    def elements(self, cpu: int) -> Iterator[tuple[bytes, Element]]:
        for key, found in list(self._elements.items()):
            if key in self._elements:
                yield key, found[cpu if self.per_cpu else 0]

    def keys(self) -> list[bytes]:
        return list(self._elements)


class PerCpuHash(Hash):
    """``BPF_MAP_TYPE_PERCPU_HASH``: a program that makes an element gives the other CPUs zeros."""

    per_cpu = True

    def beside_cpus(self, flags: int) -> int:
        """Nothing: the kernel compares them with all flags together (kernel/bpf/hashtab.c, check_flags)."""
        return ANY


class LruHash(Hash):
    """``BPF_MAP_TYPE_LRU_HASH``: where there is no room, what was longest not used by a program makes some.

    The kernel only comes near to that: it throws out several at a time, and earlier.
    """

    def lookup(self, key: bytes, cpu: int) -> Element | None:
        found = self.find(key, cpu)
        if found is not None:
            self._elements[key] = self._elements.pop(key)  # the last to go
        return found

    def update(self, key: bytes, value: bytes, flags: int, cpu: int) -> None:
        super().update(key, value, flags, cpu)
        self._elements[key] = self._elements.pop(key)

    def _make_room(self) -> None:
        if len(self._elements) >= self.spec.max_entries:
            self.delete(next(iter(self._elements)))


class LruPerCpuHash(LruHash):
    """``BPF_MAP_TYPE_LRU_PERCPU_HASH``."""

    per_cpu = True

    def beside_cpus(self, flags: int) -> int:
        """Nothing, as of :class:`PerCpuHash`."""
        return ANY
