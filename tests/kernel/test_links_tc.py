"""Programs for packets at an interface: tcx and its order, tc filters and what is left of them."""

from __future__ import annotations

import errno
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel import LoadedObject, load
from beespace.kernel.links import query
from beespace.kernel.links.info import TcxInfo
from beespace.spec import ObjectSpec
from beespace.syscall import rtnetlink
from beespace.syscall.netlink import Netlink

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[..., ObjectSpec]

# A verdict of -1 lets the next one decide, in tcx and in tc.
SOURCE = r"""
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
volatile __u64 a_hits = 0, b_hits = 0, c_hits = 0, in_hits = 0, out_hits = 0, bytes = 0;
volatile __u64 order = 0;

static __attribute__((always_inline)) int hit(volatile __u64 *hits, int digit)
{
    __sync_fetch_and_add(hits, 1);
    order = order * 10 + digit;
    return TC_ACT_UNSPEC;
}
SEC("tc") int a(struct __sk_buff *skb) { bytes += skb->len; return hit(&a_hits, 1); }
SEC("tc") int b(struct __sk_buff *skb) { return hit(&b_hits, 2); }
SEC("tc") int c(struct __sk_buff *skb) { hit(&c_hits, 3); return TC_ACT_SHOT; }
SEC("tcx/ingress") int in(struct __sk_buff *skb) { return hit(&in_hits, 4); }
SEC("tcx/egress") int out(struct __sk_buff *skb) { return hit(&out_hits, 5); }
"""


def count(loaded: LoadedObject, name: str) -> int:
    return int(loaded.variables[name].get())


def ordered(loaded: LoadedObject, wire: Any) -> int:
    """The order in which the programs ran for one packet, a digit each."""
    loaded.variables["order"].set(0)
    wire.send(1)
    return count(loaded, "order")


@pytest.fixture
def loaded(compile_c: Compile) -> Iterator[LoadedObject]:
    with load(compile_c(SOURCE)) as opened:
        yield opened


def egress(wire: Any, **more: object) -> dict[str, Any]:
    return {"interface": "left", "netns": wire.left.netns, "direction": "egress", **more}


def qdiscs(side: Any) -> list[str]:
    told = json.loads(side.run("tc", "-json", "qdisc", "show", "dev", side.interface))
    return [each["kind"] for each in told if each["kind"] in ("clsact", "ingress")]


def filters(side: Any, direction: str) -> list[tuple[int, int]]:
    """Priority and program id of each filter, as tc(8) tells them."""
    told = json.loads(side.run("tc", "-json", "filter", "show", "dev", side.interface, direction))
    return [(each["pref"], each["options"]["prog"]["id"]) for each in told if "options" in each]


@pytest.fixture(autouse=True)
def tools() -> None:
    if shutil.which("tc") is None:
        pytest.skip("tc of iproute2 is not installed")


@pytest.mark.parametrize("via", ["tcx", "tc", None])
def test_every_packet_is_seen_once(loaded: LoadedObject, wire: Any, via: str | None) -> None:
    with wire.right.socket(socket.SOCK_DGRAM, 7000) as receiver:
        wire.send(2)
        (leaving,) = loaded.attach("a", via=via, **egress(wire))
        (coming,) = loaded.attach("b", via=via, interface="right", netns=wire.right.netns, direction="ingress")
        before = wire.left.statistics()
        wire.send(7)
        for _ in range(9):
            receiver.recv(100)
        after = wire.left.statistics()
        assert (count(loaded, "a_hits"), count(loaded, "b_hits")) == (7, 7)
        assert count(loaded, "bytes") == after["tx_bytes"] - before["tx_bytes"] == 7 * (14 + 20 + 8 + 10)
        assert {leaving.via, coming.via} == {via or leaving.via}
        leaving.detach()
        coming.detach()
        wire.send(3)
        assert (count(loaded, "a_hits"), count(loaded, "b_hits")) == (7, 7)
        assert qdiscs(wire.left) == qdiscs(wire.right) == []


@pytest.mark.parametrize("via", ["tcx", "tc", None])
def test_sections_with_a_direction(loaded: LoadedObject, wire: Any, via: str | None) -> None:
    with wire.right.socket(socket.SOCK_DGRAM, 7000) as receiver:
        loaded.attach("in", interface="right", netns=wire.right.netns, via=via)
        loaded.attach("out", interface="left", netns=wire.left.netns, via=via)
        wire.send(4)
        for _ in range(4):
            receiver.recv(100)
        assert (count(loaded, "in_hits"), count(loaded, "out_hits")) == (4, 4)
        with pytest.raises(UsageError, match="has no use for 'direction'"):
            loaded.programs["in"].attach(interface="left", direction="egress")


@pytest.mark.parametrize("via", ["tcx", "tc"])
def test_what_it_drops_nobody_gets(loaded: LoadedObject, wire: Any, via: str) -> None:
    with wire.right.socket(socket.SOCK_DGRAM, 7000) as receiver:
        (link,) = loaded.attach("c", interface="right", netns=wire.right.netns, direction="ingress", via=via)
        wire.send(5)
        link.detach()
        wire.send(1)
        receiver.recv(100)
        receiver.setblocking(False)
        with pytest.raises(BlockingIOError):
            receiver.recv(100)
        assert count(loaded, "c_hits") == 5


