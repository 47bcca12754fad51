"""``Arena``: memory that programs and user space share."""

from __future__ import annotations

from beespace.lang.maps.declaration import Map
from beespace.lang.maps.ring import ring_bytes

__all__ = ["Arena"]

_MMAPABLE = 1 << 10  # BPF_F_MMAPABLE
_PAGE = 4096


class Arena(Map):
    """``size`` bytes of memory, in pages that programs allocate, mapped in this process, too.  Linux 6.9.

    ``size`` is a text as ``"1 MiB"`` or a number of bytes, rounded up to a power of two pages of 4096 bytes.
    """

    map_type = 33  # BPF_MAP_TYPE_ARENA
    flags = _MMAPABLE

    def __init__(self, size: str | int = "1 MiB") -> None:
        super().__init__(None, None, ring_bytes(size) // _PAGE)

    def memory(self) -> memoryview:
        """All of it; valid while the program runs."""
        view: memoryview = self.backend.container.memory()
        return view
