"""What map declarations do outside, over maps of plain bytes."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beespace.errors import UsageError
from beespace.lang import (
    Arena,
    Counter,
    Hash,
    HashOfMaps,
    Histogram,
    LinearHistogram,
    LpmTrie,
    ProgramArray,
    Rate,
    Ring,
    Struct,
    TopK,
)
from beespace.lang.maps.distribution import Bucket, Distribution
from beespace.lang.maps.metrics import Sample, exposition, labels_of
from beespace.schema import PointerKind
from beespace.schema.kinds import kind_size
from beespace.types import Pid, Text, array, be32, text, u32, u64


class Bytes:
    """A map in bytes."""

    def __init__(self, **others: Bytes) -> None:
        self.entries: dict[bytes, bytes] = {}
        self.others = others

    def get(self, key: bytes) -> bytes | None:
        return self.entries.get(key)

    def update(self, key: bytes, value: bytes) -> None:
        self.entries[key] = value

    def put(self, key: bytes, value: bytes, flags: int) -> bool:
        allowed = (key in self.entries) == (flags == 2)
        if allowed:
            self.entries[key] = value
        return allowed

    def pop(self, key: bytes) -> bytes | None:
        return self.entries.pop(key, None)

    def delete(self, key: bytes) -> bool:
        return self.entries.pop(key, None) is not None

    def keys(self) -> Iterator[bytes]:
        return iter(list(self.entries))

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(list(self.entries.items()))

    def companion(self, name: str) -> Bytes:
        return self.others[name]

    def lost(self) -> int:
        return 0


def log2(values: list[int]) -> Distribution:
    """As the kernel side counts them."""
    edges = Histogram().edges()
    counts = [0] * len(edges)
    for value in values:
        counts[value.bit_length()] += 1
    return Distribution(
        [Bucket(low, high, count) for (low, high), count in zip(edges, counts, strict=True)], sum(values)
    )


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=60), st.floats(0, 100))
def test_percentiles_are_within_their_bucket(values: list[int], percent: float) -> None:
    found = log2(values).percentile(percent)
    assert found is not None
    exact = sorted(values)[max(0, -(-len(values) * percent // 100) - 1).__int__()]
    low = 0 if exact == 0 else 1 << exact.bit_length() - 1
    assert low <= found <= max(2 * low - 1, 0) + (low == 0)


@given(st.lists(st.integers(0, 2**50), min_size=1, max_size=60))
def test_mean_and_total_are_exact(values: list[int]) -> None:
    found = log2(values)
    assert found.total == len(values)
    assert found.mean == pytest.approx(statistics.fmean(values))


def test_picture() -> None:
    assert log2([0, 1, 5, 5, 6, 1024]).render().splitlines() == [
        f"[0]        1 |{'@' * 17:<52}|",
        f"[1]        1 |{'@' * 17:<52}|",
        f"[2, 4)     0 |{'':<52}|",
        f"[4, 8)     3 |{'@' * 52}|",
        f"[8, 16)    0 |{'':<52}|",
        f"[16, 32)   0 |{'':<52}|",
        f"[32, 64)   0 |{'':<52}|",
        f"[64, 128)  0 |{'':<52}|",
        f"[128, 256) 0 |{'':<52}|",
        f"[256, 512) 0 |{'':<52}|",
        f"[512, 1K)  0 |{'':<52}|",
        f"[1K, 2K)   1 |{'@' * 17:<52}|",
        "6 values, mean 174, p50 5, p99 1,986",
    ]


def test_nothing_counted() -> None:
    nothing = log2([])
    assert nothing.render() == "(nothing counted)"
    assert nothing.mean is nothing.percentile(50) is None
    assert nothing.plain() == {"total": 0, "sum": 0, "mean": None, "unit": "", "buckets": []}


def test_metrics_of_steps_below_zero() -> None:
    histogram = LinearHistogram(-10, 10, 10)
    buckets = [Bucket(low, high, count) for (low, high), count in zip(histogram.edges(), (1, 2, 3, 4), strict=True)]
    samples = list(Distribution(buckets, (1 << 64) - 7).metrics("balance", {"host": "a"}))
    assert samples == [
        Sample("balance_bucket", {"host": "a", "le": "-11"}, 1),
        Sample("balance_bucket", {"host": "a", "le": "-1"}, 3),
        Sample("balance_bucket", {"host": "a", "le": "9"}, 6),
        Sample("balance_bucket", {"host": "a", "le": "+Inf"}, 10),
        Sample("balance_sum", {"host": "a"}, -7),
        Sample("balance_count", {"host": "a"}, 10),
    ]


def test_exposition_escapes() -> None:
    class Key(Struct):
        pid: Pid
        name: Text = text(8)

    labels = labels_of(Key(pid=3, name='a"\\\n'))
    assert exposition([Sample("x_total", labels, 4), Sample("y", {}, 1)]) == (
        'x_total{pid="3",name="a\\"\\\\\\n"} 4\ny 1\n'
    )


@pytest.mark.parametrize(
    ("key", "packed"),
    [
        ("10.0.0.0/8", (104).to_bytes(4, "little") + bytes(10) + b"\xff\xff\x0a\0\0\0"),
        ("10.1.2.3/8", (104).to_bytes(4, "little") + bytes(10) + b"\xff\xff\x0a\0\0\0"),
        ("::/0", bytes(20)),
        ("2001:db8::/32", (32).to_bytes(4, "little") + b"\x20\x01\x0d\xb8" + bytes(12)),
    ],
)
def test_prefixes(key: str, packed: bytes) -> None:
    trie: LpmTrie[int] = LpmTrie(u64).bound("trie")
    trie.attach_backend(Bytes())
    trie[key] = 1
    assert list(trie.backend.entries) == [packed]
    assert trie[key] == 1


def test_prefixes_that_do_not_fit() -> None:
    trie: LpmTrie[int] = LpmTrie(u64, key=be32).bound("trie")
    trie.attach_backend(Bytes())
    for wrong in ("::1", "hello", "10.0.0.0/40"):
        with pytest.raises(UsageError):
            trie[wrong] = 1
    with pytest.raises(UsageError):
        trie.get(1, prefix=33)
    with pytest.raises(TypeError, match="be32"):
        LpmTrie(u64, key=u32)


def test_top_with_an_error() -> None:
    total, table = Bytes(), Bytes()
    table.others = {"total": total}
    top: TopK[int] = TopK(u32, k=2).bound("top")
    top.attach_backend(table)
    for key, count in ((1, 5), (2, 50), (3, 10)):
        table.update(key.to_bytes(4, "little"), count.to_bytes(8, "little"))
    total.update(bytes(4), (40).to_bytes(8, "little") + (32).to_bytes(8, "little"))
    assert [(row.key, row.count, row.at_most) for row in top.top()] == [(2, 50, 57), (3, 10, 17)]
    assert top.render().splitlines() == ["top:", "2           50", "3           10", "72 altogether, each up to 7 more"]
    assert top.plain() == {"total": 72, "error": 7, "top": [[2, 50], [3, 10]]}


def test_tables() -> None:
    table: Hash[int, int] = Hash(key=u32, value=u64).bound("table")
    table.attach_backend(Bytes())
    assert table.insert(1, 5)
    assert not table.insert(1, 6)
    assert not table.replace(2, 6)
    assert table.setdefault(1, 9) == 5
    assert table.setdefault(3, 9) == 9
    assert table.pop(1) == 5
    assert table.pop(1) is None
    assert table.plain() == [[3, 9]]
    table.clear()
    assert len(table) == 0


def test_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((10.0, 12.0, 16.0, 16.0, 20.0))
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    rate, counts = Rate().bound("rate"), Bytes()
    counts.update(bytes(4), bytes(16))
    rate.attach_backend(counts)
    counts.update(bytes(4), (6).to_bytes(8, "little") + (4).to_bytes(8, "little"))
    assert rate.per_second() == 5
    assert rate.per_second() == 0
    assert rate.per_second() == 0, "no time has passed"
    assert rate.mean == 1
    assert list(rate.metrics()) == [Sample("rate_total", {}, 10)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: LinearHistogram(5, 5, 1),
        lambda: LinearHistogram(0, 100_000, 1),
        lambda: LinearHistogram(0, 10, 0),
        lambda: Histogram(key="no kind"),
        lambda: ProgramArray(2, {2: "on_read"}),
        lambda: TopK(u32, k=0),
        lambda: HashOfMaps(u32, Counter()),
        lambda: Ring(Struct, size="many"),
        lambda: Counter(5),  # type: ignore[call-arg]
    ],
)
def test_wrong_declarations(make: object) -> None:
    with pytest.raises(TypeError):
        make()  # type: ignore[operator]


class Node(Struct):
    next: Node | None
    count: u64


class Root(Struct):
    head: Node | None
    nodes: list[Node] = array(Node, 1000)


def test_an_arena_has_room_for_its_value_and_its_pool() -> None:
    assert Node.layout.field("next").kind == PointerKind(Node)
    assert kind_size(Root) == 8 + 1000 * 16
    assert Arena(Root).max_entries == 4 + 1
    assert Arena(Root, pool="64 KiB").max_entries == 4 + 16 + 1
    assert Arena(Root, size="1 MiB").max_entries == 256
    assert Arena("1 MiB").max_entries == 256
    with pytest.raises(TypeError, match="an Arena of Root and its pool takes 20480 bytes at least, not 4096"):
        Arena(Root, size=4096)
    with pytest.raises(TypeError, match="holds a Struct, or has a size alone"):
        Arena(int)
    with pytest.raises(TypeError, match="name the Struct that it holds first"):
        Arena("1 MiB", pool=4096)


def test_pointers_stand_in_arenas_alone() -> None:
    with pytest.raises(TypeError, match="value has a pointer, and pointers stand in an Arena alone"):
        Hash(key=u32, value=Root)
    with pytest.raises(TypeError, match="key has a pointer"):
        Hash(key=Node | None, value=u32)
