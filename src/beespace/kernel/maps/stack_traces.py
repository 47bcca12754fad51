"""``StackTraces``: stacks by the number that ``bpf_get_stackid`` gave them.  STACK_TRACE (Linux 4.6)."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator, Mapping

from beespace.isa.constants import MapFlag
from beespace.kernel.maps.base import Container
from beespace.typed import Any, NamedTuple

__all__ = ["BuildIdFrame", "StackTraces"]

_FRAME = struct.Struct("=i20sQ")  # struct bpf_stack_build_id
_VALID = 1


class BuildIdFrame(NamedTuple):
    """A place in a program of user space: ``offset`` in the file of that build id, or, without one, its address."""

    build_id: bytes | None
    offset: int


class StackTraces(Container, Mapping[int, Any]):
    """Stacks: each a list of addresses, the innermost first.

    With ``BPF_F_STACK_BUILD_ID``, a list of :class:`BuildIdFrame`.  Stacks are written by programs alone; they can
    be deleted.
    """

    def __getitem__(self, number: int) -> list[Any]:
        data = self.raw.get(self._key(number)) if 0 <= number < self.spec.max_entries else None
        if data is None:
            raise KeyError(number)
        if self.spec.flags & MapFlag.STACK_BUILD_ID:
            return list(_frames(data))
        addresses = struct.unpack(f"={len(data) // 8}Q", data)
        return list(addresses[: addresses.index(0)] if 0 in addresses else addresses)

    def _key(self, number: int) -> bytes:
        return number.to_bytes(4, sys.byteorder)

    def __delitem__(self, number: int) -> None:
        if not self.raw.delete(self._key(number)):
            raise KeyError(number)

    def __iter__(self) -> Iterator[int]:
        key = self.raw.next_key()
        for _ in range(self.spec.max_entries):
            if key is None:
                return
            yield int.from_bytes(key, sys.byteorder)
            key = self.raw.next_key(key)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def clear(self) -> None:
        """Delete every stack."""
        for number in list(self):
            self.raw.delete(self._key(number))


def _frames(data: bytes) -> Iterator[BuildIdFrame]:
    for status, build_id, offset in _FRAME.iter_unpack(data):
        if not status:  # BPF_STACK_BUILD_ID_EMPTY: the end
            return
        yield BuildIdFrame(build_id if status == _VALID else None, offset)
