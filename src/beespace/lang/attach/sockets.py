"""Decorators of sockets: their choice, their streams and messages, the turning points of TCP connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from beespace.lang.attach.mark import Decorator, bare, plain, variant

__all__ = ["sk_lookup", "sk_msg", "sk_reuseport", "sk_skb", "sockops"]

_F = TypeVar("_F", bound=Callable[..., Any])


@overload
def sockops(method: _F, /) -> _F: ...
@overload
def sockops() -> Decorator: ...
def sockops(method: Any = None, /) -> Any:
    """Run at the turning points of TCP connections of a cgroup's processes.  Linux 4.13."""
    return bare(plain("sockops"), method)


@overload
def sk_msg(method: _F, /) -> _F: ...
@overload
def sk_msg(*, map: str = "") -> Decorator: ...
def sk_msg(method: Any = None, /, *, map: str = "") -> Any:
    """Run on what is sent on the sockets in ``map``, an attribute of the class; ``SK_PASS`` or ``SK_DROP``.  4.17."""
    return bare(plain("sk_msg", map=map), method)


def sk_skb(role: str = "verdict", *, map: str = "") -> Decorator:
    """Run on what the sockets in ``map`` receive; ``SK_PASS`` or ``SK_DROP``.

    ``role`` is ``"verdict"`` (Linux 5.13), ``"stream_verdict"`` or ``"stream_parser"`` (4.14).
    """
    return variant("sk_skb", role, map=map)


@overload
def sk_lookup(method: _F, /) -> _F: ...
@overload
def sk_lookup(*, netns: str | None = None) -> Decorator: ...
def sk_lookup(method: Any = None, /, *, netns: str | None = None) -> Any:
    """Run when a packet needs a socket of a network namespace; ``SK_PASS`` or ``SK_DROP``.  Linux 5.9."""
    return bare(plain("sk_lookup", netns=netns), method)


@overload
def sk_reuseport(method: _F, /) -> _F: ...
@overload
def sk_reuseport(*, migrate: bool = False) -> Decorator: ...
def sk_reuseport(method: Any = None, /, *, migrate: bool = False) -> Any:
    """Run to choose the socket of a group that shares a port; ``SK_PASS`` or ``SK_DROP``.  Linux 4.19.

    Put on the group with ``probe.attach("method", socket=socket)``.  ``migrate``: it chooses for connections of a
    socket that closes, too (5.14).
    """
    return bare(plain("sk_reuseport/migrate" if migrate else "sk_reuseport"), method)
