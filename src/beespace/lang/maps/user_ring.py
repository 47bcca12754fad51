"""``UserRing``: records on their way to the kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from beespace.lang.maps.declaration import Map, checked_kind, kernel_only
from beespace.lang.maps.ring import ring_bytes
from beespace.schema import Struct
from beespace.schema.codec import pack

__all__ = ["UserRing"]

S = TypeVar("S", bound=Struct)


class UserRing(Map, Generic[S]):
    """Structs that user space sends and programs take out, in that order.  Linux 6.1.

    ``size`` is a text as ``"64 KiB"`` or a number of bytes; it is rounded up to a power of two pages.
    """

    map_type = 31  # BPF_MAP_TYPE_USER_RINGBUF

    def __init__(self, record: type[S], *, size: str | int = "64 KiB") -> None:
        super().__init__(None, checked_kind(record, "record"), ring_bytes(size))
        self.record = record

    def send(self, record: S, timeout: float | None = 0) -> bool:
        """Write one record, waiting up to ``timeout`` seconds (None: for ever) for room; whether there was some."""
        try:
            self.backend.container.submit(pack(self.record, record), timeout)
        except BlockingIOError:
            return False
        return True

    def records(self) -> Iterator[S]:
        """Kernel only: ``for record in self.commands.records():`` copies of those that are there, each taken out.

        A `break` leaves the rest; what is too short is passed over and counted in ``lost``.
        """
        raise kernel_only("records")

    def drain(self, callback: Callable[[S], object]) -> int:
        """Kernel only: call a method for a copy of each record; how many there were, or a negative error number."""
        raise kernel_only("drain")

    @property
    def lost(self) -> int:
        """Records that were shorter than their struct, in ``records()``."""
        return int(self.backend.lost())
