"""Entry of, return from and instructions in a kernel function: kprobes.

As a perf event of their own (Linux 4.17), else as an event in tracefs.  A kprobe runs for all processes: the kernel
has no filter by process for BPF programs there.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.functions import is_glob
from beespace.kernel.links.kernel_functions import has_function, refused, unknown
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.kernel.links.perf_link import attach_event, attach_trace_event
from beespace.kernel.links.trace_events import open_trace_event
from beespace.kernel.links.ways import first_way
from beespace.syscall import perf
from beespace.syscall.layout import Value
from beespace.syscall.small_files import read_text

__all__ = ["attach", "attach_alternatives", "attach_function", "event_type"]

_DEVICES = "/sys/bus/event_source/devices"
# What kernels say of a function that they do not have; some say EINVAL, so kallsyms is asked then.
_MAYBE_MISSING = (errno.ENOENT, errno.EINVAL, errno.EADDRNOTAVAIL)


def attach(program: Attachable, where: Where) -> Link:
    """Attach to ``where.function``, the first of ``where.functions`` that exists, or the one in the section.

    A function is ``name``, ``name+0x10`` or ``module:name``; ``where.offset`` is added.
    """
    names = _names(program, where)
    returns = program.attachment.hook.section.startswith("kret")
    return attach_alternatives(program, names, where, returns=returns)


def _names(program: Attachable, where: Where) -> list[str]:
    given = where.functions or where.function or program.attachment.target
    names = [given] if isinstance(given, str) else list(given)
    if glob := next((name for name in names if is_glob(name)), None):
        raise UsageError(f"{glob!r} may be many functions", help="put the program into section kprobe.multi")
    if not any(names):
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r} is for no function yet",
            help="say which: attach(function='vfs_read')",
        )
    return names


def attach_alternatives(program: Attachable, names: Sequence[str], where: Where, *, returns: bool) -> Link:
    """Attach to the first of ``names`` that this kernel has; :class:`UsageError` if it has none of them."""
    missing: list[str] = []
    for name in names:
        function, offset = _parsed(name)
        try:
            link = attach_function(program, function, offset + where.offset, where, returns=returns)
        except _Missing:
            missing.append(function)
            continue
        if missing:
            link.tried = (*(f"not {other}, which this kernel does not have" for other in missing), *link.tried)
        return link
    raise unknown(missing[0], missing)


class _Missing(Exception):
    """The kernel has no such function."""


def _parsed(name: str) -> tuple[str, int]:
    function, plus, offset = name.partition("+")
    try:
        return function, int(offset, 0) if plus else 0
    except ValueError:
        raise UsageError(f"{name!r}: {offset!r} is no offset in bytes", help="write name+16 or name+0x10") from None


def attach_function(program: Attachable, function: str, offset: int, where: Where, *, returns: bool) -> Link:
    """Attach to one function, by whatever way this kernel has."""
    if returns and offset:
        raise UsageError(f"{function}+{offset:#x}: a function returns as a whole", help="leave the offset out")

    def event() -> Link:
        type, bit = event_type("kprobe")
        fields: dict[str, Value] = {"kprobe_func": function.encode() + b"\0", "probe_offset": offset}
        event = perf.perf_event_open(type, bit if returns else 0, fields=fields, what=f"probe {function}")
        return attach_event(program, event, where.cookie)

    def tracefs() -> Link:
        place = f"{function}+{offset}" if offset else function
        return attach_trace_event(program, open_trace_event("kprobe_events", "pr"[returns], place), where.cookie)

    try:
        return first_way(program, {"perf event": event, "tracefs": tracefs}, where.via)
    except NotSupported:
        raise
    except KernelError as error:
        raise _explained(error, function, offset) from error


def _explained(error: KernelError, function: str, offset: int) -> Exception:
    if error.errno == errno.EILSEQ:
        return UsageError(
            f"{function}+{offset:#x} is in the middle of an instruction", help="disassemble it: /proc/kcore and gdb"
        )
    if error.errno not in _MAYBE_MISSING:
        return error
    if not has_function(function):
        return _Missing(function)
    if error.errno == errno.EADDRNOTAVAIL:
        return UsageError(
            f"this kernel has several functions {function!r}",
            help="say module:name, or attach to all of them by a program in section kprobe.multi",
        )
    if offset:
        return UsageError(f"{function}+{offset:#x} cannot be probed", help="give the start of an instruction in it")
    return refused(function)


def event_type(kind: str) -> tuple[int, int]:
    """The number of the perf event type of ``kprobe`` or ``uprobe``, and the bit of ``config`` that means return."""
    try:
        number = int(read_text(f"{_DEVICES}/{kind}/type"))
        text = read_text(f"{_DEVICES}/{kind}/format/retprobe")
    except OSError:
        option = f"CONFIG_{kind.upper()}_EVENTS" if kind == "uprobe" else "CONFIG_KPROBES and CONFIG_KPROBE_EVENTS"
        raise NotSupported(f"{kind}s as perf events: {_DEVICES}/{kind} is not there", since=f"4.17, {option}") from None
    return number, 1 << int(text.strip().removeprefix("config:"))
