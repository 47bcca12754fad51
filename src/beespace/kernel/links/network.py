"""Where on the network: an interface or a namespace, as :class:`Where` names it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from beespace.errors import KernelError, UsageError
from beespace.kernel.links.link import Attachable, Where
from beespace.record import dataclass
from beespace.syscall import Descriptor, rtnetlink
from beespace.syscall.namespaces import inside
from beespace.syscall.netlink import Netlink
from beespace.typed import TypeVar

__all__ = ["Port", "chosen", "open_netns", "port"]

_NAMED = "/run/netns/"
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Port:
    """An interface, and how to reach it: a netlink socket in its network namespace (``netns`` ``None``: ours)."""

    interface: rtnetlink.Interface
    netlink: Netlink
    netns: Descriptor | None

    @property
    def index(self) -> int:
        return self.interface.index

    @property
    def name(self) -> str:
        return self.interface.name

    def inside(self, action: Callable[[], _Result]) -> _Result:
        """What ``action`` returns where the interface's index counts."""
        return inside(self.netns, action)


@contextmanager
def port(program: Attachable, where: Where) -> Iterator[Port]:
    """The interface that ``where`` names.  :class:`UsageError` if it names none, or one that is not there."""
    if where.interface is None:
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r} needs an interface",
            help="say which: attach(interface='eth0')",
        )
    with open_port(where.interface, where) as opened:
        yield opened


@contextmanager
def open_port(which: str | int, where: Where) -> Iterator[Port]:
    """The interface of that name or index, in the network namespace that ``where`` names."""
    with ExitStack() as opened:
        netns = open_netns(where)
        if netns is not None:
            opened.enter_context(netns)
        netlink = opened.enter_context(Netlink(netns))
        try:
            interface = rtnetlink.interface(netlink, which)
        except KernelError as error:
            if error.errno not in (errno.ENODEV, errno.ERANGE):  # ERANGE: the name is too long to be one
                raise
            names = rtnetlink.interface_names(netlink)
            raise UsageError(
                f"there is no interface {which!r}{'' if netns is None else ' in that network namespace'}",
                help=f"those that are: {', '.join(names)}",
            ) from error
        yield Port(interface, netlink, netns)


def open_netns(where: Where) -> Descriptor | None:
    """The network namespace that ``where`` names; ``None`` if it names none."""
    netns = where.netns
    if netns is None:
        return None
    if not isinstance(netns, str | os.PathLike):
        return Descriptor(os.dup(netns if isinstance(netns, int) else netns.fileno()), "network namespace")
    path = os.fspath(netns)
    if "/" not in path:  # as ip(8) takes it: a name, else the number of a process
        of_process = path.isdigit() and not os.path.lexists(_NAMED + path)
        path = f"/proc/{path}/ns/net" if of_process else _NAMED + path
    try:
        return Descriptor(os.open(path, os.O_RDONLY | os.O_CLOEXEC), "network namespace")
    except OSError as error:
        raise UsageError(
            f"{path} is no network namespace: {os.strerror(error.errno or 0)}",
            help="give a name of `ip netns`, the number of a process as text, or a path as /proc/PID/ns/net",
        ) from None


def chosen(what: str, value: str | None, choices: dict[str, _Result], program: Attachable) -> _Result:
    """``choices[value]``.  :class:`UsageError` with the choices if there is no such one."""
    if value is None or value not in choices:
        given = "not said" if value is None else f"{value!r}, which is none"
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r}: its {what} is {given}",
            help=f"say {what}= {' or '.join(map(repr, choices))}",
        )
    return choices[value]
