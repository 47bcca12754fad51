"""The same programs in the machine and in the kernel: results, packets, maps and events are the same."""

from __future__ import annotations

import importlib.util
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "fuzz" / "language"))  # tests are collected without packages

import fuzz

from beespace.compiler.worker import Worker
from beespace.errors import ProgramFault, UsageError
from beespace.hooks import resolve
from beespace.isa import ProgramType
from beespace.lang import (
    Array,
    Counter,
    Event,
    Hash,
    LruHash,
    PerCpuArray,
    Program,
    ProgramArray,
    Ring,
    bpf,
    cgroup_skb,
    tail_call,
    tc,
    xdp,
)
from beespace.schema import Struct
from beespace.types import u8, u16, u32, u64

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("first_cpu", "own_cache")]

ETHERNET = bytes(12)
NETWORK = Path(__file__).parents[2] / "examples" / "network"
#: Programs that get the packet with its link layer's header: it comes back as they left it.
WHOLE = (ProgramType.XDP, ProgramType.SCHED_CLS)
RUN = (*WHOLE, ProgramType.SOCKET_FILTER, ProgramType.CGROUP_SKB)


def ipv4(protocol: int, payload: bytes, source: str = "0a4d0001") -> bytes:
    header = struct.pack(">BBHIBBH", 0x45, 0, 20 + len(payload), 0, 64, protocol, 0)
    return ETHERNET + b"\x08\x00" + header + bytes.fromhex(source + "0a000002") + payload


def udp(source: int, target: int, size: int) -> bytes:
    return struct.pack(">HHHH", source, target, 8 + size, 0) + bytes(range(size))


PACKETS = (
    ipv4(17, udp(1000, 53, 40)),
    ipv4(17, udp(53, 1000, 40)),
    ipv4(17, udp(5, 7, 20)),
    ipv4(17, udp(1, 2, 200), "c0a80001"),
    ipv4(6, struct.pack(">HHIIBBHHH", 1, 80, 1, 2, 0x50, 2, 100, 0, 0) + bytes(30)),
    ipv4(1, bytes([8, 0, 0, 0]) + bytes(40)),
    ETHERNET + b"\x86\xdd" + bytes.fromhex("6000000000203a40") + bytes(32) + bytes([128]) + bytes(39),
    ETHERNET + b"\x08\x06" + bytes(50),
    bytes(64),
)


def same(kind: type[Program], packets: tuple[bytes, ...] = PACKETS) -> tuple[list[int], dict[str, Any]]:
    """Every method of a hook with packets, on every packet, in both; the results, and what is in the maps."""
    results: list[int] = []
    with kind().simulate() as ours, kind().load() as theirs:
        for name, attached in kind.declaration().programs.items():
            hook = resolve(attached.section).hook
            for packet in packets if hook.program_type in RUN else ():
                mine, right = ours.test_run(name, packet), theirs.test_run(name, packet)
                assert (name, packet, mine.retval) == (name, packet, right.retval)
                if hook.program_type in WHOLE:
                    assert (name, packet, mine.data) == (name, packet, right.data)
                results.append(right.retval)
        assert held(ours) == held(theirs)
        return results, held(theirs)


def held(probe: Program) -> dict[str, Any]:
    """What is in the maps that can be listed; their order says nothing."""
    found = {name: declared.plain() for name, declared in probe.live_maps() if not isinstance(declared, ProgramArray)}
    return {name: sorted(plain) if isinstance(plain, list) else plain for name, plain in found.items()}


def example(name: str) -> type[Program]:
    spec = importlib.util.spec_from_file_location(f"example_{name}", NETWORK / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    found = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == spec.name]
    return next(each for each in found if issubclass(each, Program))


@pytest.mark.parametrize("name", ["bounce", "firewall", "limiter", "marks"])
def test_examples(name: str) -> None:
    results, maps = same(example(name))
    assert len(set(results)) > 1 or any(maps.values())


class Seen(Event):
    length: u32
    kind: u16
    text: u8


