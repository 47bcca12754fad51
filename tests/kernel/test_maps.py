"""Maps of every kind on the running kernel: one entry, all entries, drained, in memory, swapped."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable

import pytest
from pace import patience

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.isa.constants import MapType
from beespace.kernel import load
from beespace.kernel.create import create_map
from beespace.kernel.maps import BPF_F_MMAPABLE, Map
from beespace.kernel.swapped import SwappedMap
from beespace.spec import MapSpec, ObjectSpec
from beespace.syscall.process import possible_cpus

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

CPUS = len(possible_cpus())
NO_PREALLOC = 1
BPF_NOEXIST = 1


def u32(number: int) -> bytes:
    return number.to_bytes(4, "little")


def u64(number: int) -> bytes:
    return number.to_bytes(8, "little")


def make(kind: MapType, entries: int = 100, *, key: int = 4, value: int = 8, flags: int = 0) -> Map:
    return create_map(MapSpec("test", kind, key, value, entries, flags))


@pytest.mark.parametrize("kind", [MapType.HASH, MapType.LRU_HASH])
def test_entries_come_and_go(kind: MapType) -> None:
    with make(kind) as table:
        assert table.get(u32(1)) is None
        assert not table.delete(u32(1))
        table.update(u32(1), u64(10))
        table.update(u32(2), u64(20))
        table.update(u32(1), u64(11))
        assert table.get(u32(1)) == u64(11)
        assert dict(table.items()) == {u32(1): u64(11), u32(2): u64(20)}
        assert sorted(table.keys()) == [u32(1), u32(2)]
        with pytest.raises(KernelError) as refused:
            table.update(u32(1), u64(0), BPF_NOEXIST)
        assert refused.value.errno == errno.EEXIST
        assert table.delete(u32(1))
        assert list(table.keys()) == [u32(2)]


def test_what_the_kernel_says() -> None:
    with make(MapType.HASH, 7, flags=NO_PREALLOC) as table:
        info = table.info
        assert (info.type, info.name, info.key_size, info.value_size, info.max_entries, info.map_flags) == (
            MapType.HASH, "test", 4, 8, 7, NO_PREALLOC,
        )  # fmt: skip
        with Map.from_id(info.id) as again:
            table.update(u32(3), u64(33))
            assert again.get(u32(3)) == u64(33)
            assert again.spec.max_entries == 7


def test_arrays_are_full_from_the_start() -> None:
    with make(MapType.ARRAY, 3) as array:
        array.update(u32(1), u64(5))
        assert [value for _, value in array.items()] == [u64(0), u64(5), u64(0)]
        assert array.get(u32(3)) is None
        with pytest.raises(UsageError, match="no hash map"):
            array.take()


@pytest.mark.parametrize("kind", [MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH])
@pytest.mark.parametrize("size", [4, 8, 12])
def test_per_cpu_values_stand_at_multiples_of_8(kind: MapType, size: int) -> None:
    stride = -(-size // 8) * 8
    with make(kind, value=size) as table:
        assert table.value_stride == stride * CPUS
        values = b"".join(bytes([cpu + 1]) * size + bytes(stride - size) for cpu in range(CPUS))
        table.update(u32(0), values)
        assert table.get(u32(0)) == values
        table.update(u32(0), b"x" * size)
        assert table.get(u32(0)) == (b"x" * size + bytes(stride - size)) * CPUS
        assert (u32(0), table.get(u32(0))) in list(table.items())


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("kind", [MapType.HASH, MapType.PERCPU_HASH, MapType.LRU_HASH, MapType.LRU_PERCPU_HASH])
def test_taking_gives_everything_once(kind: MapType, batched: bool) -> None:
    with make(kind, 20_000, value=8) as table:
        table._batched = batched
        wanted = {}
        for number in range(3000):
            wanted[u32(number * 7919)] = u64(number)
            table.update(u32(number * 7919), u64(number))
        taken = table.take()
        assert taken.number == 3000
        assert (len(taken.keys), len(taken.values)) == (4 * 3000, table.value_stride * 3000)
        stride = table.value_stride
        found = {
            bytes(taken.keys[4 * i : 4 * i + 4]): bytes(taken.values[stride * i : stride * i + 8]) for i in range(3000)
        }
        assert found == wanted
        assert table.take() == (b"", b"", 0)
        assert table.entries().number == 0


def test_a_batch_grows_when_a_bucket_does_not_fit() -> None:
    # Few buckets and many entries in each: 4 bytes of hash range, all in a map of 2 buckets.
    with make(MapType.HASH, 2, flags=NO_PREALLOC) as table:
        table.update(u32(1), u64(1))
        table.update(u32(2), u64(2))
        assert table.entries().number == 2
        assert table.take().number == 2


def test_more_entries_than_one_batch_holds() -> None:
    with make(MapType.HASH, 30_000) as table:
        for number in range(20_000):
            table.update(u32(number), u64(number))
        entries = table.entries()
        keys = {int.from_bytes(entries.keys[4 * i : 4 * i + 4], "little") for i in range(entries.number)}
        assert keys == set(range(20_000))
        assert table.take().number == 20_000


def test_types_without_batches_are_walked() -> None:
    with make(MapType.DEVMAP, 4, value=4) as table:
        loopback = u32(1)
        table.update(u32(2), loopback)
        assert list(table.items()) == [(u32(2), loopback)]
        assert table._batched is False


def test_a_key_or_value_of_another_size_never_reaches_the_kernel() -> None:
    with make(MapType.HASH) as table:
        for wrong in (b"", b"123", b"12345"):
            with pytest.raises(UsageError, match="keys of 4 bytes"):
                table.get(wrong)
        with pytest.raises(UsageError, match="values of 8 bytes, not 4"):
            table.update(u32(1), u32(1))


def test_an_array_in_memory() -> None:
    with make(MapType.ARRAY, 1000, value=12, flags=BPF_F_MMAPABLE) as array:
        view = array.memory()
        view[16 * 3 : 16 * 3 + 12] = b"hello world!"
        assert array.get(u32(3)) == b"hello world!"
        array.update(u32(999), b"last element")
        assert bytes(view[16 * 999 : 16 * 999 + 12]) == b"last element"
        del view


def test_an_array_not_made_for_it_cannot_be_mapped() -> None:
    with make(MapType.ARRAY) as array, pytest.raises(NotSupported, match="BPF_F_MMAPABLE"):
        array.memory()


def test_a_frozen_map_takes_no_more() -> None:
    with make(MapType.ARRAY, 1, flags=BPF_F_MMAPABLE) as array:
        array.update(u32(0), u64(5))
        array.freeze()
        with pytest.raises(KernelError) as refused:
            array.update(u32(0), u64(6))
        assert refused.value.errno == errno.EPERM
        assert array.memory().readonly
        assert bytes(array.memory()) == u64(5)


def test_sizes_that_the_kernel_wants_otherwise() -> None:
    with create_map(MapSpec("ring", MapType.RINGBUF, 0, 0, 5000)) as ring:
        assert ring.spec.max_entries == 8192 == ring.info.max_entries
    with create_map(MapSpec("perf", MapType.PERF_EVENT_ARRAY, 4, 4, 0)) as perf:
        assert perf.info.max_entries == CPUS


def test_a_refused_map_leaves_nothing() -> None:
    inner = MapSpec("inner", MapType.HASH, 4, 8, 10)
    with pytest.raises(KernelError, match="outer"):
        create_map(MapSpec("outer", MapType.ARRAY_OF_MAPS, 8, 4, 1, inner=inner))  # arrays have keys of 4 bytes


# -- swapped ---------------------------------------------------------------------------------------------------


def interval(kind: MapType, entries: int = 1000, flags: int = 0) -> SwappedMap:
    inner = MapSpec("flows.inner", kind, 8, 8, entries, flags)
    made = create_map(MapSpec("flows", MapType.ARRAY_OF_MAPS, 4, 4, 1, inner=inner))
    assert isinstance(made, SwappedMap)
    return made


@pytest.mark.parametrize("kind", [MapType.HASH, MapType.LRU_HASH, MapType.PERCPU_HASH, MapType.LRU_PERCPU_HASH])
def test_tables_take_turns(kind: MapType) -> None:
    with interval(kind) as flows:
        assert flows.inner.key_size == 8
        seen = []
        for turn in range(5):
            slot = int.from_bytes(flows.get(u32(0)) or b"", "little")
            seen.append(slot)
            with Map.from_id(slot) as active:
                active.update(u64(turn), u64(100 + turn))
            assert flows.peek().number == 1
            taken = flows.take()
            assert (bytes(taken.keys), taken.number) == (u64(turn), 1)
            assert bytes(taken.values) == u64(100 + turn) * (len(taken.values) // 8)
            assert flows.peek().number == 0
        assert seen[0] == seen[2] == seen[4] != seen[1] == seen[3]


def test_a_map_of_maps_with_contents_of_its_own_is_not_swapped() -> None:
    inner = MapSpec("inner", MapType.HASH, 4, 8, 10)
    with create_map(MapSpec("outer", MapType.ARRAY_OF_MAPS, 4, 4, 8, inner=inner)) as outer:
        assert type(outer) is Map
        assert outer.get(u32(0)) is None


COUNT = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct table {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 64);
    __type(key, __u64);
    __type(value, __u64);
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, 1);
    __type(key, __u32);
    __array(values, struct table);
} flows SEC(".maps");

__u64 failed = 0;

SEC("cgroup_skb/egress")
int count(struct __sk_buff *skb)
{
    __u32 slot = 0;
    __u64 key = bpf_get_prandom_u32() & 31, one = 1, *value;
    void *table = bpf_map_lookup_elem(&flows, &slot);
    if (!table)
        goto lost;
    value = bpf_map_lookup_elem(table, &key);
    if (!value) {
        __u64 zero = 0;
        bpf_map_update_elem(table, &key, &zero, BPF_NOEXIST);
        value = bpf_map_lookup_elem(table, &key);
        if (!value)
            goto lost;
    }
    __sync_fetch_and_add(value, one);
    return 1;
lost:
    __sync_fetch_and_add(&failed, one);
    return 1;
}

char LICENSE[] SEC("license") = "GPL";
"""


