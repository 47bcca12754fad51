"""tcx (Linux 6.6): an interface's own list of programs for packets that come in or leave, before all tc filters.

A program's verdict ends the list: ``TCX_PASS`` (0), ``TCX_DROP`` (2), ``TCX_REDIRECT`` (7); any other, as ``TCX_NEXT``
(-1), lets the next program decide, and after the last one the tc filters.  The kernel detaches with the process.
"""

from __future__ import annotations

import errno

from beespace.errors import KernelError, NotSupported
from beespace.kernel.links.anchors import anchor
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.kernel.links.network import Port
from beespace.syscall import Descriptor, bpf

__all__ = ["attach_tcx"]

_NO_SUCH_INTERFACE = 0x7FFFFFFF


def attach_tcx(program: Attachable, at: Port, attach_type: int, where: Where) -> Link:
    """Attach to one direction of an interface (``BPF_TCX_INGRESS`` 46, ``BPF_TCX_EGRESS`` 47)."""
    flags, place = anchor(program, where)

    def create(index: int, flags: int, place: bpf.Anchor | None) -> Descriptor:
        return bpf.link_create(program.fileno(), attach_type, target_ifindex=index, flags=flags, where=place)

    try:
        return Link(program, at.inside(lambda: create(at.index, flags, place)))
    except KernelError as error:
        if error.errno != errno.EINVAL or _has_tcx(program, attach_type):
            raise
        raise NotSupported("tcx", since="6.6", call=error.call, errno=error.errno) from error


def _has_tcx(program: Attachable, attach_type: int) -> bool:
    """Whether the kernel looks for the interface at all, instead of refusing the attach type."""
    try:
        bpf.link_create(program.fileno(), attach_type, target_ifindex=_NO_SUCH_INTERFACE).close()
    except KernelError as error:
        return error.errno != errno.EINVAL
    return True
