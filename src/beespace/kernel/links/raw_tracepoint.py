"""Raw tracepoints: a tracepoint's own arguments, attached by name (Linux 4.17).

The kernel detaches with the descriptor.
"""

from __future__ import annotations

import errno

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.syscall import bpf

__all__ = ["attach"]


def attach(program: Attachable, where: Where) -> Link:
    """Attach to the raw tracepoint that ``where.event`` or the section names.  A cookie since Linux 6.10."""
    name = (where.event or program.attachment.target).rpartition(":")[2]
    if not name:
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r} is for no tracepoint yet",
            help="say which: attach(event='sched_switch')",
        )
    try:
        return Link(program, bpf.raw_tracepoint_open(program.fileno(), name, cookie=where.cookie), via="raw tracepoint")
    except KernelError as error:
        if error.errno == errno.EINVAL and where.cookie:  # a field it does not know
            raise NotSupported(
                f"a cookie at raw tracepoint {name!r}", since="6.10", call=error.call, errno=error.errno,
                help="attach it without cookie",
            ) from error  # fmt: skip
        if error.errno == errno.ENOENT:
            raise UsageError(
                f"this kernel has no raw tracepoint {name!r}{_near(name)}",
                help="names: the second halves of the lines of available_events in tracefs",
            ) from error
        raise


def _near(name: str) -> str:
    from difflib import get_close_matches

    from beespace.syscall import mounts

    try:
        with mounts.tracefs() as tracefs:
            lines = mounts.read_at(tracefs, "available_events").decode().splitlines()
    except KernelError:
        return ""  # no tracefs to look it up in
    near = get_close_matches(name, {line.rpartition(":")[2] for line in lines}, 3)
    return f": did you mean {' or '.join(near)}?" if near else ""
