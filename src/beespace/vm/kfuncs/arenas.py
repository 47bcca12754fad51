"""Pages of arenas (Linux 6.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.maps.arena import Arena
from beespace.vm.memory import Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = ["arena_alloc_pages", "arena_free_pages"]


def _arena(run: Run, handle: int) -> Arena:
    map = run.machine.map(handle)
    if not isinstance(map, Arena):
        raise Violation(f"takes map {map.spec.name!r} for an arena")
    return map


def arena_alloc_pages(run: Run, map: int, address: int, count: int, node: int, flags: int) -> int:
    """The address of new pages, or 0."""
    arena = _arena(run, map)
    return 0 if flags else arena.allocate(address, count & 0xFFFFFFFF)


def arena_free_pages(run: Run, map: int, address: int, count: int) -> None:
    """Give pages back."""
    _arena(run, map).free(address, count & 0xFFFFFFFF)