def test_a_swap_under_load_loses_nothing(compile_c: Callable[[str], ObjectSpec]) -> None:
    """Two threads run the program as fast as the kernel can; every run is in exactly one interval."""
    intervals, runs = 25, 20_000
    with load(compile_c(COUNT)) as probe:
        flows, program = probe.maps["flows"].raw, probe.programs["count"]
        assert isinstance(flows, SwappedMap)
        enough = threading.Event()
        done: list[int] = []

        def run() -> None:
            while not enough.is_set():
                program.test_run(data_in=bytes(64), repeat=runs)
                done.append(runs)

        def counted() -> int:
            return sum(memoryview(flows.take().values).cast("Q"))

        workers = [threading.Thread(target=run) for _ in range(2)]
        for worker in workers:
            worker.start()
        try:
            # With one CPU, one of the three runs at a time, and many an interval is over before a program has run.
            found = [counted() for _ in range(intervals)]
            deadline = time.monotonic() + patience(60)
            while sum(count > 0 for count in found) <= intervals // 5 and time.monotonic() < deadline:
                found.append(counted())
        finally:
            enough.set()
            for worker in workers:
                worker.join()
        found.append(counted())
        assert probe.variables["failed"].get() == 0
        assert sum(found) == sum(done)
        assert sum(count > 0 for count in found) > intervals // 5
