"""Static tracepoints, ``category/event``, through a perf event (Linux 4.7)."""

from __future__ import annotations

import errno

from beespace.errors import FormatError, KernelError, NotSupported, UsageError
from beespace.kernel.links.link import Absent, Attachable, Link, Where
from beespace.kernel.links.perf_link import attach_event
from beespace.syscall import mounts, perf

__all__ = ["attach", "event_id"]


def attach(program: Attachable, where: Where) -> Link:
    """Attach to the tracepoint that ``where.event`` or the section names, for all processes on all CPUs."""
    target = where.event or program.attachment.target
    if not target:
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r} is for no tracepoint yet",
            help="say which: attach(event='sched:sched_switch')",
        )
    link = attach_event(program, perf.open_tracepoint(event_id(target)), where.cookie)
    link.via = "perf event"
    return link


def event_id(target: str) -> int:
    """The number of tracepoint ``category/event`` (or with a colon), from its ``id`` file in tracefs, mounted or not.

    :class:`UsageError` with what it may have meant; :class:`Absent` if this kernel does not have it.
    """
    category, slash, event = target.replace(":", "/", 1).partition("/")
    if not slash or not category or not event or "/" in event or ".." in (category, event):
        raise UsageError(f"{target!r} is no tracepoint", help="a section reads tracepoint/sched/sched_switch")
    try:
        tracefs = mounts.tracefs()
    except NotSupported as error:
        raise NotSupported("tracepoints: it has no tracefs", call=error.call, errno=error.errno) from error
    with tracefs:
        try:
            text = mounts.read_at(tracefs, f"events/{category}/{event}/id")
        except KernelError as error:
            if error.errno != errno.ENOENT:
                raise
        else:
            if not text.strip().isdigit():
                raise FormatError(f"tracefs gives {text!r} as the number of tracepoint {target!r}")
            return int(text)
        from difflib import get_close_matches

        known = mounts.list_at(tracefs, "events")
        if category in known:
            near = get_close_matches(event, mounts.list_at(tracefs, f"events/{category}"), 3)
        else:
            near = get_close_matches(category, known, 3)
        raise Absent(
            f"this kernel has no tracepoint '{category}:{event}'",
            help=f"did you mean {' or '.join(near)}?" if near else "list them: ls /sys/kernel/tracing/events",
        )
