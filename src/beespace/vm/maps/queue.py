"""Maps without keys: queues, stacks and filters."""

from __future__ import annotations

from collections import deque

from beespace.spec import MapSpec
from beespace.vm.errno import Errno, Refused
from beespace.vm.maps.map import ANY, EXIST, NOEXIST, Map

__all__ = ["BloomFilter", "Queue", "Stack"]


class Queue(Map):
    """``BPF_MAP_TYPE_QUEUE``: first in, first out."""

    sizes = (0, None)
    _next = 0  # which is taken

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        super().__init__(spec, cpus)
        self._values: deque[bytes] = deque()

    def push(self, value: bytes, flags: int) -> None:
        """``BPF_EXIST``: in a full one the oldest makes room."""
        if flags & NOEXIST or flags > EXIST:
            raise Refused(Errno.EINVAL)
        if len(self._values) == self.spec.max_entries:
            if flags != EXIST:
                raise Refused(Errno.E2BIG)
            self._values.popleft()
        self._values.append(value)

    def peek(self, value: bytes) -> bytes:
        if not self._values:
            raise Refused(Errno.ENOENT)
        return self._values[self._next]

    def pop(self) -> bytes:
        if not self._values:
            raise Refused(Errno.ENOENT)
        return self._values.pop() if self._next else self._values.popleft()

    def read(self, key: bytes, flags: int = 0) -> bytes:
        if flags:
            raise Refused(Errno.EINVAL)
        return self.peek(b"")

    def write(self, key: bytes, value: bytes, flags: int = ANY) -> None:
        self.push(value, flags)

    def take(self, key: bytes) -> bytes:
        return self.pop()

    def delete(self, key: bytes) -> None:
        raise Refused(Errno.EINVAL)

    def keys(self) -> list[bytes]:
        raise Refused(Errno.EINVAL)


class Stack(Queue):
    """``BPF_MAP_TYPE_STACK``: last in, first out."""

    _next = -1


class BloomFilter(Map):
    """``BPF_MAP_TYPE_BLOOM_FILTER``, one that is never wrong; the kernel's may say yes of what was never put in."""

    sizes = (0, None)

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        super().__init__(spec, cpus)
        self._values: set[bytes] = set()

    def push(self, value: bytes, flags: int) -> None:
        if flags != ANY:
            raise Refused(Errno.EINVAL)
        self._values.add(value)

    def peek(self, value: bytes) -> bytes:
        if value not in self._values:
            raise Refused(Errno.ENOENT)
        return value

    def write(self, key: bytes, value: bytes, flags: int = ANY) -> None:
        self.push(value, flags)
