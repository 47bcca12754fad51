"""tc filters in the queueing discipline ``clsact`` (Linux 4.5), for kernels without tcx.

A filter has no link: it stays when the process is killed.  The qdisc is made if it is not there, and removed with
the last filter if this process made it.
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack

from beespace.errors import KernelError, UsageError
from beespace.kernel.links.held import Held
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.kernel.links.network import Port
from beespace.syscall import bpf, rtnetlink
from beespace.syscall.netlink import Netlink

__all__ = ["attach_filter"]

_GONE = (errno.ENODEV, errno.ENOENT, errno.EINVAL)  # the interface, the filter, the qdisc it was in

# The qdiscs that this process made, by network namespace (cookie, or inode number) and interface.
_made: set[tuple[int, int]] = set()


def attach_filter(program: Attachable, at: Port, direction: str, where: Where) -> Link:
    """Add a filter whose result is the verdict; of several the one with the smallest priority runs first.

    Not given, the kernel chooses a priority before all that are there (49152 for the first).
    """
    parent = rtnetlink.INGRESS if direction == "ingress" else rtnetlink.EGRESS
    index = at.index
    with ExitStack() as undo:
        held = undo.enter_context(Held(program))
        netlink = undo.enter_context(Netlink(at.netns))
        key = (netlink.namespace() or _inode(at), index)
        if rtnetlink.add_clsact(netlink, index):
            _made.add(key)
        elif direction == "egress" and not rtnetlink.has_clsact(netlink, index):
            # The kernel would take the filter, and run it for packets that come in.
            raise UsageError(
                f"cannot attach {program.name!r} to {at.name} egress: its qdisc 'ingress' is where clsact should be",
                help=f"replace it: tc qdisc replace dev {at.name} clsact (its filters go with it)",
            )
        undo.callback(_clean, netlink, key)
        try:
            place = rtnetlink.add_filter(
                netlink, index, parent, program,
                name=program.name, priority=where.priority or 0, handle=where.handle or 0,
            )  # fmt: skip
        except KernelError as error:
            raise _explained(error, program, at, direction, where) from None
        undo.pop_all()

    def detach() -> None:
        with held, netlink:
            mine = bpf.prog_info(held).id
            try:
                now = rtnetlink.filters(netlink, index, parent)
                if any((f.priority, f.handle, f.prog_id) == (place.priority, place.handle, mine) for f in now):
                    rtnetlink.delete_filter(netlink, index, parent, place.priority, place.handle)
            except KernelError as error:
                if error.errno not in _GONE:
                    raise
            _clean(netlink, key)

    def swap(new: Attachable) -> None:
        rtnetlink.add_filter(
            netlink, index, parent, new,
            name=new.name, priority=place.priority, handle=place.handle, replace=True,
        )  # fmt: skip
        held.change(new)

    one = f"pref {place.priority} handle {place.handle:#x} bpf"
    stays = f"it stays until: tc filter del dev {at.name} {direction} {one}"
    return Link(program, is_link=False, undo=detach, swap=swap, stays=stays, at=f"{at.name} {direction}, {one}")


def _clean(netlink: Netlink, key: tuple[int, int]) -> None:
    """Remove the qdisc, if this process made it and nobody has a filter in it."""
    index = key[1]
    try:
        if key not in _made or any(rtnetlink.filters(netlink, index, p) for p in (rtnetlink.INGRESS, rtnetlink.EGRESS)):
            return
        rtnetlink.delete_clsact(netlink, index)
    except KernelError as error:
        if error.errno not in _GONE:
            raise
    _made.discard(key)


def _inode(at: Port) -> int:
    """The inode number of the interface's network namespace, which another may get once it is gone."""
    return (os.stat("/proc/thread-self/ns/net") if at.netns is None else os.fstat(at.netns.fileno())).st_ino


def _explained(error: KernelError, program: Attachable, at: Port, direction: str, where: Where) -> KernelError:
    if error.errno == errno.EEXIST and where.priority:
        said = f"another filter has priority {where.priority} and handle {where.handle or 1:#x}"
        return KernelError(
            f"cannot attach {program.name!r} to {at.name} {direction}: {said}", call=error.call, errno=error.errno,
            help="choose another priority= or handle=, or leave them to the kernel",
        )  # fmt: skip
    return error
