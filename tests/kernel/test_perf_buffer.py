"""The perf event array, filled by a program on the running kernel."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator

import pytest

from beespace.errors import UsageError
from beespace.isa.constants import MapType
from beespace.kernel import LoadedObject, create_map, load
from beespace.kernel.perf_buffer import PerfBuffer
from beespace.spec import MapSpec, ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __uint(key_size, 4); __uint(value_size, 4); } out SEC(".maps");
__u64 failed = 0;

SEC("cgroup_skb/egress")
int write(struct __sk_buff *skb)
{
    __u64 record[2] = {};
    if (bpf_skb_load_bytes(skb, 0, record, 8))
        return 2;
    record[1] = ~record[0];
    if (bpf_perf_event_output(skb, &out, BPF_F_CURRENT_CPU, record, sizeof(record)))
        __sync_fetch_and_add(&failed, 1);
    return 1;
}
char _license[] SEC("license") = "GPL";
"""


@pytest.fixture
def writer(compile_c: Callable[[str], ObjectSpec]) -> Iterator[LoadedObject]:
    with load(compile_c(SOURCE)) as loaded:
        yield loaded


def array(loaded: LoadedObject) -> object:
    found = loaded.maps["out"]
    return getattr(found, "raw", found)


def put(loaded: LoadedObject, *numbers: int) -> None:
    for number in numbers:
        packet = bytes(14) + struct.pack("=Q", number).ljust(64, b"\0")  # behind an Ethernet header
        loaded.programs["write"].test_run(packet)


def number(record: bytes) -> int:
    """What the program wrote, both times."""
    first, second = struct.unpack_from("=QQ", record)
    assert second == first ^ (1 << 64) - 1
    return int(first)


@pytest.fixture
def one_cpu() -> Iterator[int]:
    """Runs the test on one CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield min(before)
    finally:
        os.sched_setaffinity(0, before)


def test_every_record_with_its_cpu_in_order(writer: LoadedObject) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    with PerfBuffer(array(writer), pages=1) as buffer:  # type: ignore[arg-type]
        assert not buffer.poll(0)
        for cpu in cpus:
            os.sched_setaffinity(0, {cpu})
            put(writer, *(1000 * cpu + count for count in range(5)))
        os.sched_setaffinity(0, cpus)
        assert buffer.poll(1)
        samples = list(buffer.samples())
        assert not buffer.poll(0)
    assert [sample.cpu for sample in samples] == [cpu for cpu in cpus for _ in range(5)]
    read = [struct.unpack_from("=QQ", sample.data) for sample in samples]
    assert [number for number, _ in read] == [1000 * cpu + count for cpu in cpus for count in range(5)]
    assert all(inverse == number ^ (1 << 64) - 1 for number, inverse in read)
    assert buffer.lost == 0


def test_what_does_not_fit_is_counted(writer: LoadedObject, one_cpu: int) -> None:
    with PerfBuffer(array(writer), pages=1) as buffer:  # type: ignore[arg-type]
        sent, got = 0, 0
        for _ in range(40):  # so that records wrap around
            put(writer, *range(150))  # more than a page of records
            sent += 150
            got += sum(1 for _ in buffer)
        put(writer, 1)
        got += sum(1 for _ in buffer)
        assert buffer.lost is not None and 0 < buffer.lost < sent
        assert got + buffer.lost == sent + 1


def test_taken_out_of_the_map_when_closed(writer: LoadedObject) -> None:
    with PerfBuffer(array(writer)) as buffer:  # type: ignore[arg-type]
        put(writer, 1)
        assert sum(1 for _ in buffer) == 1
    put(writer, 2)
    assert writer.variables["failed"].get() == 1  # there is nowhere to put it any more


def test_readable_for_an_event_loop(writer: LoadedObject) -> None:
    import asyncio  # slow in a guest

    async def wait(buffer: PerfBuffer) -> list[bytes]:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(buffer.fileno(), ready.set)
        put(writer, 7)
        await asyncio.wait_for(ready.wait(), 5)
        loop.remove_reader(buffer.fileno())
        return list(buffer)

    with PerfBuffer(array(writer)) as buffer:  # type: ignore[arg-type]
        [record] = asyncio.run(wait(buffer))
    assert struct.unpack_from("=Q", record) == (7,)


def test_wrong_map_and_size(writer: LoadedObject) -> None:
    with (
        create_map(MapSpec("h", MapType.HASH, 4, 4, 1)) as other,
        pytest.raises(UsageError, match="no perf event array"),
    ):
        PerfBuffer(other)
    with pytest.raises(UsageError, match="power of two"):
        PerfBuffer(array(writer), pages=3)  # type: ignore[arg-type]


def test_an_overwritable_one_keeps_the_newest(writer: LoadedObject, one_cpu: int) -> None:
    with PerfBuffer(array(writer), pages=1, overwritable=True) as buffer:  # type: ignore[arg-type]
        assert list(buffer) == [] and buffer.lost == 0
        put(writer, 1, 2, 3)
        assert [number(record) for record in buffer] == [3, 2, 1]
        assert list(buffer) == [] and buffer.lost == 0
        for count in (5, 150, 700, 3):  # some of them go round the ring more than once
            put(writer, *range(count))
            found = [number(record) for record in buffer]
            assert found == list(range(count))[::-1][: len(found)]
            assert len(found) == count or 100 < len(found) <= 4096 // 32
        assert buffer.lost is None  # some were overwritten, and nobody counted them


def test_a_paused_buffer_takes_nothing_in(writer: LoadedObject, one_cpu: int) -> None:
    for overwritable in (False, True):
        with PerfBuffer(array(writer), pages=1, overwritable=overwritable) as buffer:  # type: ignore[arg-type]
            put(writer, 1)
            buffer.pause()
            failed = writer.variables["failed"].get()
            put(writer, 2)
            assert writer.variables["failed"].get() == failed + 1
            assert [number(record) for record in buffer] == [1]
            buffer.resume()
            put(writer, 3)
            assert [number(record) for record in buffer] == [3]


def test_an_overwritable_one_of_an_object(writer: LoadedObject, one_cpu: int) -> None:
    with PerfBuffer(array(writer), overwritable=True) as buffer:  # type: ignore[arg-type]
        assert not buffer.poll(0)
        put(writer, 7)
        assert buffer.poll(5)
        assert [(sample.cpu, number(sample.data)) for sample in buffer.samples()] == [(one_cpu, 7)]
