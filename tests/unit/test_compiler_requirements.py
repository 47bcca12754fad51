"""What a program needs of a kernel, from its IR."""

from __future__ import annotations

from pathlib import Path

import pytest

from beespace.btf import Btf
from beespace.compiler import lower
from beespace.compiler.requirements import minimum, requirements_of
from beespace.isa import MapType
from beespace.isa.map_releases import FIRST_KERNEL
from beespace.lang import Arena, Counter, Hash, Program, Ring, Struct, bpf, cgroup_skb, function, raw_tracepoint
from beespace.schema import Event
from beespace.types import Pid, u64


class Seen(Event):
    pid: Pid


class Needs(Program):
    total = Counter()
    by_pid = Hash(key=Pid, value=u64)
    seen = Ring(Seen)

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, ctx):
        self.count()
        self.seen.emit(Seen(pid=bpf.pid()))

    @cgroup_skb("egress")
    def on_packet(self, ctx):
        self.count()
        bpf.skb_ecn_set_ce(ctx)

    @function
    def count(self):
        self.total += bpf.now()


@pytest.fixture(scope="module")
def btf() -> Btf:
    return Btf((Path(__file__).parent.parent / "golden" / "kernel.btf").read_bytes())


def test_helpers_hooks_and_maps_with_their_kernels(btf: Btf) -> None:
    found = requirements_of(lower(Needs.declaration(), btf))
    needs = {each.what: (each.since, each.programs) for each in found}
    assert needs["bpf_ktime_get_boot_ns()"] == ("5.8", ("on_exit", "on_packet"))  # both call count()
    assert needs["bpf_skb_ecn_set_ce()"] == ("5.1", ("on_packet",))
    assert needs["a map of type ringbuf"] == ("5.8", ("on_exit",))
    assert needs["@cgroup_skb (cgroup_skb/egress)"] == ("4.10", ("on_packet",))
    assert minimum(found) == "5.8" and found[0].since == "5.8"
    assert str(found[-1]).startswith("Linux ")


def test_releases_are_ordered_as_numbers() -> None:
    assert (
        max(FIRST_KERNEL.values(), key=lambda since: tuple(map(int, since.split(".")))) == FIRST_KERNEL[MapType.RHASH]
    )
    assert set(FIRST_KERNEL) == {number for number in MapType if number}


class Exits(Struct):
    total: u64
    last: Pid


class InArena(Program):
    exits = Arena(Exits)

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, ctx):
        self.exits.value.last = bpf.pid()

    @raw_tracepoint("sched_process_exit")
    def on_count(self, ctx):
        self.exits.value.total += 1


def test_arenas_and_atomic_operations_in_them(btf: Btf) -> None:
    found = {each.what: (each.since, each.programs) for each in requirements_of(lower(InArena.declaration(), btf))}
    assert found["a map of type arena"] == ("6.9", ("on_exit", "on_count"))
    assert found["atomic operations in an arena"] == ("6.10", ("on_count",))
