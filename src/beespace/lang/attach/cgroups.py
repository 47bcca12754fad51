"""Decorators of cgroups: packets, sockets, addresses, options, sysctls and devices of their processes.

They attach to a cgroup v2 directory: ``probe.start(cgroup=...)``, the root if nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from beespace.lang.attach.mark import Decorator, bare, plain, variant

__all__ = ["cgroup_device", "cgroup_skb", "cgroup_sock", "cgroup_sock_addr", "cgroup_sockopt", "cgroup_sysctl"]

_F = TypeVar("_F", bound=Callable[..., Any])


def cgroup_skb(direction: str, *, optional: bool | str = False) -> Decorator:
    """Run on each packet of the cgroup's sockets, ``"ingress"`` or ``"egress"``; True lets it pass.  Linux 4.10."""
    return variant("cgroup_skb", direction, optional=optional)


def cgroup_sock(moment: str, *, optional: bool | str = False) -> Decorator:
    """Run when a socket is made, bound or closed: ``"create"``, ``"post_bind4"``, ``"release"``, ...  Linux 4.10."""
    return variant("cgroup_sock", moment, optional=optional)


def cgroup_sock_addr(call: str, *, optional: bool | str = False) -> Decorator:
    """Run on ``"connect4"``, ``"bind6"``, ``"sendmsg4"``, ... of the cgroup's processes.  Linux 4.17."""
    return variant("cgroup_sock_addr", call, optional=optional)


def cgroup_sockopt(call: str, *, optional: bool | str = False) -> Decorator:
    """Run before setsockopt(2), ``"set"``, or after getsockopt(2), ``"get"``; True allows.  Linux 5.3."""
    return variant("cgroup_sockopt", call, optional=optional)


@overload
def cgroup_sysctl(method: _F, /) -> _F: ...
@overload
def cgroup_sysctl() -> Decorator: ...
def cgroup_sysctl(method: Any = None, /) -> Any:
    """Run when a process of the cgroup reads or writes a sysctl; True allows.  Linux 5.2."""
    return bare(plain("cgroup_sysctl"), method)


@overload
def cgroup_device(method: _F, /) -> _F: ...
@overload
def cgroup_device() -> Decorator: ...
def cgroup_device(method: Any = None, /) -> Any:
    """Run when a process of the cgroup opens or makes a device file; True allows.  Linux 4.15."""
    return bare(plain("cgroup_device"), method)
