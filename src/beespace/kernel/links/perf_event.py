"""Performance events: a program that runs at each overflow of a counter, for profiles and rare things (Linux 4.9).

One event for each CPU that runs now, or each thread of a process.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.links.composite import attach_all
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.kernel.links.perf_link import attach_event
from beespace.record import dataclass
from beespace.syscall import Descriptor, perf, process
from beespace.syscall.layout import Value
from beespace.syscall.refusal import ENOTSUPP

__all__ = ["Event", "attach", "parse_event"]

_DEVICES = Path("/sys/bus/event_source/devices")
_HARDWARE, _SOFTWARE, _CACHE, _RAW, _BREAKPOINT = 0, 1, 3, 4, 5  # enum perf_type_id
_FREQUENCY = 99  # Hz: not a divisor of what else ticks
# enum perf_sw_ids, enum perf_hw_id (include/uapi/linux/perf_event.h)
_COUNTED = "page-faults context-switches cpu-migrations minor-faults major-faults alignment-faults emulation-faults"
_SOFTWARE_NAMES = ["cpu-clock", "task-clock", *_COUNTED.split(), "dummy", "bpf-output", "cgroup-switches"]
_HARDWARE_NAMES = [
    "cycles", "instructions", "cache-references", "cache-misses", "branches", "branch-misses", "bus-cycles",
    "stalled-cycles-frontend", "stalled-cycles-backend", "ref-cycles",
]  # fmt: skip
_ALIASES = {
    "cpu-cycles": "cycles",
    "branch-instructions": "branches",
    "faults": "page-faults",
    "cs": "context-switches",
}
_CACHES = ["L1-dcache", "L1-icache", "LLC", "dTLB", "iTLB", "branch", "node"]
_OPERATIONS = {"loads": 0, "load": 0, "stores": 1, "store": 1, "prefetches": 2, "prefetch": 2}
_CACHE_EVENT = re.compile(rf"({'|'.join(_CACHES)})-(loads|stores|prefetches|(?:load|store|prefetch)-misses)")
_BREAKPOINT_EVENT = re.compile(r"breakpoint:(0x[0-9a-f]+|\d+)(?:/([1248]))?(?::(r|w|rw|x))?", re.I)
_ACCESS = {"r": 1, "w": 2, "rw": 3, "x": 4}  # HW_BREAKPOINT_R, _W, _X


@dataclass(frozen=True, slots=True)
class Event:
    """A performance event.  ``fields`` are more of ``struct perf_event_attr``; ``sampled``: by frequency if unsaid."""

    type: int
    config: int
    sampled: bool
    fields: tuple[tuple[str, int], ...] = ()


def parse_event(name: str) -> Event:
    """What an event's name means.

    A name of perf(1) (``cycles``, ``page-faults``, ``LLC-load-misses``), ``rHEX`` for a raw one of the CPU,
    ``TYPE:CONFIG`` in numbers or with the name of a device, ``breakpoint:ADDRESS[/LENGTH][:r|w|rw|x]``.
    """
    known = _ALIASES.get(name, name)
    if known in _SOFTWARE_NAMES:
        return Event(_SOFTWARE, _SOFTWARE_NAMES.index(known), known.endswith("clock"))
    if known in _HARDWARE_NAMES:
        return Event(_HARDWARE, _HARDWARE_NAMES.index(known), True)
    if found := _CACHE_EVENT.fullmatch(name):
        operation, _, misses = found[2].partition("-")
        return Event(_CACHE, _CACHES.index(found[1]) | _OPERATIONS[operation] << 8 | bool(misses) << 16, True)
    if re.fullmatch(r"r[0-9a-fA-F]+", name):
        return Event(_RAW, int(name[1:], 16), True)
    if found := _BREAKPOINT_EVENT.fullmatch(name):
        access = _ACCESS[(found[3] or "rw").lower()]
        length = 8 if access == 4 else int(found[2] or 4)
        fields = (("bp_addr", int(found[1], 0)), ("bp_len", length), ("bp_type", access))
        return Event(_BREAKPOINT, 0, False, fields)
    device, colon, config = name.partition(":")
    if colon:
        try:
            return Event(_device(device), int(config, 0), False)
        except ValueError:
            pass  # it is said below what would be right
    from difflib import get_close_matches

    near = get_close_matches(name, [*_SOFTWARE_NAMES, *_HARDWARE_NAMES, *_ALIASES], 3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    tracepoint = "a tracepoint is attached to by a program in SEC('tracepoint/...'). " if colon else ""
    raise UsageError(
        f"{name!r} is no performance event",
        help=f"{hint}{tracepoint}names are those of perf list; or TYPE:CONFIG, rHEX, breakpoint:ADDRESS:w",
    )


def _device(name: str) -> int:
    if name.isdigit():
        return int(name)
    try:
        return int((_DEVICES / name / "type").read_text())
    except OSError:
        raise ValueError(name) from None


def attach(program: Attachable, where: Where) -> Link:
    """Attach to ``where.event``: on all CPUs, on ``where.cpu``, or for the threads of process ``where.pid``.

    ``where.tid`` is one thread.  By default clocks and counters of the CPU fire 99 times a second, other events each
    time they happen.
    """
    if not where.event:
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r} is for no event yet",
            help="say which: attach(event='cpu-clock', frequency=99)",
        )
    if where.frequency and where.period:
        raise UsageError("frequency= and period= exclude each other", help="give one: in Hz, or in events")
    event = parse_event(where.event)
    links = (attach_event(program, opened, where.cookie) for opened in _opened(event, where))
    return attach_all(program, links, via="perf event")


def _opened(event: Event, where: Where) -> Iterator[Descriptor]:
    """The event, for each CPU or thread."""
    fields: dict[str, Value] = dict(event.fields)
    frequency = where.frequency or (0 if where.period or not event.sampled else _FREQUENCY)
    fields |= {"sample_freq": frequency, "freq": 1} if frequency else {"sample_period": where.period or 1}
    if where.pid or where.tid:
        places = [(thread, -1 if where.cpu is None else where.cpu) for thread in _threads(where)]
    else:
        places = [(-1, cpu) for cpu in ([where.cpu] if where.cpu is not None else process.online_cpus())]
    if where.cpu is not None and where.cpu not in process.online_cpus():
        raise _not_running(where.cpu)
    for thread, cpu in places:
        try:
            yield perf.perf_event_open(
                event.type, event.config, pid=thread, cpu=cpu, fields=fields, what=f"open event {where.event}"
            )
        except KernelError as error:
            raise _explained(error, where, cpu) from error


def _threads(where: Where) -> list[int]:
    if where.tid:
        return [where.tid]
    try:
        return sorted(int(each) for each in os.listdir(f"/proc/{where.pid}/task"))
    except OSError:
        raise UsageError(
            f"there is no process {where.pid}", help="it ended, or lives in another pid namespace"
        ) from None


def _explained(error: KernelError, where: Where, cpu: int) -> KernelError | UsageError:
    if error.errno in (errno.ENOENT, errno.EOPNOTSUPP, ENOTSUPP):
        return NotSupported(
            f"event {where.event!r} on this machine", call=error.call, errno=error.errno,
            help="virtual machines often have no hardware counters; cpu-clock is everywhere",
        )  # fmt: skip
    if error.errno == errno.ENODEV:
        return _not_running(cpu)
    if error.errno == errno.ESRCH:
        return UsageError(f"there is no process {where.pid or where.tid}")
    if error.errno == errno.EINVAL and where.frequency:
        return UsageError(
            f"the kernel refuses {where.frequency} Hz for {where.event}",
            help=f"kernel.perf_event_max_sample_rate is {process.sysctl('kernel.perf_event_max_sample_rate')}",
        )
    return error


def _not_running(cpu: int) -> UsageError:
    return UsageError(f"CPU {cpu} does not run", help=f"running: {', '.join(map(str, process.online_cpus()))}")
