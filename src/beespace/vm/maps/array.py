"""Arrays: an element for every index, there from the beginning and for ever."""

from __future__ import annotations

from collections.abc import Iterator

from beespace.spec import MapSpec
from beespace.vm.code import Code
from beespace.vm.errno import Errno, Refused
from beespace.vm.maps.map import EXIST, NOEXIST, Element, Map

__all__ = ["Array", "ProgramArray"]

_LOCK = 4  # BPF_F_LOCK


def _index(key: bytes) -> int:
    return int.from_bytes(key, "little")


def _following(key: bytes | None, entries: int) -> bytes:
    """The index behind ``key``; the first one behind an index that the array does not have."""
    index = -1 if key is None or _index(key) >= entries else _index(key)
    if index + 1 == entries:
        raise Refused(Errno.ENOENT)
    return (index + 1).to_bytes(4, "little")


class Array(Map):
    """``BPF_MAP_TYPE_ARRAY``: 32-bit indices, values of zero at the beginning."""

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        super().__init__(spec, cpus)
        self._elements: dict[int, Element] = {}

    def element(self, index: int) -> Element:
        """The element of an index, which is in range."""
        if index not in self._elements:
            self._elements[index] = Element(bytearray(self.spec.value_size))
        return self._elements[index]

    def lookup(self, key: bytes, cpu: int) -> Element | None:
        return self.element(_index(key)) if _index(key) < self.spec.max_entries else None

    def update(self, key: bytes, value: bytes, flags: int, cpu: int) -> None:
        if flags & ~_LOCK > EXIST:
            raise Refused(Errno.EINVAL)
        if _index(key) >= self.spec.max_entries:
            raise Refused(Errno.E2BIG)
        if flags & NOEXIST:
            raise Refused(Errno.EEXIST)
        if flags & _LOCK:  # the value has no lock
            raise Refused(Errno.EINVAL)
        self.element(_index(key)).value[:] = value

    def delete(self, key: bytes) -> None:
        raise Refused(Errno.EINVAL)

    def elements(self, cpu: int) -> Iterator[tuple[bytes, Element]]:
        for index in range(self.spec.max_entries):
            yield index.to_bytes(4, "little"), self.element(index)

    def read(self, key: bytes, flags: int = 0) -> bytes:
        if flags:
            raise Refused(Errno.EINVAL)
        element = self.lookup(key, 0)
        if element is None:
            raise Refused(Errno.ENOENT)
        return bytes(element.value)

    def write(self, key: bytes, value: bytes, flags: int = 0) -> None:
        self.update(key, value, flags, 0)

    def next_key(self, key: bytes | None) -> bytes:
        return _following(key, self.spec.max_entries)


class ProgramArray(Map):
    """``BPF_MAP_TYPE_PROG_ARRAY``: programs for ``bpf_tail_call``, which nothing else can look at."""

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
        if _index(key) >= self.spec.max_entries:
            raise Refused(Errno.E2BIG)
        if self._programs.pop(_index(key), None) is None:
            raise Refused(Errno.ENOENT)

    def next_key(self, key: bytes | None) -> bytes:
        return _following(key, self.spec.max_entries)
