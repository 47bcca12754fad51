"""Attaching: one file per kind of hook, one table from hook to file.

May import: what ``kernel`` may.  Invariant: everything attached here ends with its :class:`Link`, and with
the process (nothing is pinned).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from beespace.errors import NotSupported, UsageError
from beespace.kernel.links import cgroup, iterator, raw_tracepoint, tracepoint
from beespace.kernel.links.iterator import IteratorLink
from beespace.kernel.links.link import Attachable, Link, Where

__all__ = ["Attachable", "IteratorLink", "Link", "Where", "accepted", "attach", "check"]

_CGROUP = (cgroup.attach, frozenset({"cgroup"}))
# The first part of a hook's name (beespace.hooks) -> how it is attached, and what it wants to know.
_KINDS: dict[str, tuple[Callable[[Attachable, Where], Link], frozenset[str]]] = {
    "tracepoint": (tracepoint.attach, frozenset()),
    "raw_tracepoint": (raw_tracepoint.attach_raw, frozenset()),
    "btf_tracepoint": (raw_tracepoint.attach_btf, frozenset()),
    "iterator": (iterator.attach, frozenset({"pid", "tid", "map"})),
    "cgroup_skb": _CGROUP,
    "cgroup_sock": _CGROUP,
    "cgroup_sock_addr": _CGROUP,
    "cgroup_sockopt": _CGROUP,
    "sockops": _CGROUP,
}


def _kind(program: Attachable) -> tuple[Callable[[Attachable, Where], Link], frozenset[str]]:
    name = program.attachment.hook.name
    found = _KINDS.get(name.partition("/")[0])
    if found is None:
        raise NotSupported(
            f"attaching program {program.name!r}: hook {name!r} cannot be attached by beespace yet",
            help=f"what can be: {', '.join(_KINDS)}",
        )
    return found


def accepted(program: Attachable) -> frozenset[str]:
    """Which keywords :func:`attach` takes for ``program``."""
    return _kind(program)[1]


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
    make, takes = _kind(program)
    check(where)
    for name in where:
        if name not in takes:
            known = ", ".join(sorted(takes)) or "nothing"
            raise UsageError(
                f"program {program.name!r} at {program.attachment.section!r} has no use for {name!r}",
                help=f"it can be told: {known}",
            )
    return make(program, Where(**where))  # type: ignore[arg-type]
