"""Programs on a cgroup: packets, sockets, addresses, options, sysctls, devices of all processes in it and below.

With cgroup links (Linux 5.7) the kernel detaches with the process.  Before, and for what links do not do (take the
place of another program, or exclude others), the program is attached by itself and detached when the link is closed;
a process that is killed leaves it attached until the cgroup goes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import ExitStack

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.links.anchors import anchor, is_anchored
from beespace.kernel.links.held import Held
from beespace.kernel.links.link import Attachable, Cgroup, Link, Where
from beespace.kernel.links.network import chosen
from beespace.kernel.links.ways import first_way
from beespace.syscall import Descriptor, bpf
from beespace.syscall.mounts import cgroup2_root

__all__ = ["attach", "open_cgroup"]

_SHARING = {"none": 0, "override": 1, "multi": 2}  # BPF_F_ALLOW_OVERRIDE, BPF_F_ALLOW_MULTI
_REPLACE, _BEFORE, _PREORDER = 1 << 2, 1 << 3, 1 << 6
_EITHER_WAY = "cgroup/skb"
_DIRECTIONS = {"ingress": 0, "egress": 1}  # BPF_CGROUP_INET_INGRESS, _EGRESS


def attach(program: Attachable, where: Where) -> Link:
    """Attach to ``where.cgroup``, or to the root of the cgroup v2 hierarchy.

    Programs run in the order in which they were attached, those of cgroups below first; ``before`` and ``after`` say
    another place (Linux 6.17), ``preorder`` lets this one run before those below (Linux 6.15).
    """
    hook = program.attachment.hook
    attach_type = hook.attach_type
    if hook.section == _EITHER_WAY:
        attach_type = chosen("direction", where.direction, _DIRECTIONS, program)
    sharing = chosen("sharing", where.sharing or "multi", _SHARING, program)
    ways: dict[str, Callable[[], Link]] = {
        "cgroup link": lambda: _by_link(program, attach_type, where),
        "prog_attach": lambda: _by_attaching(program, attach_type, where, sharing),
    }
    if where.replace is not None or sharing != _SHARING["multi"]:
        del ways["cgroup link"]  # a link stands beside others
    elif is_anchored(where):
        del ways["prog_attach"]
    link = first_way(program, ways, where.via)
    link.at = "the root cgroup" if where.cgroup is None else f"cgroup {_spelt(where.cgroup)}"
    return link


def _by_link(program: Attachable, attach_type: int, where: Where) -> Link:
    flags, place = anchor(program, where)
    flags |= _PREORDER * where.preorder
    with open_cgroup(where.cgroup) as cgroup:
        try:
            return Link(
                program,
                bpf.link_create(program.fileno(), attach_type, target_fd=cgroup, flags=flags, where=place),
            )
        except KernelError as error:
            if error.errno != errno.EINVAL:
                raise
            raise _refused(program, attach_type, where, flags, error) from None


def _refused(program: Attachable, attach_type: int, where: Where, flags: int, error: KernelError) -> Exception:
    """What EINVAL is about: a command, a link type or a flag that the kernel does not know, or a neighbour."""
    call, code = error.call, error.errno
    if not _is_known(program, attach_type, 0):
        return NotSupported("cgroup links", since="5.7", call=call, errno=code)
    if is_anchored(where) and not _is_known(program, attach_type, flags or _BEFORE):
        help = "attach them in the order they are to run"
        return NotSupported("before=, after= and revision= at cgroups", since="6.17", call=call, errno=code, help=help)
    if where.preorder and not _is_known(program, attach_type, _PREORDER):
        return NotSupported("preorder= at cgroups", since="6.15", call=call, errno=code)
    if is_anchored(where):
        return UsageError(
            f"the neighbour of program {program.name!r} is not in the list at that cgroup",
            help="of a program that is attached by a link, give the link; of one that is not, the program",
        )
    return error


def _is_known(program: Attachable, attach_type: int, flags: int) -> bool:
    """Whether the kernel gets as far as looking for the cgroup, instead of refusing kind or flags of the link."""
    try:
        bpf.link_create(program.fileno(), attach_type, target_fd=program, flags=flags).close()  # it is no cgroup
    except KernelError as error:
        return error.errno != errno.EINVAL
    return True


def _by_attaching(program: Attachable, attach_type: int, where: Where, sharing: int) -> Link:
    flags = sharing | (_REPLACE if where.replace is not None else 0) | _PREORDER * where.preorder
    with ExitStack() as undo:
        cgroup = undo.enter_context(open_cgroup(where.cgroup))
        held = undo.enter_context(Held(program))
        try:
            bpf.prog_attach(held, attach_type, target_fd=cgroup, attach_flags=flags, replace_bpf_fd=where.replace)
        except KernelError as error:
            if error.errno != errno.EINVAL or not where.preorder:
                raise
            raise NotSupported("preorder= at cgroups", since="6.15", call=error.call, errno=error.errno) from error
        undo.pop_all()

    def detach() -> None:
        with held:
            try:
                bpf.prog_detach(held, attach_type, target_fd=cgroup)
            except KernelError as error:
                if error.errno != errno.ENOENT:  # somebody detached or replaced it
                    raise

    def swap(new: Attachable) -> None:
        if sharing == _SHARING["multi"]:
            bpf.prog_attach(
                new, attach_type, target_fd=cgroup, attach_flags=sharing | _REPLACE, replace_bpf_fd=held
            )  # Linux 5.5
        else:
            bpf.prog_attach(new, attach_type, target_fd=cgroup, attach_flags=sharing)  # the only one is replaced
        held.change(new)

    stays = "it stays until the cgroup is removed or: bpftool cgroup detach"
    return Link(program, cgroup, is_link=False, undo=detach, swap=swap, stays=stays)


def _spelt(cgroup: Cgroup) -> str:
    return os.fspath(cgroup) if isinstance(cgroup, str | os.PathLike) else "by descriptor"


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
