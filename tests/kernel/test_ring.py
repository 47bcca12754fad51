"""The ring buffer, filled by a program on the running kernel."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from beespace.errors import UsageError
from beespace.isa.constants import MapType
from beespace.isa.ring_record import HEADER
from beespace.kernel import LoadedObject, RingBuffer, create_map, load
from beespace.spec import MapSpec, ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

# A packet says what to write: length, whether to give the record up, a number.
SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } ring SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 65536); } fast SEC(".maps");

struct order { __u32 length, discard; __u64 number; };
__u64 failed = 0, number = 0;

SEC("cgroup_skb/egress")
int write(struct __sk_buff *skb)
{
    struct order order = {};
    __u64 *record;
    if (bpf_skb_load_bytes(skb, 0, &order, sizeof(order)))
        return 2;
    if (order.length == 24) {
        __u64 three[3] = { order.number, order.number, order.number };
        return bpf_ringbuf_output(&ring, three, sizeof(three), 0) ? 0 : 1;
    }
    record = bpf_ringbuf_reserve(&ring, 9, 0);
    if (!record)
        return 0;
    *record = order.number;
    ((char *)record)[8] = 'x';
    if (order.discard)
        bpf_ringbuf_discard(record, 0);
    else
        bpf_ringbuf_submit(record, 0);
    return 1;
}

SEC("cgroup_skb/ingress")
int flood(struct __sk_buff *skb)
{
    __u64 *record = bpf_ringbuf_reserve(&fast, 16, 0);
    if (!record) {
        __sync_fetch_and_add(&failed, 1);
        return 1;
    }
    record[0] = number++; /* one at a time: kernels before 5.12 have no atomic addition that tells what was there */
    record[1] = ~record[0];
    bpf_ringbuf_submit(record, 0);
    return 1;
}

char LICENSE[] SEC("license") = "GPL";
"""


@pytest.fixture
def probe(compile_c: Callable[[str], ObjectSpec]) -> Iterator[LoadedObject]:
    with load(compile_c(SOURCE)) as loaded:
        yield loaded


def write(probe: LoadedObject, number: int, *, length: int = 9, discard: bool = False) -> bool:
    """Let the program write one record; whether there was room."""
    order = struct.pack("=IIQ", length, discard, number)
    packet = bytes(14) + order + bytes(48)  # a program of a cgroup sees it from behind the Ethernet header on
    retval = probe.programs["write"].test_run(data_in=packet).retval
    assert retval in (0, 1)
    return retval == 1


def nine(number: int) -> bytes:
    return number.to_bytes(8, "little") + b"x"


def test_records_come_in_order(probe: LoadedObject) -> None:
    with RingBuffer(probe.maps["ring"]) as ring:
        assert (ring.size, ring.available(), list(ring)) == (4096, 0, [])
        assert not ring.poll(0)
        for number in range(5):
            assert write(probe, number)
        assert ring.poll(0)
        assert ring.available() == 5 * 24  # 9 bytes and the header, rounded up to 8
        assert list(ring) == [nine(number) for number in range(5)]
        assert (ring.available(), list(ring)) == (0, [])
        assert not ring.poll(0)


def test_many_times_round(probe: LoadedObject) -> None:
    with RingBuffer(probe.maps["ring"]) as ring:
        seen: list[int] = []
        for number in range(2000):
            length = 24 if number % 3 == 0 else 9
            assert write(probe, number, length=length)
            if number % 50 == 49:
                for record in ring:
                    assert len(record) in (9, 24)
                    if len(record) == 24:
                        assert len(set(struct.unpack("=3Q", record))) == 1
                    seen.append(int.from_bytes(record[:8], "little"))
        assert seen == list(range(2000))
        assert 0 < ring.peak <= 50 * 32
        assert ring.lost == 0  # there was always room
        assert ring.consumer > 9 * ring.size


