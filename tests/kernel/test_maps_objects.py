"""Maps of maps, programs, events, cgroups, devices, CPUs and sockets on the running kernel, against bpftool."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.isa.constants import MapFlag, MapType
from beespace.kernel import load
from beespace.kernel.create import create_map
from beespace.kernel.maps import ArrayMap, CpuQueue, Device, HashMap, StackTraces, StructOps, container
from beespace.kernel.maps.instruction_array import Instruction
from beespace.spec import MapSpec, ObjectSpec
from beespace.syscall import perf

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[..., ObjectSpec]
SO_COOKIE = 57
SINCE = {MapType.XSKMAP: "4.18", MapType.CPUMAP: "4.15", MapType.INSN_ARRAY: "6.19"}


@contextmanager
def made(kind: MapType, entries: int = 4, *, key: int = 4, value: int = 4, **more: Any) -> Iterator[Any]:
    try:
        raw = create_map(MapSpec("test", kind, key, value, entries, **more))
    except KernelError as error:
        if kind in SINCE and error.errno == errno.EINVAL:
            pytest.skip(f"this kernel has no maps of type {kind.name} (Linux {SINCE[kind]})")
        raise
    with container(raw) as typed:
        yield typed


def bpftool(*words: str) -> Any:
    done = subprocess.run(["bpftool", "-j", "map", *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def number(cells: list[str]) -> int:
    return int.from_bytes(bytes(int(cell, 16) for cell in cells), "little")


def dumped(table: Any) -> dict[int, int]:
    entries = bpftool("dump", "id", str(table.info.id))
    found = [entry for entry in entries if isinstance(entry.get("value", entry.get("inner_map_id")), list)]
    return {number(entry["key"]): number(entry.get("value") or entry["inner_map_id"]) for entry in found}


INNER = MapSpec("inner", MapType.HASH, 4, 8, 3)


@pytest.mark.parametrize("kind", [MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS])
def test_maps_of_maps(kind: MapType) -> None:
    with made(kind, inner=INNER) as outer, container(create_map(INNER)) as one, container(create_map(INNER)) as two:
        outer[1], outer[3] = one, two.raw
        one[5] = 50
        assert dict(outer.ids()) == {1: one.info.id, 3: two.info.id} and outer.id(3) == two.info.id
        assert bool(outer) and 1 in outer and 2 not in outer and sorted(outer) == [1, 3] and len(outer) == 2
        said = bpftool("lookup", "id", str(outer.info.id), "key", "1", "0", "0", "0")
        assert number(said.get("inner_map_id") or said["value"]) == one.info.id
        with outer[1] as again:
            assert isinstance(again, HashMap) and dict(again) == {5: 50}
            again[6] = 60
        assert one[6] == 60
        with pytest.raises(KeyError):
            outer[2]
        assert outer.get(2) is None
        for value in outer.values():
            value.close()
        outer[1] = None
        with outer.pop(3) as last:
            assert last.info.id == two.info.id
        assert not outer and outer.pop(3, "none") == "none"
        with pytest.raises(UsageError, match="takes a map"):
            outer[0] = "one"
        with container(create_map(MapSpec("other", MapType.ARRAY, 4, 8, 1))) as other, pytest.raises(KernelError):
            outer[0] = other


NESTED = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct pair { int a, b; };
struct inner { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1);
         __type(key, __u32); __type(value, struct pair); } first SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 2);
         __type(key, __u32); __array(values, struct inner); }
    outer SEC(".maps") = { .values = { [1] = &first } };
int stop(struct __sk_buff *skb);
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 3);
         __type(key, __u32); __array(values, int (struct __sk_buff *)); }
    next SEC(".maps") = { .values = { [0] = (void *)&stop } };
SEC("tc") int start(struct __sk_buff *skb) { bpf_tail_call(skb, &next, 0); return 1; }
SEC("tc") int stop(struct __sk_buff *skb) { return 2; }
SEC("tc") int other(struct __sk_buff *skb) { return 3; }
char LICENSE[] SEC("license") = "GPL";
"""


def test_inner_maps_have_the_types_of_their_template(compile_c: Compile) -> None:
    with load(compile_c(NESTED)) as loaded, loaded.maps["outer"][1] as inner:
        assert isinstance(inner, ArrayMap)
        inner[0] = {"a": 1, "b": -2}
        assert loaded.maps["first"][0].b == -2


