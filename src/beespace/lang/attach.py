"""Decorators: which methods of a program run in the kernel, and where they attach.

A decorated method is compiled, never called by Python.  It stays the plain function that it was,
with its section name in ``__beespace_section__`` (``""`` for a sub-program).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from beespace.hooks import HOOKS, Attachment, by_name

_F = TypeVar("_F", bound=Callable[..., Any])

SECTION = "__beespace_section__"
OPTIONAL = "__beespace_optional__"


def _mark(section: str) -> Callable[[_F], _F]:
    def decorate(method: _F) -> _F:
        setattr(method, SECTION, section)
        return method

    return decorate


def _targeted(hook: str, target: str) -> Callable[[_F], _F]:
    if not isinstance(target, str) or not target:
        raise TypeError(f"@{hook} takes the name of what it attaches to, as a text; got {target!r}")
    return _mark(Attachment(by_name(hook), target).section)


def _variant(decorator: str, variant: str) -> Callable[[_F], _F]:
    known = [hook.name.partition("/")[2] for hook in HOOKS if hook.name.startswith(decorator + "/")]
    if variant not in known:
        raise TypeError(f"@{decorator} takes one of {', '.join(known)}; got {variant!r}")
    return _mark(by_name(f"{decorator}/{variant}").section)


def tracepoint(event: str) -> Callable[[_F], _F]:
    """Run on a static tracepoint, ``"category:event"``; ``ctx`` has the event's fields.  Linux 4.7."""
    category, colon, name = event.partition(":")
    if not colon or not category or not name:
        raise TypeError(f'@tracepoint takes "category:event", as in "sched:sched_process_exec"; got {event!r}')
    return _targeted("tracepoint", f"{category}/{name}")


def raw_tracepoint(event: str) -> Callable[[_F], _F]:
    """Run on a tracepoint with its own arguments; pointers are read safely.  Linux 4.17."""
    return _targeted("raw_tracepoint", event)


def btf_tracepoint(event: str, *, optional: bool | str = False) -> Callable[[_F], _F]:
    """Run on a tracepoint with its own arguments as typed kernel pointers.  Linux 5.5.

    ``optional``: on a kernel without that tracepoint the program is left out, and
    :attr:`Program.notes <beespace.Program.notes>` say so; otherwise it is an error.  A text says what
    is different without it, and stands in that note.
    """
    mark = _targeted("btf_tracepoint", event)

    def decorate(method: _F) -> _F:
        if optional:
            setattr(method, OPTIONAL, "" if optional is True else optional)
        return mark(method)

    return decorate


def iterator(target: str) -> Callable[[_F], _F]:
    """Run once for each kernel object of a kind: ``task``, ``task_file``, ...  Linux 5.8."""
    return _targeted("iterator", target)


def cgroup_skb(direction: str) -> Callable[[_F], _F]:
    """Run on each packet of the cgroup's sockets, ``"ingress"`` or ``"egress"``.  Linux 4.10."""
    return _variant("cgroup_skb", direction)


def cgroup_sock(moment: str) -> Callable[[_F], _F]:
    """Run when a socket is made, bound or closed: ``"create"``, ``"post_bind4"``, ``"release"``, ...  Linux 4.10."""
    return _variant("cgroup_sock", moment)


def cgroup_sock_addr(call: str) -> Callable[[_F], _F]:
    """Run on ``"connect4"``, ``"bind6"``, ``"sendmsg4"``, ... of the cgroup's processes.  Linux 4.17."""
    return _variant("cgroup_sock_addr", call)


def sockops(method: _F) -> _F:
    """Run at the turning points of TCP connections.  Linux 4.13."""
    return _mark(by_name("sockops").section)(method)


def function(method: _F) -> _F:
    """A sub-program: kernel code that the decorated methods of the same program call as ``self.name(...)``."""
    return _mark("")(method)
