"""A table that user space takes whole (:class:`~beespace.lang.Interval`), in a machine."""

from __future__ import annotations

from beespace.errors import UsageError
from beespace.kernel.maps import Entries
from beespace.session.live_map import Losses
from beespace.vm.maps import Map, OfMaps, make

__all__ = ["SimulatedInterval"]

_SLOT = bytes(4)


class SimulatedInterval:
    """The array of one slot, and the two tables that take turns in it: :class:`~beespace.kernel.swapped.SwappedMap`."""

    def __init__(self, slot: Map, losses: Losses, index: int) -> None:
        if not isinstance(slot, OfMaps) or slot.spec.inner is None:
            raise UsageError(f"map {slot.spec.name!r} is no array of maps with one slot for a hash table")
        self._slot, self._losses, self._index = slot, losses, index
        self._active, self._idle = make(slot.spec.inner, slot.cpus), make(slot.spec.inner, slot.cpus)
        slot.put(_SLOT, self._active)

    def take(self) -> Entries:
        """Everything that programs wrote since the last call, packed."""
        self._active, self._idle = self._idle, self._active
        self._slot.put(_SLOT, self._active)
        taken = _packed(self._idle)
        for key in self._idle.keys():  # noqa: SIM118  # no dict
            self._idle.remove(key)
        return taken

    def peek(self) -> Entries:
        """What is in the table that programs write now."""
        return _packed(self._active)

    def lost(self) -> int:
        """Insertions that found the table full, since the start."""
        return self._losses.of(self._index)


def _packed(table: Map) -> Entries:
    keys = table.keys()
    return Entries(bytearray(b"".join(keys)), bytearray(b"".join(table.read(key) for key in keys)), len(keys))