class Everything(Program):
    """Something of each kind of map, a loop that the kernel calls, a jump to another program."""

    minimum: u32 = 60
    packets = Counter()
    by_kind = Hash(key=u16, value=u64)
    recent = LruHash(key=u32, value=u32, max_entries=64)
    sizes = Array(u64, 16)
    each_cpu = PerCpuArray(u64, 4)
    seen = Ring(Seen, size="64 KiB")
    steps = ProgramArray(4, {0: "second"})

    @tc("egress")
    def first(self, ctx):
        self.packets += 1
        if ctx.len < self.minimum:
            return 2
        total = u64(0)
        for place in range(min(ctx.len, 5000)):
            total += place
        self.sizes[ctx.len % 16] = total
        self.by_kind[u16(ctx.protocol)] += 1
        self.recent[ctx.len] = ctx.mark
        self.each_cpu[1] = u64(ctx.len)
        self.seen.emit(Seen(length=ctx.len, kind=u16(ctx.protocol), text=7))
        bpf.log(f"{ctx.len} bytes")
        self.steps.jump(ctx, 0)
        return 1

    @tail_call
    @tc("egress")
    def second(self, ctx):
        return 3


def test_maps_events_and_the_log() -> None:
    results, maps = same(Everything)
    assert set(results) == {3}
    assert maps["packets"] == len(PACKETS)
    with Everything(minimum=80).simulate() as ours, Everything(minimum=80).load() as theirs:
        for packet in PACKETS:
            assert ours.test_run("first", packet).retval == theirs.test_run("first", packet).retval
        events = [list(probe.seen.available()) for probe in (ours, theirs)]
        said = [[message.text for message in probe.log.available()] for probe in (ours, theirs)]
    assert events[0] == events[1] != []
    assert said[0] == said[1] != []


class Moves(Program):
    """XDP programs that move the ends of the packet, or copy from it."""

    answers = Array(u64, 8)

    @xdp
    def head(self, ctx):
        self.answers[0] = u64(bpf.xdp_adjust_head(ctx, 14))
        self.answers[1] = u64(bpf.xdp_adjust_head(ctx, -30))
        self.answers[2] = u64(bpf.xdp_adjust_head(ctx, -1000))
        self.answers[3] = u64(bpf.xdp_adjust_head(ctx, 60000))
        return 2

    @xdp
    def tail(self, ctx):
        self.answers[0] = u64(bpf.xdp_adjust_tail(ctx, -20))
        self.answers[1] = u64(bpf.xdp_adjust_tail(ctx, 100))
        self.answers[2] = u64(bpf.xdp_adjust_tail(ctx, 10000))
        self.answers[3] = u64(bpf.xdp_adjust_tail(ctx, -10000))
        return 2

    @xdp
    def meta(self, ctx):
        self.answers[0] = u64(bpf.xdp_adjust_meta(ctx, -8))
        self.answers[1] = u64(bpf.xdp_adjust_meta(ctx, -3))
        self.answers[2] = u64(bpf.xdp_adjust_meta(ctx, 100))
        self.answers[3] = u64(bpf.xdp_adjust_meta(ctx, 8))
        return 2


class Word(Struct):
    value: u32


class Copies(Program):
    """tc programs that copy from the packet and to it."""

    answers = Array(u64, 8)

    @tc("egress")
    def copy(self, ctx):
        word = Word()
        self.answers[0] = u64(bpf.skb_load_bytes(ctx, 12, word))
        self.answers[1] = u64(word.value)
        self.answers[2] = u64(bpf.skb_load_bytes(ctx, ctx.len - 3, word))
        self.answers[3] = u64(word.value)
        self.answers[4] = u64(bpf.skb_store_bytes(ctx, 20, u32(0x01020304), 0))
        self.answers[5] = u64(bpf.skb_store_bytes(ctx, ctx.len - 3, u32(0x01020304), 0))
        self.answers[6] = u64(bpf.skb_change_tail(ctx, ctx.len + 20, 0))
        self.answers[7] = u64(ctx.len)
        return 0


