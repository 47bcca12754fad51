"""Attaching: one file per kind of hook, one table from hook to file.

May import: what ``kernel`` may.  Invariant: everything attached here ends with its :class:`Link`, and with
the process (nothing is pinned).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from beespace.errors import NotSupported, UsageError
from beespace.kernel.links.link import Attachable, Link, Where

__all__ = ["Attachable", "Link", "Where", "accepted", "attach", "check"]

# A hook's way to attach (Hook.link) -> module and function here, and the fields of Where that it wants to know.
# Modules are imported when the first program of their kind is attached.
_KINDS: dict[str, tuple[str, str, str]] = {
    "tracepoint": ("tracepoint", "attach", "cookie"),
    "raw_tracepoint": ("raw_tracepoint", "attach_raw", "cookie"),
    "btf": ("raw_tracepoint", "attach_btf", "cookie"),
    "iterator": ("iterator", "attach", "pid tid map"),
    "cgroup": ("cgroup", "attach", "cgroup"),
}  # fmt: skip


def _kind(program: Attachable) -> tuple[str, str, str]:
    hook = program.attachment.hook
    found = _KINDS.get(hook.link)
    if found is None:
        raise NotSupported(
            f"attaching program {program.name!r}: programs of hook {hook.name!r} are not attached, but used",
            help="pass program.fileno() on to who uses it, or run it with program.test_run()",
        )
    return found


def accepted(program: Attachable) -> frozenset[str]:
    """Which keywords :func:`attach` takes for ``program``."""
    return frozenset(_kind(program)[2].split())


def check(where: Mapping[str, object]) -> None:
    """:class:`UsageError` names a keyword that is no field of :class:`Where`."""
    known = Where.__match_args__
    for name in where:
        if name not in known:
            raise UsageError(f"no hook can be told {name!r}", help=f"what there is: {', '.join(known)}")


def attach(program: Attachable, where: Mapping[str, object]) -> Link:
    """Attach ``program``; ``where`` holds fields of :class:`Where`.

    :class:`UsageError` names a keyword that the hook has no use for.
    """
    module, name, _ = _kind(program)
    takes = accepted(program)
    check(where)
    for keyword in where:
        if keyword not in takes:
            known = ", ".join(sorted(takes)) or "nothing"
            raise UsageError(
                f"program {program.name!r} at {program.attachment.section!r} has no use for {keyword!r}",
                help=f"it can be told: {known}",
            )
    make: Callable[[Attachable, Where], Link] = getattr(import_module(f"{__name__}.{module}"), name)
    return make(program, Where(**where))  # type: ignore[arg-type]
