"""Probes of packets: the same tests run in beespace's machine and, where that is permitted, in this kernel."""

from frames import TCP, frame, question
from network.bounce import Bounce
from network.dns import Dns, name
from network.egress import Egress
from network.firewall import Firewall, Network
from network.limiter import Limiter
from network.marks import Marks
from network.services import Service, Services
from network.talkers import Talkers

from beespace.lang.verdicts import TC_ACT_OK, XDP_DROP, XDP_PASS, XDP_TX


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
