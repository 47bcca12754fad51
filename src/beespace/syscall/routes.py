"""Routes whose packets a program sees (``LWTUNNEL_ENCAP_BPF``, Linux 4.10), through rtnetlink(7).

Source: include/uapi/linux/rtnetlink.h, lwtunnel.h.
"""

from __future__ import annotations

import socket
import struct

from beespace.record import dataclass
from beespace.syscall.descriptor import Fd, number
from beespace.syscall.netlink import CREATE, EXCLUSIVE, REPLACE, Netlink, attribute, nested

__all__ = ["Route", "delete_route", "set_route"]

_NEWROUTE, _DELROUTE = 24, 25
_ROUTE = struct.Struct("=8BI")  # struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags
_DST, _OIF, _GATEWAY, _ENCAP_TYPE, _ENCAP = 1, 4, 5, 21, 22  # RTA_*
_MAIN, _STATIC, _EVERYWHERE, _LINK, _UNICAST = 254, 4, 0, 253, 1
_BPF, _PROG_FD, _PROG_NAME = 6, 1, 2  # LWTUNNEL_ENCAP_BPF, LWT_BPF_PROG_*


@dataclass(frozen=True, slots=True)
class Route:
    """A route in the main table: ``destination`` (4 or 16 bytes, ``length`` bits of it) by interface ``index``.

    ``gateway`` is the next hop; empty: the destination is on the link itself.
    """

    destination: bytes
    length: int
    index: int
    gateway: bytes = b""

    def encode(self) -> bytes:
        """``struct rtmsg`` and attributes."""
        family = socket.AF_INET if len(self.destination) == 4 else socket.AF_INET6
        scope = _EVERYWHERE if self.gateway or family == socket.AF_INET6 else _LINK
        head = _ROUTE.pack(family, self.length, 0, 0, _MAIN, _STATIC, scope, _UNICAST, 0)
        hop = attribute(_GATEWAY, self.gateway) if self.gateway else b""
        return head + attribute(_DST, self.destination) + attribute(_OIF, self.index) + hop


def set_route(netlink: Netlink, route: Route, program: Fd, name: str, direction: int, *, replace: bool = False) -> None:
    """Add a route whose packets ``program`` sees; ``direction`` is 1 (in), 2 (out) or 3 (xmit), ``LWT_BPF_*``.

    EEXIST if there is one to that destination, unless ``replace`` says that it is to be taken.
    """
    encap = nested(_ENCAP, nested(direction, attribute(_PROG_FD, number(program)), attribute(_PROG_NAME, name)))
    body = route.encode() + attribute(_ENCAP_TYPE, struct.pack("=H", _BPF)) + encap
    flags = CREATE | (REPLACE if replace else EXCLUSIVE)
    netlink.ask("RTM_NEWROUTE", _NEWROUTE, body, "add a route", flags=flags)


def delete_route(netlink: Netlink, route: Route) -> None:
    """Remove it; ESRCH if it is gone."""
    netlink.ask("RTM_DELROUTE", _DELROUTE, route.encode(), "remove a route")