@pytest.mark.parametrize("kind", [Moves, Copies])
def test_packets_that_change(kind: type[Program]) -> None:
    for packet in PACKETS:
        _, maps = same(kind, (packet,))
        assert any(maps["answers"])


class Fields(Program):
    seen = Array(u64, 16)

    @tc("egress")
    def look(self, ctx):
        self.seen[0] = u64(ctx.len)
        self.seen[1] = u64(ctx.pkt_type)
        self.seen[2] = u64(ctx.mark)
        self.seen[3] = u64(ctx.protocol)
        self.seen[4] = u64(ctx.vlan_present)
        self.seen[5] = u64(ctx.priority)
        self.seen[6] = u64(ctx.ifindex)
        self.seen[7] = u64(ctx.ingress_ifindex)
        self.seen[8] = u64(ctx.hash)
        self.seen[9] = u64(ctx.queue_mapping)
        self.seen[10] = u64(ctx.tc_index)
        return 0

    @xdp
    def receive(self, ctx):
        self.seen[0] = u64(ctx.ingress_ifindex)
        self.seen[1] = u64(ctx.rx_queue_index)
        return 2


def test_the_context_of_a_packet() -> None:
    for target in (bytes(6), b"\xff" * 6, b"\1" + bytes(5), b"\2" * 6):
        for packet in PACKETS:
            same(Fields, (target + packet[6:],))


def test_contexts_by_name() -> None:
    class Marks(Program):
        @tc("egress")
        def mark(self, ctx):
            ctx.priority = ctx.mark + 1
            return 0

    with Marks().simulate() as ours, Marks().load() as theirs:
        mine, right = (probe.test_run("mark", PACKETS[0], context={"mark": 7}) for probe in (ours, theirs))
    assert (mine.context["mark"], mine.context["priority"]) == (7, 8)
    assert (right.context["mark"], right.context["priority"]) == (7, 8)


def test_random_functions() -> None:
    """Programs of ``tests/fuzz/language``, which compares kernel, machine and CPython."""
    with Worker() as worker:
        for seed in range(2_000_000, 2_000_004):
            assert list(fuzz.differences(seed, worker)) == []


# -- what only the machine has ---------------------------------------------------------------------------------------


class Inputs(Program):
    seen = Array(u64, 8)

    @cgroup_skb("egress")
    def look(self, ctx):
        self.seen[0] = u64(bpf.pid())
        self.seen[1] = u64(bpf.monotonic())
        self.seen[2] = u64(bpf.cpu())
        self.seen[3] = u64(bpf.random())
        return True


def test_inputs_are_given() -> None:
    with Inputs().simulate(time=5, tick=3, tgid=77, cpu=1, seed=9) as probe:
        probe.test_run("look", PACKETS[0])
        first = [probe.seen[index] for index in range(4)]
        method = probe.program("look")
        method.machine.inputs.tgid = 78
        method.test_run(PACKETS[0])
        assert (first[0], first[1], first[2]) == (77, 5, 1)
        assert (probe.seen[0], probe.seen[1]) == (78, 8)
    with Inputs().simulate(seed=9) as again:
        again.test_run("look", PACKETS[0])
        assert again.seen[3] == first[3]


def test_what_a_simulation_does_not_have() -> None:
    with pytest.raises(UsageError, match="no input 'weather'"):
        Inputs().simulate(weather="fine")
    with Inputs().simulate() as probe, pytest.raises(UsageError, match="not attached"):
        probe.attach("look")


def test_a_fault_names_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here of a machine that lacks a helper."""
    from beespace.isa.helpers import HELPERS

    with Inputs().simulate() as probe:
        method = probe.program("look")
        method.machine.helpers = {
            number: each for number, each in method.machine.helpers.items() if number != HELPERS["ktime_get_ns"].number
        }
        with pytest.raises(ProgramFault) as caught:
            method.test_run(PACKETS[0])
    assert "which this machine does not have" in caught.value.reason
    assert "bpf.monotonic()" in (caught.value.source or "")
