"""Programs on a cgroup: packets, sockets, addresses, TCP events of all processes in it and below.

With cgroup links (Linux 5.7) the kernel detaches with the process.  Before, the program is attached
beside others (``BPF_F_ALLOW_MULTI``, Linux 4.15) and detached when the link is closed; a process that
is killed leaves it attached until the cgroup goes.
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from pathlib import Path

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.links.link import Attachable, Cgroup, Link, Where
from beespace.syscall import Descriptor, bpf
from beespace.syscall.mounts import detached_mount

__all__ = ["attach", "open_cgroup", "root_directory"]

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
        return root_directory()
    if not isinstance(cgroup, str | os.PathLike):
        return Descriptor(os.dup(cgroup if isinstance(cgroup, int) else cgroup.fileno()), "cgroup")
    try:
        return Descriptor(os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), "cgroup")
    except OSError as error:
        raise UsageError(
            f"{os.fspath(cgroup)} is no cgroup: {os.strerror(error.errno or 0)}",
            help="give a directory below the cgroup v2 mount, as /sys/fs/cgroup/system.slice",
        ) from None


def root_directory() -> Descriptor:
    """The root of the cgroup v2 hierarchy, as this process' cgroup namespace shows it.

    Mounted nowhere, as on hosts that use v1 alone, it is mounted for this descriptor only.
    """
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split(" ")
        if kind == "cgroup2":
            # Spaces and backslashes are written as octal escapes (proc_pid_mounts(5)).
            path = point.encode().decode("unicode_escape")
            return Descriptor(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), "cgroup")
    try:
        return detached_mount("cgroup2")
    except KernelError as error:
        raise NotSupported(
            "cgroup v2 here: it is mounted nowhere and cannot be mounted",
            since="4.5",
            call=error.call,
            errno=error.errno,
            help="mount -t cgroup2 none /sys/fs/cgroup/unified",
        ) from error
