"""Programs that a socket is given by ``setsockopt``: filters (Linux 3.19), and who gets what on a shared port (4.19).

They belong to the socket (a shared port: to the group), not to the process, and go with it.  Closing the link takes
them off, if the socket still is the one that they were put on.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from beespace.errors import KernelError, UsageError
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.syscall import HasFileno, sockets

__all__ = ["attach_filter", "attach_reuseport"]

_Put = Callable[["HasFileno | int", HasFileno], None]
_Take = Callable[["HasFileno | int"], None]


def attach_filter(program: Attachable, where: Where) -> Link:
    """Put a filter on ``where.socket``."""
    return _attach(program, where, sockets.attach_filter, sockets.detach_filter)


def attach_reuseport(program: Attachable, where: Where) -> Link:
    """Let the program choose among the sockets that share the port of ``where.socket``.

    It must have ``SO_REUSEPORT`` set; closing the link takes the program from the whole group.
    """
    try:
        return _attach(program, where, sockets.attach_reuseport, sockets.detach_reuseport)
    except KernelError as error:
        if error.errno != errno.EINVAL:
            raise
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r}: the socket shares no port",
            help="set SO_REUSEPORT before the socket is bound",
        ) from error


def _attach(program: Attachable, where: Where, put: _Put, take: _Take) -> Link:
    target = where.socket
    if target is None:
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r} needs a socket",
            help="say which: attach(socket=sock)",
        )
    put(target, program)
    same = _identity(target)

    def detach() -> None:
        if _identity(target) != same:
            return  # the socket is closed, and its number may be another's
        try:
            take(target)
        except KernelError as error:
            if error.errno != errno.ENOENT:
                raise

    def swap(new: Attachable) -> None:
        put(target, new)

    stays = "it stays as long as somebody has the socket"
    return Link(program, is_link=False, undo=detach, swap=swap, via="setsockopt", stays=stays)


def _identity(target: HasFileno | int) -> tuple[int, int] | None:
    """Device and inode number of a socket; ``None`` if it is closed."""
    try:
        told = os.fstat(target if isinstance(target, int) else target.fileno())
    except (OSError, ValueError):
        return None
    return told.st_dev, told.st_ino
