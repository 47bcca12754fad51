"""Storage of programs that are attached to cgroups: CGROUP_STORAGE (Linux 4.19), PERCPU_CGROUP_STORAGE (4.20)."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator, Mapping
from functools import cached_property

from beespace.errors import KernelError, UsageError
from beespace.isa.constants import UpdateFlag
from beespace.kernel.maps.base import Container, write_flags
from beespace.kernel.maps.coding import Coding, Unsigned
from beespace.typed import Any, NamedTuple

__all__ = ["AttachedCgroup", "AttachedCgroupStorage"]

_KEY = struct.Struct("=QI4x")  # struct bpf_cgroup_storage_key


class AttachedCgroup(NamedTuple):
    """A cgroup by its id (the inode number of its directory), and how the program is attached there."""

    cgroup_id: int
    attach_type: int


class _Key:
    size = _KEY.size

    def decode(self, data: bytes, offset: int = 0) -> AttachedCgroup:
        return AttachedCgroup(*_KEY.unpack_from(data, offset))

    def encode(self, value: Any) -> bytes:
        try:
            return _KEY.pack(*value)
        except (TypeError, struct.error) as error:
            raise UsageError(f"{value!r} is no (cgroup_id, attach_type)") from error


class AttachedCgroupStorage(Container, Mapping[Any, Any]):
    """A value for each cgroup where a program that uses the map is attached; per CPU: a tuple.

    Keys are :class:`AttachedCgroup`, or cgroup ids if the map's keys have 8 bytes (Linux 5.9: all programs of
    a cgroup share it).  The kernel makes and deletes the entries; they can be read and written.
    """

    @cached_property
    def key(self) -> Coding:
        return Unsigned(8, f"a key of map {self.name!r}") if self.spec.key_size == 8 else _Key()

    def __getitem__(self, key: Any) -> Any:
        data = self.raw.get(self.key.encode(key))
        if data is None:
            raise KeyError(key)
        return self.value.decode(data)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.put(key, value)

    def put(self, key: Any, value: Any, *, locked: bool = False) -> None:
        """As ``storage[key] = value``; ``locked`` holds the value's ``bpf_spin_lock`` meanwhile."""
        try:
            self.raw.update(self.key.encode(key), self.value.encode(value), write_flags(UpdateFlag.EXIST, locked))
        except KernelError as error:
            if error.errno != errno.ENOENT:
                raise
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[Any]:
        key = self.raw.next_key()
        # Before kernel commit 5828b9e5b272 one more key came after the last, of memory that is no entry.
        while key is not None and self.raw.get(key) is not None:
            yield self.key.decode(key)
            key = self.raw.next_key(key)

    def __len__(self) -> int:
        return sum(1 for _ in self)
