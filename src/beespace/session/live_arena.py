"""The live arena behind its declaration: where its value stands, and its pool."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from beespace.errors import InternalError
from beespace.kernel.maps import Map
from beespace.kernel.variables import Variable
from beespace.lang import Arena
from beespace.session.live_map import LiveMap, Losses

__all__ = ["LiveArena"]

_PAGE = 4096


class LiveArena(LiveMap):
    """``start`` is the byte at which the arena's value stands."""

    def __init__(
        self, name: str, declared: Arena[Any], live: Map, losses: Losses, index: int, container: Callable[[], Any],
        variables: Mapping[str, Variable],
    ) -> None:  # fmt: skip
        super().__init__(live, losses, index, container)
        self.start = 0
        if declared.value_kind is not None:
            value, pool = (variables.get(name + each) for each in (declared.variable, declared.pool_variable))
            if value is None:
                raise InternalError(f"the value of arena {name!r} is not in its object")
            self.start = value.spec.offset
            if pool is not None and declared.pool:
                self._fill(pool, declared.pool, max(each.spec.offset + each.spec.size for each in (value, pool)))

    def _fill(self, pool: Variable, size: int, end: int) -> None:
        """Give the pool its pages, by touching them: a program's write to a page that is not there is lost.

        Variables stand at the end of the arena where the kernel allows it, else at its beginning.
        """
        first = _PAGE if self.start >= _PAGE + size else -(-end // _PAGE) * _PAGE
        memory = self.container.memory()
        for at in range(first, first + size, _PAGE):
            memory[at] = 0
        begin = self.container.address + first
        pool.write(struct.pack("=QQ", begin, begin + size))
