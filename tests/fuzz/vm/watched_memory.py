"""Memory of the machine with canaries around every region, and a second opinion on every access.

:func:`watched` changes how the machine allocates for as long as it is entered.  All that programs can be given then
lies in the middle of a longer buffer that is filled with :data:`CANARY`; :meth:`Watch.check` says whether any of that
has changed, and whether the pattern turned up where programs write.  What the interpreter reads and writes is besides
compared with a list of the regions that there are, kept without :class:`~beespace.vm.memory.Memory`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from beespace.vm.maps import ring
from beespace.vm.maps.map import Element
from beespace.vm.memory import Memory, Region, Rights

__all__ = ["CANARY", "Escape", "Watch", "watched"]

CANARY = bytes.fromhex("c3a7e1d45b9f0e83")
_AROUND = 64 * CANARY
_HEAD = len(_AROUND)


class Escape(BaseException):
    """Something was read or written that should not: no part of the machine catches this."""


class Watch:
    """All buffers that were given out since the last check."""

    def __init__(self) -> None:
        self._buffers: list[tuple[str, bytearray]] = []
        self._regions: dict[int, Region] = {}

    def guarded(self, data: bytes | bytearray, what: str) -> memoryview:
        buffer = bytearray(_AROUND + bytes(data) + _AROUND)
        self._buffers.append((what, buffer))
        return memoryview(buffer)[_HEAD : len(buffer) - _HEAD]

    def appeared(self, region: Region) -> None:
        self._regions[id(region)] = region

    def disappeared(self, region: Region) -> None:
        self._regions.pop(id(region), None)

    def access(self, address: int, size: int, right: Rights, stacks: Sequence[Region] = ()) -> None:
        """The second opinion, of an access that was allowed; ``stacks`` are those of native code."""
        for region in (*self._regions.values(), *stacks):
            inside = region.base <= address and address + size <= region.base + len(region.data)
            if inside and right in region.rights:
                return
        raise Escape(f"{right} of {size} bytes at {address:#x}, which is in no region with that right")

    def check(self) -> None:
        """All canaries are there, and nowhere else."""
        for what, buffer in self._buffers:
            if buffer[:_HEAD] != _AROUND or buffer[-_HEAD:] != _AROUND:
                raise Escape(f"what is around {what} was written")
            if CANARY in buffer[_HEAD:-_HEAD]:
                raise Escape(f"{what} holds what is around some memory")
        self._buffers.clear()
        self._regions.clear()


@contextmanager
def watched() -> Iterator[Watch]:
    """Every machine that is made meanwhile is watched."""
    watch = Watch()
    add, remove, locate = Memory.add, Memory.remove, Memory.locate
    element, record = Element.__init__, ring.Record.__init__

    def new_add(self: Memory, name: str, data: Any, rights: Rights, **more: Any) -> Region:
        if isinstance(data, bytearray):  # what others hold, too, is guarded where they make it
            data = watch.guarded(data, name)
        region = add(self, name, data, rights, **more)
        watch.appeared(region)
        return region

    def new_remove(self: Memory, region: Region) -> None:
        remove(self, region)
        watch.disappeared(region)

    def new_locate(self: Memory, address: int, size: int, right: Rights) -> tuple[Region, int]:
        found = locate(self, address, size, right)
        watch.access(address, size, right, getattr(self, "_stacks", ()))
        return found

    def new_element(self: Element, value: bytes) -> None:
        element(self, value)
        self.value = watch.guarded(value, "a value")  # type: ignore[assignment]

    def new_record(self: ring.Record, size: int) -> None:
        record(self, size)
        self.data = watch.guarded(self.data, "a record")  # type: ignore[assignment]

    with (
        patch.object(Memory, "add", new_add), patch.object(Memory, "remove", new_remove),
        patch.object(Memory, "locate", new_locate), patch.object(Element, "__init__", new_element),
        patch.object(ring.Record, "__init__", new_record),
    ):  # fmt: skip
        yield watch
