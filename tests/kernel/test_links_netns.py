"""Programs of a network namespace: who gets a packet, and how headers are taken apart."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beespace.errors import KernelError, UsageError
from beespace.kernel import LoadedObject, load
from beespace.kernel.links import query
from beespace.kernel.links.info import NetnsInfo
from beespace.spec import ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[..., ObjectSpec]

LOOKUP = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
volatile __u64 looked_up = 0, refused = 0;
struct {
    __uint(type, BPF_MAP_TYPE_SOCKMAP);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} sockets SEC(".maps");

/* What is sent to port 7777 goes to the socket in the map. */
SEC("sk_lookup") int redirect(struct bpf_sk_lookup *ctx)
{
    __u32 first = 0;
    struct bpf_sock *sk;
    long error;

    if (ctx->local_port != 7777)
        return SK_PASS;
    __sync_fetch_and_add(&looked_up, 1);
    sk = bpf_map_lookup_elem(&sockets, &first);
    if (!sk)
        return SK_DROP;
    error = bpf_sk_assign(ctx, sk, 0);
    bpf_sk_release(sk);
    return error ? SK_DROP : SK_PASS;
}
SEC("sk_lookup") int refuse(struct bpf_sk_lookup *ctx)
{
    if (ctx->local_port != 7777)
        return SK_PASS;
    __sync_fetch_and_add(&refused, 1);
    return SK_DROP;
}
"""

DISSECTOR = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
SEC("flow_dissector") int dissect(struct __sk_buff *skb) { return BPF_OK; }
SEC("flow_dissector") int other(struct __sk_buff *skb) { return BPF_OK; }
"""


@pytest.fixture
def lookup(compile_c: Compile) -> Iterator[LoadedObject]:
    with load(compile_c(LOOKUP)) as opened:
        yield opened


@pytest.fixture
def dissector(compile_c: Compile) -> Iterator[LoadedObject]:
    with load(compile_c(DISSECTOR)) as opened:
        yield opened


def count(loaded: LoadedObject, name: str) -> int:
    return int(loaded.variables[name].get())


def test_who_gets_a_packet(lookup: LoadedObject, wire: Any) -> None:
    with wire.right.socket(socket.SOCK_DGRAM, 7000) as receiver:
        (link,) = lookup.attach("redirect", netns=wire.right.netns)
        lookup.maps["sockets"][0] = receiver
        wire.send(4, port=7777)
        for _ in range(4):
            assert receiver.recv(100) == bytes(10)
        assert count(lookup, "looked_up") == 4
        info = link.info
        assert isinstance(info, NetnsInfo)
        assert info.netns_ino == Path(f"/proc/{wire.right.netns}/ns/net").stat().st_ino
        assert link.explain() == (
            f"redirect is attached to sk_lookup (network namespace {wire.right.netns}) by netns link"
        )
        (refusing,) = lookup.attach("refuse", netns=wire.right.netns)
        told = query("sk_lookup", netns=wire.right.netns)
        assert [each.prog_id for each in told.programs] == [
            lookup.programs[name].info().id for name in ("redirect", "refuse")
        ]
        link.update(lookup.programs["refuse"])
        wire.send(3, port=7777)
        wire.send(1)
        receiver.recv(100)  # the one to its own port comes last
        assert count(lookup, "refused") == 3 * 2
        link.detach()
        refusing.detach()
        assert query("sk_lookup", netns=wire.right.netns).programs == ()


def test_namespaces_by_path_and_descriptor(lookup: LoadedObject, wire: Any) -> None:
    path = f"/proc/{wire.left.netns}/ns/net"
    with Path(path).open("rb") as netns:
        for given in (path, Path(path), netns, netns.fileno(), wire.left.netns):
            (link,) = lookup.attach("refuse", netns=given)
            assert len(query("sk_lookup", netns=given).programs) == 1
            link.detach()
    with pytest.raises(UsageError, match="/run/netns/nosuch is no network namespace"):
        lookup.attach("refuse", netns="nosuch")


@pytest.mark.parametrize("via", ["netns link", None])
def test_a_flow_dissector(dissector: LoadedObject, wire: Any, via: str | None) -> None:
    (link,) = dissector.attach("dissect", netns=wire.right.netns, via=via)
    told = query("flow_dissector", netns=wire.right.netns)
    assert [each.prog_id for each in told.programs] == [dissector.programs["dissect"].info().id]
    with pytest.raises(KernelError, match="it has a flow dissector") as there:
        dissector.attach("other", netns=wire.right.netns)
    assert there.value.errno in (errno.E2BIG, errno.EEXIST)
    link.update(dissector.programs["other"])
    told = query("flow_dissector", netns=wire.right.netns)
    assert [each.prog_id for each in told.programs] == [dissector.programs["other"].info().id]
    link.detach()
    assert query("flow_dissector", netns=wire.right.netns).programs == ()


def test_a_flow_dissector_without_links(dissector: LoadedObject, wire: Any) -> None:
    (link,) = dissector.attach("dissect", netns=wire.left.netns, via="prog_attach")
    assert len(query("flow_dissector", netns=wire.left.netns).programs) == 1
    link.detach()
    assert query("flow_dissector", netns=wire.left.netns).programs == ()
    (link,) = wire.right.inside(lambda: dissector.attach("dissect", via="prog_attach"))
    told = query("flow_dissector", netns=wire.right.netns)
    assert [each.prog_id for each in told.programs] == [dissector.programs["dissect"].info().id]
    assert "if this process is killed, it stays until the namespace goes" in link.explain()
    link.update(dissector.programs["other"])
    told = query("flow_dissector", netns=wire.right.netns)
    assert [each.prog_id for each in told.programs] == [dissector.programs["other"].info().id]
    link.detach()  # from outside: the link remembers where it was attached
    assert query("flow_dissector", netns=wire.right.netns).programs == ()


def test_the_namespace_goes(lookup: LoadedObject, wire: Any) -> None:
    (link,) = lookup.attach("refuse", netns=wire.left.netns)
    wire.left.close()
    link.detach()
