"""Programs on a cgroup: packets, sockets, addresses, TCP events of all processes in it and below.

With cgroup links (Linux 5.7) the kernel detaches with the process.  Before, the program is attached
beside others (``BPF_F_ALLOW_MULTI``, Linux 4.15) and detached when the link is closed; a process that
is killed leaves it attached until the cgroup goes.
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack

from beespace.errors import KernelError, UsageError
from beespace.kernel.links.link import Attachable, Cgroup, Link, Where
from beespace.syscall import Descriptor, bpf
from beespace.syscall.mounts import cgroup2_root

__all__ = ["attach", "open_cgroup"]

_BPF_F_ALLOW_MULTI = 2


def attach(program: Attachable, where: Where) -> Link:
    """Attach to ``where.cgroup``, or to the root of the cgroup v2 hierarchy."""
    attach_type = program.attachment.hook.attach_type
    with ExitStack() as undo:
        cgroup = undo.enter_context(open_cgroup(where.cgroup))
        try:
            return Link(program, bpf.link_create(program.fileno(), attach_type, target_fd=cgroup))
        except KernelError as error:
            if error.errno != errno.EINVAL:  # what a kernel says to a command or link type it does not know
                raise
        bpf.prog_attach(program.fileno(), attach_type, target_fd=cgroup, attach_flags=_BPF_F_ALLOW_MULTI)
        held = os.dup(program.fileno())
        undo.pop_all()

    def detach() -> None:
        try:
            bpf.prog_detach(held, attach_type, target_fd=cgroup)
        finally:
            os.close(held)

    return Link(program, cgroup, is_link=False, undo=detach)


def open_cgroup(cgroup: Cgroup | None) -> Descriptor:
    """A descriptor of the cgroup's directory.  :class:`UsageError` if there is none of that path."""
    if cgroup is None:
        return cgroup2_root()
    if not isinstance(cgroup, str | os.PathLike):
        return Descriptor(os.dup(cgroup if isinstance(cgroup, int) else cgroup.fileno()), "cgroup")
    try:
        return Descriptor(os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), "cgroup")
    except OSError as error:
        raise UsageError(
            f"{os.fspath(cgroup)} is no cgroup: {os.strerror(error.errno or 0)}",
            help="give a directory below the cgroup v2 mount, as /sys/fs/cgroup/system.slice",
        ) from None
