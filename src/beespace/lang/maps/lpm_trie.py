"""``LpmTrie``: prefixes to values, looked up by the longest that fits."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from beespace.errors import UsageError
from beespace.lang.maps.declaration import BPF_F_NO_PREALLOC, Map, checked_kind, entries, plain
from beespace.schema import AddressKind, BytesKind, IntKind, Kind, Struct
from beespace.schema.codec import pack, unpack
from beespace.schema.kinds import kind_size

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

__all__ = ["LpmTrie"]

V = TypeVar("V")
_LENGTH = 4  # bytes of prefixlen
_MAPPED = 96  # bits before an IPv4 address in an IPv6 one (RFC 4291, 2.5.5.2)


class LpmTrie(Map, Generic[V]):
    """Prefixes to values; ``get`` finds the value of the longest prefix that a key is in.  Linux 4.11.

    ``key`` is ``Address`` (the default: networks of IPv6 and IPv4), ``be32`` (IPv4 alone, 12 bytes less), or any
    struct or bytes whose first bits are to be compared.  Outside, prefixes are networks, as texts (``"10.0.0.0/8"``)
    or objects of :mod:`ipaddress`; of other kinds ``(bits, value)``.  In the kernel a key is a value with all of its
    bits, unless ``prefix=`` says how many count (of an IPv4 address in an ``Address``, 96 more).
    """

    map_type = 11  # BPF_MAP_TYPE_LPM_TRIE
    flags = BPF_F_NO_PREALLOC

    @overload
    def __init__(self, value: type[V], *, key: Any = ..., max_entries: int = ...) -> None: ...
    @overload
    def __init__(self, value: V, *, key: Any = ..., max_entries: int = ...) -> None: ...
    def __init__(self, value: Any, *, key: Any = None, max_entries: int = 10_240) -> None:
        self.data = checked_kind(AddressKind() if key is None else key, "key")
        if isinstance(self.data, IntKind) and not self.data.big_endian and self.data.bits > 8:
            raise TypeError(f"the bits of a {self.data.name} do not stand in order; use be{self.data.bits}")
        size = kind_size(self.data)
        prefix = type(
            f"prefix{8 * size}",
            (Struct,),
            {"__annotations__": {"length": IntKind("u32", 32), "data": BytesKind(size)}, "__module__": __name__},
        )
        super().__init__(prefix, checked_kind(value, "value"), entries(max_entries))

    @property
    def bits(self) -> int:
        """The bits of a whole key."""
        return 8 * kind_size(self.data)

    # --- in both worlds ---

    def get(self, key: Any, *, prefix: int | None = None) -> V | None:
        """The value of the longest prefix that ``key`` is in, or None."""
        data = self.backend.get(self._pack(key, prefix))
        return None if data is None else self._value(data)

    def __contains__(self, key: object) -> bool:
        """Whether ``key`` is in any prefix."""
        return self.backend.get(self._pack(key)) is not None

    def __setitem__(self, key: Any, value: V) -> None:
        self.backend.update(self._pack(key), self._bytes(value))

    def insert(self, key: Any, value: V, *, prefix: int | None = None) -> bool:
        """Add a prefix; False, and nothing changes, if that very one is there or there is no room."""
        packed = self._pack(key, prefix)
        if self._there(packed):
            return False
        self.backend.update(packed, self._bytes(value))
        return True

    def __delitem__(self, key: Any) -> None:
        if not self.backend.delete(self._pack(key)):
            raise KeyError(key)

    def delete(self, key: Any, *, prefix: int | None = None) -> bool:
        """Remove that very prefix; whether it was there."""
        return bool(self.backend.delete(self._pack(key, prefix)))

    # --- outside ---

    def __getitem__(self, key: Any) -> V:
        """The value of that very prefix; :class:`KeyError` if it is not there."""
        packed = self._pack(key)
        data = self.backend.get(packed) if self._there(packed) else None
        if data is None:
            raise KeyError(key)
        return self._value(data)

    def __iter__(self) -> Iterator[Any]:
        for data in self.backend.keys():  # noqa: SIM118 - a RawMap is no container
            yield self._unpack(data)

    def __len__(self) -> int:
        return sum(1 for _ in self.backend.keys())  # noqa: SIM118

    def keys(self) -> Iterator[Any]:
        """All prefixes."""
        return iter(self)

    def items(self) -> Iterator[tuple[Any, V]]:
        """All prefixes with their values."""
        for key, value in self.backend.items():
            yield self._unpack(key), self._value(value)

    def plain(self) -> Any:
        return [[plain(key) if isinstance(key, tuple) else str(key), plain(value)] for key, value in self.items()]

    @property
    def lost(self) -> int:
        """Insertions by the kernel side that found no room."""
        return int(self.backend.lost())

    def _there(self, packed: bytes) -> bool:
        """A look-up finds shorter ones, too; keys that the kernel side wrote have bits behind their prefix."""
        return any(self._cut(key) == packed for key in self.backend.keys())  # noqa: SIM118

    def _bytes(self, value: V) -> bytes:
        assert self.value_kind is not None
        return pack(self.value_kind, value)

    def _value(self, data: bytes) -> V:
        assert self.value_kind is not None
        return unpack(self.value_kind, data)  # type: ignore[no-any-return]

    # --- prefixes ---

    def _pack(self, key: Any, prefix: int | None = None) -> bytes:
        length, data = self._prefix(key) if prefix is None else (prefix, pack(self.data, key))
        if not 0 <= length <= self.bits:
            raise UsageError(f"keys of map {self.name!r} have {self.bits} bits, not {length}")
        return self._cut(length.to_bytes(_LENGTH, sys.byteorder) + data)

    def _cut(self, key: bytes) -> bytes:
        """The same prefix with zeroes behind it."""
        rest = self.bits - int.from_bytes(key[:_LENGTH], sys.byteorder)
        number = int.from_bytes(key[_LENGTH:], "big") >> rest << rest
        return key[:_LENGTH] + number.to_bytes(self.bits // 8, "big")

    def _prefix(self, key: Any) -> tuple[int, bytes]:
        """How many bits of which bytes."""
        if isinstance(key, tuple):
            return key[0], pack(self.data, key[1])
        if _is_ipv4(self.data) or isinstance(self.data, AddressKind):
            network = _network(key)
            if network.version == 4:
                mapped = isinstance(self.data, AddressKind)
                packed = network.network_address.packed
                return network.prefixlen + _MAPPED * mapped, b"\0" * 10 * mapped + b"\xff\xff" * mapped + packed
            if isinstance(self.data, AddressKind):
                return network.prefixlen, network.network_address.packed
            raise UsageError(f"map {self.name!r} has prefixes of IPv4, not {network}")
        return self.bits, pack(self.data, key)

    def _unpack(self, key: bytes) -> Any:
        from ipaddress import IPv4Network, IPv6Network

        length, data = int.from_bytes(key[:_LENGTH], sys.byteorder), key[_LENGTH:]
        if _is_ipv4(self.data):
            return IPv4Network((data, length), strict=False)
        if isinstance(self.data, AddressKind):
            network = IPv6Network((data, length), strict=False)
            mapped = network.network_address.ipv4_mapped
            return (
                network if mapped is None or length < _MAPPED else IPv4Network((mapped, length - _MAPPED), strict=False)
            )
        return length, unpack(self.data, data)


def _is_ipv4(kind: Kind) -> bool:
    return isinstance(kind, IntKind) and kind.big_endian and kind.bits == 32


def _network(key: Any) -> IPv4Network | IPv6Network:
    from ipaddress import ip_network

    try:
        return ip_network(key, strict=False)
    except ValueError as error:
        raise UsageError(f"{key!r} is no network") from error
