"""How the keys and values of a map become Python values, and back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from beespace.errors import UsageError
from beespace.typed import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from beespace.btf import Btf

__all__ = ["Coding", "PerCpu", "Plain", "Types", "Unsigned", "coding"]

Types = Callable[[], "Btf | None"]
"""The types that the ids of a map's spec belong to, read when the first key or value needs them."""

_INTEGERS = (1, 2, 4, 8)


class Coding(Protocol):
    """One C type both ways; :class:`beespace.btf.codec.Codec` is one."""

    size: int

    def decode(self, data: bytes, offset: int = 0) -> Any:
        """The value at ``offset``."""

    def encode(self, value: Any) -> bytes:
        """The bytes of a value; :class:`UsageError` if it does not fit."""


class Unsigned:
    """An integer of which only the size is known."""

    def __init__(self, size: int, what: str) -> None:
        self.size = size
        self._what = what

    def decode(self, data: bytes, offset: int = 0) -> int:
        """The integer at ``offset``."""
        return int.from_bytes(data[offset : offset + self.size], sys.byteorder)

    def encode(self, value: Any) -> bytes:
        """Its bytes; bytes of that size are taken as they are."""
        if isinstance(value, bytes) and len(value) == self.size:
            return value
        if not isinstance(value, int):
            raise UsageError(f"{self._what} is an integer of {self.size} bytes, not {value!r}")
        bits = 8 * self.size
        if not -(1 << bits - 1) <= value < 1 << bits:
            raise UsageError(f"{value} does not fit {self._what}, which has {bits} bits")
        return (value % (1 << bits)).to_bytes(self.size, sys.byteorder)


class Plain:
    """Bytes of which only the number is known."""

    def __init__(self, size: int, what: str) -> None:
        self.size = size
        self._what = what

    def decode(self, data: bytes, offset: int = 0) -> bytes:
        """The bytes at ``offset``."""
        return bytes(data[offset : offset + self.size])

    def encode(self, value: Any) -> bytes:
        """The bytes themselves, which must be as many as there are."""
        if not isinstance(value, bytes | bytearray | memoryview):
            raise UsageError(f"{self._what} is {self.size} bytes of no known type, not {value!r}")
        if len(value) != self.size:
            raise UsageError(f"{self._what} has {self.size} bytes, not {len(value)}")
        return bytes(value)


class PerCpu:
    """One value for each CPU that the machine may have, as a tuple; each stands at a multiple of 8 bytes."""

    def __init__(self, one: Coding, cpus: int) -> None:
        self.one = one
        self.cpus = cpus
        self._stride = -(-one.size // 8) * 8
        self.size = self._stride * cpus

    def decode(self, data: bytes, offset: int = 0) -> tuple[Any, ...]:
        """The values of all CPUs."""
        return tuple([self.one.decode(data, offset + cpu * self._stride) for cpu in range(self.cpus)])

    def encode(self, value: Any) -> bytes:
        """The bytes of a sequence of one value a CPU."""
        if not isinstance(value, Sequence) or isinstance(value, str | bytes) or len(value) != self.cpus:
            raise UsageError(
                f"a per-CPU value is a sequence of {self.cpus} values, one for each possible CPU, not {value!r}",
                help="fill(key, value) writes the same one for all CPUs",
            )
        return b"".join([self.one.encode(each).ljust(self._stride, b"\0") for each in value])


def coding(types: Types, type_id: int, size: int, what: str) -> Coding:
    """The coding of ``type_id``; without one, unsigned integers for 1, 2, 4 and 8 bytes, and bytes else.

    A type that is not of ``size`` bytes, or that has no values of its own (a data section), counts as none.
    """
    btf = types() if type_id else None
    if btf is not None:
        from beespace.btf.codec import codec
        from beespace.btf.kinds import Kind

        if btf.kind(btf.resolve(type_id)) is not Kind.DATASEC:
            known = codec(btf, type_id)
            if known.size == size:
                return known
    return Unsigned(size, what) if size in _INTEGERS else Plain(size, what)
