"""``Distribution``: counted values in buckets, as data, as a picture, as metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from beespace.lang.maps.metrics import Sample
from beespace.record import dataclass

__all__ = ["Bucket", "Distribution"]

_BAR = 52  # characters
_UNITS = ((1 << 60, "E"), (1 << 50, "P"), (1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))


@dataclass(frozen=True, slots=True)
class Bucket:
    """``count`` values from ``low`` to below ``high``; None: no bound on that side."""

    low: int | None
    high: int | None
    count: int


class Distribution:
    """Buckets in order, without gaps, and the sum of the values (modulo 2**64)."""

    def __init__(self, buckets: list[Bucket], sum: int, unit: str = "") -> None:
        self.buckets = buckets
        self.unit = unit
        signed = bool(buckets) and buckets[0].low is None
        self.sum = sum - (1 << 64) if signed and sum >> 63 else sum

    @property
    def total(self) -> int:
        """How many values were counted."""
        return sum(bucket.count for bucket in self.buckets)

    @property
    def mean(self) -> float | None:
        """The mean of all values; None if there were none."""
        return self.sum / self.total if self.total else None

    def percentile(self, percent: float) -> float | None:
        """The value that ``percent`` of all are at most; None if there were none.

        Within a bucket values are taken to lie evenly, so it is off by less than the bucket's width; of a bucket
        without a bound it is the bound that there is.
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"a percentile is of 0 to 100 percent, not {percent}")
        wanted = self.total * percent / 100
        seen = 0
        for bucket in self.buckets:
            if bucket.count and seen + bucket.count >= wanted:
                if bucket.low is None or bucket.high is None:
                    return float(bucket.high if bucket.low is None else bucket.low)  # type: ignore[arg-type]
                return bucket.low + (bucket.high - 1 - bucket.low) * (wanted - seen) / bucket.count
            seen += bucket.count
        return None

    def used(self) -> list[Bucket]:
        """The buckets from the first that is not empty to the last."""
        filled = [at for at, bucket in enumerate(self.buckets) if bucket.count]
        return self.buckets[filled[0] : filled[-1] + 1] if filled else []

    def render(self) -> str:
        """The picture that :meth:`show` prints: a line a bucket, with its count and a bar."""
        used = self.used()
        if not used:
            return "(nothing counted)"
        labels = [_label(bucket) for bucket in used]
        most = max(bucket.count for bucket in used)
        wide, digits = max(map(len, labels)), len(str(most))
        lines = []
        for label, bucket in zip(labels, used, strict=True):
            bar = "@" * (bucket.count * _BAR // most)
            lines.append(f"{label:<{wide}} {bucket.count:>{digits}} |{bar:<{_BAR}}|")
        unit = f" {self.unit}" if self.unit else ""
        mean = self.mean
        p50, p99 = self.percentile(50), self.percentile(99)
        assert mean is not None and p50 is not None and p99 is not None
        middle = ", ".join(
            f"{what} {_rounded(value)}{unit}" for what, value in (("mean", mean), ("p50", p50), ("p99", p99))
        )
        lines.append(f"{self.total:,} values, {middle}")
        return "\n".join(lines)

    def show(self) -> None:
        """Print the picture."""
        print(self.render())

    def plain(self) -> dict[str, Any]:
        """Everything as numbers, lists and dicts; buckets that are empty at either end are left out."""
        buckets = [{"low": bucket.low, "high": bucket.high, "count": bucket.count} for bucket in self.used()]
        return {"total": self.total, "sum": self.sum, "mean": self.mean, "unit": self.unit, "buckets": buckets}

    def metrics(self, name: str, labels: Mapping[str, str]) -> Iterator[Sample]:
        """Samples of a Prometheus histogram; ``le`` is the largest value that a bucket and those before it count."""
        below = 0
        last = max((at for at, bucket in enumerate(self.buckets) if bucket.count), default=-1)
        for bucket in self.buckets[: last + 1]:
            below += bucket.count
            if bucket.high is not None:
                yield Sample(f"{name}_bucket", {**labels, "le": str(bucket.high - 1)}, below)
        yield Sample(f"{name}_bucket", {**labels, "le": "+Inf"}, self.total)
        yield Sample(f"{name}_sum", dict(labels), self.sum)
        yield Sample(f"{name}_count", dict(labels), self.total)


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _label(bucket: Bucket) -> str:
    """``[4, 8)``, ``[1K, 2K)``, ``[7]``, ``(..., 10)``."""
    if bucket.low is None:
        return f"(..., {_short(bucket.high)})"
    if bucket.high is None:
        return f"[{_short(bucket.low)}, ...)"
    if bucket.high == bucket.low + 1:
        return f"[{_short(bucket.low)}]"
    return f"[{_short(bucket.low)}, {_short(bucket.high)})"


def _short(number: int | None) -> str:
    assert number is not None
    for size, unit in _UNITS:
        if number and number % size == 0 and abs(number) >= size:
            return f"{number // size}{unit}"
    return str(number)
