"""bpf(2) on this kernel: what goes in comes out, and bpftool says the same."""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from beespace.btf import Btf, BtfBuilder, Kind
from beespace.errors import KernelError, NotPermitted, VerifierError
from beespace.kernel.features import attach_kind
from beespace.syscall import Descriptor, barrier, bpf, memory, mounts, perf, process
from beespace.syscall.poll import Poller

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

RETURN_0 = bytes.fromhex("b700000000000000 9500000000000000")
RETURN_1 = bytes.fromhex("b700000001000000 9500000000000000")
ANY, NOEXIST, EXIST = 0, 1, 2
HASH, ARRAY, PROG_ARRAY, PERCPU_ARRAY, ARRAY_OF_MAPS, QUEUE, RINGBUF = 1, 2, 3, 6, 12, 22, 27
CGROUP_SKB, TRACEPOINT, RAW_TRACEPOINT, SCHED_CLS, TRACING = 8, 5, 17, 3, 26
EGRESS, TRACE_RAW_TP, TRACE_ITER, PERF_EVENT, TCX_INGRESS = 1, 23, 28, 41, 46


def u32(value: int) -> bytes:
    return struct.pack("=I", value)


def u64(value: int) -> bytes:
    return struct.pack("=Q", value)


def bpftool(*arguments: str) -> object:
    tool = shutil.which("bpftool", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if tool is None:
        pytest.skip("bpftool is not installed")
    return json.loads(subprocess.run([tool, "-j", *arguments], check=True, capture_output=True).stdout)


@pytest.fixture(scope="module")
def vmlinux() -> Btf:
    return Btf(Path("/sys/kernel/btf/vmlinux").read_bytes())


@pytest.fixture
def packets() -> Iterator[Descriptor]:
    """A loaded cgroup packet filter that lets everything pass."""
    descriptor, _ = bpf.prog_load(CGROUP_SKB, RETURN_1, name="pass", expected_attach_type=EGRESS)
    with descriptor:
        yield descriptor


# -- maps ----------------------------------------------------------------------------------------------------


def test_entries_come_back() -> None:
    with bpf.map_create(HASH, 4, 8, 2, name="entries") as table:
        assert bpf.map_lookup(table, u32(1), 8) is None
        bpf.map_update(table, u32(1), u64(10))
        bpf.map_update(table, u32(2), u64(20), NOEXIST)
        assert bpf.map_lookup(table, u32(2), 8) == u64(20)
        for key, flags, number in ((1, NOEXIST, errno.EEXIST), (3, EXIST, errno.ENOENT), (3, ANY, errno.E2BIG)):
            with pytest.raises(KernelError) as caught:
                bpf.map_update(table, u32(key), u64(0), flags)
            assert caught.value.errno == number
        first = bpf.map_next_key(table, None, 4)
        assert first is not None
        second = bpf.map_next_key(table, first, 4)
        assert {first, second} == {u32(1), u32(2)}
        assert second is not None and bpf.map_next_key(table, second, 4) is None
        assert bpf.map_delete(table, u32(1)) is True
        assert bpf.map_delete(table, u32(1)) is False


def test_an_entry_is_taken_out() -> None:
    with bpf.map_create(HASH, 4, 8, 2) as table:
        bpf.map_update(table, u32(2), u64(20))
        try:
            assert bpf.map_lookup_and_delete(table, u32(2), 8) == u64(20)
        except KernelError as error:
            assert error.errno == 524
            pytest.skip("this kernel takes single entries out of queues and stacks only (hash maps: Linux 5.14)")
        assert bpf.map_lookup_and_delete(table, u32(2), 8) is None


def test_a_queue_gives_and_takes() -> None:
    with bpf.map_create(QUEUE, 0, 4, 4) as queue:
        for value in (5, 6):
            bpf.map_update(queue, b"", u32(value))
        taken = [bpf.map_lookup_and_delete(queue, b"", 4) for _ in range(3)]
    assert taken == [u32(5), u32(6), None]


@pytest.mark.parametrize("chunk", [1, 7, 256, 4096])
def test_batches_read_everything_once(chunk: int) -> None:
    entries = {u32(number): u64(number * number) for number in range(1000)}
    with bpf.map_create(HASH, 4, 8, 1000) as table:
        assert bpf.map_update_batch(table, b"".join(entries), b"".join(entries.values()), len(entries)) == 1000
        assert collect(table, chunk, take=False) == entries
        assert collect(table, chunk, take=True) == entries
        assert bpf.map_next_key(table, None, 4) is None


def collect(table: Descriptor, chunk: int, *, take: bool) -> dict[bytes, bytes]:
    read = bpf.map_lookup_and_delete_batch if take else bpf.map_lookup_batch
    keys, values = bytearray(), bytearray()
    found: list[tuple[bytes, bytes]] = []
    cursor: bytes | None = None
    while True:
        batch = read(table, 4, 8, chunk, cursor, keys=keys, values=values)
        for at in range(batch.count):
            found.append((bytes(keys[at * 4 : at * 4 + 4]), bytes(values[at * 8 : at * 8 + 8])))
        cursor = batch.cursor
        if cursor is None:
            assert len(dict(found)) == len(found)
            return dict(found)


def test_batches_of_arrays_have_keys_as_cursors() -> None:
    with bpf.map_create(ARRAY, 4, 8, 10) as table:
        for index in range(10):
            bpf.map_update(table, u32(index), u64(index))
        first = bpf.map_lookup_batch(table, 4, 8, 6)
        assert (first.count, bytes(first.values[:48])) == (6, b"".join(map(u64, range(6))))
        assert first.cursor is not None
        last = bpf.map_lookup_batch(table, 4, 8, 6, first.cursor)
        assert (last.count, last.cursor, bytes(last.values[:32])) == (4, None, b"".join(map(u64, range(6, 10))))


def test_keys_are_deleted_in_batches() -> None:
    with bpf.map_create(HASH, 4, 8, 10) as table:
        bpf.map_update_batch(table, u32(1) + u32(2) + u32(4), u64(1) * 3, 3)
        assert bpf.map_delete_batch(table, u32(1) + u32(2) + u32(3) + u32(4), 4) == 2
        assert bpf.map_next_key(table, None, 4) == u32(4)


def test_per_cpu_values_lie_one_after_the_other() -> None:
    cpus = len(process.possible_cpus())
    with bpf.map_create(PERCPU_ARRAY, 4, 4, 1) as table:
        values = b"".join(struct.pack("=Q", 7 + cpu) for cpu in range(cpus))
        bpf.map_update(table, u32(0), values)
        assert bpf.map_lookup(table, u32(0), 8 * cpus) == values


def test_a_frozen_map_refuses_in_plain_words() -> None:
    with bpf.map_create(ARRAY, 4, 4, 1) as table:
        bpf.map_freeze(table)
        with pytest.raises(NotPermitted, match="the map is frozen, or was opened for reading only"):
            bpf.map_update(table, u32(0), u32(1))


def test_maps_in_maps() -> None:
    with bpf.map_create(ARRAY, 4, 4, 1) as inner, bpf.map_create(ARRAY_OF_MAPS, 4, 4, 1, inner_map_fd=inner) as outer:
        bpf.map_update(outer, u32(0), u32(inner.fileno()))
        held = bpf.map_lookup(outer, u32(0), 4)
        assert held == u32(bpf.map_info(inner).id)


def test_arrays_can_be_memory() -> None:
    with bpf.map_create(ARRAY, 4, 8, 4, map_flags=1 << 10) as table:
        with memory.map_memory(table, 32, writable=True) as mapped:
            mapped.view[8:16] = u64(99)
            assert bpf.map_lookup(table, u32(1), 8) == u64(99)
        bpf.map_freeze(table)
        with memory.map_memory(table, 32, writable=False) as mapped:
            assert mapped.view[8:16] == u64(99)
            assert mapped.view.readonly


def test_an_impossible_map_says_so() -> None:
    with pytest.raises(KernelError, match="cannot create map 'odd': the kernel does not know the map type") as caught:
        bpf.map_create(9999, 4, 4, 1, name="odd")
    assert caught.value.errno == errno.EINVAL


# -- programs ------------------------------------------------------------------------------------------------


def test_a_program_runs_on_a_packet(packets: Descriptor) -> None:
    packet = bytes(range(14)) + b"payload" * 10
    run = bpf.prog_test_run(packets, data_in=packet, repeat=1000)
    assert (run.retval, run.data[14:]) == (1, packet[14:])  # the link header is not the program's
    assert 0 < run.duration_ns < 1_000_000


def test_a_program_runs_on_a_context() -> None:
    code = bytes.fromhex("7910000000000000 9500000000000000")  # return arg 0
    descriptor, _ = bpf.prog_load(RAW_TRACEPOINT, code)
    with descriptor:
        assert bpf.prog_test_run(descriptor, ctx_in=u64(42)).retval == 42


def test_a_refused_program_carries_the_log() -> None:
    with pytest.raises(VerifierError) as caught:
        bpf.prog_load(CGROUP_SKB, bytes.fromhex("9500000000000000"), name="bad")
    assert (caught.value.program, caught.value.reason, caught.value.errno) == ("bad", "R0 !read_ok", errno.EACCES)
    assert "0: (95) exit" in caught.value.log


def test_a_long_log_is_whole() -> None:
    # Thousands of branches, then a mistake: the log of level 2 is far longer than the first buffer.
    code = bytearray.fromhex("6112000000000000")  # r2 = *(u32 *)(r1 + 0)
    for _ in range(1500):
        code += bytes.fromhex("5502000001000000 b703000000000000")  # if r2 != 1 goto +0; r3 = 0
    code += bytes.fromhex("bf40000000000000 9500000000000000")
    with pytest.raises(VerifierError) as caught:
        bpf.prog_load(CGROUP_SKB, bytes(code), name="long", log_level=2)
    assert len(caught.value.log) > 1 << 16
    assert caught.value.reason == "R4 !read_ok"
    assert caught.value.log.startswith("func#0 @0\n")
    assert "\n3001: (bf) r0 = r4\n" in caught.value.log


def test_a_loaded_program_has_its_log_at_level_1() -> None:
    descriptor, log = bpf.prog_load(CGROUP_SKB, RETURN_1, log_level=1)
    descriptor.close()
    assert "processed 2 insns" in log


def test_function_and_line_info_reach_the_kernel() -> None:
    builder = BtfBuilder()
    number = builder.int("int", 4)
    function = builder.function("entry", builder.prototype(number, [("ctx", builder.pointer(0))]))
    text = builder.string("return 0")
    file = builder.string("probe.py")
    line = struct.pack("=IIII", 0, file, text, 7 << 10 | 5)
    types, _ = bpf.btf_load(builder.bytes())
    with types:
        descriptor, _ = bpf.prog_load(
            CGROUP_SKB, RETURN_1, prog_btf_fd=types, func_info=struct.pack("=II", 0, function), line_info=line
        )
        with descriptor:
            info = bpf.prog_info(descriptor)
            assert (info.nr_func_info, info.nr_line_info) == (1, 1)
            assert info.btf_id == bpf.btf_info(types).id
            assert bpf.prog_line_info(descriptor)[: info.line_info_rec_size] == line
        assert bpf.btf_data(types) == builder.bytes()


def test_damaged_type_information_says_what() -> None:
    with pytest.raises(KernelError, match=r"the kernel refused the type information: Invalid magic"):
        bpf.btf_load(bytes(64))


def test_what_the_kernel_says_is_what_bpftool_says(packets: Descriptor) -> None:
    info = bpf.prog_info(packets)
    told = bpftool("prog", "show", "id", str(info.id))
    assert isinstance(told, dict)
    assert (told["name"], told["tag"], told["type"]) == (info.name, info.tag, "cgroup_skb")
    assert (told["bytes_xlated"], told["bytes_jited"]) == (info.xlated_prog_len, info.jited_prog_len)
    assert told["gpl_compatible"] is info.gpl_compatible is True
    with bpf.map_create(HASH, 4, 8, 16, name="shown", map_flags=1) as table:
        map_info = bpf.map_info(table)
        told = bpftool("map", "show", "id", str(map_info.id))
        assert isinstance(told, dict)
        assert (told["name"], told["bytes_key"], told["bytes_value"], told["max_entries"]) == ("shown", 4, 8, 16)
        assert (map_info.name, map_info.key_size, map_info.value_size, map_info.max_entries) == ("shown", 4, 8, 16)
        assert (map_info.type, map_info.map_flags, told["flags"]) == (HASH, 1, 1)


def test_a_program_names_its_maps() -> None:
    with ExitStack() as stack:
        table = stack.enter_context(bpf.map_create(ARRAY, 4, 4, 1))
        load = bytes([0x18, 0x11, 0, 0]) + u32(table.fileno()) + bytes(8)
        program = stack.enter_context(bpf.prog_load(CGROUP_SKB, load + RETURN_1)[0])
        table_id = bpf.map_info(table).id
        assert bpf.prog_info(program).map_ids == (table_id,)
        other = stack.enter_context(bpf.map_create(ARRAY, 4, 4, 1))
        bpf.prog_bind_map(program, other)
        assert set(bpf.prog_info(program).map_ids) == {table_id, bpf.map_info(other).id}
        assert len(bpf.prog_xlated(program)) == 32


def test_maps_are_reached_through_an_array_of_descriptors() -> None:
    with bpf.map_create(ARRAY, 4, 4, 1) as table:
        load = bytes([0x18, 0x51, 0, 0]) + u32(0) + bytes(8)  # BPF_PSEUDO_MAP_IDX
        try:
            descriptor, _ = bpf.prog_load(CGROUP_SKB, load + RETURN_1, fd_array=(table,))
        except KernelError as error:
            assert error.errno == errno.E2BIG
            pytest.skip("this kernel takes no array of descriptors (Linux 5.14)")
        with descriptor:
            assert bpf.prog_info(descriptor).map_ids == (bpf.map_info(table).id,)


def test_everything_is_found_by_its_id(packets: Descriptor, cgroup: Path) -> None:
    with ExitStack() as stack:
        table = stack.enter_context(bpf.map_create(HASH, 4, 4, 1))
        directory = stack.enter_context(open_directory(cgroup))
        link = stack.enter_context(bpf.link_create(packets, EGRESS, target_fd=directory))
        builder = BtfBuilder()
        builder.int("int", 4)
        types = stack.enter_context(bpf.btf_load(builder.bytes())[0])
        program_id, map_id = bpf.prog_info(packets).id, bpf.map_info(table).id
        link_id, btf_id = bpf.link_info(link).id, bpf.btf_info(types).id
        assert program_id in set(bpf.ids(bpf.prog_get_next_id))
        assert map_id in set(bpf.ids(bpf.map_get_next_id))
        assert link_id in set(bpf.ids(bpf.link_get_next_id))
        assert btf_id in set(bpf.ids(bpf.btf_get_next_id))
        assert bpf.prog_info(stack.enter_context(bpf.prog_get_fd_by_id(program_id))).id == program_id
        assert bpf.map_info(stack.enter_context(bpf.map_get_fd_by_id(map_id))).id == map_id
        assert bpf.link_info(stack.enter_context(bpf.link_get_fd_by_id(link_id))).id == link_id
        assert bpf.btf_info(stack.enter_context(bpf.btf_get_fd_by_id(btf_id))).id == btf_id
        read_only = stack.enter_context(bpf.map_get_fd_by_id(map_id, 8))
        with pytest.raises(NotPermitted, match="opened for reading only"):
            bpf.map_update(read_only, u32(1), u32(1))
    with pytest.raises(KernelError, match=f"cannot open map {map_id}: it is gone"):
        bpf.map_get_fd_by_id(map_id)


def open_directory(path: Path) -> Descriptor:
    return Descriptor(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), "cgroup")