def test_programs_to_jump_to(compile_c: Compile) -> None:
    with load(compile_c(NESTED)) as loaded:
        table, programs = loaded.maps["next"], loaded.programs

        def run() -> int:
            return int(programs["start"].test_run(bytes(64)).retval)

        ids = {name: program.info().id for name, program in programs.items()}
        assert (dict(table), run()) == ({0: ids["stop"]}, 2)
        table[0] = programs["other"]
        table[2] = programs["stop"].fileno()
        assert (dict(table), run()) == ({0: ids["other"], 2: ids["stop"]}, 3)
        assert dumped(table) == dict(table)
        del table[0]
        assert (0 in table, run(), table.pop(2), bool(table)) == (False, 1, ids["stop"], False)
        with pytest.raises(KeyError):
            del table[0]
        with pytest.raises(UsageError, match="takes a program"):
            table[0] = "stop"


def test_events_go_in_and_do_not_come_out() -> None:
    with made(MapType.PERF_EVENT_ARRAY) as events:
        with perf.perf_event_open(1, 10) as event:  # PERF_COUNT_SW_BPF_OUTPUT
            events[2] = event
        del events[2]
        with pytest.raises(KeyError):
            del events[2]
        with pytest.raises(IndexError, match="has 4 places"):
            events[4] = 0
        with pytest.raises(UsageError, match="takes a perf event"):
            events[0] = "cycles"
        events.clear()
        assert len(events) == 4


def test_cgroups_go_in(cgroup: Path) -> None:
    with made(MapType.CGROUP_ARRAY) as groups:
        directory = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY)
        try:
            groups[2] = directory
        finally:
            os.close(directory)
        del groups[2]
        with pytest.raises(KeyError):
            del groups[2]


@pytest.mark.parametrize("kind", [MapType.DEVMAP, MapType.DEVMAP_HASH])
@pytest.mark.parametrize("value", [4, 8])
def test_devices(kind: MapType, value: int) -> None:
    with made(kind, value=value) as devices:
        devices[1] = "lo"
        devices[2] = 1
        assert dict(devices) == {1: Device(1), 2: Device(1)}
        assert bpftool("dump", "id", str(devices.info.id))
        devices[3] = devices[1]
        assert devices[3] == Device(1)
        assert devices.pop(1).ifindex == 1 and 1 not in devices
        with pytest.raises(UsageError, match="no network interface 'nowhere'"):
            devices[0] = "nowhere"
        with pytest.raises(UsageError, match="takes"):
            devices[0] = 1.5
        if value == 4:
            with pytest.raises(UsageError, match="no room for programs"):
                devices[0] = ("lo", 5)


XDP = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp/devmap") int on_device(struct xdp_md *ctx) { return XDP_PASS; }
SEC("xdp/cpumap") int on_cpu(struct xdp_md *ctx) { return XDP_PASS; }
char LICENSE[] SEC("license") = "GPL";
"""


def test_programs_for_devices_and_cpus(compile_c: Compile) -> None:
    with (
        made(MapType.CPUMAP, 1, value=8) as cpus,
        made(MapType.DEVMAP, value=8) as devices,
        load(compile_c(XDP)) as loaded,
    ):
        devices[0] = ("lo", loaded.programs["on_device"])
        cpus[0] = (192, loaded.programs["on_cpu"])
        assert devices[0] == Device(1, loaded.programs["on_device"].info().id)
        assert cpus[0] == CpuQueue(192, loaded.programs["on_cpu"].info().id)
        with pytest.raises(UsageError, match="by its id"):
            cpus[0] = cpus[0]
        cpus[0] = 64
        assert dict(cpus) == {0: CpuQueue(64)}
        cpus.clear()
        assert not cpus


@contextmanager
def listening(kind: int = socket.SOCK_STREAM, *, shared: bool = False) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, kind) as server:
        if shared:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            server.listen()
        yield server


def cookie(of: socket.socket) -> int:
    return int.from_bytes(of.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), "little")


@pytest.mark.parametrize("kind", [MapType.SOCKMAP, MapType.SOCKHASH, MapType.REUSEPORT_SOCKARRAY])
def test_sockets_come_out_as_cookies(kind: MapType) -> None:
    with made(kind, value=8) as sockets, listening(shared=True) as server:
        sockets[2] = server
        assert dict(sockets) == {2: cookie(server)} and sockets[2] == cookie(server)
        assert number(bpftool("lookup", "id", str(sockets.info.id), "key", "2", "0", "0", "0")["value"]) == cookie(
            server
        )
        assert (2 in sockets, 1 in sockets, sockets.get(1)) == (True, False, None)
        del sockets[2]
        sockets[1] = server.fileno()
        assert sockets.pop(1) == cookie(server)
        sockets[0] = server
        server.close()
        assert 0 not in sockets  # it left by itself


@pytest.mark.parametrize("kind", [MapType.SOCKMAP, MapType.SOCKHASH])
def test_sockets_in_small_values_cannot_be_read(kind: MapType) -> None:
    with made(kind) as sockets, listening() as server:
        sockets[1] = server
        for read in (lambda: sockets[1], lambda: 1 in sockets, lambda: dict(sockets.items()), lambda: list(sockets)):
            with pytest.raises(UsageError, match="because its values have 4 bytes"):
                read()
        del sockets[1]
        sockets[1] = server
        sockets.clear()
        with pytest.raises(KeyError):
            del sockets[1]


def test_sockets_for_xdp() -> None:
    with made(MapType.XSKMAP) as sockets:
        assert len(sockets) == 4
        with listening() as server, pytest.raises(KernelError):
            sockets[0] = server  # not of AF_XDP


STACKS = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_STACK_TRACE); __uint(max_entries, 64); __uint(key_size, 4);
         __uint(value_size, 160); } stacks SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_STACK_TRACE); __uint(max_entries, 64); __uint(map_flags, BPF_F_STACK_BUILD_ID);
         __uint(key_size, 4); __uint(value_size, 320); } files SEC(".maps");
__s64 kernel_stack, user_stack;
SEC("raw_tp/sys_enter")
int look(void *ctx)
{
    kernel_stack = bpf_get_stackid(ctx, &stacks, 0);
    user_stack = bpf_get_stackid(ctx, &files, BPF_F_USER_STACK);
    return 0;
}
char LICENSE[] SEC("license") = "GPL";
"""


