"""Netfilter hooks: which packets pass them, in which order, in pieces or whole."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel import LoadedObject, load
from beespace.kernel.links import query
from beespace.kernel.links.info import NetfilterInfo
from beespace.spec import ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[..., ObjectSpec]

SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
volatile __u64 hits = 0, order = 0;
static __attribute__((always_inline)) void hit(int digit)
{
    __sync_fetch_and_add(&hits, 1);
    order = order * 10 + digit;
}
SEC("netfilter") int accept(void *ctx) { hit(1); return 1; }
SEC("netfilter") int other(void *ctx) { hit(2); return 1; }
SEC("netfilter") int drop(void *ctx) { hit(3); return 0; }
"""


@pytest.fixture
def loaded(compile_c: Compile) -> Iterator[LoadedObject]:
    try:
        opened = load(compile_c(SOURCE))
    except NotSupported:
        raise
    except KernelError as error:  # the program type is not known
        raise NotSupported("netfilter programs", since="6.4", call=error.call, errno=error.errno) from error
    with opened:
        yield opened


def count(loaded: LoadedObject, name: str) -> int:
    return int(loaded.variables[name].get())


def at(wire: Any, hook: str = "local_in", **more: object) -> dict[str, Any]:
    return {"netns": wire.right.netns, "netfilter_hook": hook, **more}


def test_packets_that_pass_a_hook(loaded: LoadedObject, wire: Any) -> None:
    with wire.right.socket(socket.SOCK_DGRAM, 7000) as receiver:
        (link,) = loaded.attach("accept", **at(wire, priority=-5))
        wire.send(6)
        for _ in range(6):
            receiver.recv(100)
        assert count(loaded, "hits") == 6
        assert link.explain() == ("accept is attached to netfilter (inet local_in, priority -5) by netfilter link")
        info = link.info
        assert isinstance(info, NetfilterInfo)
        assert (info.pf, info.hooknum, info.priority, info.flags) == (2, 1, -5, 0)
        assert info.prog_id == loaded.programs["accept"].info().id
        assert (info.prog_id, info.id) in [(each.prog_id, each.link_id) for each in query("netfilter").programs]
        link.detach()
        wire.send(1)
        receiver.recv(100)
        assert count(loaded, "hits") == 6


def test_what_it_drops_nobody_gets(loaded: LoadedObject, wire: Any) -> None:
    with wire.right.socket(socket.SOCK_DGRAM, 7000) as receiver:
        (link,) = loaded.attach("drop", **at(wire, "pre_routing"))
        wire.send(5)
        link.detach()
        wire.send(1)
        receiver.recv(100)
        receiver.setblocking(False)
        with pytest.raises(BlockingIOError):
            receiver.recv(100)
        assert count(loaded, "hits") == 5


def test_the_order_of_priorities(loaded: LoadedObject, wire: Any) -> None:
    loaded.attach("accept", **at(wire, priority=10))
    loaded.attach("other", **at(wire, priority=-10))
    with wire.right.socket(socket.SOCK_DGRAM, 7000) as receiver:
        wire.send(1)
        receiver.recv(100)
    assert count(loaded, "order") == 21
    with pytest.raises(KernelError, match="another BPF program has priority 10 at local_in") as busy:
        loaded.attach("drop", **at(wire, priority=10))
    assert busy.value.errno == errno.EBUSY
    for mine in (-(2**31), 2**31 - 1):
        with pytest.raises(KernelError, match=f"the kernel keeps priority {mine} for itself"):
            loaded.attach("drop", **at(wire, priority=mine))


def test_packets_in_pieces_and_whole(loaded: LoadedObject, wire: Any) -> None:
    with wire.right.socket(socket.SOCK_DGRAM, 7000) as receiver, wire.left.socket(socket.SOCK_DGRAM) as sender:
        (pieces,) = loaded.attach("accept", **at(wire, "pre_routing"))
        sender.sendto(bytes(3000), (wire.right.address, 7000))
        assert len(receiver.recv(4000)) == 3000
        assert count(loaded, "hits") == 3  # fragments of at most 1480 bytes
        pieces.detach()
        (whole,) = loaded.attach("accept", **at(wire, "pre_routing", defragment=True))
        info = whole.info
        assert isinstance(info, NetfilterInfo) and info.flags == 1
        sender.sendto(bytes(3000), (wire.right.address, 7000))
        assert len(receiver.recv(4000)) == 3000
        assert count(loaded, "hits") == 3 + 1
    with pytest.raises(UsageError, match="cannot get whole packets at priority -400"):
        loaded.attach("accept", **at(wire, "pre_routing", defragment=True, priority=-400))


def test_it_keeps_its_program(loaded: LoadedObject, wire: Any) -> None:
    (link,) = loaded.attach("accept", **at(wire))
    with pytest.raises(KernelError, match="links of this kind keep their program"):
        link.update(loaded.programs["other"])
    assert link.program == "accept"


def test_families_and_hooks(loaded: LoadedObject, wire: Any) -> None:
    (link,) = loaded.attach("accept", **at(wire, "post_routing", family="inet6"))
    info = link.info
    assert isinstance(info, NetfilterInfo) and (info.pf, info.hooknum) == (10, 4)
    with pytest.raises(UsageError, match=r"its netfilter_hook is 'input', which is none(?s:.*)'local_in'"):
        loaded.attach("accept", **at(wire, "input"))
    with pytest.raises(UsageError, match="its netfilter_hook is not said"):
        loaded.attach("accept", netns=wire.right.netns)
    with pytest.raises(UsageError, match="its family is 'ipv4'"):
        loaded.attach("accept", **at(wire, family="ipv4"))
