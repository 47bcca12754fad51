"""``ProgramArray``: programs to go on with (tail calls)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beespace.lang.maps.declaration import kernel_only
from beespace.lang.maps.slots import Slots

__all__ = ["ProgramArray"]


class ProgramArray(Slots):
    """Programs by index, which others of the same kind jump to.  Linux 4.2.

    ``programs`` names methods of the same class, by index, which are put in when the object is loaded.  Outside, a
    method's name or any loaded program goes in (``probe.calls[1] = "on_b"``) and ``del probe.calls[1]`` empties its
    place; reading gives the program's id.  The kernel follows at most 33 jumps.
    """

    map_type = 3  # BPF_MAP_TYPE_PROG_ARRAY

    def __init__(self, length: int, programs: Mapping[int, str] | None = None) -> None:
        super().__init__(length)
        self.programs = dict(programs or {})
        for index in self.programs:
            if not 0 <= index < length:
                raise TypeError(f"a ProgramArray of {length} has no place {index}")

    def jump(self, ctx: Any, index: int) -> None:
        """Kernel only: go on in the program at ``index``; comes back only if there is none."""
        raise kernel_only("jump")

    def __setitem__(self, index: int, program: Any) -> None:
        super().__setitem__(index, self.backend.program(program) if isinstance(program, str) else program)
