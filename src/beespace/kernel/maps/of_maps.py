"""Maps of maps: ARRAY_OF_MAPS and HASH_OF_MAPS (Linux 4.12)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cached_property

from beespace.kernel.maps.coding import Coding
from beespace.kernel.maps.kinds import container
from beespace.kernel.maps.map import Map
from beespace.kernel.maps.slots import DescriptorIn, Slots
from beespace.record import replace
from beespace.typed import Any

__all__ = ["ArrayOfMaps", "HashOfMaps"]


class Maps(DescriptorIn):
    """Values that are maps: a descriptor on the way in, an id on the way out."""


class HashOfMaps(Slots):
    """Keys to maps.

    ``outer[key] = inner`` takes a map or the container of one (its type and sizes must be those that the outer map
    was made for), ``None`` empties the place.  ``outer[key]`` opens what is there, as the container of its type;
    **the caller closes it**.  :meth:`id` and :meth:`ids` open nothing.
    """

    @cached_property
    def value(self) -> Coding:
        return Maps("a map", self.name)

    def __setitem__(self, key: Any, value: Any) -> None:
        if value is None:
            self.raw.delete(self.key.encode(key))
        else:
            super().__setitem__(key, value)

    def __getitem__(self, key: Any) -> Any:
        return self.open(self.id(key))

    def get(self, key: Any, default: Any = None, *, locked: bool = False) -> Any:
        """What is there, opened, or ``default``; the caller closes it."""
        try:
            return self[key]
        except KeyError:
            return default

    def id(self, key: Any) -> int:
        """The id of the map at ``key``; :class:`KeyError` if there is none."""
        data = self.raw.get(self.key.encode(key))
        if data is None:
            raise KeyError(key)
        return int.from_bytes(data, sys.byteorder)

    def ids(self) -> Iterator[tuple[Any, int]]:
        """Every key with the id of its map."""
        return super()._pairs()

    def _pairs(self, *, remove: bool = False) -> Iterator[tuple[Any, Any]]:
        for key, number in super()._pairs(remove=remove):
            yield key, self.open(number)

    def open(self, map_id: int) -> Any:
        """A map that is in here, by its id: typed by the template that this map was made with, if it is known."""
        raw = Map.from_id(map_id)
        inner = self.spec.inner
        if inner is not None and (inner.key_size, inner.value_size) == (raw.spec.key_size, raw.spec.value_size):
            raw.spec = replace(raw.spec, key_type=inner.key_type, value_type=inner.value_type)
        return container(raw, self._types)

    def pop(self, key: Any, *default: Any) -> Any:
        """Take a map out: it is opened, and the caller closes it; else ``default``, else :class:`KeyError`."""
        found = self.get(key)
        if found is not None:
            if self.raw.delete(self.key.encode(key)):
                return found
            found.close()
        if default:
            return default[0]
        raise KeyError(key)


class ArrayOfMaps(HashOfMaps):
    """Indices to maps; those of empty places are not there."""
