"""Maps whose values are things of the kernel: programs, perf events, cgroups, sockets.

A descriptor goes in.  What comes out, if anything, is an id.  PROG_ARRAY (Linux 4.2), PERF_EVENT_ARRAY (4.3),
CGROUP_ARRAY (4.8), XSKMAP (4.18).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cached_property

from beespace.errors import UsageError
from beespace.kernel.maps.base import Container
from beespace.kernel.maps.coding import Coding
from beespace.kernel.maps.hash import HashMap
from beespace.typed import Any

__all__ = ["CgroupArray", "DescriptorIn", "PerfEventArray", "ProgramArray", "Slots", "XskMap"]


class DescriptorIn:
    """Encodes what has ``fileno()``, or the number of a descriptor; decodes an id."""

    def __init__(self, what: str, name: str, size: int = 4) -> None:
        self.size = size
        self._what = what
        self._name = name

    def encode(self, value: Any) -> bytes:
        """The descriptor of ``value``."""
        if not isinstance(value, int):
            if not hasattr(value, "fileno"):
                raise UsageError(f"map {self._name!r} takes {self._what} or its descriptor, not {value!r}")
            value = value.fileno()
        return int(value).to_bytes(self.size, sys.byteorder)

    def decode(self, data: bytes, offset: int = 0) -> int:
        """The id that the kernel gives for it."""
        return int.from_bytes(data[offset : offset + self.size], sys.byteorder)


class Slots(HashMap):
    """A mapping whose places may be empty: an empty one is :class:`KeyError` and is left out when iterating."""

    def _keys(self) -> Iterator[bytes]:
        """All keys that the kernel names, of empty places too."""
        key = self.raw.next_key()
        for _ in range(self.spec.max_entries):
            if key is None:
                return
            yield key
            key = self.raw.next_key(key)

    def clear(self) -> None:
        """Empty every place."""
        for key in list(self._keys()):
            self.raw.delete(key)

    def __bool__(self) -> bool:
        return any(True for _ in self)

    def popitem(self) -> tuple[Any, Any]:
        """Empty any place that is not; :class:`KeyError` if all are."""
        for key in self:
            return key, self.pop(key)
        raise KeyError(f"map {self.name!r} is empty")


class ProgramArray(Slots):
    """Programs to jump to (tail calls), by index: a program goes in, the id of one comes out.

    Programs of an array must be of one type.  The kernel empties the array when the last descriptor of it is
    closed, also while programs that use it are attached.
    """

    @cached_property
    def value(self) -> Coding:
        return DescriptorIn("a program", self.name)


class _WriteOnly(Container):
    """Places that can be filled and emptied; what is in them the kernel does not tell."""

    _what = ""

    @cached_property
    def value(self) -> Coding:
        return DescriptorIn(self._what, self.name, self.spec.value_size)

    def _index(self, index: int) -> bytes:
        count = self.spec.max_entries
        if not 0 <= index < count:
            raise IndexError(f"map {self.name!r} has {count} places, so no {index}")
        return index.to_bytes(4, sys.byteorder)

    def __setitem__(self, index: int, value: Any) -> None:
        self.raw.update(self._index(index), self.value.encode(value))

    def __delitem__(self, index: int) -> None:
        if not self.raw.delete(self._index(index)):
            raise KeyError(index)

    def __len__(self) -> int:
        """How many places there are."""
        return self.spec.max_entries

    def clear(self) -> None:
        """Empty every place."""
        for index in range(len(self)):
            self.raw.delete(self._index(index))


class PerfEventArray(_WriteOnly):
    """Perf events by index, usually one a CPU.  An event goes in; the kernel tells nothing about it."""

    _what = "a perf event"


class CgroupArray(_WriteOnly):
    """Cgroups (v2) by index, which programs compare with: the descriptor of a directory goes in."""

    _what = "a cgroup (an open directory)"


class XskMap(_WriteOnly):
    """AF_XDP sockets by index, where XDP programs send packets; Linux 4.18."""

    _what = "an AF_XDP socket"
