"""The record of a tracepoint: the struct that its context points to.

An event has a struct of its own, ``trace_event_raw_<event>``, or shares one with the other events of its class
(``DECLARE_EVENT_CLASS`` in include/linux/tracepoint.h).  Type information does not say which class an event is of,
but a class's record is filled by a function that takes the event's own arguments.
"""

from __future__ import annotations

from beespace import btf as kernel

__all__ = ["event_of", "records_of"]

_RECORD = "trace_event_raw_"
_FILLING = "event_"  # trace_event_raw_event_<class>(), which include/trace/trace_events.h defines
_EVENT = "btf_trace_"


def event_of(target: str) -> str:
    """The event of a tracepoint ``category/event``; all system calls share two."""
    event = target.rpartition("/")[2]
    if target.startswith("syscalls/sys_"):
        return "sys_enter" if event.startswith("sys_enter_") else "sys_exit"
    return event


def records_of(btf: kernel.Btf, event: str) -> list[str]:
    """The structs that the event's record can be: none, one, or several classes with the same arguments."""
    own = _RECORD + event
    if btf.find_all(own, kernel.Kind.STRUCT):
        return [own]
    # A search for names that are not there reads all names, so the sets are read once each.
    events = {name.removeprefix(_EVENT): number for name, number in btf.with_prefix(_EVENT, kernel.Kind.TYPEDEF)}
    if event not in events:
        return []
    found = btf.with_prefix(_RECORD, kernel.Kind.STRUCT, kernel.Kind.FUNC)
    numbers = {name.removeprefix(_RECORD): number for name, number in found}
    wanted = _arguments(btf, events[event])
    known = [
        _RECORD + group
        for group in numbers
        if group not in events  # the record of an event of that name alone
        and _FILLING + group in numbers
        and _arguments(btf, numbers[_FILLING + group]) == wanted
    ]
    named_after = [name for name in known if name.startswith(f"{own}_")]  # sched_wakeup: sched_wakeup_template
    return named_after if len(named_after) == 1 else known


def _arguments(btf: kernel.Btf, function: int) -> list[str]:
    return [btf.describe(parameter.type) for parameter in btf.prototype(function).parameters[1:]]
