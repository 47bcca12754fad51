"""Values that live with a kernel object, and die with it."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from beespace.lang.maps.declaration import BPF_F_NO_PREALLOC, Map, checked_kind, kernel_only
from beespace.schema import IntKind, Struct
from beespace.schema.codec import pack, unpack

__all__ = ["CgroupStorage", "InodeStorage", "SocketStorage", "Storage", "TaskStorage"]

BPF_F_CLONE = 1 << 9
S = TypeVar("S", bound=Struct)


class Storage(Map, Generic[S]):
    """What all of them do.  Outside, an owner is named as :mod:`beespace.kernel.maps.storage` says."""

    def __init__(self, value: type[S]) -> None:
        super().__init__(IntKind("i32", 32, signed=True), checked_kind(value, "value"), 0)
        self.flags = BPF_F_NO_PREALLOC

    def get(self, owner: Any) -> S | None:
        """What is stored for ``owner``, or None.  In the kernel: in place."""
        assert self.value_kind is not None
        data = self.backend.stored(owner)
        return None if data is None else unpack(self.value_kind, data)

    def get_or_create(self, owner: Any) -> S | None:
        """Kernel only: the same, made of zeroes if it was missing."""
        raise kernel_only("get_or_create")

    def delete(self, owner: Any) -> bool:
        """Forget what is stored for ``owner``; whether there was anything."""
        return bool(self.backend.forget(owner))

    def __getitem__(self, owner: Any) -> S:
        """What is stored for ``owner``; :class:`KeyError` if there is nothing."""
        found = self.get(owner)
        if found is None:
            raise KeyError(owner)
        return found

    def __setitem__(self, owner: Any, value: S) -> None:
        assert self.value_kind is not None
        self.backend.store(owner, pack(self.value_kind, value))

    def __delitem__(self, owner: Any) -> None:
        if not self.delete(owner):
            raise KeyError(owner)

    @property
    def lost(self) -> int:
        """Values that the kernel had no memory for."""
        return int(self.backend.lost())


class SocketStorage(Storage[S]):
    """A struct that lives with a socket and dies with it.  Linux 5.2.

    ``clone=True``: a connection accepted from a listener starts with a copy of the listener's.  Outside, the owner is
    a socket or its descriptor.
    """

    map_type = 24

    def __init__(self, value: type[S], *, clone: bool = False) -> None:
        super().__init__(value)
        self.flags |= BPF_F_CLONE if clone else 0


class TaskStorage(Storage[S]):
    """A struct that lives with a thread and dies with it.  Linux 5.11.

    Outside, the owner is a process: its pid, or a pidfd.
    """

    map_type = 29


class InodeStorage(Storage[S]):
    """A struct that lives with a file and dies with it.  Linux 5.10, with the ``bpf`` security module.

    Outside, the owner is a path, an open file or its descriptor.
    """

    map_type = 28


class CgroupStorage(Storage[S]):
    """A struct that lives with a cgroup (v2) and dies with it.  Linux 6.2.

    Outside, the owner is the path of its directory, or a descriptor of that.
    """

    map_type = 32
