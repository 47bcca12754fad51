"""``Ring``: events on their way to user space."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TypeVar

from beespace.lang.maps.declaration import kernel_only
from beespace.lang.maps.events import Events
from beespace.schema import Event

__all__ = ["Ring", "ring_bytes"]

E = TypeVar("E", bound=Event)


class Ring(Events[E]):
    """Events on their way to user space, in the order they happened.  ``lost`` counts what did not fit.  Linux 5.8.

    ``size`` is a text as ``"1 MiB"`` or a number of bytes; it is rounded up to a power of two pages.
    """

    map_type = 27

    def __init__(self, event: type[E], *, size: str | int = "1 MiB") -> None:
        super().__init__(None, event, ring_bytes(size))
        self.event = event

    def emit(self, event: E) -> None:
        """Kernel only: send ``event``, built in place in the ring."""
        raise kernel_only("emit")

    def reserve(self) -> AbstractContextManager[E | None]:
        """Kernel only: ``with self.events.reserve() as event:``, a record of zeroes in the ring, to be filled in place.

        It is sent at the end of the block, and discarded if the block is left by return, break or continue, or after
        ``event.discard()``.  None, and counted in ``lost``, if the ring is full.
        """
        raise kernel_only("reserve")


_UNITS = {"": 1, "b": 1, "k": 1 << 10, "kib": 1 << 10, "kb": 1 << 10, "m": 1 << 20, "mib": 1 << 20, "mb": 1 << 20,
          "g": 1 << 30, "gib": 1 << 30}  # fmt: skip


def ring_bytes(size: str | int) -> int:
    """A ring's size must be a power of two of at least one page."""
    if isinstance(size, str):
        digits = size.strip().rstrip("aAbBgGiIkKmM ")
        unit = size.strip()[len(digits) :].strip().lower()
        if not digits.isdigit() or unit not in _UNITS:
            raise TypeError(f'a ring size is a text as "256 KiB" or "1 MiB", or a number of bytes; got {size!r}')
        size = int(digits) * _UNITS[unit]
    if not 0 < size <= 1 << 30:
        raise TypeError(f"a ring has 4096 bytes to 1 GiB, not {size}")
    return max(4096, 1 << (size - 1).bit_length())
