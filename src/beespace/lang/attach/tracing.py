"""Decorators of the kernel's own code: tracepoints, functions, security hooks, iterators, counters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from beespace.hooks import Attachment, by_name
from beespace.lang.attach.mark import SECTION, Decorator, Variant, bare, marked_once, plain, sleeping, targeted

__all__ = [
    "btf_tracepoint", "fentry", "fexit", "fmod_ret", "freplace", "fsession", "function", "iterator", "kprobe",
    "kprobe_multi", "kprobe_session", "kretprobe", "kretprobe_multi", "kretsyscall", "ksyscall", "lsm", "lsm_cgroup",
    "perf_event", "raw_tracepoint", "syscall", "tracepoint",
]  # fmt: skip

_F = TypeVar("_F", bound=Callable[..., Any])


def function(method: _F) -> _F:
    """A sub-program: kernel code that the decorated methods of the same program call as ``self.name(...)``."""
    marked_once(method)
    setattr(method, SECTION, "")
    return method


# --- tracepoints ---------------------------------------------------------------------------------


def tracepoint(event: str, *, optional: bool | str = False, sleepable: bool = False) -> Decorator:
    """Run on a static tracepoint, ``"category:event"``; ``ctx`` has the event's fields.  Linux 4.7.

    ``optional`` (of every hook that has it): on a kernel without that hook the program is left out, and
    :attr:`Program.notes <beespace.Program.notes>` say so; otherwise it is an error.  A text says what
    is different without it, and stands in that note.
    """
    category, colon, name = event.partition(":")
    if not colon or not category or not name:
        raise TypeError(f'@tracepoint takes "category:event", as in "sched:sched_process_exec"; got {event!r}')
    return targeted(sleeping("tracepoint", sleepable), f"{category}/{name}", optional=optional)


def raw_tracepoint(event: str, *, writable: bool = False, optional: bool | str = False) -> Decorator:
    """Run on a tracepoint with its own arguments; pointers are read safely.  Linux 4.17.

    ``writable``: for tracepoints with an argument that programs may write to (5.2).
    """
    return targeted("raw_tracepoint.w" if writable else "raw_tracepoint", event, optional=optional)


def btf_tracepoint(event: str, *, optional: bool | str = False, sleepable: bool = False) -> Decorator:
    """Run on a tracepoint with its own arguments as typed kernel pointers.  Linux 5.5."""
    return targeted(sleeping("btf_tracepoint", sleepable), event, optional=optional)


# --- kernel functions ----------------------------------------------------------------------------


def kprobe(function: str, *, offset: int = 0, optional: bool | str = False) -> Decorator:
    """Run at the entry of a kernel function, or ``offset`` bytes into it.  Linux 4.1, CONFIG_KPROBES.

    Arguments by name or position, typed by the function's prototype; pointers are read safely.
    """
    place = f"{function}+{offset:#x}" if offset else function
    return targeted("kprobe", place, optional=optional)


def kretprobe(function: str, *, optional: bool | str = False) -> Decorator:
    """Run when a kernel function returns; its result is ``ctx.result`` or a parameter ``result``.  Linux 4.1."""
    return targeted("kretprobe", function, optional=optional)


def kprobe_multi(functions: str, *, optional: bool | str = False) -> Decorator:
    """Run at the entry of every kernel function that a glob such as ``"vfs_*"`` names.  Linux 5.18."""
    return targeted("kprobe.multi", functions, optional=optional)


def kretprobe_multi(functions: str, *, optional: bool | str = False) -> Decorator:
    """Run when any of the functions that a glob names returns.  Linux 5.18."""
    return targeted("kretprobe.multi", functions, optional=optional)


def kprobe_session(functions: str, *, optional: bool | str = False) -> Decorator:
    """Run at entry and, if it returned 0 there, at return of many kernel functions.  Linux 6.10."""
    return targeted("kprobe.session", functions, optional=optional)


def ksyscall(name: str, *, optional: bool | str = False) -> Decorator:
    """Run at the entry of a system call: ``"openat"``; arguments by name.  Linux 4.17, CONFIG_KPROBES."""
    return targeted("ksyscall", name, optional=optional)


def kretsyscall(name: str, *, optional: bool | str = False) -> Decorator:
    """Run when a system call returns; ``ctx.result`` is an i64, negative error numbers included.  Linux 4.17."""
    return targeted("kretsyscall", name, optional=optional)


def fentry(function: str, *, sleepable: bool = False, optional: bool | str = False) -> Decorator:
    """Run at the entry of a kernel function, with its arguments as typed, trusted pointers.  Linux 5.5."""
    return targeted(sleeping("fentry", sleepable), function, optional=optional)


def fexit(function: str, *, sleepable: bool = False, optional: bool | str = False) -> Decorator:
    """Run when a function returns: its arguments, and its result as ``ctx.result`` or last parameter.  Linux 5.5."""
    return targeted(sleeping("fexit", sleepable), function, optional=optional)


def fmod_ret(function: str, *, sleepable: bool = False, optional: bool | str = False) -> Decorator:
    """Run before a function that allows it; what is returned but 0 is its result, and it does not run.  Linux 5.7."""
    return targeted(sleeping("fmod_ret", sleepable), function, optional=optional)


def fsession(function: str, *, sleepable: bool = False, optional: bool | str = False) -> Decorator:
    """Run at entry and return of a function.  Linux 7.0."""
    return targeted(sleeping("fsession", sleepable), function, optional=optional)


def freplace(function: str, *, context: str = "") -> Decorator:
    """Run in place of a global function of another BPF program, with its parameters; returns an i32.  Linux 5.6.

    A parameter ``ctx`` is the context of the other program, whose hook ``context`` names (``"xdp"``); the others are
    integers, as annotated.  Which program is said at the start: ``probe.start(program=loaded)``.
    """
    if context:
        by_name(context)
    return Decorator(Variant(Attachment(by_name("freplace"), function).section, context=context))


# --- security, objects, counters -----------------------------------------------------------------


def lsm(hook: str, *, sleepable: bool = False, optional: bool | str = False) -> Decorator:
    """Run at a security hook, as ``"file_open"``: 0 allows, a negative error number forbids.  Linux 5.7."""
    return targeted(sleeping("lsm", sleepable), hook, optional=optional)


def lsm_cgroup(hook: str, *, optional: bool | str = False) -> Decorator:
    """Run at a security hook for the processes of one cgroup: True allows, False forbids (EPERM).  Linux 6.0."""
    return targeted("lsm_cgroup", hook, optional=optional)


def iterator(target: str, *, sleepable: bool = False, map: str = "", optional: bool | str = False) -> Decorator:
    """Run once for each kernel object of a kind: ``task``, ``task_file``, ``tcp``, ``bpf_map``, ...  Linux 5.8.

    ``map`` is the attribute whose entries ``bpf_map_elem`` (and its kin) walk.  ``probe.iterate("method")`` runs it.
    """
    return targeted(sleeping("iterator", sleepable), target, optional=optional, map=map)


def perf_event(event: str = "", *, frequency: int = 0, period: int = 0, cpu: int | None = None) -> Decorator:
    """Run on each overflow of a performance counter: ``"cpu-clock"``, ``"cycles"``, ``"page-faults"``.  Linux 4.9.

    ``frequency`` in Hz, or ``period`` in events.  Without ``event`` the start says it.
    """
    return plain("perf_event", event=event, frequency=frequency or None, period=period or None, cpu=cpu)


@overload
def syscall(method: _F, /) -> _F: ...
@overload
def syscall() -> Decorator: ...
def syscall(method: Any = None, /) -> Any:
    """Run when ``probe.test_run("method")`` asks for it, in the calling process; may make bpf(2) calls.  Linux 5.14."""
    return bare(plain("syscall"), method)
