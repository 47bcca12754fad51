"""XDP programs on interfaces: links and netlink, modes, who is in the way, what stays."""

from __future__ import annotations

import errno
import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beespace.errors import KernelError, NotPermitted, NotSupported, UsageError
from beespace.kernel import LoadedObject, load
from beespace.kernel.links.info import XdpInfo
from beespace.spec import ObjectSpec
from beespace.syscall import rtnetlink
from beespace.syscall.netlink import Netlink

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[..., ObjectSpec]

SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
volatile __u64 passed = 0, dropped = 0;

SEC("xdp") int pass(struct xdp_md *ctx) { __sync_fetch_and_add(&passed, 1); return XDP_PASS; }
SEC("xdp") int drop(struct xdp_md *ctx) { __sync_fetch_and_add(&dropped, 1); return XDP_DROP; }
"""


def count(loaded: LoadedObject, name: str) -> int:
    return int(loaded.variables[name].get())


@pytest.fixture
def loaded(compile_c: Compile) -> Any:
    with load(compile_c(SOURCE)) as opened:
        yield opened


def xdp(side: Any) -> dict[str, int]:
    """The program of each mode, as ip(8) tells it."""
    told = json.loads(side.run("ip", "-json", "-details", "link", "show", side.interface))[0].get("xdp", {})
    modes = {1: "native", 2: "generic"}
    if told.get("mode") == 4:
        return {modes[each["mode"]]: each["prog"]["id"] for each in told["attached"]}
    return {modes[told["mode"]]: told["prog"]["id"]} if told else {}


@pytest.mark.parametrize("via", ["xdp link", "netlink", None])
@pytest.mark.parametrize("mode", ["native", "generic"])
def test_every_packet_is_seen_once(loaded: LoadedObject, wire: Any, mode: str, via: str | None) -> None:
    told = {"interface": "right", "netns": wire.right.netns, "mode": mode}
    with wire.right.socket(socket.SOCK_DGRAM, 7000) as receiver:
        wire.send(3)
        (link,) = loaded.attach("pass", via=via, **told)
        assert xdp(wire.right) == {mode: loaded.programs["pass"].info().id}
        wire.send(5)
        for _ in range(8):
            receiver.recv(100)
        assert count(loaded, "passed") == 5
        assert link.via == via or via is None
        assert f"pass is attached to xdp (right, {mode}) by {link.via}" in link.explain()
        link.detach()
        assert xdp(wire.right) == {}
        wire.send(2)
        for _ in range(2):
            receiver.recv(100)
        assert count(loaded, "passed") == 5


def test_what_it_drops_nobody_gets(loaded: LoadedObject, wire: Any) -> None:
    with wire.right.socket(socket.SOCK_DGRAM, 7000) as receiver:
        loaded.attach("drop", interface="right", netns=wire.right.netns, mode="generic")
        wire.send(10)
        loaded.detach()
        wire.send(1)
        receiver.recv(100)
        receiver.setblocking(False)
        with pytest.raises(BlockingIOError):
            receiver.recv(100)
        assert count(loaded, "dropped") == 10


def test_the_kernel_chooses_the_mode_and_the_link_says_which(loaded: LoadedObject, wire: Any) -> None:
    (veth,) = loaded.attach("pass", interface="right", netns=wire.right.netns)
    (loopback,) = loaded.attach("drop", interface="lo", netns=wire.right.netns)
    assert (veth.at, loopback.at) == ("right, native", "lo, generic")


def test_native_where_the_driver_has_none(loaded: LoadedObject, wire: Any) -> None:
    with pytest.raises(KernelError, match=r"lo: its driver refuses it in native mode(?s:.*)mode='generic'") as refused:
        loaded.attach("pass", interface="lo", netns=wire.right.netns, mode="native")
    assert refused.value.errno in (errno.EOPNOTSUPP, errno.EINVAL)
    with pytest.raises(KernelError, match=r"nderlying driver does not support XDP in native mode(?s:.*)'generic'"):
        loaded.attach("pass", interface="lo", netns=wire.right.netns, mode="native", via="netlink")
    with pytest.raises(KernelError, match="refuses it in offload mode"):
        loaded.attach("pass", interface="right", netns=wire.right.netns, mode="offload")
    assert xdp(wire.right) == {}


@pytest.mark.parametrize("via", ["xdp link", "netlink"])
def test_one_program_at_a_time(loaded: LoadedObject, wire: Any, via: str) -> None:
    told = {"interface": "right", "netns": wire.right.netns, "mode": "native"}
    (first,) = loaded.attach("pass", via=via, **told)
    there = loaded.programs["pass"].info().id
    for other in ("xdp link", "netlink"):
        with pytest.raises(KernelError, match=rf"right: program {there} \(native\) is there already") as busy:
            loaded.attach("drop", via=other, **told)
        assert busy.value.errno == errno.EBUSY
    with pytest.raises(KernelError, match="is there already") as other_mode:
        loaded.attach("drop", **(told | {"mode": "generic"}))
    assert other_mode.value.errno == errno.EEXIST
    assert xdp(wire.right) == {"native": there}
    first.detach()
    loaded.attach("drop", via=via, **told)


@pytest.mark.parametrize("via", ["xdp link", "netlink"])
def test_update(loaded: LoadedObject, wire: Any, via: str) -> None:
    (link,) = loaded.attach("pass", interface="right", netns=wire.right.netns, via=via)
    wire.send(2)
    link.update(loaded.programs["drop"])
    assert link.program == "drop"
    assert xdp(wire.right) == {"native": loaded.programs["drop"].info().id}
    wire.send(4)
    assert (count(loaded, "passed"), count(loaded, "dropped")) == (2, 4)
    link.detach()
    assert xdp(wire.right) == {}


def test_update_only_if_nobody_was_faster(loaded: LoadedObject, wire: Any) -> None:
    (link,) = loaded.attach("pass", interface="right", netns=wire.right.netns, via="xdp link")
    with pytest.raises(NotPermitted, match="its program is not the one that was expected"):
        link.update(loaded.programs["drop"], expected=loaded.programs["drop"])
    link.update(loaded.programs["drop"], expected=loaded.programs["pass"])
    info = link.info
    assert isinstance(info, XdpInfo)
    assert info.prog_id == loaded.programs["drop"].info().id
    assert info.ifindex == json.loads(wire.right.run("ip", "-json", "link", "show", "right"))[0]["ifindex"]


def test_taking_a_place(loaded: LoadedObject, wire: Any) -> None:
    told = {"interface": "right", "netns": wire.right.netns}
    (first,) = loaded.attach("pass", via="netlink", **told)
    with pytest.raises(KernelError, match="is there already"):
        loaded.attach("pass", replace=loaded.programs["drop"], **told)  # that one is not there
    (second,) = loaded.attach("drop", replace=loaded.programs["pass"], **told)
    assert second.via == "netlink"
    first.detach()  # its place is another's now
    assert xdp(wire.right) == {"native": loaded.programs["drop"].info().id}
    with pytest.raises(UsageError, match="cannot take the place"):
        loaded.attach("drop", replace=loaded.programs["pass"], via="xdp link", **told)
    second.detach()
    assert xdp(wire.right) == {}


def test_netlink_says_that_it_stays(loaded: LoadedObject, wire: Any) -> None:
    (link,) = loaded.attach("pass", interface="right", netns=wire.right.netns, mode="generic", via="netlink")
    assert "if this process is killed, it stays until: ip link set dev right xdpgeneric off" in link.explain()
    wire.right.run("ip", "link", "set", "dev", "right", "xdpgeneric", "off")
    assert xdp(wire.right) == {}
    link.detach()  # nothing left to do


def test_the_interface_goes(loaded: LoadedObject, wire: Any) -> None:
    links = [
        *loaded.attach("pass", interface="right", netns=wire.right.netns, via="netlink"),
        *loaded.attach("drop", interface="left", netns=wire.left.netns),
    ]
    wire.left.run("ip", "link", "delete", "left")
    info = links[1].info
    assert info is None or (isinstance(info, XdpInfo) and info.ifindex == 0)
    for link in links:
        link.detach()


def test_interfaces_by_name_and_index(loaded: LoadedObject, wire: Any) -> None:
    with Path(f"/proc/{wire.right.netns}/ns/net").open("rb") as netns:
        with Netlink(netns) as netlink:
            index = rtnetlink.interface(netlink, "right").index
        (link,) = loaded.attach("pass", interface=index, netns=netns)
        assert xdp(wire.right)
        link.detach()
        with pytest.raises(UsageError, match=r"no interface 'rihgt' in that network namespace(?s:.*)lo, right"):
            loaded.attach("pass", interface="rihgt", netns=netns)
        with pytest.raises(UsageError, match="no interface 4242"):
            loaded.attach("pass", interface=4242, netns=netns)
    with pytest.raises(UsageError, match="needs an interface"):
        loaded.attach("pass")
    with pytest.raises(UsageError, match="its mode is 'skb', which is none"):
        loaded.attach("pass", interface="right", netns=wire.right.netns, mode="skb")
    with pytest.raises(UsageError, match="/run/netns/nosuch is no network namespace"):
        loaded.attach("pass", interface="right", netns="nosuch")


def test_bpftool_sees_the_same(loaded: LoadedObject, wire: Any) -> None:
    if shutil.which("bpftool") is None:
        pytest.skip("bpftool is not installed")
    (link,) = loaded.attach("pass", interface="right", netns=wire.right.netns, mode="native", via="xdp link")
    told = json.loads(wire.right.run("bpftool", "net", "show", "-j"))
    assert [(each["devname"], each["id"]) for each in told[0]["xdp"]] == [("right", loaded.programs["pass"].info().id)]
    info = link.info
    assert info is not None
    shown = json.loads(wire.right.run("bpftool", "-j", "link", "show", "id", str(info.id)))
    assert shown["prog_id"] == info.prog_id


FRAGMENTS = SOURCE.replace('SEC("xdp")', 'SEC("xdp.frags")')


def test_packets_in_pieces(compile_c: Compile, wire: Any) -> None:
    """A native program without ``.frags`` is refused for large MTUs; one with it is taken."""
    for side in (wire.left, wire.right):
        side.run("ip", "link", "set", "dev", side.interface, "mtu", "9000")
    with load(compile_c(SOURCE), programs=["pass"]) as plain, pytest.raises(KernelError, match=r"veth.*native mode"):
        plain.attach("pass", interface="right", netns=wire.right.netns, mode="native")
    try:
        pieces = load(compile_c(FRAGMENTS), programs=["pass"])
    except KernelError as error:  # it does not know the flag
        raise NotSupported("XDP programs for packets in pieces", since="5.18", call=error.call) from error
    with pieces:
        pieces.attach("pass", interface="right", netns=wire.right.netns, mode="native")
        wire.send(3)
        assert count(pieces, "passed") == 3


DEVMAP = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
SEC("xdp/devmap") int out(struct xdp_md *ctx) { return XDP_PASS; }
SEC("xdp/cpumap") int other_cpu(struct xdp_md *ctx) { return XDP_PASS; }
"""


def test_programs_of_map_entries(compile_c: Compile) -> None:
    with load(compile_c(DEVMAP)) as loaded:
        for name, kind in (("out", "device"), ("other_cpu", "CPU")):
            with pytest.raises(UsageError, match=rf"is not attached, but used(?s:.*)entry of a {kind} map"):
                loaded.attach(name)
