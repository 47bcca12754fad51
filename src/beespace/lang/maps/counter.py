"""``Counter``: one number that only grows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from beespace.lang.maps.declaration import Map, kernel_only
from beespace.lang.maps.metrics import Sample
from beespace.schema import IntKind

__all__ = ["Counter"]


class Counter(Map):
    """One number.  Each CPU has its own, so ``+=`` never loses a count and never waits.  Linux 4.6."""

    map_type = 6
    per_cpu = True

    def __init__(self) -> None:
        super().__init__(IntKind("u32", 32), IntKind("u64", 64), 1)

    def __iadd__(self, amount: int) -> Self:
        raise kernel_only("+=")

    def plain(self) -> Any:
        return self.value

    def metrics(self) -> Iterator[Sample]:
        """The number as a Prometheus counter."""
        yield Sample(f"{self.name}_total", {}, self.value)

    @property
    def value(self) -> int:
        """The sum over all CPUs."""
        data: bytes = self.backend.get(bytes(4)) or b""
        return sum(int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8))
