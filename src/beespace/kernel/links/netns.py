"""Programs of a whole network namespace: ``sk_lookup`` (Linux 5.9) and ``flow_dissector`` (4.20, as a link 5.8).

The kernel detaches them with the process.  Before there were links, a flow dissector was attached by itself: it stays
if the process is killed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import ExitStack

from beespace.errors import KernelError, NotSupported
from beespace.kernel.links.held import Held
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.kernel.links.network import open_netns
from beespace.kernel.links.ways import first_way
from beespace.syscall import Descriptor, bpf
from beespace.syscall.namespaces import inside

__all__ = ["attach"]

_FLOW_DISSECTOR = 17  # BPF_FLOW_DISSECTOR, enum bpf_attach_type
_OURS = "/proc/thread-self/ns/net"


def attach(program: Attachable, where: Where) -> Link:
    """Attach to the network namespace ``where.netns``, or this process's."""
    ways: dict[str, Callable[[], Link]] = {"netns link": lambda: _by_link(program, where)}
    if program.attachment.hook.attach_type == _FLOW_DISSECTOR:
        ways["prog_attach"] = lambda: _by_attaching(program, where)
    link = first_way(program, ways, where.via)
    link.at = "this process's network namespace" if where.netns is None else f"network namespace {where.netns}"
    return link


def _open(where: Where) -> Descriptor:
    return open_netns(where) or Descriptor(os.open(_OURS, os.O_RDONLY | os.O_CLOEXEC), "network namespace")


def _by_link(program: Attachable, where: Where) -> Link:
    attach_type = program.attachment.hook.attach_type
    with _open(where) as netns:
        try:
            return Link(program, bpf.link_create(program.fileno(), attach_type, target_fd=netns))
        except KernelError as error:
            if error.errno == errno.EINVAL:
                what = "links of network namespaces"
                raise NotSupported(what, since="5.8", call=error.call, errno=error.errno) from error
            raise _explained(error, program) from None


def _by_attaching(program: Attachable, where: Where) -> Link:
    with ExitStack() as undo:
        netns = undo.enter_context(_open(where))
        held = undo.enter_context(Held(program))
        try:
            inside(netns, lambda: bpf.prog_attach(held, _FLOW_DISSECTOR))  # the kernel takes the caller's namespace
        except KernelError as error:
            raise _explained(error, program) from None
        undo.pop_all()

    def detach() -> None:
        with held:
            try:
                inside(netns, lambda: bpf.prog_detach(held, _FLOW_DISSECTOR))
            except KernelError as error:
                if error.errno not in (errno.ENOENT, errno.EINVAL):  # somebody detached it, or attached another
                    raise

    def swap(new: Attachable) -> None:
        inside(netns, lambda: bpf.prog_attach(new, _FLOW_DISSECTOR))  # takes the place of what is there (Linux 5.5)
        held.change(new)

    stays = "it stays until the namespace goes or somebody attaches another"
    return Link(program, netns, is_link=False, undo=detach, swap=swap, stays=stays)


def _explained(error: KernelError, program: Attachable) -> KernelError:
    if error.errno not in (errno.E2BIG, errno.EEXIST):
        return error
    return KernelError(
        f"cannot attach {program.name!r} to that network namespace: it has a flow dissector, or all have one",
        call=error.call, errno=error.errno, help="a namespace has one; that of the initial one is for all",
    )  # fmt: skip