def test_it_says_why_it_took_the_way(loaded: LoadedObject, wire: Any) -> None:
    (link,) = loaded.attach("a", **egress(wire))
    if link.via == "tcx":
        assert link.explain() == "a is attached to tc (left egress) by tcx"
        assert link.stays == "" and isinstance(link.info, TcxInfo)
    else:
        assert link.tried == (
            "not by tcx: this kernel does not support tcx (needs Linux 6.6): BPF_LINK_CREATE failed with EINVAL",
        )
        assert "if this process is killed, it stays until: tc filter del dev left egress pref" in link.explain()
        assert link.info is None


# -- the order of tcx ------------------------------------------------------------------------------------------


def test_places_in_tcx(loaded: LoadedObject, wire: Any) -> None:
    (a,) = loaded.attach("a", **egress(wire, via="tcx"))
    (b,) = loaded.attach("b", **egress(wire, before=a))
    assert ordered(loaded, wire) == 21
    (c,) = loaded.attach("out", interface="left", netns=wire.left.netns, after=loaded.programs["b"])
    assert ordered(loaded, wire) == 251
    c.detach()
    (c,) = loaded.attach("out", interface="left", netns=wire.left.netns, before=True)
    assert ordered(loaded, wire) == 521
    c.detach()
    (c,) = loaded.attach("out", interface="left", netns=wire.left.netns, after=True)
    assert ordered(loaded, wire) == 215
    told = query("tcx/egress", interface="left", netns=wire.left.netns)
    assert [each.prog_id for each in told.programs] == [loaded.programs[name].info().id for name in ("b", "a", "out")]
    assert [each.link_id for each in told.programs] == [link.info.id for link in (b, a, c) if link.info]
    b.detach()
    with pytest.raises(KernelError, match="the list of programs there has changed meanwhile") as stale:
        loaded.attach("b", **egress(wire, revision=told.revision))
    assert stale.value.errno == errno.ESTALE
    loaded.attach("b", **egress(wire, revision=query("tcx/egress", interface="left", netns=wire.left.netns).revision))
    assert ordered(loaded, wire) == 152
    with pytest.raises(UsageError, match="before= one and after= another"):
        loaded.attach("b", **egress(wire, before=a, after=c))
    with pytest.raises(UsageError, match="priority= and handle= order tc filters"):
        loaded.attach("b", **egress(wire, before=a, priority=3))


def test_places_where_there_is_no_tcx(loaded: LoadedObject, wire: Any) -> None:
    try:
        loaded.attach("a", **egress(wire, before=True))
    except NotSupported as error:
        assert error.since == "6.6"
        assert qdiscs(wire.left) == []
    else:
        assert loaded.links[0].via == "tcx"


def test_update_of_tcx(loaded: LoadedObject, wire: Any) -> None:
    (a,) = loaded.attach("a", **egress(wire, via="tcx"))
    loaded.attach("out", interface="left", netns=wire.left.netns)
    a.update(loaded.programs["b"])
    assert ordered(loaded, wire) == 25


# -- filters of tc ---------------------------------------------------------------------------------------------


def test_priorities(loaded: LoadedObject, wire: Any) -> None:
    (b,) = loaded.attach("b", **egress(wire, priority=20, handle=7))
    (a,) = loaded.attach("a", **egress(wire, priority=10))
    assert (a.via, b.via) == ("tc", "tc")
    assert ordered(loaded, wire) == 12
    ids = {name: loaded.programs[name].info().id for name in "ab"}
    assert filters(wire.left, "egress") == [(10, ids["a"]), (20, ids["b"])]
    with pytest.raises(KernelError, match=r"left egress: another filter has priority 20 and handle 0x7") as there:
        loaded.attach("c", **egress(wire, priority=20, handle=7))
    assert there.value.errno == errno.EEXIST
    (chosen,) = loaded.attach("out", interface="left", netns=wire.left.netns, via="tc")
    assert "pref 9 handle 0x1" in chosen.at or "pref 49152" in chosen.at
    with pytest.raises(UsageError, match="cannot be attached by 'tcx'"):
        loaded.attach("c", **egress(wire, priority=20, via="tcx"))


def test_update_of_a_filter(loaded: LoadedObject, wire: Any) -> None:
    (link,) = loaded.attach("a", **egress(wire, via="tc"))
    link.update(loaded.programs["b"])
    assert ordered(loaded, wire) == 2
    ((_, program),) = filters(wire.left, "egress")
    assert program == loaded.programs["b"].info().id
    link.detach()
    assert filters(wire.left, "egress") == []
    with pytest.raises(UsageError, match="not attached to tc any more"):
        link.update(loaded.programs["a"])


