"""Maps of sockets: SOCKMAP (Linux 4.14), SOCKHASH (4.18), REUSEPORT_SOCKARRAY (4.19)."""

from __future__ import annotations

import errno
from functools import cached_property

from beespace.errors import KernelError, UsageError
from beespace.kernel.maps.coding import Coding
from beespace.kernel.maps.slots import DescriptorIn, Slots
from beespace.typed import Any

__all__ = ["SockMap"]


class SockMap(Slots):
    """Indices or keys to sockets: a socket (or its descriptor) goes in, its cookie comes out.

    A cookie is what ``getsockopt(SO_COOKIE)`` gives.  The kernel tells it only for maps whose values have 8 bytes;
    reading others is :class:`UsageError`.  A socket that is closed leaves the map by itself.
    """

    @cached_property
    def value(self) -> Coding:
        return DescriptorIn("a socket", self.name, self.spec.value_size)

    def _readable(self) -> None:
        if self.spec.value_size != 8:
            raise UsageError(
                f"sockets in map {self.name!r} cannot be read, because its values have {self.spec.value_size} bytes",
                help="with values of 8 bytes (__u64), the kernel tells the cookie of each",
            )

    def __getitem__(self, key: Any) -> Any:
        self._readable()
        return super().__getitem__(key)

    def get(self, key: Any, default: Any = None, *, locked: bool = False) -> Any:
        """The cookie of the socket there, or ``default``."""
        self._readable()
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self._readable()
        return super().__contains__(key)

    def __iter__(self) -> Any:
        self._readable()
        return super().__iter__()

    def _pairs(self, *, remove: bool = False) -> Any:
        self._readable()
        return super()._pairs(remove=remove)

    def __delitem__(self, key: Any) -> None:
        if not self._emptied(self.key.encode(key)):
            raise KeyError(key)

    def _emptied(self, key: bytes) -> bool:
        try:
            return self.raw.delete(key)
        except KernelError as error:
            if error.errno != errno.EINVAL:  # how a SOCKMAP says that nothing is there
                raise
            return False

    def clear(self) -> None:
        """Empty every place."""
        for key in list(self._keys()):
            self._emptied(key)

    def pop(self, key: Any, *default: Any) -> Any:
        """Take a socket out: its cookie, else ``default``, else :class:`KeyError`."""
        self._readable()
        return super().pop(key, *default)
