"""Static tracepoints, ``category/event``, through a perf event (Linux 4.7).

With perf links (Linux 5.15, kernel commit b89fbfbb854c) the attachment is a BPF link of its own; before, the
program is set on the perf event and goes with it.  Either way the kernel detaches with the process.
"""

from __future__ import annotations

import errno
from contextlib import ExitStack

from beespace.errors import FormatError, KernelError, NotSupported, UsageError
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.syscall import bpf, mounts, perf

__all__ = ["attach", "event_id"]

_PERF_EVENT = 41  # BPF_PERF_EVENT, enum bpf_attach_type


def attach(program: Attachable, where: Where) -> Link:
    """Attach to the tracepoint that the section names; it fires for all processes on all CPUs."""
    with ExitStack() as undo:
        event = undo.enter_context(perf.open_tracepoint(event_id(program.attachment.target)))
        try:
            descriptor = bpf.link_create(program.fileno(), _PERF_EVENT, target_fd=event)
        except KernelError as error:
            if error.errno != errno.EINVAL:  # what a kernel says to an attach type it does not know
                raise
            perf.set_bpf(event, program.fileno())
            perf.enable(event)
            link = Link(program, event, is_link=False)
        else:
            undo.callback(descriptor.close)
            perf.enable(event)
            link = Link(program, descriptor, event)
        undo.pop_all()
        return link


def event_id(target: str) -> int:
    """The number of tracepoint ``category/event``, from the ``id`` file in tracefs (mounted or not).

    :class:`UsageError` with what it may have meant.
    """
    category, slash, event = target.partition("/")
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
        raise UsageError(
            f"this kernel has no tracepoint {target.replace('/', ':')!r}",
            help=f"did you mean {' or '.join(near)}?" if near else "list them: ls /sys/kernel/tracing/events",
        )