# -- attaching -----------------------------------------------------------------------------------------------


def test_cgroup_links(packets: Descriptor, cgroup: Path) -> None:
    with open_directory(cgroup) as directory:
        program_id = bpf.prog_info(packets).id
        with bpf.link_create(packets, EGRESS, target_fd=directory) as link:
            info = bpf.link_info(link)
            assert (info.type, info.prog_id) == (3, program_id)
            assert info.details == {"cgroup_id": cgroup.stat().st_ino, "attach_type": EGRESS}
            assert bpf.prog_query(EGRESS, target_fd=directory).prog_ids == (program_id,)
            other, _ = bpf.prog_load(CGROUP_SKB, RETURN_1, name="other", expected_attach_type=EGRESS)
            with other:
                with pytest.raises(KernelError):
                    bpf.link_update(link, packets, old_prog_fd=other)
                bpf.link_update(link, other, old_prog_fd=packets)
                other_id = bpf.prog_info(other).id
                assert bpf.prog_query(EGRESS, target_fd=directory).prog_ids == (other_id,)
            bpf.link_detach(link)
            assert bpf.prog_query(EGRESS, target_fd=directory).prog_ids == ()
        with bpf.link_create(packets, EGRESS, target_fd=directory):
            pass
        assert bpf.prog_query(EGRESS, target_fd=directory).prog_ids == ()


