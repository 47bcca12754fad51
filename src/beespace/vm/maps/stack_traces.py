"""Stacks, each kept once, by a number that is made of their addresses (kernel/bpf/stackmap.c)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from beespace.errors import UsageError
from beespace.isa.constants import MapFlag
from beespace.spec import MapSpec
from beespace.vm.errno import Errno, Refused
from beespace.vm.maps.array import index_of
from beespace.vm.maps.map import Map

__all__ = ["StackTraces"]

_U32 = (1 << 32) - 1
_BEGIN = 0xDEADBEEF  # JHASH_INITVAL
# __jhash_mix and __jhash_final (include/linux/jhash.h).
_MIX = (4, 6, 8, 16, 19, 4)
_FINAL = (14, 11, 25, 16, 4, 14, 24)


class StackTraces(Map):
    """``BPF_MAP_TYPE_STACK_TRACE``: programs fill it with ``bpf_get_stackid`` and cannot look into it."""

    sizes = (4, None)

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        super().__init__(spec, cpus)
        if spec.value_size % 8:
            raise UsageError(f"map {spec.name!r} cannot have values of {spec.value_size} bytes")
        if spec.flags & MapFlag.STACK_BUILD_ID:
            raise UsageError(f"map {spec.name!r} keeps places in files, and the machine has no files")
        self._buckets: dict[int, tuple[int, bytes]] = {}  # hash and addresses
        self._count = 1 << (spec.max_entries - 1).bit_length()

    @property
    def depth(self) -> int:
        """How many addresses of a stack it keeps."""
        return self.spec.value_size // 8

    def keep(self, stack: Sequence[int], *, fast: bool, reuse: bool) -> int:
        """The number of a stack that is not empty; ``fast``: stacks with one hash are the same; ``reuse``: it takes the
        place of another (``EEXIST`` else)."""
        data = struct.pack(f"<{len(stack[: self.depth])}Q", *stack[: self.depth])
        hash = _hash(data)
        number = hash & (self._count - 1)
        there = self._buckets.get(number)
        if there is not None and there[0] == hash and (fast or there[1] == data):
            return number
        if there is not None and not reuse:
            raise Refused(Errno.EEXIST)
        self._buckets[number] = hash, data
        return number

    def read(self, key: bytes, flags: int = 0) -> bytes:
        if flags:
            raise Refused(Errno.EINVAL)
        if index_of(self._key(key)) not in self._buckets:
            raise Refused(Errno.ENOENT)
        return self._buckets[index_of(key)][1].ljust(self.spec.value_size, b"\0")

    def update(self, key: bytes, value: bytes, flags: int, cpu: int) -> None:
        raise Refused(Errno.EINVAL)

    def delete(self, key: bytes) -> None:
        if index_of(key) >= self._count:
            raise Refused(Errno.E2BIG)
        if self._buckets.pop(index_of(key), None) is None:
            raise Refused(Errno.ENOENT)

    def keys(self) -> list[bytes]:
        return [number.to_bytes(4, "little") for number in sorted(self._buckets)]


def _hash(data: bytes) -> int:
    """``jhash2`` with 0 as its beginning."""
    words: tuple[int, ...] = struct.unpack(f"<{len(data) // 4}I", data)
    a: int = _BEGIN + len(data) & _U32
    b = c = a
    while len(words) > 3:
        a, b, c = a + words[0] & _U32, b + words[1] & _U32, c + words[2] & _U32
        words = words[3:]
        for turn in _MIX:
            a = (a - c & _U32) ^ _rotated(c, turn)
            c = c + b & _U32
            a, b, c = b, c, a
    rest = (*words, 0, 0, 0)
    a, b, c = a + rest[0] & _U32, b + rest[1] & _U32, c + rest[2] & _U32
    for turn in _FINAL:
        c = (c ^ b) - _rotated(b, turn) & _U32
        a, b, c = b, c, a
    return b


def _rotated(value: int, turn: int) -> int:
    return (value << turn | value >> 32 - turn) & _U32
