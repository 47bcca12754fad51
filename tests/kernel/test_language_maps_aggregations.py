"""Histograms of the language: every value that a program counted, against Python's own count."""

from __future__ import annotations

import random
from collections import Counter as Tally

import pytest

from beespace.lang import Array, Histogram, LinearHistogram, Program, raw_tracepoint
from beespace.types import i64, text, u32, u64

pytestmark = pytest.mark.kernel

hook = raw_tracepoint("sched_process_exit")


class Distributions(Program):
    inputs = Array(u64, 2)
    signed = Array(i64, 1)
    latency = Histogram(unit="ns")
    by_user = Histogram(key=u32, max_entries=3, unit="us")
    by_name = Histogram(key=text(16))
    sizes = LinearHistogram(100, 200, 30)
    balance = LinearHistogram(-50, 50, 25, key=u32)

    @hook
    def count(self, ctx):
        value = self.inputs[0]
        self.latency.add(value)
        self.by_user[u32(self.inputs[1])].add(value)
        self.sizes.add(value)
        self.by_name["fixed"].add(3)

    @hook
    def count_signed(self, ctx):
        self.balance[7].add(self.signed[0])


def bucket_of(value: int) -> tuple[int, int]:
    """From and below, by powers of two."""
    return (0, 1) if value == 0 else (1 << value.bit_length() - 1, 1 << value.bit_length())


def filled(buckets) -> dict[tuple[int | None, int | None], int]:
    return {(bucket.low, bucket.high): bucket.count for bucket in buckets if bucket.count}


@pytest.fixture
def counting(loaded_probe):
    probe = loaded_probe(Distributions)

    def run(value: int, key: int = 0) -> Distributions:
        probe.inputs[0], probe.inputs[1] = value, key
        probe.loaded.programs["count"].test_run(ctx_in=bytes(32))
        return probe

    run.probe = probe
    return run


def test_powers_of_two_are_exact(counting) -> None:
    generator = random.Random(4)
    values = [0, 1, 2, 3, 4, 7, 8, 2**32 - 1, 2**32, 2**63, 2**64 - 1]
    values += [generator.getrandbits(generator.randrange(65)) for _ in range(200)]
    for value in values:
        counting(value)
    histogram = counting.probe.latency
    assert filled(histogram.buckets) == Tally(map(bucket_of, values))
    assert histogram.total == len(values)
    assert histogram.sum == sum(values) % 2**64


def test_each_key_has_its_own_and_a_full_table_is_counted(counting) -> None:
    for key in range(5):
        for value in range(key + 1):
            counting(value, key)
    histogram = counting.probe.by_user
    found = dict(histogram.items())
    assert len(found) == 3, "max_entries"
    for key, entry in found.items():
        assert entry.total == key + 1
        assert entry.sum == sum(range(key + 1))
        assert filled(histogram[key].buckets) == Tally(map(bucket_of, range(key + 1)))
    missing = set(range(5)) - set(found)
    assert histogram.lost == sum(key + 1 for key in missing)
    with pytest.raises(KeyError):
        histogram[99]
    assert counting.probe.by_name["fixed"].total == 15


def test_steps(counting) -> None:
    values = [0, 99, 100, 129, 130, 159, 160, 189, 190, 199, 200, 201, 2**64 - 1]
    for value in values:
        counting(value)
    assert filled(counting.probe.sizes.buckets) == {
        (None, 100): 2, (100, 130): 2, (130, 160): 2, (160, 190): 2, (190, 200): 2, (200, None): 3,
    }  # fmt: skip


def test_steps_below_zero(loaded_probe) -> None:
    probe = loaded_probe(Distributions)
    values = [-(2**63), -51, -50, -26, -25, -1, 0, 24, 25, 49, 50, 2**63 - 1]
    for value in values:
        probe.signed[0] = value
        probe.loaded.programs["count_signed"].test_run(ctx_in=bytes(32))
    entry = probe.balance[7]
    assert filled(entry.buckets) == {
        (None, -50): 2, (-50, -25): 2, (-25, 0): 2, (0, 25): 2, (25, 50): 2, (50, None): 2,
    }  # fmt: skip
    assert entry.sum == sum(values)


def test_metrics_are_cumulative(counting) -> None:
    for value in (0, 1, 1, 5, 6, 7, 100):
        counting(value, 42)
    samples = {(sample.name, tuple(sample.labels.items())): sample.value for sample in counting.probe.by_user.metrics()}
    expected = {"0": 1, "1": 3, "3": 3, "7": 6, "15": 6, "31": 6, "63": 6, "127": 7, "+Inf": 7}
    assert samples == {
        **{("by_user_bucket", (("key", "42"), ("le", le))): count for le, count in expected.items()},
        ("by_user_sum", (("key", "42"),)): 120,
        ("by_user_count", (("key", "42"),)): 7,
    }


def test_clear(counting) -> None:
    counting(5, 1)
    probe = counting.probe
    probe.latency.clear()
    probe.by_user.clear()
    assert probe.latency.total == 0
    assert probe.latency.mean is None
    assert list(probe.by_user) == []
    counting(9, 1)
    assert probe.latency.total == probe.by_user[1].total == 1
