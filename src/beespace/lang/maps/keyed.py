"""Maps with keys, as Python containers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar, overload

from beespace.lang.maps.declaration import Map, checked_kind, entries, kernel_only, plain
from beespace.schema import IntKind, Kind
from beespace.schema.codec import pack, unpack

__all__ = ["Keyed", "PerCpu"]

K = TypeVar("K")
V = TypeVar("V")


class Keyed(Map, Generic[K, V]):
    """Keys to values, as a Python container; a missing key is :class:`KeyError`."""

    @overload
    def __init__(self, *, key: type[K], value: type[V], max_entries: int = ...) -> None: ...
    @overload
    def __init__(self, *, key: K, value: type[V], max_entries: int = ...) -> None: ...
    @overload
    def __init__(self, *, key: type[K], value: V, max_entries: int = ...) -> None: ...
    @overload
    def __init__(self, *, key: K, value: V, max_entries: int = ...) -> None: ...
    def __init__(self, *, key: Any, value: Any, max_entries: int = 10_240) -> None:
        super().__init__(checked_kind(key, "key"), checked_kind(value, "value"), entries(max_entries))

    def __getitem__(self, key: K) -> V:
        data = self.backend.get(self._pack_key(key))
        if data is None:
            raise KeyError(key)
        return self._unpack_value(data)

    def __setitem__(self, key: K, value: V) -> None:
        self.backend.update(self._pack_key(key), self._pack_value(value))

    def __delitem__(self, key: K) -> None:
        if not self.backend.delete(self._pack_key(key)):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return self.backend.get(self._pack_key(key)) is not None

    def __iter__(self) -> Iterator[K]:
        for data in self.backend.keys():  # noqa: SIM118 - a RawMap is no container
            yield unpack(self._key_kind, data)

    def __len__(self) -> int:
        return sum(1 for _ in self.backend.keys())  # noqa: SIM118

    def get(self, key: K) -> V | None:
        """The value, or None.  In the kernel: a reference to the value in place, or None."""
        data = self.backend.get(self._pack_key(key))
        return None if data is None else self._unpack_value(data)

    def items(self) -> Iterator[tuple[K, V]]:
        """All entries; entries written meanwhile may or may not be among them."""
        for key, value in self.backend.items():
            yield unpack(self._key_kind, key), self._unpack_value(value)

    def keys(self) -> Iterator[K]:
        return iter(self)

    def values(self) -> Iterator[V]:
        for _, value in self.items():
            yield value

    def get_or_create(self, key: K) -> V | None:
        """Kernel only: the value in place, made of zeroes if it was missing; None if the map is full."""
        raise kernel_only("get_or_create")

    def plain(self) -> Any:
        return [[plain(key), plain(value)] for key, value in self.items()]

    @property
    def lost(self) -> int:
        """Insert-or-adds that found the map full."""
        return int(self.backend.lost())

    @property
    def _key_kind(self) -> Kind:
        assert self.key is not None
        return self.key

    def _pack_key(self, key: object) -> bytes:
        return pack(self._key_kind, key)

    def _pack_value(self, value: Any) -> bytes:
        assert self.value_kind is not None
        return pack(self.value_kind, value)

    def _unpack_value(self, data: bytes) -> V:
        assert self.value_kind is not None
        if not self.per_cpu:
            return unpack(self.value_kind, data)  # type: ignore[no-any-return]
        values = self._values(data)
        # Integers add up; structs come as one value a CPU.
        return sum(values) if isinstance(self.value_kind, IntKind) else values  # type: ignore[return-value]

    def _values(self, data: bytes) -> list[Any]:
        """Those of all CPUs; each stands at a multiple of 8 bytes."""
        assert self.value_kind is not None
        stride = -(-self.value_size // 8) * 8
        return [unpack(self.value_kind, data[at : at + self.value_size]) for at in range(0, len(data), stride)]


class PerCpu(Keyed[K, V]):
    """Maps with a value for each CPU."""

    per_cpu = True

    def get(self, key: K, *, cpu: int | None = None) -> V | None:
        """The value, or None; outside numbers are summed over all CPUs, and structs come as a list.

        ``cpu``: that CPU's value alone (in the kernel: Linux 5.19, else this CPU's).
        """
        if cpu is None:
            return super().get(key)
        values = self.each(key)
        return values[cpu] if values is not None and 0 <= cpu < len(values) else None

    def each(self, key: K) -> list[V] | None:
        """The value of each CPU that the machine may have, or None."""
        data = self.backend.get(self._pack_key(key))
        return None if data is None else self._values(data)
