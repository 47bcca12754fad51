"""Packets of one route (lightweight tunnels, Linux 4.10): as they arrive by it, leave by it, or are sent on.

The program belongs to the route, which stays if the process is killed.
"""

from __future__ import annotations

import errno
from contextlib import ExitStack

from beespace.errors import KernelError, UsageError
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.kernel.links.network import port
from beespace.syscall import routes
from beespace.syscall.netlink import Netlink

__all__ = ["attach"]

_DIRECTIONS = {"lwt_in": 1, "lwt_out": 2, "lwt_xmit": 3}  # LWT_BPF_IN, LWT_BPF_OUT, LWT_BPF_XMIT


def attach(program: Attachable, where: Where) -> Link:
    """Add the route ``where.route`` by ``where.interface``, whose packets the program sees.

    Closing the link removes the route.
    """
    direction = _DIRECTIONS[program.attachment.section]
    with port(program, where) as at, ExitStack() as undo:
        route = _route(program, where.route, at.index)
        netlink = undo.enter_context(Netlink(at.netns))
        try:
            routes.set_route(netlink, route, program, program.name, direction)
        except KernelError as error:
            raise _explained(error, program, where) from None
        undo.pop_all()
        name = at.name

    def detach() -> None:
        with netlink:
            try:
                routes.delete_route(netlink, route)
            except KernelError as error:
                if error.errno not in (errno.ESRCH, errno.ENODEV):  # the route or the interface is gone
                    raise

    def swap(new: Attachable) -> None:
        routes.set_route(netlink, route, new, new.name, direction, replace=True)

    stays = f"it stays until: ip route del {where.route} dev {name}"
    return Link(program, is_link=False, undo=detach, swap=swap, via="route", stays=stays, at=f"{where.route} by {name}")


def _route(program: Attachable, text: str | None, index: int) -> routes.Route:
    """``PREFIX`` or ``PREFIX via ADDRESS``."""
    if text is None:
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r} needs a route",
            help="say which: attach(route='10.9.0.0/24 via 10.1.0.1', interface='eth0')",
        )
    from ipaddress import ip_address, ip_network

    prefix, via, gateway = text.partition(" via ")
    try:
        network = ip_network(prefix.strip())
        hop = ip_address(gateway.strip()).packed if via else b""
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no route: {error}", help="write 10.9.0.0/24 or 10.9.0.0/24 via 10.1.0.1"
        ) from None
    return routes.Route(network.network_address.packed, network.prefixlen, index, hop)


def _explained(error: KernelError, program: Attachable, where: Where) -> KernelError:
    if error.errno != errno.EEXIST:
        return error
    return KernelError(
        f"cannot attach {program.name!r}: there is a route to {where.route} already",
        call=error.call, errno=error.errno, help="remove it, or choose a longer prefix",
    )  # fmt: skip
