"""netkit (Linux 6.7): programs of a device pair that joins a container to its host.

``primary`` programs see what the host's side sends, ``peer`` programs what the container's side sends; both are
attached to the host's side.  Verdicts and order are those of tcx.  The kernel detaches with the process.
"""

from __future__ import annotations

import errno

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.links.anchors import anchor
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.kernel.links.network import port
from beespace.syscall import bpf

__all__ = ["attach"]


def attach(program: Attachable, where: Where) -> Link:
    """Attach to the netkit device ``where.interface``, on its host's side (primary)."""
    attach_type = program.attachment.hook.attach_type
    flags, place = anchor(program, where)
    with port(program, where) as at:
        if at.interface.kind != "netkit":
            kind = at.interface.kind or "hardware or loopback"
            raise UsageError(
                f"{at.name} is no netkit device ({kind}), which program {program.name!r} is for",
                help=f"make one: ip link add {at.name}0 type netkit; other devices take tcx programs",
            )
        try:
            descriptor = at.inside(
                lambda: bpf.link_create(
                    program.fileno(), attach_type, target_ifindex=at.index, flags=flags, where=place
                )
            )
        except KernelError as error:
            if error.errno == errno.EINVAL:
                raise NotSupported("netkit links", since="6.7", call=error.call, errno=error.errno) from error
            if error.errno in (errno.EACCES, errno.ENODEV):
                raise UsageError(
                    f"{at.name} is the container's side of a netkit pair",
                    help="attach to the host's side; section netkit/peer is for what the container sends",
                ) from error
            raise
        return Link(program, descriptor, via="netkit link", at=at.name)
