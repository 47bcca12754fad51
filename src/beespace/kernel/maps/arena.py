"""``Arena``: memory that programs and this process share at one address.  ARENA (Linux 6.9)."""

from __future__ import annotations

from functools import cached_property

from beespace.errors import UsageError
from beespace.kernel.maps.base import Container
from beespace.kernel.maps.coding import Coding, coding
from beespace.typed import Any

__all__ = ["Arena"]


class Arena(Container):
    """Up to 4 GiB of memory in which programs and this process follow the same pointers.

    A page comes into being when it is first touched from here, or when a program allocates it.
    Programs that write meanwhile are not waited for.
    """

    def memory(self) -> memoryview:
        """All of it, ``max_entries`` pages.  Valid until the map is closed."""
        return self.raw.memory()

    @cached_property
    def address(self) -> int:
        """Where it begins, in this process."""
        from beespace.syscall.arena import address_of

        return address_of(self.memory())

    def __len__(self) -> int:
        """Bytes."""
        return len(self.memory())

    def offset(self, pointer: int) -> int:
        """Where in :meth:`memory` a pointer of a program leads; :class:`UsageError` if out of it."""
        # Programs compute with the lower half of a pointer; the arena lies within 4 GiB, so that is enough.
        offset = (pointer - self.address) & 0xFFFF_FFFF
        if not pointer or offset >= len(self):
            raise UsageError(f"{pointer:#x} does not point into map {self.name!r}")
        return offset

    def read(self, pointer: int, size: int) -> bytes:
        """``size`` bytes at ``pointer``."""
        at = self.offset(pointer)
        if at + size > len(self):
            raise UsageError(f"{size} bytes at {pointer:#x} go beyond map {self.name!r}")
        return bytes(self.memory()[at : at + size])

    def write(self, pointer: int, data: bytes) -> None:
        """Write ``data`` at ``pointer``."""
        at = self.offset(pointer)
        if at + len(data) > len(self):
            raise UsageError(f"{len(data)} bytes at {pointer:#x} go beyond map {self.name!r}")
        self.memory()[at : at + len(data)] = data

    def value_at(self, pointer: int, type_name: str) -> Any:
        """The struct (or other type of the object's BTF) of that name at ``pointer``."""
        known = self._coding(type_name)
        return known.decode(self.read(pointer, known.size))

    def set_value_at(self, pointer: int, type_name: str, value: Any) -> None:
        """Write a value of that type at ``pointer``."""
        self.write(pointer, self._coding(type_name).encode(value))

    def _coding(self, type_name: str) -> Coding:
        btf = self._types()
        if btf is None:
            raise UsageError(f"nothing is known about types in map {self.name!r}", help="read() gives bytes")
        try:
            type_id = btf.find(type_name)
        except KeyError as error:
            raise UsageError(str(error.args[0])) from None
        return coding(self._types, type_id, btf.size(type_id), type_name)
