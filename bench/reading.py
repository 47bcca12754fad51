"""Ring to Arrow, beside per-record Python (the cases are those of bench_stream.py)."""

from __future__ import annotations

from collections.abc import Iterator

from bench_stream import ROUNDS, Named, Numbers, Ring, per_record, rate, vectorised
from measure import Row

ROWS = 400_000
BATCH = 16_384


def rows() -> Iterator[Row]:
    for event, what, budget in ((Numbers, "numbers", 20.0), (Named, "with an address and a name", None)):
        ring = Ring(event, ROWS)
        best = loop = 0.0
        for _ in range(ROUNDS):
            best = max(best, rate(lambda: vectorised(ring, event, BATCH)))  # noqa: B023 - called at once
            loop = max(loop, rate(lambda: per_record(ring, event)))  # noqa: B023
        yield Row(
            f"ring to Arrow, 64 B records, {what}", best / 1e6, "M/s", budget, at_least=True,
            peer=f"{best / loop:.0f}x a loop of struct.unpack_from ({loop / 1e6:.2f} M/s)",
            how=f"{ROWS:,} records in batches of {BATCH:,}, per second of CPU, best of {ROUNDS} in turns",
        )  # fmt: skip
