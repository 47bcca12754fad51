"""Tries of the language: longest prefixes, against :mod:`ipaddress`."""

from __future__ import annotations

import ipaddress
import random

import pytest

from beespace.lang import Array, LpmTrie, Program, Struct, bpf, raw_tracepoint
from beespace.types import Address, be32, u8, u32, u64

pytestmark = pytest.mark.kernel

hook = raw_tracepoint("sched_process_exit")


class Place(Struct):
    zone: u8
    rack: u8
    unit: u8
    slot: u8


class Tries(Program):
    inputs = Array(u32, 4)
    address = Array(Address, 1)
    results = Array(u64, 8)
    networks = LpmTrie(u64)
    routes = LpmTrie(u64, key=be32)
    places = LpmTrie(u64, key=Place, max_entries=2)

    @hook
    def look(self, ctx):
        found = self.networks.get(bpf.v4(self.inputs[0]))
        self.results[0] = found if found is not None else 0
        self.results[1] = u64(bpf.v4(self.inputs[0]) in self.networks)
        self.results[2] = self.routes.get(self.inputs[0]) or 0
        self.results[3] = self.routes.get(self.inputs[0], prefix=self.inputs[1]) or 0

    @hook
    def look_six(self, ctx):
        self.results[0] = self.networks.get(self.address[0]) or 0

    @hook
    def change(self, ctx):
        self.routes[self.inputs[0]] = 5
        self.results[0] = u64(self.routes.insert(self.inputs[0], 6, prefix=16))
        self.results[1] = u64(self.routes.insert(self.inputs[0], 7, prefix=16))
        self.results[2] = u64(self.routes.delete(self.inputs[1], prefix=8))
        self.results[3] = u64(self.routes.delete(self.inputs[1], prefix=8))
        del self.routes[self.inputs[2]]

    @hook
    def place(self, ctx):
        here = Place(zone=u8(self.inputs[0]), rack=u8(self.inputs[1]))
        self.results[0] = self.places.get(here) or 0
        self.results[1] = self.places.get(Place(zone=9, rack=9)) or 0
        self.places[here] = 77


@pytest.fixture
def tries(loaded_probe):
    probe = loaded_probe(Tries)

    def run(method: str, *inputs: int) -> list[int]:
        for number, value in enumerate(inputs):
            probe.inputs[number] = value
        probe.loaded.programs[method].test_run(ctx_in=bytes(32))
        return [probe.results[number] for number in range(8)]

    run.probe = probe
    return run


def longest(networks, address):
    """What the trie has to find."""
    fitting = [network for network in networks if network.version == address.version and address in network]
    return networks[max(fitting, key=lambda network: network.prefixlen)] if fitting else 0


def test_longest_prefix_of_ipv4(tries) -> None:
    generator = random.Random(11)
    networks = {}
    for number in range(1, 60):
        length = generator.randrange(33)
        start = generator.getrandbits(32) if number % 2 else 0x0A000000 | generator.getrandbits(24)
        network = ipaddress.ip_network((start, length), strict=False)
        networks[network] = number
        tries.probe.networks[str(network)] = number
        tries.probe.routes[network] = number
    for number in range(100):
        value = generator.getrandbits(32) if number % 2 else 0x0A000000 | generator.getrandbits(24)
        address = ipaddress.IPv4Address(value)
        found = tries("look", value, 32)
        assert found[0] == found[2] == found[3] == longest(networks, address), address
        assert found[1] == (found[0] != 0)
        assert (tries.probe.networks.get(str(address)) or 0) == found[0], "outside it means the same"
    assert dict(tries.probe.networks.items()) == networks
    assert dict(tries.probe.routes.items()) == networks
    assert len(tries.probe.routes) == len(networks)


def test_ipv6_beside_ipv4(tries) -> None:
    networks = tries.probe.networks
    networks["2001:db8::/32"] = 1
    networks["2001:db8:1::/48"] = 2
    networks["10.0.0.0/8"] = 3
    for text, expected in (
        ("2001:db8::5", 1),
        ("2001:db8:1::5", 2),
        ("2001:db9::", 0),
        ("10.1.1.1", 3),
        ("11.0.0.1", 0),
    ):
        tries.probe.address[0] = text
        assert tries("look_six")[0] == expected, text
    assert networks["10.0.0.0/8"] == 3
    with pytest.raises(KeyError):
        networks["10.0.0.0/9"]
    assert networks.get("10.9.9.9") == 3
    assert "10.9.9.9" in networks
    del networks["10.0.0.0/8"]
    with pytest.raises(KeyError):
        del networks["10.0.0.0/8"]
    assert "10.9.9.9" not in networks
    assert sorted(map(str, networks)) == ["2001:db8:1::/48", "2001:db8::/32"]


def test_a_shorter_key_finds_shorter_prefixes_only(tries) -> None:
    tries.probe.routes["10.0.0.0/8"] = 8
    tries.probe.routes["10.1.0.0/16"] = 16
    assert tries("look", 0x0A010203, 24)[2:4] == [16, 16]
    assert tries("look", 0x0A010203, 12)[2:4] == [16, 8]


def test_kernel_side_changes(tries) -> None:
    routes = tries.probe.routes
    routes["11.0.0.0/8"] = 1
    routes["12.0.0.1/32"] = 2
    assert tries("change", 0x0A010203, 0x0B000000, 0x0C000001)[:4] == [1, 0, 1, 0]
    assert {str(key): value for key, value in routes.items()} == {"10.1.2.3/32": 5, "10.1.0.0/16": 6}
    assert routes.insert("10.1.0.0/16", 9) is False
    assert routes.insert("10.0.0.0/8", 9) is True
    assert routes.delete("10.0.0.0/8") is True
    assert routes.delete("10.0.0.0/8") is False


def test_any_struct(tries) -> None:
    places = tries.probe.places
    places[8, Place(zone=3)] = 30
    assert tries("place", 3, 1)[:2] == [30, 0]
    assert tries("place", 3, 1)[:2] == [77, 0], "the kernel side wrote the whole key"
    tries("place", 4, 4)
    assert places.lost in (1, 2), "two entries have room; a full trie of old kernels takes no other value either"
    assert [(length, place.zone) for length, place in places] == [(32, 3), (8, 3)] or len(places) == 2