def test_the_old_way_to_attach(packets: Descriptor, cgroup: Path) -> None:
    with open_directory(cgroup) as directory:
        bpf.prog_attach(packets, EGRESS, target_fd=directory, attach_flags=2)
        try:
            attached = bpf.prog_query(EGRESS, target_fd=directory)
            assert (attached.prog_ids, attached.attach_flags) == ((bpf.prog_info(packets).id,), 2)
        finally:
            bpf.prog_detach(packets, EGRESS, target_fd=directory)
        with pytest.raises(KernelError, match="it is not attached there"):
            bpf.prog_detach(packets, EGRESS, target_fd=directory)


def test_a_file_is_no_cgroup(packets: Descriptor) -> None:
    with Descriptor(os.open("/", os.O_RDONLY)) as directory, pytest.raises(KernelError) as caught:
        bpf.prog_attach(packets, EGRESS, target_fd=directory)
    assert caught.value.errno == errno.EBADF
    assert "no cgroup v2 directory" in str(caught.value)


def test_tracepoints_through_perf() -> None:
    if not attach_kind("perf link").available:
        pytest.skip("this kernel has no perf links (Linux 5.15)")
    with mounts.tracefs() as tracefs:
        number = int(mounts.read_at(tracefs, "events/syscalls/sys_enter_getpgid/id"))
    program, _ = bpf.prog_load(TRACEPOINT, RETURN_0)
    with program, bpf.enable_stats(), perf.open_tracepoint(number) as event:
        with bpf.link_create(program, PERF_EVENT, target_fd=event, where=bpf.PerfCookie(7)) as link:
            details = bpf.link_info(link).details
            told = {"kind": 5, "tp_name": "sys_enter_getpgid", "cookie": details.get("cookie")}
            assert details in ({}, told)  # since 6.6
            before = bpf.prog_info(program).run_cnt
            for _ in range(10):
                os.getpgid(0)
            linked = bpf.prog_info(program)
            assert linked.run_cnt - before >= 10
            assert linked.run_time_ns > 0
        for _ in range(10):
            os.getpgid(0)
        assert bpf.prog_info(program).run_cnt == linked.run_cnt