def test_what_was_given_up_is_skipped(probe: LoadedObject) -> None:
    with RingBuffer(probe.maps["ring"]) as ring:
        for number in range(6):
            write(probe, number, discard=number % 2 == 0)
        assert list(ring) == [nine(1), nine(3), nine(5)]
        for number in range(3):
            write(probe, number, discard=True)
        assert list(ring) == []
        assert ring.available() == 0


def test_a_full_ring_takes_no_more_until_it_is_read(probe: LoadedObject) -> None:
    with RingBuffer(probe.maps["ring"]) as ring:
        written = 0
        while write(probe, written):
            written += 1
        assert written == 4096 // 24
        assert ring.consume(lambda record: None, limit=1) == 1
        assert write(probe, written)
        assert not write(probe, written + 1)
        assert [int.from_bytes(record[:8], "little") for record in ring] == list(range(1, written + 1))
        assert ring.peak == 4096 // 24 * 24
        assert ring.lost is None  # the kernel does not say how many


def test_a_handler_that_fails_has_had_its_record(probe: LoadedObject) -> None:
    with RingBuffer(probe.maps["ring"]) as ring:
        for number in range(3):
            write(probe, number)

        def fail(record: memoryview) -> None:
            raise RuntimeError(bytes(record).hex())

        with pytest.raises(RuntimeError, match=nine(0).hex()):
            ring.consume(fail)
        seen: list[bytes] = []
        assert ring.consume(lambda record: seen.append(bytes(record))) == 2
        assert seen == [nine(1), nine(2)]


def test_the_raw_region_is_in_one_piece_across_the_end(probe: LoadedObject) -> None:
    with RingBuffer(probe.maps["ring"]) as ring:
        for number in range(160):
            write(probe, number)
        ring.advance(ring.producer)  # 160 * 24 = 3840: the next ones wrap
        for number in range(20):
            write(probe, 1000 + number)
        region = ring.pending()
        assert len(region) == 20 * 24 == ring.available()
        assert ring.consumer // ring.size < ring.producer // ring.size
        for number in range(20):
            (length,) = struct.unpack_from("=I", region, number * 24)
            assert length == 9
            assert bytes(region[number * 24 + HEADER : number * 24 + HEADER + 9]) == nine(1000 + number)
        assert region.readonly
        del region


def test_a_second_reader_goes_on_where_the_first_stopped(probe: LoadedObject) -> None:
    with RingBuffer(probe.maps["ring"]) as ring:
        write(probe, 1)
        write(probe, 2)
        assert next(iter(ring)) == nine(1)
    with RingBuffer(probe.maps["ring"]) as ring:
        assert list(ring) == [nine(2)]


def test_nothing_is_lost_that_was_not_counted(probe: LoadedObject) -> None:
    """A program floods the ring from another thread while this one reads."""
    runs, rounds = 20_000, 20
    seen = 0
    last = -1

    def check(record: memoryview) -> None:
        nonlocal seen, last
        number, complement = struct.unpack("=2Q", record)
        assert number ^ complement == (1 << 64) - 1
        assert number > last
        seen, last = seen + 1, number

    def flood() -> None:
        for _ in range(rounds):
            probe.programs["flood"].test_run(data_in=bytes(64), repeat=runs)

    with RingBuffer(probe.maps["fast"]) as ring:
        writer = threading.Thread(target=flood)
        writer.start()
        while writer.is_alive():
            ring.consume(check)
        writer.join()
        ring.consume(check)
        failed = probe.variables["failed"].get()
        assert isinstance(failed, int)
        assert seen + failed == runs * rounds
        assert seen == probe.variables["number"].get()


def test_only_rings_are_rings() -> None:
    with create_map(MapSpec("table", MapType.HASH, 4, 4, 4)) as table, pytest.raises(UsageError, match="no ring"):
        RingBuffer(table)


def test_memory_that_is_looked_into_outlives_the_ring(probe: LoadedObject) -> None:
    ring = RingBuffer(probe.maps["ring"])
    write(probe, 7)
    region = ring.pending()
    ring.close()
    ring.close()
    assert bytes(region[HEADER : HEADER + 9]) == nine(7)
    region.release()
