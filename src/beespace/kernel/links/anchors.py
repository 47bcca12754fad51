"""A place among programs that are there: before or after one of them, or all (tcx, netkit, cgroups)."""

from __future__ import annotations

from beespace.errors import UsageError
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.syscall import bpf

__all__ = ["anchor", "is_anchored"]

# include/uapi/linux/bpf.h
_BEFORE, _AFTER, _LINK = 1 << 3, 1 << 4, 1 << 13


def is_anchored(where: Where) -> bool:
    """Whether ``where`` says something about the place that only a list of programs can answer."""
    return where.before is not None or where.after is not None or bool(where.revision)


def anchor(program: Attachable, where: Where) -> tuple[int, bpf.Anchor | None]:
    """Flags and anchor of ``BPF_LINK_CREATE`` for ``where.before`` and ``where.after``; 0 and ``None`` if neither."""
    if where.before is not None and where.after is not None:
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r} cannot stand before= one and after= another",
            help="give one of them; what is attached before one stands behind all that were before that",
        )
    flags, neighbour = (_BEFORE, where.before) if where.before is not None else (_AFTER, where.after)
    if neighbour is None:
        return 0, bpf.Anchor(expected_revision=where.revision) if where.revision else None
    if isinstance(neighbour, bool):
        if not neighbour:
            raise UsageError("before=False and after=False say nothing", help="leave it out; True means all there are")
        return flags, bpf.Anchor(expected_revision=where.revision)
    if isinstance(neighbour, Link):
        flags |= _LINK
    return flags, bpf.Anchor(relative_fd=neighbour, expected_revision=where.revision)