def test_tracepoints_without_links() -> None:
    with mounts.tracefs() as tracefs:
        number = int(mounts.read_at(tracefs, "events/syscalls/sys_enter_getpgid/id"))
    program, _ = bpf.prog_load(TRACEPOINT, RETURN_0)
    with program, bpf.enable_stats(), perf.open_tracepoint(number) as event:
        perf.set_bpf(event, program)
        perf.enable(event)
        os.getpgid(0)
        count = bpf.prog_info(program).run_cnt
        perf.disable(event)
    assert count >= 1


def test_raw_and_typed_tracepoints(vmlinux: Btf) -> None:
    raw, _ = bpf.prog_load(RAW_TRACEPOINT, RETURN_0)
    with raw, bpf.raw_tracepoint_open(raw, "sys_enter", cookie=0) as link:
        assert bpf.link_info(link).details["tp_name"] == "sys_enter"
    typed, _ = bpf.prog_load(
        TRACING,
        RETURN_0,
        expected_attach_type=TRACE_RAW_TP,
        attach_btf_id=vmlinux.find("btf_trace_sys_enter", Kind.TYPEDEF),
    )
    with typed, bpf.enable_stats(), bpf.raw_tracepoint_open(typed) as link:
        os.getpid()
        os.getpgid(0)
        info = bpf.link_info(link)
        assert info.details["tp_name"] == "sys_enter"
        assert bpf.prog_info(typed).run_cnt > 0
    raw, _ = bpf.prog_load(RAW_TRACEPOINT, RETURN_0)
    with raw, pytest.raises(KernelError, match="raw tracepoint 'no_such': the kernel has no such tracepoint"):
        bpf.raw_tracepoint_open(raw, "no_such")


