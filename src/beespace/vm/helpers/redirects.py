"""Helpers that say where a packet goes: the result is what the program returns then; nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.isa.constants import ProgramType
from beespace.vm.maps.redirect import Redirect
from beespace.vm.memory import Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = ["redirect", "redirect_map", "redirect_neigh", "redirect_peer"]

_INGRESS = 1  # BPF_F_INGRESS
_XDP_ABORTED, _XDP_REDIRECT = 0, 4
_SHOT, _REDIRECT = 2, 7  # TC_ACT_SHOT, TC_ACT_REDIRECT
_ACTION, _FLAGS = 3, 0x1B  # BPF_F_ACTION_MASK, and with BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS


def redirect(run: Run, interface: int, flags: int) -> int:
    """Send it to an interface."""
    if run.kind == ProgramType.XDP:
        return _XDP_ABORTED if flags else _XDP_REDIRECT
    return _SHOT if flags & ~_INGRESS else _REDIRECT


def redirect_peer(run: Run, interface: int, flags: int) -> int:
    """Send it to the other end of a pair of interfaces.  Linux 5.10."""
    return _SHOT if flags else _REDIRECT


def redirect_neigh(run: Run, interface: int, parameters: int, size: int, flags: int) -> int:
    """Send it to a neighbour.  Linux 5.10."""
    wrong = size and size & 0xFFFFFFFF < 20  # sizeof(struct bpf_redir_neigh)
    return _SHOT if flags or wrong else _REDIRECT


def redirect_map(run: Run, map: int, key: int, flags: int) -> int:
    """Send it to a place in a map; where there is none, the lower bits of ``flags`` are the result.  Linux 4.14."""
    which = run.machine.map(map)
    if not isinstance(which, Redirect):
        raise Violation(f"takes map {which.spec.name!r} for one of places")
    if flags & ~_FLAGS:
        return _XDP_ABORTED
    if which.holds((key & 0xFFFFFFFF).to_bytes(4, "little")):
        return _XDP_REDIRECT
    return flags & _ACTION
