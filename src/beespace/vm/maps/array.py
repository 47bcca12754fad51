"""Arrays: an element for every index, there from the beginning and for ever."""

from __future__ import annotations

from collections.abc import Iterator

from beespace.spec import MapSpec
from beespace.vm.code import Code
from beespace.vm.errno import Errno, Refused
from beespace.vm.maps.map import EXIST, LOCK, NOEXIST, Element, Map

__all__ = ["Array", "PerCpuArray", "ProgramArray", "index_of"]


def index_of(key: bytes) -> int:
    """A key of an array, as a number."""
    return int.from_bytes(key, "little")


class Array(Map):
    """``BPF_MAP_TYPE_ARRAY``: 32-bit indices, values of zero at the beginning."""

    sizes = (4, None)

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        super().__init__(spec, cpus)
        self._elements: dict[tuple[int, int], Element] = {}

    def element(self, index: int, cpu: int = 0) -> Element:
        """The element of an index, which is in range."""
        place = index, cpu if self.per_cpu else 0
        if place not in self._elements:
            self._elements[place] = Element(bytes(self.spec.value_size))
        return self._elements[place]

    def find(self, key: bytes, cpu: int) -> Element | None:
        return self.element(index_of(key), cpu) if index_of(key) < self.spec.max_entries else None

    def update(self, key: bytes, value: bytes, flags: int, cpu: int) -> None:
        if flags & ~LOCK > EXIST:
            raise Refused(Errno.EINVAL)
        if index_of(key) >= self.spec.max_entries:
            raise Refused(Errno.E2BIG)
        if flags & NOEXIST:
            raise Refused(Errno.EEXIST)
        if flags & LOCK:  # the value has no lock
            raise Refused(Errno.EINVAL)
        self.element(index_of(key), cpu).value[:] = value

    def delete(self, key: bytes) -> None:
        raise Refused(Errno.EINVAL)

    def elements(self, cpu: int) -> Iterator[tuple[bytes, Element]]:
        for index in range(self.spec.max_entries):
            yield index.to_bytes(4, "little"), self.element(index, cpu)

    def keys(self) -> list[bytes]:
        return [index.to_bytes(4, "little") for index in range(self.spec.max_entries)]


class PerCpuArray(Array):
    """``BPF_MAP_TYPE_PERCPU_ARRAY``: every CPU has values of its own."""

    per_cpu = True


class ProgramArray(Map):
    """``BPF_MAP_TYPE_PROG_ARRAY``: programs for ``bpf_tail_call``, which nothing else can look at."""

    sizes = (4, 4)

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        super().__init__(spec, cpus)
        self._programs: dict[int, Code] = {}

    def program(self, index: int) -> Code | None:
        """The program at an index."""
        return self._programs.get(index)

    def put(self, index: int, code: Code) -> None:
        """Set it; ``E2BIG`` behind the end."""
        if index >= self.spec.max_entries:
            raise Refused(Errno.E2BIG)
        self._programs[index] = code

    def delete(self, key: bytes) -> None:
        if index_of(key) >= self.spec.max_entries:
            raise Refused(Errno.E2BIG)
        if self._programs.pop(index_of(key), None) is None:
            raise Refused(Errno.ENOENT)

    def keys(self) -> list[bytes]:
        return [index.to_bytes(4, "little") for index in range(self.spec.max_entries)]
