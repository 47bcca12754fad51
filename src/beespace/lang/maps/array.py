"""Arrays: entries by number, all there from the start."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from beespace.lang.maps.keyed import Keyed, PerCpu
from beespace.schema import IntKind

__all__ = ["Array", "PerCpuArray"]

V = TypeVar("V")


class _Indexed(Keyed[int, V]):
    @overload
    def __init__(self, value: type[V], length: int) -> None: ...
    @overload
    def __init__(self, value: V, length: int) -> None: ...
    def __init__(self, value: Any, length: int) -> None:
        super().__init__(key=IntKind("u32", 32), value=value, max_entries=length)  # type: ignore[call-overload]

    def __len__(self) -> int:
        return self.max_entries


class Array(_Indexed[V]):
    """``length`` values, all there from the start, zero.  Linux 3.19."""

    map_type = 2


class PerCpuArray(PerCpu[int, V], _Indexed[V]):
    """``length`` values a CPU; integers are summed when read.  Linux 4.6."""

    map_type = 6
    per_cpu = True