def test_iterators(vmlinux: Btf) -> None:
    # r1 = ctx->meta; r1 = meta->seq; bpf_seq_write(seq, "bee", 4); return 0
    code = bytes.fromhex(
        "7911000000000000"  # r1 = *(u64 *)(r1 + 0)        meta
        "7911000000000000"  # r1 = *(u64 *)(r1 + 0)        meta->seq
        "620afcff62656573"  # *(u32 *)(r10 - 4) = "bees"
        "bfa2000000000000"  # r2 = r10
        "07020000fcffffff"  # r2 += -4
        "b703000004000000"  # r3 = 4
        "850000007f000000"  # call bpf_seq_write
        "b700000000000000"
        "9500000000000000"
    )
    program, _ = bpf.prog_load(
        TRACING, code, expected_attach_type=TRACE_ITER, attach_btf_id=vmlinux.find("bpf_iter_bpf_map", Kind.FUNC)
    )
    with program, bpf.map_create(ARRAY, 4, 4, 1), bpf.link_create(program, TRACE_ITER) as link:
        info = bpf.link_info(link)
        assert (info.type, info.details["target_name"]) == (4, "bpf_map")
        with bpf.iter_create(link) as walk:
            text = b"".join(iter(lambda: os.read(walk.fileno(), 4096), b""))
        assert set(text.split(b"bees")) == {b""}
        assert len(text) >= 2 * 4  # the map above, and the call at the end of the walk


