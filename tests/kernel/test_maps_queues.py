"""Maps without keys on the running kernel: queues, stacks, Bloom filters, rings that user space writes, arenas."""

from __future__ import annotations

import errno
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from beespace.errors import KernelError, UsageError
from beespace.isa.constants import MapFlag, MapType
from beespace.kernel import load
from beespace.kernel.create import create_map
from beespace.kernel.maps import Arena, BloomFilter, Queue, Stack, UserRing, container
from beespace.spec import MapSpec, ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[..., ObjectSpec]
SINCE = {MapType.BLOOM_FILTER: "5.16", MapType.USER_RINGBUF: "6.1", MapType.ARENA: "6.9"}


@contextmanager
def made(kind: MapType, entries: int, value: int = 4, flags: int = 0) -> Iterator[Any]:
    """A container; a type that this kernel does not have skips the test."""
    try:
        raw = create_map(MapSpec("test", kind, 0, value, entries, flags))
    except KernelError as error:
        if kind in SINCE and error.errno in (errno.EINVAL, errno.E2BIG, errno.EOPNOTSUPP):
            pytest.skip(f"this kernel has no maps of type {kind.name} (Linux {SINCE[kind]})")
        raise
    with container(raw) as typed:
        yield typed


def bpftool(*words: str) -> Any:
    done = subprocess.run(["bpftool", "-j", "map", *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout) if done.stdout.strip() not in ("", "null") else None


def number(cells: list[str]) -> int:
    return int.from_bytes(bytes(int(cell, 16) for cell in cells), "little")


@pytest.mark.parametrize(("kind", "made_of", "order"), [
    (MapType.QUEUE, Queue, [1, 2, 3]), (MapType.STACK, Stack, [3, 2, 1]),
])  # fmt: skip
def test_queues_and_stacks(kind: MapType, made_of: type, order: list[int]) -> None:
    with made(kind, 3) as queue:
        assert type(queue) is made_of
        assert not queue
        for take in (queue.pop, queue.peek):
            with pytest.raises(IndexError, match="'test' is empty"):
                take()
            assert take(None) is None
        queue.extend([1, 2, 3])
        assert queue and queue.peek() == order[0]
        with pytest.raises(KernelError, match="max_entries is 3") as refused:
            queue.push(4)
        assert refused.value.errno == errno.E2BIG
        name = ["id", str(queue.info.id)]
        assert number(bpftool("peek", *name)["value"]) == order[0]
        assert number(bpftool("pop" if made_of is Stack else "dequeue", *name)["value"]) == order[0]
        assert [queue.pop(), *queue.drain()] == order[1:]
        bpftool("push" if made_of is Stack else "enqueue", *name, "value", "5", "0", "0", "0")
        assert queue.pop() == 5


@pytest.mark.parametrize(("kind", "left"), [(MapType.QUEUE, [2, 3]), (MapType.STACK, [3, 2])])
def test_the_oldest_makes_room(kind: MapType, left: list[int]) -> None:
    with made(kind, 2) as queue:
        for value in (1, 2, 3):
            queue.push(value, force=True)
        assert list(queue.drain()) == left


def test_a_bloom_filter_forgets_nothing() -> None:
    with made(MapType.BLOOM_FILTER, 1000, value=8) as seen:
        assert isinstance(seen, BloomFilter)
        assert 5 not in seen
        seen.update(range(500))
        seen.add(2**60)
        assert all(value in seen for value in (*range(500), 2**60))
        assert sum(value in seen for value in range(10_000, 11_000)) < 200


def test_a_record_too_large_for_a_user_ring() -> None:
    with made(MapType.USER_RINGBUF, 5000, value=0) as ring:
        assert (ring.size, ring.free()) == (8192, 8192)
        for size in (8185, 1 << 30, -1):
            with pytest.raises(UsageError, match="does not fit user ring"):
                ring.reserve(size)
        ring.reserve(8184).discard()
        assert ring.free() == 0
        with pytest.raises(BlockingIOError, match="is full"):
            ring.submit(b"", timeout=0.05)


DRAIN = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct { __uint(type, BPF_MAP_TYPE_USER_RINGBUF); __uint(max_entries, 4096); } commands SEC(".maps");
__u64 sum, records, bytes;

static long take(struct bpf_dynptr *record, void *context)
{
    __u64 value = 0;
    bpf_dynptr_read(&value, sizeof(value), record, 0, 0);
    sum += value;
    records++;
    return 0;
}

SEC("tc")
int drain(struct __sk_buff *skb)
{
    return bpf_user_ringbuf_drain(&commands, take, 0, 0);
}

char LICENSE[] SEC("license") = "GPL";
"""


def test_programs_read_what_is_submitted(compile_c: Compile) -> None:
    with made(MapType.USER_RINGBUF, 4096, value=0):
        pass  # or skipped
    with load(compile_c(DRAIN)) as loaded:
        ring = loaded.maps["commands"]
        assert isinstance(ring, UserRing)

        def drain() -> int:
            return int(loaded.programs["drain"].test_run(bytes(64)).retval)

        ring.submit((5).to_bytes(8, "little"))
        with ring.reserve(8) as record:
            record.data[:] = (6).to_bytes(8, "little")
        with pytest.raises(ZeroDivisionError), ring.reserve(8):
            raise ZeroDivisionError
        with pytest.raises(UsageError, match="before"):
            record.submit()
        assert drain() == 2
        assert loaded.variables["sum"].value == 11
        waiting = ring.reserve(8)
        ring.submit((1).to_bytes(8, "little"))
        assert drain() == 0  # a record that is not finished holds up those behind it
        waiting.discard()
        assert drain() == 1
        assert ring.free() == 4096
        written = 0
        for _ in range(50):  # around the end of the ring many times
            for value in range(100):
                ring.submit(value.to_bytes(8, "little"))
                written += value
            assert drain() == 100
        assert loaded.variables["sum"].value == 12 + written
        for _ in range(256):
            ring.submit(bytes(8))
        reader = threading.Timer(0.2, drain)
        reader.start()
        ring.submit(bytes(8), timeout=10)  # waits for the program
        reader.join()
        assert drain() == 1


def test_an_arena_is_memory_that_pointers_lead_into() -> None:
    with made(MapType.ARENA, 4, value=0, flags=MapFlag.MMAPABLE) as arena:
        assert isinstance(arena, Arena)
        assert len(arena) == 4 * 4096 and arena.address % 4096 == 0
        arena.memory()[5] = 7
        assert arena.read(arena.address + 5, 2) == b"\7\0"
        arena.write(arena.address + 8192, b"abc")
        assert bytes(arena.memory()[8192:8196]) == b"abc\0"
        assert arena.offset(arena.address + 16) == 16 == arena.offset((arena.address + 16) & 0xFFFF_FFFF)
        for pointer, size in ((0, 1), (arena.address + len(arena), 1), (arena.address + len(arena) - 1, 2)):
            with pytest.raises(UsageError, match="map 'test'"):
                arena.read(pointer, size)


def test_an_arena_at_a_given_address() -> None:
    with made(MapType.ARENA, 1, value=0, flags=MapFlag.MMAPABLE):
        pass  # or skipped
    where = 0x4000_0000_0000
    with container(create_map(MapSpec("test", MapType.ARENA, 0, 0, 2, MapFlag.MMAPABLE, map_extra=where))) as arena:
        assert arena.address == where
        with pytest.raises(KernelError):  # somebody is there
            create_map(MapSpec("again", MapType.ARENA, 0, 0, 2, MapFlag.MMAPABLE, map_extra=where))
    with container(create_map(MapSpec("test", MapType.ARENA, 0, 0, 2, MapFlag.MMAPABLE, map_extra=where))) as arena:
        assert arena.address == where  # the memory was given back
