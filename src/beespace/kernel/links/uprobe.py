"""Instructions of user programs, and returns from their functions: uprobes.

The kernel counts by file and offset in it, so a probe is seen by every process that runs that file, now or later;
with ``pid`` by one.  As a perf event of their own (Linux 4.17), else as an event in tracefs.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.binary import Binary
from beespace.kernel.functions import find_function
from beespace.kernel.links.kprobe import event_type
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.kernel.links.locate import locate
from beespace.kernel.links.perf_link import attach_event, attach_trace_event
from beespace.kernel.links.trace_events import open_trace_event
from beespace.kernel.links.ways import first_way
from beespace.record import dataclass
from beespace.syscall import perf
from beespace.syscall.layout import Value
from beespace.syscall.refusal import ENOTSUPP

__all__ = ["Spot", "attach", "attach_at", "named"]

_COUNTER_SHIFT = 32  # of the reference counter's offset in `config`; format/ref_ctr_offset says 32-63 (Linux 4.20)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a uprobe goes: ``offset`` bytes into the file at ``path``.

    ``counter`` is the file offset of a counter that the kernel raises while the probe is there (0: none).
    """

    path: str
    offset: int
    counter: int = 0


def attach(program: Attachable, where: Where) -> Link:
    """Attach to ``where.symbol`` of ``where.binary``, or what the section names: ``uprobe/BINARY:SYMBOL+OFFSET``."""
    binary, symbol = named(program, where, "uprobe/BINARY:SYMBOL", "attach(binary='libc', symbol='malloc')")
    path = locate(binary, where.pid)
    symbol, offset = _parsed(symbol, where.offset)
    returns = program.attachment.hook.section.startswith("uret")
    with Binary(path) as file:
        start = find_function(file, symbol) if symbol else 0
    if returns and offset and symbol:
        raise UsageError(f"{symbol}+{offset:#x}: a function returns as a whole", help="leave the offset out")
    return attach_at(program, Spot(path, start + offset), where, returns=returns)


def named(program: Attachable, where: Where, form: str, example: str) -> tuple[str | os.PathLike[str], str]:
    """Binary and symbol, from keywords or else from the section."""
    binary, _, symbol = program.attachment.target.partition(":")
    symbol = where.symbol or ("" if where.binary and where.offset else symbol)
    if not (where.binary or binary) or not (symbol or where.offset):
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r} does not say what to probe",
            help=f"a section reads {form}; or say it: {example}",
        )
    return where.binary or binary, symbol


def _parsed(symbol: str, offset: int) -> tuple[str, int]:
    """``name+0x10`` or ``0x1234``, an offset in the file, with ``offset`` added."""
    name, plus, more = symbol.rpartition("+")
    if not plus:
        name, more = (symbol, "0") if not symbol[:1].isdigit() else ("", symbol)
    try:
        return name, int(more, 0) + offset
    except ValueError:
        raise UsageError(f"{symbol!r}: {more!r} is no offset in bytes", help="write name+0x10, or 0x1234") from None


def attach_at(program: Attachable, spot: Spot, where: Where, *, returns: bool) -> Link:
    """Attach to one place, by whatever way this kernel has; ``where`` gives ``pid``, ``cookie`` and ``via``."""

    def event() -> Link:
        type, bit = event_type("uprobe")
        config = (bit if returns else 0) | spot.counter << _COUNTER_SHIFT
        fields: dict[str, Value] = {"uprobe_path": os.fsencode(spot.path) + b"\0", "probe_offset": spot.offset}
        event = perf.perf_event_open(
            type, config, pid=where.pid or -1, cpu=-1 if where.pid else 0, fields=fields, what=f"probe {spot.path}"
        )
        return attach_event(program, event, where.cookie)

    def tracefs() -> Link:
        if any(sign in spot.path for sign in " \t\n:"):
            raise NotSupported(
                f"probes in {spot.path!r} by tracefs, which cannot write such a name", help="rename or link the file"
            )
        counter = f"({spot.counter:#x})" if spot.counter else ""
        place = f"{spot.path}:{spot.offset:#x}{counter}"
        return attach_trace_event(
            program, open_trace_event("uprobe_events", "pr"[returns], place, where.pid), where.cookie
        )

    ways: dict[str, Callable[[], Link]] = {"perf event": event, "tracefs": tracefs}
    try:
        return first_way(program, ways, where.via)
    except NotSupported:
        raise
    except KernelError as error:
        raise explained(error, spot.path, where.pid) from error


def explained(error: KernelError, path: str, pid: int) -> KernelError | UsageError:
    """What an errno of a uprobe means."""
    if error.errno == errno.ESRCH:
        return UsageError(f"there is no process {pid}", help="it ended, or lives in another pid namespace")
    if error.errno in (errno.EINVAL, errno.EIO, errno.ENOEXEC, errno.EILSEQ, errno.EOPNOTSUPP, ENOTSUPP):
        return KernelError(
            f"the kernel refuses a probe there in {path}", call=error.call, errno=error.errno,
            help="the offset must be the start of an instruction, and the file on a file system that can be mapped",
        )  # fmt: skip
    return error
