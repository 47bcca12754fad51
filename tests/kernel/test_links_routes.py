"""Programs of one route: its packets and no others."""

from __future__ import annotations

import errno
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pace import patience

from beespace.errors import KernelError, UsageError
from beespace.kernel import LoadedObject, load
from beespace.spec import ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
volatile __u64 left_by = 0, sent_on = 0, dropped = 0, arrived = 0;
SEC("lwt_out") int out(struct __sk_buff *skb) { left_by++; return BPF_OK; }
SEC("lwt_xmit") int xmit(struct __sk_buff *skb) { sent_on++; return BPF_OK; }
SEC("lwt_xmit") int drop(struct __sk_buff *skb) { dropped++; return BPF_DROP; }
SEC("lwt_in") int in(struct __sk_buff *skb) { arrived++; return BPF_OK; }
"""


@pytest.fixture
def loaded(compile_c: Callable[..., ObjectSpec], wire: Any) -> Iterator[LoadedObject]:
    wire.right.run("ip", "address", "add", "10.9.0.7/32", "dev", "lo")
    with load(compile_c(SOURCE)) as opened:
        yield opened


def routes(wire: Any) -> list[str]:
    return [each["dst"] for each in json.loads(wire.left.run("ip", "-json", "route", "show")) if "10.9" in each["dst"]]


def send(wire: Any, count: int, to: str = "10.9.0.7") -> None:
    with wire.left.socket(socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            sender.sendto(bytes(10), (to, 7000))


@pytest.mark.parametrize(("name", "counter"), [("out", "left_by"), ("xmit", "sent_on")])
def test_packets_of_a_route(loaded: LoadedObject, wire: Any, name: str, counter: str) -> None:
    route = "10.9.0.0/24 via 10.77.0.2"
    with wire.right.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(("10.9.0.7", 7000))
        receiver.settimeout(patience(20))
        (link,) = loaded.attach(name, route=route, interface="left", netns=wire.left.netns)
        assert routes(wire) == ["10.9.0.0/24"]
        send(wire, 4)
        for _ in range(4):
            receiver.recv(100)
        send(wire, 3, wire.right.address)  # by another route
        assert loaded.variables[counter].get() == 4
        assert link.explain() == (
            f"{name} is attached to lwt_{name} ({route} by left) by route; if this process is killed, "
            f"it stays until: ip route del {route} dev left"
        )
        link.detach()
    assert routes(wire) == []


def test_update(loaded: LoadedObject, wire: Any) -> None:
    (link,) = loaded.attach("xmit", route="10.9.0.7/32 via 10.77.0.2", interface="left", netns=wire.left.netns)
    send(wire, 2)
    link.update(loaded.programs["drop"])
    for _ in range(3):
        with pytest.raises(PermissionError):  # the sender is told
            send(wire, 1)
    assert [loaded.variables[name].get() for name in ("sent_on", "dropped")] == [2, 3]
    with pytest.raises(KernelError, match=r"there is a route to 10\.9\.0\.7/32 via 10\.77\.0\.2 already") as there:
        loaded.attach("out", route="10.9.0.7/32 via 10.77.0.2", interface="left", netns=wire.left.netns)
    assert there.value.errno == errno.EEXIST
    wire.left.run("ip", "route", "del", "10.9.0.7/32")
    link.detach()  # nothing left to do


def test_packets_that_arrive_by_a_route(loaded: LoadedObject, wire: Any) -> None:
    wire.right.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
    loaded.attach("in", route="10.9.1.0/24 via 10.77.0.1", interface="right", netns=wire.right.netns)
    wire.left.run("ip", "route", "add", "10.9.1.0/24", "via", "10.77.0.2")
    send(wire, 2, "10.9.1.1")
    assert loaded.variables["arrived"].get() == 2


def test_what_is_no_route(loaded: LoadedObject, wire: Any) -> None:
    told = {"interface": "left", "netns": wire.left.netns}
    with pytest.raises(UsageError, match=r"needs a route(?s:.*)route="):
        loaded.attach("out", **told)
    for text in ("10.9.0.1/24", "home", "10.9.0.0/24 via here"):
        with pytest.raises(UsageError, match="is no route"):
            loaded.attach("out", route=text, **told)
    assert routes(wire) == []
