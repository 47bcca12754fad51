"""Attaching: one file per kind of hook, one table from hook to file.

May import: what ``kernel`` may.  Invariant: everything attached here ends with its :class:`Link`, and with
the process, unless it is pinned (:meth:`Link.pin`) or the kernel has no link of that kind (:attr:`Link.stays`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from beespace.errors import UsageError
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from beespace.kernel.links.attached import query
    from beespace.kernel.links.pinned import open_pinned
    from beespace.kernel.links.walk import all_links, all_maps, all_programs

__all__ = [
    "Attachable", "Link", "Where", "accepted", "all_links", "all_maps", "all_programs", "attach", "check",
    "open_pinned", "query",
]  # fmt: skip

# What is imported when somebody asks for it.
_LATER = {
    "query": "attached", "open_pinned": "pinned", "all_links": "walk", "all_maps": "walk", "all_programs": "walk",
}  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


# A hook's way to attach (Hook.link) -> module and function here, and the fields of Where that it wants to know.
# Modules are imported when the first program of their kind is attached.
_KINDS: dict[str, tuple[str, str, str]] = {
    "tracepoint": ("tracepoint", "attach", "event cookie"),
    "raw_tracepoint": ("raw_tracepoint", "attach", "event cookie"),
    "btf": ("tracing", "attach", "cookie"),
    "freplace": ("tracing", "attach_replacement", "program function cookie"),
    "tracing_multi": ("tracing_multi", "attach", "function functions cookie cookies"),
    "kprobe": ("kprobe", "attach", "function functions offset cookie via"),
    "kprobe_multi": ("kprobe_multi", "attach", "function functions cookie cookies via"),
    "ksyscall": ("ksyscall", "attach", "function cookie via"),
    "uprobe": ("uprobe", "attach", "binary symbol offset pid cookie via"),
    "uprobe_multi": ("uprobe_multi", "attach", "binary symbol symbols pid cookie cookies via"),
    "usdt": ("usdt", "attach", "binary usdt pid cookie via"),
    "perf_event": ("perf_event", "attach", "event frequency period pid tid cpu cookie"),
    "iterator": ("iterator", "attach", "pid tid map cgroup order"),
    "cgroup": ("cgroup", "attach", "cgroup before after revision replace sharing preorder via"),
    "cgroup_skb": ("cgroup", "attach", "cgroup direction before after revision replace sharing preorder via"),
    "xdp": ("xdp", "attach", "interface netns mode replace via"),
    "tc": ("tc", "attach", "interface netns direction before after revision priority handle via"),
    "tcx": ("tc", "attach", "interface netns before after revision priority handle via"),
    "netkit": ("netkit", "attach", "interface netns before after revision"),
    "netns": ("netns", "attach", "netns via"),
    "netfilter": ("netfilter", "attach", "netns family netfilter_hook priority defragment"),
    "sockmap": ("sockmap", "attach", "map via"),
    "socket": ("socket_option", "attach_filter", "socket"),
    "reuseport": ("socket_option", "attach_reuseport", "socket"),
    "lirc": ("lirc", "attach", "device"),
    "lwt": ("lwt", "attach", "route interface netns"),
}  # fmt: skip


def _kind(program: Attachable) -> tuple[str, str, str]:
    hook = program.attachment.hook
    found = _KINDS.get(hook.link)
    if found is None:
        from beespace.kernel.links.uses import use_of

        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r} is not attached, but used", help=use_of(hook)
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