def test_the_qdisc_goes_with_the_last_filter_of_those_that_made_it(loaded: LoadedObject, wire: Any) -> None:
    (first,) = loaded.attach("a", **egress(wire, via="tc"))
    (second,) = loaded.attach("in", interface="left", netns=wire.left.netns, via="tc")
    assert qdiscs(wire.left) == ["clsact"]
    first.detach()
    assert qdiscs(wire.left) == ["clsact"]
    second.detach()
    assert qdiscs(wire.left) == []


def test_the_qdisc_of_others_stays(loaded: LoadedObject, wire: Any) -> None:
    wire.left.run("tc", "qdisc", "add", "dev", "left", "clsact")
    (link,) = loaded.attach("a", **egress(wire, via="tc"))
    link.detach()
    assert qdiscs(wire.left) == ["clsact"]


def test_the_qdisc_that_others_use_meanwhile_stays(loaded: LoadedObject, wire: Any) -> None:
    (link,) = loaded.attach("a", **egress(wire, via="tc"))
    with Path(f"/proc/{wire.left.netns}/ns/net").open("rb") as netns, Netlink(netns) as netlink:
        index = rtnetlink.interface(netlink, "left").index
        rtnetlink.add_filter(netlink, index, rtnetlink.INGRESS, loaded.programs["b"], name="b", priority=5)
    link.detach()
    assert qdiscs(wire.left) == ["clsact"]
    assert filters(wire.left, "egress") == []
    assert filters(wire.left, "ingress") == [(5, loaded.programs["b"].info().id)]


def test_a_filter_that_somebody_else_put_in_the_place_stays(loaded: LoadedObject, wire: Any) -> None:
    (mine,) = loaded.attach("a", **egress(wire, priority=10, handle=1))
    wire.left.run("tc", "filter", "del", "dev", "left", "egress", "prio", "10")
    (other,) = loaded.attach("b", **egress(wire, priority=10, handle=1))
    mine.detach()
    assert filters(wire.left, "egress") == [(10, loaded.programs["b"].info().id)]
    other.detach()
    assert qdiscs(wire.left) == []


def test_the_old_qdisc_has_one_direction(loaded: LoadedObject, wire: Any) -> None:
    wire.left.run("tc", "qdisc", "add", "dev", "left", "ingress")
    (link,) = loaded.attach("in", interface="left", netns=wire.left.netns, via="tc")
    with pytest.raises(UsageError, match="its qdisc 'ingress' is where clsact should be"):
        loaded.attach("a", **egress(wire, via="tc"))
    link.detach()
    assert qdiscs(wire.left) == ["ingress"]


@pytest.mark.parametrize("via", ["tcx", "tc"])
def test_the_interface_goes(loaded: LoadedObject, wire: Any, via: str) -> None:
    (link,) = loaded.attach("a", **egress(wire, via=via))
    wire.left.run("ip", "link", "delete", "left")
    if isinstance(link.info, TcxInfo):
        assert link.info.ifindex == 0
    link.detach()


def test_without_direction(loaded: LoadedObject, wire: Any) -> None:
    with pytest.raises(UsageError, match=r"its direction is not said(?s:.*)'ingress' or 'egress'"):
        loaded.attach("a", interface="left", netns=wire.left.netns)
    with pytest.raises(UsageError, match="its direction is 'both'"):
        loaded.attach("a", interface="left", netns=wire.left.netns, direction="both")


VICTIM = """
import sys, time
from pathlib import Path
from beespace.elf import read
from beespace.kernel import load
loaded = load(read(Path(sys.argv[1]).read_bytes(), "victim"), programs=["a"])
(link,) = loaded.attach("a", interface="left", netns=sys.argv[2], direction="egress", via=sys.argv[3])
print("attached", link.stays, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("via", ["tcx", "tc"])
def test_a_killed_process(
    compile_c: Compile, object_file: Callable[[str], Path], wire: Any, via: str, gone: Callable[..., bool]
) -> None:
    """tcx leaves nothing; a filter stays, and the link has said how to remove it."""
    file = object_file(SOURCE.replace("int a(", f"int victim_{via}(").replace('"a"', '"victim"'))
    victim = VICTIM.replace('"a"', f'"victim_{via}"')
    with subprocess.Popen(
        [sys.executable, "-c", victim, str(file), wire.left.netns, via],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        said, _, stays = process.stdout.readline().strip().partition(" ")
        if said != "attached":
            complaint = process.stderr.read()
            assert "Linux 6.6" in complaint, complaint
            pytest.skip("this kernel has no tcx")
        process.send_signal(signal.SIGKILL)
    if via == "tc":
        assert len(filters(wire.left, "egress")) == 1
        command = stays.removeprefix("it stays until: ").split()
        wire.left.run(*command)
        assert filters(wire.left, "egress") == []
    assert gone(f"victim_{via}")


def test_namespaces_are_told_apart_for_ever(wire: Any) -> None:
    """By cookie: the inode number of a namespace that is gone is soon another's."""
    found = []
    for side in (wire.left, wire.right, wire.left):
        with Path(f"/proc/{side.netns}/ns/net").open("rb") as netns, Netlink(netns.fileno()) as netlink:
            found.append(netlink.namespace())
    if found[0] == 0:
        raise NotSupported("cookies of network namespaces", since="5.14")
    assert found[0] == found[2] != found[1]
