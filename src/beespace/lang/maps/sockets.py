"""Maps of sockets: where messages, packets and connections are sent."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar, overload

from beespace.lang.maps.declaration import checked_kind, entries, kernel_only
from beespace.lang.maps.slots import Slots
from beespace.schema import IntKind

__all__ = ["ReuseportArray", "SockHash", "SockMap"]

K = TypeVar("K")
_COOKIE = IntKind("u64", 64)  # with values of 8 bytes, user space reads the cookie of a socket


class SockMap(Slots):
    """Sockets by index.  Linux 4.14.

    Outside, ``probe.sockets[0] = sock`` puts a connected TCP, a UDP or a Unix socket in; reading gives its
    cookie.  A socket that is closed leaves by itself.
    """

    map_type = 15  # BPF_MAP_TYPE_SOCKMAP

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.value_kind = _COOKIE

    def add(self, ctx: Any, key: Any) -> bool:
        """Kernel only, sockops: put the context's socket in, in place of another; whether that worked."""
        raise kernel_only("add")

    def redirect(self, ctx: Any, key: Any, *, ingress: bool = False) -> int:
        """Kernel only, sk_msg and sk_skb: send the data to the socket at ``key``; the result is what is returned.

        To its peer, or with ``ingress=True`` to whoever reads from it.  SK_DROP (0) if there is no socket.
        """
        raise kernel_only("redirect")

    def get(self, key: Any) -> AbstractContextManager[Any]:
        """Kernel only: ``with self.sockets.get(key) as socket:`` the socket at ``key`` or None, held for the block.

        In packet and socket hooks.  Linux 5.7.
        """
        raise kernel_only("get")

    def assign(self, ctx: Any, key: Any) -> bool:
        """Kernel only, sk_lookup: let the socket at ``key`` have the connection or packet; whether that worked.

        Linux 5.9.
        """
        raise kernel_only("assign")


class SockHash(SockMap, Generic[K]):
    """Sockets by any key.  Linux 4.18."""

    map_type = 18  # BPF_MAP_TYPE_SOCKHASH

    @overload
    def __init__(self, key: type[K], *, max_entries: int = ...) -> None: ...
    @overload
    def __init__(self, key: K, *, max_entries: int = ...) -> None: ...
    def __init__(self, key: Any, *, max_entries: int = 10_240) -> None:
        super().__init__(entries(max_entries))
        self.key = checked_kind(key, "key")


class ReuseportArray(Slots):
    """Sockets of one SO_REUSEPORT group by index.  Linux 4.19."""

    map_type = 20  # BPF_MAP_TYPE_REUSEPORT_SOCKARRAY

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.value_kind = _COOKIE

    def select(self, ctx: Any, index: int) -> bool:
        """Kernel only, sk_reuseport: let the socket at ``index`` have it; False if there is none."""
        raise kernel_only("select")
