"""Ring buffers that keep the newest records, on kernels that have them."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import beespace
from beespace.errors import NotSupported, UsageError
from beespace.isa.constants import MapFlag, MapType
from beespace.kernel import LoadedObject, OverwritableRing, RingBuffer, create_map, load
from beespace.kernel.features import machine_feature
from beespace.spec import MapSpec, ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); __uint(map_flags, 1 << 19); } ring SEC(".maps");
struct record { __u64 number, inverse; char name[4]; };
struct record *unused __attribute__((unused));
__u64 failed = 0;

SEC("cgroup_skb/egress")
int write(struct __sk_buff *skb)
{
    struct record record = { .name = "abc" };
    if (bpf_skb_load_bytes(skb, 0, &record.number, 8))
        return 2;
    record.inverse = ~record.number;
    if (bpf_ringbuf_output(&ring, &record, sizeof(record), 0))
        __sync_fetch_and_add(&failed, 1);
    return 1;
}
char _license[] SEC("license") = "GPL";
"""
ROOM = 32  # of a record in the ring: header and 24 bytes
RING = MapSpec("history", MapType.RINGBUF, 0, 0, 4096, flags=MapFlag.RB_OVERWRITE)


@pytest.fixture
def writer(compile_c: Callable[[str], ObjectSpec]) -> Iterator[LoadedObject]:
    with load(compile_c(SOURCE)) as loaded:
        yield loaded


def put(loaded: LoadedObject, numbers: range) -> None:
    for number in numbers:
        packet = bytes(14) + struct.pack("=Q", number).ljust(64, b"\0")  # behind an Ethernet header
        loaded.programs["write"].test_run(packet)


def number(record: bytes) -> int:
    """What the program wrote, both times."""
    first, second = struct.unpack_from("=QQ", record)
    assert second == first ^ (1 << 64) - 1
    return int(first)


def test_the_newest_are_left_in_order(writer: LoadedObject) -> None:
    with OverwritableRing(writer.maps["ring"].raw) as ring:
        assert list(ring) == [] and ring.lost == 0
        put(writer, range(5))
        assert ring.poll(1)
        assert [number(record) for record in ring] == list(range(5)) and ring.lost == 0
        put(writer, range(1000))
        found = [number(record) for record in ring]
        assert found == list(range(1000))[-len(found) :] and len(found) in (4096 // ROOM, 4096 // ROOM - 1)
        assert ring.lost is None and list(ring) == []
        put(writer, range(7, 9))
        assert [number(record) for record in ring] == [7, 8]
    assert writer.variables["failed"].value == 0


def test_a_reader_that_is_overtaken_sees_whole_records_only(writer: LoadedObject) -> None:
    def write() -> None:
        for count in range(20):  # many records in each system call, with the same number
            packet = bytes(14) + struct.pack("=Q", count).ljust(64, b"\0")
            writer.programs["write"].test_run(packet, repeat=500)

    thread = threading.Thread(target=write)
    with OverwritableRing(writer.maps["ring"].raw) as ring:
        thread.start()
        found: list[int] = []
        while thread.is_alive():
            found += [number(record) for record in ring]
            thread.join(0.001)
        found += [number(record) for record in ring]
    assert found == sorted(found) and found[-1] == 19


def test_events_of_an_object(object_file: Callable[[str], Path]) -> None:
    with beespace.open(object_file(SOURCE)) as loaded:
        events = loaded.events("ring")
        put(loaded, range(300))
        [batch] = events.batches(timeout=0)
        assert batch.records.column("number").to_pylist() == list(range(300))[-len(batch) :]
        assert batch.records.column("name").to_pylist() == ["abc"] * len(batch)
        put(loaded, range(2))
        assert [event.number for event in events.available()] == [0, 1]


def test_each_kind_of_ring_has_its_reader() -> None:
    plain = MapSpec("plain", MapType.RINGBUF, 0, 0, 4096)
    with create_map(plain) as ring, pytest.raises(UsageError, match="is not overwritable"):
        OverwritableRing(ring)
    with create_map(RING) as ring, pytest.raises(UsageError, match="is overwritable"):
        RingBuffer(ring)


def test_what_is_said_where_there_are_none() -> None:
    if machine_feature("overwritable ring buffer").available:
        create_map(RING).close()
    else:
        with pytest.raises(NotSupported, match=r"overwritable ring buffers.*6\.19"):
            create_map(RING)
