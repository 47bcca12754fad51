"""``TopK``: the most frequent keys of very many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar, overload

from beespace.lang.maps.declaration import Map, checked_kind, entries, kernel_only, plain
from beespace.lang.maps.metrics import Sample, labels_of
from beespace.record import dataclass
from beespace.schema import IntKind
from beespace.schema.codec import unpack

__all__ = ["Top", "TopK"]

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Top:
    """A key that was counted from ``count`` to ``at_most`` times."""

    key: Any
    count: int
    at_most: int


class TopK(Map, Generic[K]):
    """The ``k`` keys with the most, in a table of fixed size.  In the kernel ``self.top[key] += n``.  Linux 4.10.

    The table (LRU_HASH of ``max_entries``) forgets keys that were not seen for long, with their counts; what was added
    altogether is counted exactly beside it.  So each count is what was added at least, and at most ``error`` more; with
    fewer keys than the table has room for, ``error`` is 0 and all counts are exact.
    """

    map_type = 9  # BPF_MAP_TYPE_LRU_HASH

    @overload
    def __init__(self, key: type[K], *, k: int = ..., max_entries: int = ...) -> None: ...
    @overload
    def __init__(self, key: K, *, k: int = ..., max_entries: int = ...) -> None: ...
    def __init__(self, key: Any, *, k: int = 10, max_entries: int = 10_240) -> None:
        super().__init__(checked_kind(key, "key"), IntKind("u64", 64), entries(max_entries))
        if not 0 < k <= max_entries:
            raise TypeError(f"k is 1 to {max_entries}, not {k!r}")
        self.k = k

    def __getitem__(self, key: K) -> int:
        """Kernel only: what ``+=`` adds to."""
        raise kernel_only("[key] +=")

    def __setitem__(self, key: K, value: int) -> None:
        raise kernel_only("[key] +=")

    def top(self, k: int | None = None) -> list[Top]:
        """The ``k`` keys with the highest counts, the highest first."""
        counts = self._counts()
        error = max(0, self.total - sum(counts.values()))
        first = sorted(counts.items(), key=lambda item: -item[1])[: self.k if k is None else k]
        return [Top(key, count, count + error) for key, count in first]

    @property
    def total(self) -> int:
        """What was added altogether, to all keys."""
        data: bytes = self.backend.companion("total").get(bytes(4)) or b""
        return sum(memoryview(data).cast("Q"))

    @property
    def error(self) -> int:
        """What was added to keys that are forgotten: no count is short by more."""
        return max(0, self.total - sum(self._counts().values()))

    def _counts(self) -> dict[Any, int]:
        assert self.key is not None
        return {unpack(self.key, key): int.from_bytes(value, "little") for key, value in self.backend.items()}

    def render(self) -> str:
        """The picture that :meth:`show` prints."""
        rows = self.top()
        width = max((len(str(row.key)) for row in rows), default=0)
        error = rows[0].at_most - rows[0].count if rows else 0
        lines = [f"{row.key!s:<{width}} {row.count:>12,}" for row in rows]
        off = f", each up to {error:,} more" if error else ""
        return "\n".join([f"{self.name}:", *lines, f"{self.total:,} altogether{off}"])

    def show(self) -> None:
        """Print the keys with the most, and how far the counts may be off."""
        print(self.render())

    def plain(self) -> Any:
        rows = self.top()
        return {
            "total": self.total,
            "error": rows[0].at_most - rows[0].count if rows else 0,
            "top": [[plain(row.key), row.count] for row in rows],
        }

    def metrics(self) -> Iterator[Sample]:
        """A sample for each of the first ``k``, and the total."""
        for row in self.top():
            yield Sample(self.name, labels_of(row.key), row.count)
        yield Sample(f"{self.name}_total", {}, self.total)
