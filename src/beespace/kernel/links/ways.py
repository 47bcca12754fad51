"""Several ways to attach one program: the first that this kernel has is taken, and the link tells of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from beespace.errors import NotSupported, UsageError
from beespace.kernel.links.link import Attachable, Link

__all__ = ["first_way"]


def first_way(program: Attachable, ways: Mapping[str, Callable[[], Link]], via: str | None = None) -> Link:
    """Attach by the first of ``ways`` that does not say :class:`NotSupported`; with ``via`` by that one alone.

    Any other error of a way is the caller's: it would not go away by trying another one.
    """
    if via is not None and via not in ways:
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r} cannot be attached by {via!r}",
            help=f"the ways: {', '.join(ways)}",
        )
    tried: list[str] = []
    missing: list[NotSupported] = []
    for name, attach in ways.items():
        if via not in (None, name):
            continue
        try:
            link = attach()
        except NotSupported as error:
            tried.append(f"not by {name}: {error.message}")
            missing.append(error)
            continue
        link.via = link.via or name
        link.tried = (*tried, *link.tried)
        return link
    first, last = missing[0], missing[-1]
    if first is last:
        raise first
    raise NotSupported(
        f"attaching program {program.name!r} to {program.attachment.section!r} ({'; '.join(tried)})",
        since=first.since,
        call=last.call,
        errno=last.errno,
        help=last.help or first.help,
    )
