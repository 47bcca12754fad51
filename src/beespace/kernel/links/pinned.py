"""Links that were pinned: a name in a bpf file system keeps a program attached without any process."""

from __future__ import annotations

import os

from beespace.errors import KernelError, UsageError
from beespace.hooks import HOOKS
from beespace.isa import LinkType
from beespace.kernel.links.info import LinkInfo, link_info
from beespace.kernel.links.link import Link, Named
from beespace.syscall import Descriptor, bpf

__all__ = ["open_pinned"]


def open_pinned(path: str | os.PathLike[str]) -> Link:
    """The link that is pinned at ``path``: to be asked, updated, unpinned and detached like any other.

    Closing it changes nothing.  :meth:`Link.unpin` and closing it ends the attachment, if nobody else has it;
    :meth:`Link.detach` ends it at once.
    """
    descriptor = bpf.obj_get(path)
    try:
        info = _info(descriptor, path)
        return Link(Named(_program_name(info), _section(info)), descriptor, at=os.fspath(path), pins=(path,))
    except BaseException:
        descriptor.close()
        raise


def _info(descriptor: Descriptor, path: str | os.PathLike[str]) -> LinkInfo:
    kind = os.readlink(f"/proc/self/fd/{descriptor.fileno()}")
    if "bpf_link" not in kind and "bpf-link" not in kind:
        raise UsageError(f"{os.fspath(path)} is a pinned {kind.rpartition(':')[2]}, not a link")
    return link_info(descriptor)


def _program_name(info: LinkInfo) -> str:
    try:
        with bpf.prog_get_fd_by_id(info.prog_id) as program:
            return bpf.prog_info(program).name or f"program {info.prog_id}"
    except KernelError:  # it takes CAP_SYS_ADMIN
        return f"program {info.prog_id}"


_LINKS = {LinkType.TRACING: "btf", LinkType.ITER: "iterator"}  # others are called in Hook.link as the kernel does


def _section(info: LinkInfo) -> str:
    """The section of the hook that such a link is of, as far as it can be told; else the kind of link."""
    try:
        kind = LinkType(info.type)
    except ValueError:
        return f"link type {info.type}"
    link = _LINKS.get(kind, kind.name.lower())
    attach_type = getattr(info, "attach_type", None)
    for hook in HOOKS:
        if hook.link == link and attach_type in (None, hook.attach_type):
            return hook.section
    return kind.name.lower()
