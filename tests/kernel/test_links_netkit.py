"""netkit devices: programs of both sides, in their order."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pace import patience

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel import LoadedObject, load
from beespace.kernel.links import query
from beespace.kernel.links.info import NetkitInfo
from beespace.spec import ObjectSpec
from beespace.syscall.netlink import CREATE, EXCLUSIVE, Netlink, attribute, nested

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
volatile __u64 sent = 0, answered = 0, order = 0;
SEC("netkit/primary") int out(struct __sk_buff *skb) { sent++; order = order * 10 + 1; return -1; }
SEC("netkit/primary") int first(struct __sk_buff *skb) { order = order * 10 + 2; return -1; }
SEC("netkit/primary") int drop(struct __sk_buff *skb) { return 2; }
SEC("netkit/peer") int back(struct __sk_buff *skb) { answered++; return -1; }
"""

# include/uapi/linux/rtnetlink.h, if_link.h
NEWLINK, IFNAME, LINKINFO, NET_NS_FD, KIND, DATA, PEER = 16, 3, 18, 28, 1, 2, 1


@pytest.fixture
def netkit(wire: Any) -> Any:
    """``nk0`` on the left, the host's side, and ``nk1`` on the right, the container's."""
    nothing = struct.pack("=BxHiII", 0, 0, 0, 0, 0)
    left, right = (Path(f"/proc/{side.netns}/ns/net") for side in (wire.left, wire.right))
    with left.open("rb") as here, right.open("rb") as there, Netlink(here) as netlink:
        peer = attribute(PEER, nothing + attribute(IFNAME, "nk1") + attribute(NET_NS_FD, there.fileno()))
        body = nothing + attribute(IFNAME, "nk0")
        body += nested(LINKINFO, attribute(KIND, "netkit"), nested(DATA, peer))
        try:
            netlink.ask("RTM_NEWLINK", NEWLINK, body, "make a netkit device", flags=CREATE | EXCLUSIVE)
        except KernelError as error:
            pytest.skip(f"this kernel has no netkit devices (CONFIG_NETKIT, Linux 6.7): {error.message}")
    for side, name, address in ((wire.left, "nk0", "10.78.0.1"), (wire.right, "nk1", "10.78.0.2")):
        side.run("ip", "-batch", "-", given=f"address add {address}/24 dev {name}\nlink set dev {name} up\n")
    return wire


@pytest.fixture
def loaded(compile_c: Callable[..., ObjectSpec]) -> Iterator[LoadedObject]:
    with load(compile_c(SOURCE)) as opened:
        yield opened


def exchange(wire: Any, count: int) -> None:
    """That many datagrams from the host's side to the container's, and an answer to each."""
    left = wire.left.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    right = wire.right.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with left, right:
        left.bind(("10.78.0.1", 0))
        right.bind(("10.78.0.2", 0))
        for each in (left, right):
            each.settimeout(patience(20))
        for _ in range(count):
            left.sendto(b"x", right.getsockname())
            data, sender = right.recvfrom(10)
            right.sendto(data, sender)
            assert left.recv(10) == b"x"


def test_both_sides(loaded: LoadedObject, netkit: Any) -> None:
    told = {"interface": "nk0", "netns": netkit.left.netns}
    (out,) = loaded.attach("out", **told)
    (back,) = loaded.attach("back", **told)
    exchange(netkit, 3)
    assert [loaded.variables[name].get() for name in ("sent", "answered")] == [3, 3]
    info = back.info
    assert isinstance(info, NetkitInfo) and info.attach_type == 55 and info.ifindex
    assert back.explain() == "back is attached to netkit/peer (nk0) by netkit link"
    out.detach()
    exchange(netkit, 2)
    assert [loaded.variables[name].get() for name in ("sent", "answered")] == [3, 5]


def test_places(loaded: LoadedObject, netkit: Any) -> None:
    told = {"interface": "nk0", "netns": netkit.left.netns}
    (out,) = loaded.attach("out", **told)
    (first,) = loaded.attach("first", before=out, **told)
    exchange(netkit, 1)
    assert loaded.variables["order"].get() == 21
    there = query("netkit/primary", **told)
    assert [each.prog_id for each in there.programs] == [loaded.programs[name].info().id for name in ("first", "out")]
    first.update(loaded.programs["drop"])
    with pytest.raises(TimeoutError), netkit.left.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as s:
        s.settimeout(0.2)
        s.sendto(b"x", ("10.78.0.2", 9))
        s.recv(1)
    assert loaded.variables["sent"].get() == 1


def test_only_the_hosts_side_of_a_netkit_device(loaded: LoadedObject, netkit: Any) -> None:
    with pytest.raises(UsageError, match=r"lo is no netkit device \(hardware or loopback\)"):
        loaded.attach("out", interface="lo", netns=netkit.left.netns)
    with pytest.raises(UsageError, match="nk1 is the container's side of a netkit pair"):
        loaded.attach("back", interface="nk1", netns=netkit.right.netns)


def test_without_netkit(loaded: LoadedObject, wire: Any) -> None:
    with pytest.raises(UsageError, match=r"left is no netkit device \(veth\), which program 'out' is for"):
        loaded.attach("out", interface="left", netns=wire.left.netns)
    try:
        query("netkit/primary", interface="left", netns=wire.left.netns)
    except NotSupported as error:
        assert error.since == "6.7"
    except KernelError:
        pass  # it is no such device
