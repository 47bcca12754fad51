"""Values that live with a kernel object, and die with it."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from beespace.lang.maps.declaration import BPF_F_NO_PREALLOC, Map, checked_kind, kernel_only
from beespace.schema import IntKind, Struct

__all__ = ["SocketStorage", "TaskStorage"]

BPF_F_CLONE = 1 << 9
S = TypeVar("S", bound=Struct)


class SocketStorage(Map, Generic[S]):
    """A struct that lives with a socket and dies with it.  Linux 5.2.

    ``clone=True``: a connection accepted from a listener starts with a copy of the listener's.
    """

    map_type = 24

    def __init__(self, value: type[S], *, clone: bool = False) -> None:
        super().__init__(IntKind("i32", 32, signed=True), checked_kind(value, "value"), 0)
        self.flags = BPF_F_NO_PREALLOC | (BPF_F_CLONE if clone else 0)

    def get(self, socket: Any) -> S | None:
        """Kernel only: what is stored for ``socket``, in place, or None."""
        raise kernel_only("get")

    def get_or_create(self, socket: Any) -> S | None:
        """Kernel only: the same, made of zeroes if it was missing."""
        raise kernel_only("get_or_create")

    def delete(self, socket: Any) -> None:
        """Kernel only: forget what is stored for ``socket``."""
        raise kernel_only("delete")


class TaskStorage(SocketStorage[S]):
    """A struct that lives with a thread and dies with it.  Linux 5.11."""

    map_type = 29