TCX = """
import os, struct
from beespace.syscall import bpf
code = bytes.fromhex("b7000000ffffffff9500000000000000")
def load(name):
    return bpf.prog_load(3, code, name=name, expected_attach_type=46)[0]
with load("a") as a, load("b") as b, bpf.link_create(a, 46, target_ifindex=1) as first:
    told = bpf.prog_query(46, target_ifindex=1)
    anchor = bpf.Anchor(relative_id=bpf.prog_info(a).id, expected_revision=told.revision)
    with bpf.link_create(b, 46, target_ifindex=1, flags=8 | 32, where=anchor) as second:   # before, by id
        now = bpf.prog_query(46, target_ifindex=1)
        assert now.prog_ids == (bpf.prog_info(b).id, bpf.prog_info(a).id), now
        assert now.link_ids == (bpf.link_info(second).id, bpf.link_info(first).id), now
        assert dict(bpf.link_info(first).details) == {"ifindex": 1, "attach_type": 46}
        assert now.revision != told.revision
        try:
            bpf.link_create(load("c"), 46, target_ifindex=1, where=anchor)
        except Exception as error:
            print(error)
"""


def test_tcx_links_stand_where_they_are_put() -> None:
    command = ["unshare", "--net", sys.executable, "-W", "ignore::ResourceWarning", "-c", TCX]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    if "does not know the attach type" in done.stderr:
        pytest.skip("this kernel has no tcx (Linux 6.6)")
    assert done.returncode == 0, done.stderr
    assert "the list of programs there has changed meanwhile" in done.stdout


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