def test_stacks_by_their_number(compile_c: Compile) -> None:
    with load(compile_c(STACKS)) as loaded:
        stacks, files = loaded.maps["stacks"], loaded.maps["files"]
        assert isinstance(stacks, StackTraces)
        loaded.programs["look"].test_run(ctx_in=bytes(16))
        number_ = loaded.variables["kernel_stack"].value
        assert number_ >= 0
        addresses = stacks[number_]
        assert addresses and 0 not in addresses and all(address >> 63 for address in addresses)
        assert dict(stacks) == {number_: addresses} and len(stacks) == 1
        if loaded.variables["user_stack"].value >= 0:
            frames = files[loaded.variables["user_stack"].value]
            assert frames and all(frame.build_id is None or len(frame.build_id) == 20 for frame in frames)
        del stacks[number_]
        for missing in (number_, 9999, -1):
            with pytest.raises(KeyError):
                stacks[missing]
        loaded.programs["look"].test_run(ctx_in=bytes(16))
        stacks.clear()
        assert not stacks


CONGESTION = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
struct sock;
struct tcp_congestion_ops {
    unsigned int (*ssthresh)(struct sock *sk);
    void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
    unsigned int (*undo_cwnd)(struct sock *sk);
    char name[16];
};
SEC("struct_ops/ssthresh") unsigned int BPF_PROG(threshold, struct sock *sk) { return 100; }
SEC("struct_ops/cong_avoid") void BPF_PROG(avoid, struct sock *sk, __u32 ack, __u32 acked) { }
SEC("struct_ops/undo_cwnd") unsigned int BPF_PROG(undo, struct sock *sk) { return 100; }
SEC(".struct_ops.link") struct tcp_congestion_ops congestion = {
    .ssthresh = (void *)threshold, .cong_avoid = (void *)avoid, .undo_cwnd = (void *)undo, .name = "bee_state",
};
char LICENSE[] SEC("license") = "GPL";
"""


def test_what_implements_an_interface_says_its_state(compile_c: Compile) -> None:
    try:
        loaded = load(compile_c(CONGESTION))
    except NotSupported as error:
        pytest.skip(str(error))
    with loaded:
        implementation = loaded.maps["congestion"]
        assert isinstance(implementation, StructOps)
        assert (implementation.state, implementation.references) == ("init", 0)
        with loaded.struct_ops["congestion"].attach():
            assert implementation.state in ("ready", "in use")  # registered by a link (Linux 6.4), or by writing it


def test_instructions() -> None:
    with made(MapType.INSN_ARRAY, 2, value=16) as instructions:
        instructions[1] = 7
        assert list(instructions) == [Instruction(0), Instruction(7)]
        with pytest.raises(UsageError, match="no offset"):
            instructions[0] = -1


def test_every_type_has_its_container() -> None:
    from beespace.kernel import maps
    from beespace.kernel.maps.kinds import CLASSES

    exempt = {MapType.UNSPEC}
    assert set(CLASSES) == set(MapType) - exempt
    assert all(name in maps.__all__ for name, _ in CLASSES.values())
    for name in maps.__all__:
        assert getattr(maps, name) is not None
    assert issubclass(StructOps, maps.Container)


def test_a_map_on_one_numa_node() -> None:
    with made(MapType.HASH, flags=MapFlag.NUMA_NODE, numa_node=0) as table:
        assert table.info.map_flags & MapFlag.NUMA_NODE
