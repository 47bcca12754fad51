"""``ProgramArray``: programs to go on with (tail calls)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beespace.lang.maps.declaration import Map, entries, kernel_only
from beespace.schema import IntKind

__all__ = ["ProgramArray"]


class ProgramArray(Map):
    """Programs by index, which others of the same kind jump to.  Linux 4.2.

    ``programs`` names methods of the same class, by index, which are put in when the object is loaded.  Outside,
    ``probe.calls[1] = probe.program("name")`` or any loaded program replaces one and ``del probe.calls[1]`` empties
    its place.  The kernel follows at most 33 jumps.
    """

    map_type = 3  # BPF_MAP_TYPE_PROG_ARRAY

    def __init__(self, length: int, programs: Mapping[int, str] | None = None) -> None:
        super().__init__(IntKind("u32", 32), IntKind("u32", 32), entries(length))
        self.programs = dict(programs or {})
        for index in self.programs:
            if not 0 <= index < length:
                raise TypeError(f"a ProgramArray of {length} has no place {index}")

    def jump(self, ctx: Any, index: int) -> None:
        """Kernel only: go on in the program at ``index``; comes back only if there is none."""
        raise kernel_only("jump")

    def __setitem__(self, index: int, program: Any) -> None:
        self.backend.container[index] = program

    def __delitem__(self, index: int) -> None:
        del self.backend.container[index]

    def __getitem__(self, index: int) -> int:
        """The id of the program at ``index``; :class:`KeyError` if the place is empty."""
        return int(self.backend.container[index])

    def __contains__(self, index: object) -> bool:
        return index in self.backend.container

    def __len__(self) -> int:
        """How many places there are."""
        return self.max_entries

    def items(self) -> Any:
        """Index and program id of every place that is filled."""
        return self.backend.container.items()

    def __iter__(self) -> Any:
        return iter(self.backend.container)
