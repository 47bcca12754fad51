"""``LpmTrie``: prefixes to values, looked up by the longest that fits.  LPM_TRIE (Linux 4.11).

A key is ``struct { __u32 prefixlen; __u8 data[N]; }``; data is in network order, most significant bit first.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from functools import cached_property

from beespace.errors import UsageError
from beespace.isa.constants import UpdateFlag
from beespace.kernel.maps.coding import Coding
from beespace.kernel.maps.hash import HashMap
from beespace.typed import Any

__all__ = ["LpmTrie"]

_LENGTH = 4  # bytes of prefixlen
_FAMILIES: dict[int, type[ipaddress.IPv4Network] | type[ipaddress.IPv6Network]] = {
    4: ipaddress.IPv4Network,
    16: ipaddress.IPv6Network,
}
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Networks:
    """Keys whose data is one member of 4 or 16 bytes: networks of IPv4 or IPv6.

    Given as a network or address of :mod:`ipaddress`, as text (``"10.0.0.0/8"``), or as ``(prefixlen, bytes)``.
    """

    def __init__(self, size: int, what: str) -> None:
        self.size = size
        self._family = _FAMILIES[size - _LENGTH]
        self._what = what

    def decode(self, data: bytes, offset: int = 0) -> Network:
        """The network at ``offset``; bits behind the prefix, which the kernel does not look at, are left out."""
        length = int.from_bytes(data[offset : offset + _LENGTH], sys.byteorder)
        return self._family((bytes(data[offset + _LENGTH : offset + self.size]), length), strict=False)

    def encode(self, value: Any) -> bytes:
        """The bytes of a network; an address is the network of itself alone."""
        if isinstance(value, bytes):
            return value
        if isinstance(value, tuple):
            value = (value[1], value[0])
        try:
            network = self._family(value, strict=False)
        except ValueError as error:
            raise UsageError(f"{self._what} is a network: {error}") from error
        return network.prefixlen.to_bytes(_LENGTH, sys.byteorder) + network.network_address.packed


class Prefixes:
    """Keys of any other data: ``(prefixlen, bytes)``.  Bits behind the prefix are zero."""

    def __init__(self, size: int, what: str) -> None:
        self.size = size
        self._what = what

    def decode(self, data: bytes, offset: int = 0) -> tuple[int, bytes]:
        """The prefix at ``offset``."""
        length = int.from_bytes(data[offset : offset + _LENGTH], sys.byteorder)
        return length, _cut(bytes(data[offset + _LENGTH : offset + self.size]), length)

    def encode(self, value: Any) -> bytes:
        """The bytes of a prefix."""
        if isinstance(value, bytes):
            return value
        room = self.size - _LENGTH
        if not isinstance(value, tuple) or len(value) != 2 or not isinstance(value[1], bytes):
            raise UsageError(f"{self._what} is (prefixlen, bytes), not {value!r}")
        length, data = value
        if not 0 <= length <= 8 * room or len(data) > room:
            raise UsageError(f"{self._what} has {8 * room} bits; {length} of {len(data)} bytes do not fit")
        return int(length).to_bytes(_LENGTH, sys.byteorder) + _cut(data.ljust(room, b"\0"), length)


def _cut(data: bytes, bits: int) -> bytes:
    """``data`` with zeroes behind ``bits``."""
    rest = max(8 * len(data) - bits, 0)
    return (int.from_bytes(data, "big") >> rest << rest).to_bytes(len(data), "big")


class LpmTrie(HashMap):
    """Prefixes to values.

    ``trie[network]``, ``in``, ``get`` and ``pop`` mean that very prefix; :meth:`match` finds the longest one that an
    address is in.  Keys are networks if the data of the key is one member of 4 or 16 bytes (without BTF: if it has
    as many bytes), and ``(prefixlen, bytes)`` else.
    """

    @cached_property
    def key(self) -> Coding:
        what, size = f"a key of map {self.name!r}", self.spec.key_size
        if size - _LENGTH in _FAMILIES and self._one_member():
            return Networks(size, what)
        return Prefixes(size, what)

    def _one_member(self) -> bool:
        """Whether the key's data is not made of several parts."""
        btf = self._types() if self.spec.key_type else None
        if btf is None:
            return True
        from beespace.btf import Struct

        data = btf.type(btf.resolve(self.spec.key_type))
        return not isinstance(data, Struct) or len(data.members) == 2

    def match(self, address: Address | Network | str | bytes | tuple[int, bytes], default: Any = None) -> Any:
        """The value of the longest prefix that ``address`` is in, or ``default``.

        The kernel does not say which prefix that is.  A network is looked up as such: its own prefix is the longest
        that can be found.  Data of other keys may be given as ``bytes``.
        """
        if isinstance(address, bytes):
            address = (8 * len(address), address)
        data = self.raw.get(self.key.encode(address))
        return default if data is None else self.value.decode(data)

    def _there(self, key: bytes) -> bool:
        """Whether that very prefix is in the trie.

        A look-up would find a shorter one too.  But the kernel's walk goes on behind a key that is there, and starts
        again with the first for one that is not (``trie_get_next_key()``, kernel/bpf/lpm_trie.c).
        """
        first = self.raw.next_key()
        return first is not None and self.raw.next_key(key) != first

    def __getitem__(self, key: Any) -> Any:
        found = self.get(key, _MISSING)
        if found is _MISSING:
            raise KeyError(key)
        return found

    def get(self, key: Any, default: Any = None, *, locked: bool = False) -> Any:
        """The value of that very prefix, or ``default``.  (Values of tries have no lock to be ``locked``.)

        Two steps: of a prefix that is deleted between them, the value of a shorter one may be returned.
        """
        encoded = self.key.encode(key)
        data = self.raw.get(encoded, UpdateFlag.LOCK if locked else 0) if self._there(encoded) else None
        return default if data is None else self.value.decode(data)

    def __contains__(self, key: object) -> bool:
        return self._there(self.key.encode(key))

    def pop(self, key: Any, default: Any = ...) -> Any:
        """Take a prefix out: its value, else ``default``, else :class:`KeyError`.  Not in one step."""
        found = self.get(key, _MISSING)
        if found is not _MISSING and self.raw.delete(self.key.encode(key)):
            return found
        if default is ...:
            raise KeyError(key)
        return default

    def popitem(self) -> tuple[Any, Any]:
        """Take out any prefix; :class:`KeyError` if there is none."""
        for key, value in self._pairs():
            if self.raw.delete(self.key.encode(key)):
                return key, value
        raise KeyError(f"map {self.name!r} is empty")

    def take(self) -> list[tuple[Any, Any]]:
        """All prefixes, each deleted after it was read."""
        return [(key, value) for key, value in list(self._pairs()) if self.raw.delete(self.key.encode(key))]

    def below(self, network: Any) -> Iterator[tuple[Any, Any]]:
        """The entries whose prefix is ``network`` or longer, within it.  Reads the whole trie."""
        wanted = self.key.encode(network)
        length = int.from_bytes(wanted[:_LENGTH], sys.byteorder)
        for key, value in self._pairs():
            encoded = self.key.encode(key)
            if int.from_bytes(encoded[:_LENGTH], sys.byteorder) >= length and (
                _cut(encoded[_LENGTH:], length) == _cut(wanted[_LENGTH:], length)
            ):
                yield key, value


_MISSING: Any = object()
