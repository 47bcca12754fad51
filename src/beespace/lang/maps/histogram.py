"""``Histogram`` and ``LinearHistogram``: how values are distributed, counted in the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar, overload

from beespace.lang.maps.declaration import BPF_F_NO_PREALLOC, Map, checked_kind, entries, kernel_only, plain
from beespace.lang.maps.distribution import Bucket, Distribution
from beespace.lang.maps.metrics import Sample, labels_of
from beespace.schema import ArrayKind, IntKind, Struct
from beespace.schema.codec import pack, unpack

__all__ = ["Histogram", "HistogramEntry", "LinearHistogram"]

K = TypeVar("K")
_U64 = IntKind("u64", 64)
_ARRAY, _HASH = 6, 1  # BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_HASH


class HistogramEntry(Distribution):
    """What a histogram holds for one key.  In the kernel only :meth:`add` works."""

    def add(self, value: int) -> None:
        """Kernel only: count one value."""
        raise kernel_only("add")


class Histogram(Map, Generic[K]):
    """Values counted by powers of two: how many are 0, 1, 2 to 3, 4 to 7, ...  Exact sum and number, too.

    In the kernel: ``self.latency.add(value)``, or with ``key=`` ``self.latency[key].add(value)``.  Without a key each
    CPU counts for itself (PERCPU_ARRAY, Linux 4.6); with one, all CPUs add to one entry (HASH, Linux 3.19), and a key
    that finds no room is counted in ``lost``.  ``unit`` stands in pictures and metrics.
    """

    map_type = _ARRAY  # of one without keys; see kernel_type

    @overload
    def __init__(self: Histogram[None], *, key: None = None, max_entries: int = ..., unit: str = ...) -> None: ...
    @overload
    def __init__(self, *, key: type[K], max_entries: int = ..., unit: str = ...) -> None: ...
    @overload
    def __init__(self, *, key: K, max_entries: int = ..., unit: str = ...) -> None: ...
    def __init__(self, *, key: Any = None, max_entries: int = 1024, unit: str = "") -> None:
        self._declare(65, key, max_entries, unit)

    def _declare(self, buckets: int, key: Any, max_entries: int, unit: str) -> None:
        slots = type(
            f"histogram{buckets}",
            (Struct,),
            {"__annotations__": {"sum": _U64, "slots": ArrayKind(_U64, buckets)}, "__module__": __name__},
        )
        self.keyed = key is not None
        kind = checked_kind(key, "key") if key is not None else IntKind("u32", 32)
        Map.__init__(self, kind, slots, entries(max_entries) if self.keyed else 1)
        self.flags = BPF_F_NO_PREALLOC if self.keyed else 0
        self.unit = unit

    @property
    def kernel_type(self) -> int:
        """``enum bpf_map_type``."""
        return _HASH if self.keyed else _ARRAY

    def edges(self) -> list[tuple[int | None, int | None]]:
        """The values that each bucket counts, from and below; None: all that are less, or more."""
        return [(0, 1), *((1 << power, 2 << power) for power in range(64))]

    # --- in the kernel ---

    def add(self, value: int) -> None:
        """Kernel only: count one value (a u64)."""
        raise kernel_only("add")

    def __getitem__(self, key: K) -> HistogramEntry:
        """What was counted for ``key``: a :class:`~beespace.lang.maps.distribution.Distribution`.

        Outside, :class:`KeyError` if nothing was.
        """
        data = self.backend.get(self._pack(key))
        if data is None:
            raise KeyError(key)
        return self._entry(data)

    # --- outside ---

    def _pack(self, key: Any) -> bytes:
        assert self.key is not None
        return pack(self.key, key)

    def _entry(self, data: bytes) -> HistogramEntry:
        words = memoryview(data).cast("Q")
        size = self.value_size // 8
        sums = [sum(words[at::size]) for at in range(size)]  # of all CPUs
        buckets = [Bucket(low, high, count) for (low, high), count in zip(self.edges(), sums[1:], strict=True)]
        return HistogramEntry(buckets, sums[0] & 0xFFFF_FFFF_FFFF_FFFF, self.unit)

    def _only(self) -> HistogramEntry:
        if self.keyed:
            raise TypeError(f"histogram {self.name} has keys: take `[key]` or `.items()`")
        return self._entry(self.backend.get(bytes(4)))

    def items(self) -> Iterator[tuple[K, HistogramEntry]]:
        """Every key with what was counted for it."""
        if not self.keyed:
            raise TypeError(f"histogram {self.name} has no keys")
        for key, data in self.backend.items():
            yield unpack(self.key, key), self._entry(data)  # type: ignore[arg-type]

    def keys(self) -> Iterator[K]:
        """Every key."""
        for key, _ in self.items():
            yield key

    def __iter__(self) -> Iterator[K]:
        return self.keys()

    def __contains__(self, key: object) -> bool:
        return self.keyed and self.backend.get(self._pack(key)) is not None

    @property
    def buckets(self) -> list[Bucket]:
        """Every bucket, also the empty ones."""
        return self._only().buckets

    @property
    def total(self) -> int:
        """How many values were counted."""
        return self._only().total

    @property
    def sum(self) -> int:
        """The sum of all values, modulo 2**64."""
        return self._only().sum

    @property
    def mean(self) -> float | None:
        """The mean of all values; None if there were none."""
        return self._only().mean

    def percentile(self, percent: float) -> float | None:
        """The value that ``percent`` of all are at most, as near as the buckets tell; None if there were none."""
        return self._only().percentile(percent)

    @property
    def lost(self) -> int:
        """Values whose key found no room."""
        return int(self.backend.lost())

    def clear(self) -> None:
        """Forget everything that was counted; what is counted in this moment may be forgotten with it."""
        if self.keyed:
            for key in list(self.backend.keys()):
                self.backend.delete(key)
        else:
            self.backend.update(bytes(4), bytes(self.value_size))

    def entries(self) -> list[tuple[Any, HistogramEntry]]:
        """All that was counted, by key, the most counted last; without keys one entry, of None."""
        if not self.keyed:
            return [(None, self._only())]
        return sorted(self.items(), key=lambda item: item[1].total)

    def render(self) -> str:
        """The picture that :meth:`show` prints."""
        parts = []
        for key, entry in self.entries():
            title = f"{self.name}" if key is None else f"{self.name}[{key}]"
            parts.append(f"{title}:\n{entry.render()}")
        return "\n\n".join(parts)

    def show(self) -> None:
        """Print a picture, one for each key."""
        print(self.render())

    def plain(self) -> Any:
        """The content as numbers, texts, lists and dicts."""
        if not self.keyed:
            return self._only().plain()
        return [{"key": plain(key), **entry.plain()} for key, entry in self.entries()]

    def metrics(self) -> Iterator[Sample]:
        """Samples of a Prometheus histogram: cumulative ``_bucket`` with ``le``, ``_sum`` and ``_count``."""
        for key, entry in self.entries():
            yield from entry.metrics(self.name, {} if key is None else labels_of(key))


class LinearHistogram(Histogram[K]):
    """Values counted in equal steps from ``low`` to below ``high``, and those outside on either side.

    In the kernel as :class:`Histogram`.  ``low`` may be negative; values are then i64.
    """

    @overload
    def __init__(
        self: LinearHistogram[None], low: int, high: int, step: int, *, key: None = None, max_entries: int = ...,
        unit: str = ...,
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self, low: int, high: int, step: int, *, key: type[K], max_entries: int = ..., unit: str = ...
    ) -> None: ...
    @overload
    def __init__(self, low: int, high: int, step: int, *, key: K, max_entries: int = ..., unit: str = ...) -> None: ...
    def __init__(
        self, low: int, high: int, step: int, *, key: Any = None, max_entries: int = 1024, unit: str = ""
    ) -> None:
        if step <= 0 or high <= low or not low >= -(1 << 63) or high >= 1 << 63:
            raise TypeError(f"a histogram from {low} to {high} cannot have steps of {step}")
        self.low, self.high, self.step = low, high, step
        count = -(-(high - low) // step)
        if count > 1000:
            raise TypeError(f"{count} buckets are too many: at most 1000; make the step larger")
        self._declare(count + 2, key, max_entries, unit)

    def edges(self) -> list[tuple[int | None, int | None]]:
        """The values that each bucket counts, from and below; None: all that are less, or more."""
        starts = range(self.low, self.high, self.step)
        inside: list[tuple[int | None, int | None]] = [(low, min(low + self.step, self.high)) for low in starts]
        return [(None, self.low), *inside, (self.high, None)]
