"""Programs of a map of sockets (sockmap, sockhash): what becomes of the data of the sockets in it.

With links (Linux 6.10) the kernel detaches with the process.  Before, the program belongs to the map, and goes with
it: it stays attached if this process is killed while somebody else has the map.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import ExitStack

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.links.held import Held
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.kernel.links.ways import first_way
from beespace.syscall import Descriptor, HasFileno, bpf

__all__ = ["attach"]


def attach(program: Attachable, where: Where) -> Link:
    """Attach to ``where.map``.  A map has one program of each kind (parser, verdict, message)."""
    target = where.map
    if target is None:
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r} needs a map of sockets",
            help="say which: attach(map=loaded.maps['sockets'])",
        )
    ways: dict[str, Callable[[], Link]] = {
        "sockmap link": lambda: _by_link(program, target),
        "prog_attach": lambda: _by_attaching(program, target),
    }
    link = first_way(program, ways, where.via)
    link.at = f"map {bpf.map_info(target).name!r}"
    return link


def _by_link(program: Attachable, target: HasFileno) -> Link:
    attach_type = program.attachment.hook.attach_type
    try:
        return Link(program, bpf.link_create(program.fileno(), attach_type, target_fd=target))
    except KernelError as error:
        if error.errno != errno.EINVAL or _has_links(program, attach_type):
            raise
        raise NotSupported("links of socket maps", since="6.10", call=error.call, errno=error.errno) from error


def _has_links(program: Attachable, attach_type: int) -> bool:
    """Whether the kernel looks for the map at all, instead of refusing the kind of link."""
    try:
        bpf.link_create(program.fileno(), attach_type, target_fd=program).close()  # a program is no map
    except KernelError as error:
        return error.errno != errno.EINVAL
    return True


def _unknown(program: Attachable, error: KernelError) -> NotSupported | None:
    """The error to raise instead, if the kernel knows no such way to attach."""
    hook = program.attachment.hook
    if error.errno != errno.EINVAL:
        return None
    from beespace.kernel.features import attach_type  # only who is refused needs it

    if attach_type(hook.attach_type).available:
        return None
    return NotSupported(f"programs of section {hook.section}", since=hook.since, call=error.call, errno=error.errno)


def _by_attaching(program: Attachable, target: HasFileno) -> Link:
    attach_type = program.attachment.hook.attach_type
    with ExitStack() as undo:
        held = undo.enter_context(Held(program))
        sockets = undo.enter_context(Descriptor(os.dup(target.fileno()), "socket map"))
        try:
            bpf.prog_attach(program.fileno(), attach_type, target_fd=sockets)
        except KernelError as error:
            raise _unknown(program, error) or error from None
        undo.pop_all()

    def detach() -> None:
        with held:
            try:
                bpf.prog_detach(held, attach_type, target_fd=sockets)
            except KernelError as error:
                if error.errno != errno.ENOENT:  # somebody attached another one
                    raise

    def swap(new: Attachable) -> None:
        bpf.prog_attach(new, attach_type, target_fd=sockets)  # takes the place of the one that is there
        held.change(new)

    stays = "it stays as long as somebody has the map"
    return Link(program, sockets, is_link=False, undo=detach, swap=swap, stays=stays)
