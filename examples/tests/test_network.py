"""Probes of packets: the same tests run in beespace's machine and, where that is permitted, in this kernel."""

import struct

from frames import TCP, UDP, address, checksum, frame, question
from network.balancer import Balancer
from network.bounce import Bounce
from network.dns import Dns, name
from network.egress import Egress
from network.firewall import Firewall, Network
from network.limiter import Limiter
from network.marks import Marks
from network.name_server import NameServer
from network.nat import Nat
from network.server_names import ServerNames
from network.services import Service, Services
from network.talkers import Talkers
from network.too_big import PacketTooBig

from beespace.lang.verdicts import TC_ACT_OK, TC_ACT_SHOT, XDP_DROP, XDP_PASS, XDP_TX


def test_a_firewall_lets_in_what_is_allowed(run):
    probe = run(Firewall)
    probe.allowed["10.0.0.0/8"] = Network()
    assert probe.test_run("on_packet", frame(source="10.1.2.3")).retval == XDP_PASS
    assert probe.test_run("on_packet", frame(source="192.0.2.1")).retval == XDP_DROP
    assert probe.test_run("on_packet", bytes(12) + b"\x86\xdd" + bytes(50)).retval == XDP_PASS
    assert probe.dropped.value == 1
    assert probe.allowed["10.0.0.0/8"].packets == 1


def test_bouncing_swaps_the_ends(run):
    probe = run(Bounce)
    sent = frame(b"hello", ports=(5000, 7))
    done = probe.test_run("on_packet", sent)
    assert done.retval == XDP_TX
    assert done.data == sent[6:12] + sent[:6] + frame(
        b"hello", source="10.0.0.2", target="10.0.0.1", ports=(7, 5000)
    )[12:]  # fmt: skip
    assert probe.test_run("on_packet", frame(ports=(5000, 8))).retval == XDP_PASS
    assert probe.bounced.value == 1


def test_marks_are_for_big_packets(run):
    probe = run(Marks)
    small = probe.test_run("on_packet", frame(), context={"mark": 1})
    big = probe.test_run("on_packet", frame(bytes(1400), protocol=TCP), context={"mark": 1})
    assert (small.retval, small.context.mark, big.context.mark) == (TC_ACT_OK, 1, 7)
    assert dict(probe.protocols.items()) == {17: 1, 6: 1}


def test_names_that_are_asked_for(run):
    probe = run(Dns)
    assert probe.test_run("on_packet", frame(question("www.bees.example"))).retval == 1
    assert probe.test_run("on_packet", frame(question("www.bees.example"), ports=(5000, 54))).retval == 1
    (asked,) = probe.questions.available()
    assert name(asked) == "www.bees.example"


def test_who_sends_most(run):
    probe = run(Talkers)
    for last, size in ((1, 10), (2, 500), (3, 100)):
        for _ in range(last):
            probe.test_run("on_packet", frame(bytes(size), target=f"10.0.0.{last}"))
    assert [(each.key, each.count) for each in probe.bytes.top(2)] == [("10.0.0.2", 2 * 528), ("10.0.0.3", 3 * 128)]


def test_a_network_behind_one_address(run):
    inside, outside, far = "10.1.0.2", "10.1.0.99", "192.0.2.7"
    probe = run(Nat)
    asked = frame(b"who?", source=inside, target=far, ports=(5000, 53))
    answered = frame(b"me", source=far, target=outside, ports=(53, 5000))
    assert probe.test_run("on_way_in", answered).retval == TC_ACT_SHOT  # nobody has asked
    sent = probe.test_run("on_way_out", asked)
    assert (sent.retval, sent.data) == (TC_ACT_OK, frame(b"who?", source=outside, target=far, ports=(5000, 53)))
    received = probe.test_run("on_way_in", answered)
    assert (received.retval, received.data) == (TC_ACT_OK, frame(b"me", source=far, target=inside, ports=(53, 5000)))
    assert probe.test_run("on_way_out", frame(source="10.1.0.3")).data == frame(source="10.1.0.3")
    assert (probe.changed.value, probe.strangers.value) == (2, 1)


def test_a_network_behind_one_address_has_right_checksums(run):
    """What TCP sums up are the addresses, too, which the program changes."""
    ends = {"target": "192.0.2.7", "ports": (5000, 80), "protocol": TCP}
    done = run(Nat).test_run("on_way_out", summed(frame(b"GET ", source="10.1.0.2", **ends)))
    assert done.data == summed(frame(b"GET ", source="10.1.0.99", **ends))


def summed(packet: bytes) -> bytes:
    """A segment of TCP with its checksum (RFC 9293, 3.1)."""
    segment = packet[34:]
    pseudo = packet[26:34] + struct.pack(">HH", TCP, len(segment))
    return packet[:50] + struct.pack(">H", checksum(pseudo + segment)) + packet[52:]


