"""Sockets of the machine, and the shipped probe on packets of theirs."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from beespace import elf
from beespace.btf import Btf, codec
from beespace.isa import MapType
from beespace.session.live_map import Losses
from beespace.session.simulated_interval import SimulatedInterval
from beespace.spec import MapSpec
from beespace.vm import Inputs, Loaded, Machine, Rights, Run, load, maps
from beespace.vm.errno import Refused
from beespace.vm.sockets import Socket

OBJECTS = Path(elf.__file__).parents[1] / "probes" / "objects"


@pytest.fixture
def flows() -> Loaded:
    spec = elf.read((OBJECTS / "flows.bpf.o").read_bytes(), "flows")
    return load(spec, types=Btf((OBJECTS / "kernel.btf").read_bytes()), inputs=Inputs(time=77, tgid=4711, comm="curl"))


def table(loaded: Loaded) -> SimulatedInterval:
    return SimulatedInterval(loaded.maps["flows"], Losses(None), 0)


def rows(loaded: Loaded, interval: SimulatedInterval) -> list[tuple[Any, Any]]:
    types, inner = Btf(loaded.spec.btf), loaded.maps["flows"].spec.inner
    assert inner is not None
    keys, values, count = interval.take()
    found = []
    for index in range(count):
        key = codec.codec(types, inner.key_type).decode(keys[index * inner.key_size :][: inner.key_size])
        value = codec.codec(types, inner.value_type).decode(values[index * inner.value_size :][: inner.value_size])
        found.append((key, value))
    return found


def packet(source: int, target: int, size: int) -> bytes:
    tcp = struct.pack(">HHIIBBHHH", source, target, 1, 2, 0x50, 0x10, 100, 0, 0)
    header = struct.pack(">BBHIBBH4s4s", 0x45, 0, 40 + size, 0, 64, 6, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
    return bytes(12) + b"\x08\x00" + header + tcp + bytes(size)


def test_flows_without_a_socket(flows: Loaded) -> None:
    interval = table(flows)
    for _ in range(3):
        assert flows.run("on_egress", packet(1000, 80, 100)).result == 1
    assert flows.run("on_ingress", packet(80, 1000, 7)).result == 1
    [(_, out)] = [each for each in rows(flows, interval) if each[1]["tx_packets"]]
    assert (out["tx_packets"], out["tx_bytes"], out["owned"]) == (3, 3 * 140, 0)
    assert rows(flows, interval) == []


def test_flows_of_a_socket_have_an_owner(flows: Loaded) -> None:
    interval = table(flows)
    socket = Socket(cookie=5, netns=9, tcp={"srtt_us": 80, "total_retrans": 2})
    task = flows.machine.memory.add("a task", bytearray(16384), Rights.READ)
    task.data[:] = task.base.to_bytes(8, "little") * 2048  # its leader is itself
    flows.machine.task = task.base
    assert flows.run("on_create", socket=socket).result == 1
    flows.run("on_egress", packet(1000, 80, 100), socket=socket)
    flows.run("on_egress", packet(1000, 80, 100))
    mine, other = sorted(rows(flows, interval), key=lambda row: -row[1]["owned"])
    assert (mine[0]["netns"], mine[1]["pid"], mine[1]["cookie"], mine[1]["rtt_us"]) == (9, 4711, 5, 10)
    assert (mine[1]["retransmits"], mine[1]["tx_packets"]) == (2, 1)
    assert (other[0]["netns"], other[1]["tx_packets"]) == (0, 1)


def test_maps_that_are_not_like_the_template_are_refused(flows: Loaded) -> None:
    with pytest.raises(Refused):
        flows.maps["flows"].put(bytes(4), flows.maps["listening"])  # type: ignore[attr-defined]


def test_what_is_stored_with_a_socket_is_there_under_every_address() -> None:
    machine = Machine()
    run, socket = Run(machine, None), Socket(state=10)
    storage = maps.make(MapSpec("stored", MapType.SK_STORAGE, 4, 8, 0, 1), 1)
    handle = machine.map_handle(machine.add_map(storage))
    view, tcp = machine.sockets.address(socket), machine.sockets.tcp_address(socket)
    machine.sockets.know(4096, socket)
    places = {run.call_helper(107, [handle, address, 0, 1]) for address in (view, tcp, 4096)}  # sk_storage_get
    assert len(places) == 1 and places != {0}
    machine.sockets.forget(4096)
    assert run.call_helper(107, [handle, 4096, 0, 0]) == 0
    assert run.call_helper(95, [view]) == view  # sk_fullsock
    assert run.call_helper(98, [view]) == view  # get_listener_sock
    socket.state = 6
    assert (run.call_helper(95, [view]), run.call_helper(96, [view]), run.call_helper(98, [view])) == (0, 0, 0)
