"""Ring records to Arrow: how many a second of one core, beside per-record Python.

    python bench/bench_stream.py [ROWS]

A synthetic ring (both halves of the data hold the same bytes, as the double mapping does) is
drained again and again.  Absolute rates belong to the machine; the ratio to a loop of
``struct.unpack_from`` over the same ring, measured in turns with it, is the result.
"""

from __future__ import annotations

import struct
import sys
import time
from collections.abc import Callable

import numpy as np

from beespace.schema import Event
from beespace.stream import Decoder, drain
from beespace.types import Address, CgroupId, Duration, Pid, Port, Text, Timestamp, text, u32, u64

HEADER = 8
ROUNDS = 7


class Numbers(Event):
    """64 bytes of integers."""

    time: Timestamp
    cgroup: CgroupId
    took: Duration
    sent: u64
    received: u64
    packets: u64
    cookie: u64
    pid: Pid
    flags: u32


class Named(Event):
    """64 bytes with the two kinds that become text."""

    time: Timestamp
    cgroup: CgroupId
    peer: Address
    comm: Text = text(16)
    sent: u64
    pid: Pid
    port: Port


class Ring:
    """``rows`` records, ready to be drained any number of times."""

    def __init__(self, event: type[Event], rows: int) -> None:
        decoder = Decoder(event.layout)
        stride = event.layout.size + HEADER
        self.size = 1 << (rows * stride - 1).bit_length()
        half = np.zeros(self.size, np.uint8)
        framed = half[: rows * stride].view(
            np.dtype(
                {
                    "names": ["head", "data"],
                    "formats": ["<u4", decoder.dtype],
                    "offsets": [0, HEADER],
                    "itemsize": stride,
                }
            )
        )
        framed["head"] = event.layout.size
        random = np.random.default_rng(1)
        for name in decoder.dtype.names or ():
            column = framed["data"][name]
            if column.dtype.kind == "V":
                column[:] = np.array([b"process-%d" % n for n in range(200)], "S16").view("V16")[
                    random.integers(0, 200, rows)
                ]
            else:
                column[:] = random.integers(1, 60_000, rows)
        self.memory = memoryview(np.concatenate([half, half])).cast("B")
        self.consumer, self.producer = 0, rows * stride

    @property
    def data(self) -> memoryview:
        return self.memory

    def advance(self, position: int) -> None:
        self.consumer = position


def vectorised(ring: Ring, event: type[Event], max_rows: int) -> int:
    decoder, rows = Decoder(event.layout), 0
    ring.consumer = 0
    while ring.consumer < ring.producer:
        rows += drain(ring, decoder, boot_offset=1, max_rows=max_rows).records.num_rows
    return rows


def per_record(ring: Ring, event: type[Event]) -> int:
    """What a callback for each record costs at the least: the header, the fields, a tuple."""
    codes = {1: "B", 2: "H", 4: "I", 8: "Q"}
    form = "<"
    for field in event.layout.fields:
        form += codes.get(field.size, f"{field.size}s")
    unpack, rows, place = struct.Struct(form).unpack_from, 0, 0
    memory = ring.memory
    kept = None
    while place < ring.producer:
        (length,) = struct.unpack_from("<I", memory, place)
        kept = unpack(memory, place + HEADER)
        place += HEADER + length
        rows += 1
    assert kept is not None
    return rows


def rate(work: Callable[[], int]) -> float:
    """Rows per second of CPU time."""
    start = time.process_time()
    rows = work()
    return rows / (time.process_time() - start)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
    for event in (Numbers, Named):
        assert event.layout.size == 64
        ring = Ring(event, rows)
        cases: dict[str, Callable[[], int]] = {
            f"batches of {size:>6}": lambda ring=ring, event=event, size=size: vectorised(ring, event, size)  # type: ignore[misc]
            for size in (1_024, 16_384, 65_536)
        }
        cases["struct.unpack_from"] = lambda ring=ring, event=event: per_record(ring, event)  # type: ignore[misc]
        best = dict.fromkeys(cases, 0.0)
        for _ in range(ROUNDS):  # in turns, so that a busy machine is busy for all
            for name, work in cases.items():
                best[name] = max(best[name], rate(work))
        floor = best["struct.unpack_from"]
        print(f"{event.__name__} ({(event.__doc__ or '').strip(' .')})")
        for name, value in best.items():
            print(f"  {name:<20} {value / 1e6:8.2f} M records/s of one core  {value / floor:7.1f}x")


if __name__ == "__main__":
    main()