def test_a_name_server_below_the_stack(run):
    probe = run(NameServer)
    probe.add("WWW.bees.example", 0x0A00002A)
    asked = question("www.BEES.example")
    done = probe.test_run("on_packet", frame(asked))
    assert done.retval == XDP_TX
    record = bytes.fromhex("c00c 0001 0001 0000003c 0004 0a00002a")
    answer = asked[:2] + struct.pack(">5H", 0x8180, 1, 1, 0, 0) + asked[12:] + record
    told = frame(answer, source="10.0.0.2", target="10.0.0.1", ports=(53, 5000))
    assert done.data == told[6:12] + told[:6] + told[12:]
    assert probe.test_run("on_packet", frame(question("other.example"))).retval == XDP_PASS
    assert probe.test_run("on_packet", frame(asked[:20])).retval == XDP_PASS  # a name that is cut
    assert (probe.answered.value, probe.unknown.value) == (1, 1)


def test_what_is_too_big_is_told(run):
    probe = run(PacketTooBig(limit=600))
    big, small = frame(bytes(700)), frame(bytes(572))
    assert probe.test_run("on_packet", small).retval == XDP_PASS
    done = probe.test_run("on_packet", big)
    assert done.retval == XDP_TX
    assert done.data[:14] == big[6:12] + big[:6] + b"\x08\x00"
    header, message = done.data[14:34], done.data[34:]
    assert header[12:] == address("10.0.0.2") + address("10.0.0.1")
    assert struct.unpack(">HB", header[2:4] + header[9:10]) == (56, 1)
    assert checksum(header) == checksum(message) == 0
    assert message[:2] + message[6:] == b"\x03\x04" + struct.pack(">H", 600) + big[14:42]
    assert probe.sent.value == 1


def test_a_balancer_wraps_packets(run):
    probe = run(Balancer)
    service = {"target": "192.0.2.80", "protocol": TCP}
    probe.serve(0, int.from_bytes(address("192.0.2.80"), "big"), 80, [0x0A000101, 0x0A000102])
    for port in range(1000, 1008):
        sent = frame(b"hello", ports=(port, 80), **service)
        done = [probe.test_run("on_packet", sent) for _ in range(2)]
        assert [each.retval for each in done] == [XDP_TX, XDP_TX]
        wrapped = done[0].data
        assert wrapped[34:] == sent[14:]
        assert checksum(wrapped[14:34]) == 0
        assert wrapped[23] == 4
        assert wrapped[30:34] in (address("10.0.1.1"), address("10.0.1.2"))
    assert sum(probe.traffic[server].packets for server in (0, 1)) == 16
    assert probe.test_run("on_packet", frame(ports=(1000, 81), **service)).retval == XDP_PASS


def test_names_of_servers(run):
    name = b"www.bees.example"
    listed = struct.pack(">HBH", len(name) + 3, 0, len(name)) + name
    extensions = struct.pack(">HH", 23, 0) + struct.pack(">HH", 0, len(listed)) + listed
    hello = b"\x03\x03" + bytes(32) + b"\0" + struct.pack(">HH", 2, 0x1301) + b"\x01\0"
    hello += struct.pack(">H", len(extensions)) + extensions
    record = b"\x16\x03\x01" + struct.pack(">H", len(hello) + 4) + b"\x01" + len(hello).to_bytes(3, "big") + hello
    probe = run(ServerNames)
    probe.test_run("on_packet", frame(record, ports=(40000, 443), protocol=TCP))
    probe.test_run("on_packet", frame(record[: -len(extensions)], ports=(40001, 443), protocol=TCP))
    probe.test_run("on_packet", frame(record, protocol=UDP))
    assert [(each.source_port, each.name) for each in probe.hellos.available()] == [(40000, "www.bees.example")]
    assert probe.nameless.value == 1


def test_where_a_cgroup_may_send_to(vm):
    """In the machine alone: a packet that is run by hand in the kernel has no socket, and so no cgroup."""
    probe = vm(Egress, cgroup=7)
    probe.allow(0, 0x0A000000, 8, port=53)
    probe.allow(7, 0x0A000000, 8, port=53)
    assert probe.test_run("on_packet", frame(target="10.9.9.9")).retval == 1
    assert probe.test_run("on_packet", frame(target="10.9.9.9", ports=(1, 80))).retval == 0
    assert probe.test_run("on_packet", frame(target="192.0.2.1")).retval == 0
    assert [(event.address, event.port) for event in probe.refused.available()] == [("10.9.9.9", 80), ("192.0.2.1", 53)]


def test_a_bucket_is_filled_by_a_timer(vm):
    probe = vm(Limiter(rate=3))
    sent = [probe.test_run("on_packet", frame()).retval for _ in range(5)]
    vm.advance(999_999_999)
    sent.append(probe.test_run("on_packet", frame()).retval)
    vm.advance(1)
    sent += [probe.test_run("on_packet", frame()).retval for _ in range(4)]
    assert sent == [1, 1, 1, 0, 0, 0, 1, 1, 1, 0]
    assert probe.dropped.value == 4


def test_a_service_has_a_back_end(vm):
    probe = vm(Services)
    probe.services[Service(address=0x0AFFFE01, port=80)] = Service(address=0x7F000001, port=8080)
    there = {"user_ip4": 0x01FEFF0A, "user_port": 0x5000}  # in network order, as the kernel has them
    done = probe.test_run("on_connect", context=there)
    assert (done.retval, done.context.user_ip4, done.context.user_port) == (1, 0x0100007F, 0x901F)
    other = probe.test_run("on_connect", context=there | {"user_port": 0x5100})
    assert other.context.user_port == 0x5100
