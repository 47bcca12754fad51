"""Decorators of packets: interfaces, routes, netfilter, sockets that filter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from beespace.lang.attach.mark import Decorator, bare, plain, variant

__all__ = [
    "flow_dissector", "lwt_in", "lwt_out", "lwt_seg6local", "lwt_xmit", "netfilter", "netkit", "socket_filter", "tc",
    "xdp",
]  # fmt: skip

_F = TypeVar("_F", bound=Callable[..., Any])


@overload
def xdp(method: _F, /) -> _F: ...
@overload
def xdp(
    *, interface: str | int | None = None, mode: str = "", fragments: bool = False, map: str = "",
    optional: bool | str = False,
) -> Decorator: ...  # fmt: skip
def xdp(
    method: Any = None, /, *, interface: str | int | None = None, mode: str = "", fragments: bool = False,
    map: str = "", optional: bool | str = False,
) -> Any:  # fmt: skip
    """Run on each packet that an interface receives, before the stack.  Verdicts ``XDP_*``.  Linux 4.8.

    ``mode`` is ``"native"`` or ``"generic"``; ``fragments`` takes packets in pieces, too (5.18).  ``map`` is
    ``"devmap"`` or ``"cpumap"`` for a program that an entry of such a map runs (5.8, 5.9).
    """
    if map not in ("", "devmap", "cpumap"):
        raise TypeError(f'@xdp(map=...) takes "devmap" or "cpumap"; got {map!r}')
    hook = ("xdp.frags" if fragments else "xdp") + (f"/{map}" if map else "")
    return bare(plain(hook, optional=optional, interface=interface, mode=mode), method)


def tc(direction: str, *, interface: str | int | None = None, optional: bool | str = False) -> Decorator:
    """Run on each packet of an interface, ``"ingress"`` or ``"egress"``, with its Ethernet header.  Linux 4.5.

    Verdicts ``TC_ACT_*`` (``TCX_*`` have the same numbers).  Attached by tcx (6.6), or as a tc filter before that.
    Its section is ``tc``, which every loader knows; the direction is said when it is attached.
    """
    if direction not in ("ingress", "egress"):
        raise TypeError(f'@tc takes "ingress" or "egress"; got {direction!r}')
    return plain("tc", optional=optional, interface=interface, direction=direction)


def netkit(side: str, *, interface: str | int | None = None, optional: bool | str = False) -> Decorator:
    """Run on packets of a netkit device, from its ``"primary"`` or its ``"peer"`` side.  Linux 6.7."""
    return variant("netkit", side, optional=optional, interface=interface)


@overload
def socket_filter(method: _F, /) -> _F: ...
@overload
def socket_filter() -> Decorator: ...
def socket_filter(method: Any = None, /) -> Any:
    """Run on each packet that one socket would get; returns how many bytes of it the socket sees.  Linux 3.19.

    Put on a socket with ``probe.attach("method", socket=socket)``.
    """
    return bare(plain("socket"), method)


@overload
def flow_dissector(method: _F, /) -> _F: ...
@overload
def flow_dissector(*, netns: str | None = None) -> Decorator: ...
def flow_dissector(method: Any = None, /, *, netns: str | None = None) -> Any:
    """Take a packet's headers apart for flow hashing, in a network namespace; ``BPF_OK`` or ``BPF_DROP``.  4.20."""
    return bare(plain("flow_dissector", netns=netns), method)


def netfilter(
    hook: str = "", *, family: str = "", priority: int | None = None, defragment: bool = False,
    optional: bool | str = False,
) -> Decorator:  # fmt: skip
    """Run at a hook of netfilter: ``"pre_routing"``, ``"local_in"``, ...; ``NF_DROP`` or ``NF_ACCEPT``.  Linux 6.4.

    ``family`` is ``"inet"``, ``"inet6"`` or ``"bridge"``.
    """
    return plain(
        "netfilter", optional=optional, netfilter_hook=hook, family=family, defragment=defragment, priority=priority
    )


def lwt_in(route: str = "", *, interface: str | int | None = None) -> Decorator:
    """Run on packets that arrive by a route, ``"10.9.0.0/24 via 10.1.0.1"``; ``BPF_OK`` or ``BPF_DROP``.  4.10."""
    return plain("lwt_in", route=route, interface=interface)


def lwt_out(route: str = "", *, interface: str | int | None = None) -> Decorator:
    """Run on packets that leave by a route.  Linux 4.10."""
    return plain("lwt_out", route=route, interface=interface)


def lwt_xmit(route: str = "", *, interface: str | int | None = None) -> Decorator:
    """Run on packets that leave by a route, and may redirect them and add headers.  Linux 4.10."""
    return plain("lwt_xmit", route=route, interface=interface)


@overload
def lwt_seg6local(method: _F, /) -> _F: ...
@overload
def lwt_seg6local() -> Decorator: ...
def lwt_seg6local(method: Any = None, /) -> Any:
    """An action of IPv6 segment routing (``ip route ... encap seg6local action End.BPF``).  Linux 4.18."""
    return bare(plain("lwt_seg6local"), method)
