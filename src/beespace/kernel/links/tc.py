"""Packets that come in at an interface or leave by it: tcx, and tc filters on kernels without it."""

from __future__ import annotations

from collections.abc import Callable

from beespace.errors import UsageError
from beespace.kernel.links.anchors import is_anchored
from beespace.kernel.links.clsact import attach_filter
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.kernel.links.network import chosen, port
from beespace.kernel.links.tcx import attach_tcx
from beespace.kernel.links.ways import first_way

__all__ = ["attach"]

_TCX = {"ingress": 46, "egress": 47}  # BPF_TCX_INGRESS, BPF_TCX_EGRESS
_DIRECTIONS = {attach_type: direction for direction, attach_type in _TCX.items()}


def attach(program: Attachable, where: Where) -> Link:
    """Attach to ``where.interface``: by tcx, else by a tc filter, as the kernel has it.

    The direction is that of the section, or ``where.direction``.  A priority or a handle asks for a tc filter; a place
    before or after others, or a revision, asks for tcx.
    """
    direction = _DIRECTIONS.get(program.attachment.hook.attach_type) or where.direction
    attach_type = chosen("direction", direction, _TCX, program)
    is_filter = where.priority is not None or where.handle is not None
    if is_filter and is_anchored(where):
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r}: priority= and handle= order tc filters, "
            f"before=, after= and revision= order tcx",
            help="give one or the other",
        )
    direction = _DIRECTIONS[attach_type]
    with port(program, where) as at:
        ways: dict[str, Callable[[], Link]] = {
            "tcx": lambda: attach_tcx(program, at, attach_type, where),
            "tc": lambda: attach_filter(program, at, direction, where),
        }
        if is_filter:
            del ways["tcx"]
        if is_anchored(where):
            del ways["tc"]
        link = first_way(program, ways, where.via)
        link.at = link.at or f"{at.name} {direction}"
        return link