# -- the rest of the door ------------------------------------------------------------------------------------


def test_pins_live_in_a_file_system_that_nobody_sees() -> None:
    before = Path("/proc/self/mountinfo").read_text()
    with mounts.detached_mount("bpf", {"mode": "700"}) as pins, bpf.map_create(ARRAY, 4, 4, 1, name="pinned") as table:
        bpf.obj_pin(table, "here", directory=pins)
        assert "here" in mounts.list_at(pins)
        with bpf.obj_get("here", directory=pins) as again:
            assert bpf.map_info(again).id == bpf.map_info(table).id
        with pytest.raises(KernelError, match="something is pinned there already"):
            bpf.obj_pin(table, "here", directory=pins)
        with pytest.raises(KernelError, match="nothing is pinned there"):
            bpf.obj_get("elsewhere", directory=pins)
        assert Path("/proc/self/mountinfo").read_text() == before
    assert Path("/proc/self/mountinfo").read_text() == before


def test_pinning_outside_of_a_bpf_file_system_says_so(tmp_path: Path) -> None:
    with bpf.map_create(ARRAY, 4, 4, 1) as table, pytest.raises(NotPermitted, match="not in a bpf file system"):
        bpf.obj_pin(table, tmp_path / "map")


def test_tracefs_and_cgroups_are_reached() -> None:
    before = Path("/proc/self/mountinfo").read_text()
    with mounts.tracefs() as tracefs:
        assert "sched_switch" in mounts.list_at(tracefs, "events/sched")
        assert b"sched:sched_switch\n" in mounts.read_at(tracefs, "available_events")
    with mounts.cgroup2_root() as root, mounts.detached_mount("cgroup2") as detached:
        assert "cgroup.procs" in mounts.list_at(root)
        assert os.fstat(root.fileno()).st_ino == os.fstat(detached.fileno()).st_ino
    assert mounts.lockdown() in (None, "none", "integrity", "confidentiality")
    assert Path("/proc/self/mountinfo").read_text() == before


def test_a_ring_is_mapped_twice() -> None:
    # bpf_ringbuf_output(map, r10 - 8, 8, 0)
    with bpf.map_create(RINGBUF, 0, 0, memory.PAGE) as ring:
        load = bytes([0x18, 0x11, 0, 0]) + u32(ring.fileno()) + bytes(8)
        code = bytes.fromhex("7a0af8ff2a000000") + load + bytes.fromhex(
            "bfa2000000000000 07020000f8ffffff b703000008000000 b704000000000000 8500000082000000".replace(" ", "")
        )  # fmt: skip
        program, _ = bpf.prog_load(CGROUP_SKB, code + RETURN_0)
        with program, Poller[str]() as poller:
            parts = memory.map_ring(ring, memory.PAGE)
            poller.register(ring, "ring")
            assert poller.wait(0) == []
            bpf.prog_test_run(program, data_in=bytes(64), repeat=3)
            assert poller.wait(5) == ["ring"]
            barrier.fence()
            assert struct.unpack_from("=Q", parts.producer)[0] == 48
            assert [struct.unpack_from("=IIQ", parts.data, at) for at in (0, 16, 32)] == [
                (8, page_of_header(parts, at), 42) for at in (0, 16, 32)
            ]
            assert parts.data[: memory.PAGE] == parts.data[memory.PAGE :]
            with pytest.raises(TypeError):
                parts.data[0] = 1
            struct.pack_into("=Q", parts.consumer.view, 0, 48)
            assert poller.wait(0) == []
            poller.unregister(ring)
            parts.close()


def page_of_header(parts: memory.RingMemory, at: int) -> int:
    """The kernel keeps the page of the record's header, from the start of its own memory, next to the length."""
    page: int = struct.unpack_from("=I", parts.data, at + 4)[0]
    assert 0 < page < 16
    return page


def test_waiting_for_programs() -> None:
    started = time.monotonic()
    assert barrier.wait_for_programs() in (True, False)
    assert time.monotonic() - started < 5
    barrier._barrier()
