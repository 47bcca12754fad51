"""XDP: each packet that a network card receives, before the stack.

With XDP links (Linux 5.9) the kernel detaches with the process.  Before, and to take the place of a program that is
there, the program is set on the interface through netlink and stays there until somebody removes it.

The mode is the kernel's choice unless it is given: the driver's own (``native``) if it has one, else ``generic``,
after the kernel has made a packet of it.  Nothing here goes from one to the other in silence.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import ExitStack

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.links.held import Held
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.kernel.links.network import Port, chosen, port
from beespace.kernel.links.ways import first_way
from beespace.syscall import bpf, rtnetlink
from beespace.syscall.netlink import Netlink

__all__ = ["attach"]

_XDP = 37  # BPF_XDP, enum bpf_attach_type
_MODES = {"native": rtnetlink.NATIVE, "generic": rtnetlink.GENERIC, "offload": rtnetlink.OFFLOAD}

_WORDS = {0: "xdp", rtnetlink.NATIVE: "xdpdrv", rtnetlink.GENERIC: "xdpgeneric", rtnetlink.OFFLOAD: "xdpoffload"}
_GONE = (errno.ENODEV, errno.EEXIST)  # no interface any more, or another program in our place


def attach(program: Attachable, where: Where) -> Link:
    """Attach to ``where.interface``.  :class:`KernelError` with EBUSY if a program is there already."""
    mode = 0 if where.mode is None else chosen("mode", where.mode, _MODES, program)
    with port(program, where) as at:
        ways: dict[str, Callable[[], Link]] = {
            "xdp link": lambda: _by_link(program, at, mode),
            "netlink": lambda: _by_netlink(program, at, mode, where),
        }
        if where.replace is not None:
            if where.via not in (None, "netlink"):
                raise UsageError("an XDP link cannot take the place of a program: it wants the place free")
            del ways["xdp link"]
        try:
            link = first_way(program, ways, where.via)
        except NotSupported:
            raise
        except KernelError as error:
            raise _explained(error, program, at, where) from None
        link.at = f"{at.name}, {where.mode or _mode_of(program, at)}"
        return link


def _by_link(program: Attachable, at: Port, mode: int) -> Link:
    try:
        return Link(
            program,
            at.inside(lambda: bpf.link_create(program.fileno(), _XDP, target_ifindex=at.index, flags=mode)),
        )
    except KernelError as error:
        if error.errno == errno.EINVAL:  # what a kernel says that knows no such links; netlink says why it is else
            raise NotSupported("XDP links", since="5.9", call=error.call, errno=error.errno) from error
        raise


def _by_netlink(program: Attachable, at: Port, mode: int, where: Where) -> Link:
    with ExitStack() as undo:
        held = undo.enter_context(Held(program))
        netlink = undo.enter_context(Netlink(at.netns))
        rtnetlink.set_xdp(netlink, at.index, program, mode=mode, expected=where.replace)
        undo.pop_all()
    index = at.index

    def detach() -> None:
        with held, netlink:
            try:
                rtnetlink.set_xdp(netlink, index, None, mode=mode, expected=held)
            except KernelError as error:
                if error.errno not in _GONE:
                    raise

    def swap(new: Attachable) -> None:
        rtnetlink.set_xdp(netlink, index, new, mode=mode, expected=held)
        held.change(new)

    stays = f"it stays until: ip link set dev {at.name} {_WORDS[mode]} off"
    return Link(program, is_link=False, undo=detach, swap=swap, stays=stays)


def _mode_of(program: Attachable, at: Port) -> str:
    """The mode that the kernel chose."""
    mine = bpf.prog_info(program).id
    now = rtnetlink.interface(at.netlink, at.index).xdp
    return next((mode for mode, id in now.items() if id == mine), "kernel's choice of mode")


def _explained(error: KernelError, program: Attachable, at: Port, where: Where) -> KernelError:
    """The error again, with who is in the way or what else can be asked for."""
    there = rtnetlink.interface(at.netlink, at.index).xdp
    help = error.help
    what = f"cannot attach XDP program {program.name!r} to {at.name}"
    if error.errno in (errno.EBUSY, errno.EEXIST) and there:
        others = " and ".join(f"program {id} ({mode})" for mode, id in there.items())
        return KernelError(
            f"{what}: {others} is there already", call=error.call, errno=error.errno,
            help="detach that one; native and generic do not run beside each other; replace= takes a place",
        )  # fmt: skip
    if error.errno == errno.EPERM:
        return error
    said = error.message.removeprefix("cannot attach a program: ").removeprefix("cannot attach an XDP program: ")
    said = said.rpartition(": ")[0] or said  # the call is named again below
    if where.mode != "generic":
        kind = f"its driver ({at.interface.kind})" if at.interface.kind else "its driver"
        said = f"{kind} refuses it in {where.mode or 'its own'} mode: {said}"
        help = "ask for mode='generic', which every interface has and which is slower, or see dmesg for what it wants"
    return KernelError(f"{what}: {said}", call=error.call, errno=error.errno, help=help)
