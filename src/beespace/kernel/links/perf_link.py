"""A program on a perf event: what tracepoints, kprobes, uprobes and counters have in common.

With perf links (Linux 5.15, kernel commit b89fbfbb854c) the attachment is a BPF link of its own and may carry a
cookie; before, the program is set on the perf event and goes with it.  Either way the kernel detaches with the
process.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache

from beespace.errors import KernelError, NotSupported
from beespace.kernel.links.link import Attachable, Link
from beespace.kernel.links.trace_events import TraceEvent
from beespace.syscall import Descriptor, bpf, perf

__all__ = ["EventLink", "attach_event", "attach_trace_event", "has_cookies"]

_PERF_EVENT = 41  # BPF_PERF_EVENT, enum bpf_attach_type
_KPROBE, _GET_ATTACH_COOKIE = 2, 174  # BPF_PROG_TYPE_KPROBE, enum bpf_func_id
_NO_LINK = "no perf link (Linux 5.15) but the perf event itself holds it: the kernel said EINVAL to BPF_LINK_CREATE"
_STAYS = "the event in tracefs stays, without program, until beespace makes the next one there"


class EventLink(Link):
    """A link on a perf event.  ``afterwards`` is done once everything is closed."""

    afterwards: Callable[[], None] | None = None

    def close(self) -> None:
        """Let go of it.  Calling it again does nothing."""
        afterwards, self.afterwards = self.afterwards, None
        try:
            super().close()
        finally:
            if afterwards is not None:
                afterwards()


def attach_event(program: Attachable, event: Descriptor, cookie: int = 0, *, via: str = "perf event") -> EventLink:
    """Run ``program`` at each hit of ``event``, which belongs to the link from now on (closed if this fails)."""
    with ExitStack() as undo:
        undo.enter_context(event)
        try:
            where = bpf.PerfCookie(cookie) if cookie else None
            descriptor = bpf.link_create(program.fileno(), _PERF_EVENT, target_fd=event, where=where)
        except KernelError as error:
            if error.errno != errno.EINVAL:  # what a kernel says to an attach type it does not know
                raise
            if cookie:
                raise NotSupported(
                    f"a cookie for program {program.name!r}", since="5.15", call=error.call, errno=error.errno,
                    help="attach it without cookie, or use one program for each place",
                ) from error  # fmt: skip
            perf.set_bpf(event, program.fileno())
            perf.enable(event)
            link = EventLink(program, event, is_link=False, via=via, tried=(_NO_LINK,))
        else:
            undo.callback(descriptor.close)
            perf.enable(event)
            link = EventLink(program, descriptor, event, via=via)
        undo.pop_all()
        return link


def attach_trace_event(program: Attachable, made: TraceEvent, cookie: int = 0) -> EventLink:
    """The same with an event of tracefs, which is removed with the link (or if this fails)."""
    with ExitStack() as undo:
        undo.callback(made.remove)
        link = attach_event(program, made.event, cookie, via="tracefs")
        link.afterwards, link.stays = made.remove, _STAYS
        undo.pop_all()
    return link


@cache
def has_cookies() -> bool:
    """Whether programs of kprobes and uprobes have ``bpf_get_attach_cookie()``, found by loading one that calls it."""
    call = struct.pack("=BBhiBBhi", 0x85, 0, 0, _GET_ATTACH_COOKIE, 0x95, 0, 0, 0)
    try:
        program, _ = bpf.prog_load(_KPROBE, call)
    except KernelError:
        return False
    program.close()
    return True
