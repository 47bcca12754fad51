"""Programs of maps of sockets, of one socket, and of the sockets that share a port."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator

import pytest
from pace import patience

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel import LoadedObject, load
from beespace.kernel.links import query
from beespace.kernel.links.info import SockmapInfo
from beespace.spec import ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[..., ObjectSpec]

HEAD = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
volatile __u64 parsed = 0, judged = 0, sent = 0, seen = 0, chosen = 0;
volatile __u32 keep = 5;
"""
SOURCE = (
    HEAD
    + r"""
struct {
    __uint(type, BPF_MAP_TYPE_SOCKMAP);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u64);
} sockets SEC(".maps");

SEC("sk_skb/stream_parser") int parse(struct __sk_buff *skb) { __sync_fetch_and_add(&parsed, 1); return skb->len; }
SEC("sk_skb/stream_verdict") int judge(struct __sk_buff *skb) { __sync_fetch_and_add(&judged, 1); return SK_PASS; }
SEC("sk_skb/stream_verdict") int refuse(struct __sk_buff *skb) { return SK_DROP; }
SEC("sk_msg") int outgoing(struct sk_msg_md *msg) { __sync_fetch_and_add(&sent, msg->size); return SK_PASS; }
"""
)
FILTERS = (
    HEAD
    + r"""
struct {
    __uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __type(value, __u64);
} group SEC(".maps");

SEC("socket") int cut(struct __sk_buff *skb) { __sync_fetch_and_add(&seen, 1); return 8 + keep; }
SEC("socket") int nothing(struct __sk_buff *skb) { return 0; }
SEC("sk_reuseport") int choose(struct sk_reuseport_md *ctx)
{
    __u32 second = 1;
    __sync_fetch_and_add(&chosen, 1);
    bpf_sk_select_reuseport(ctx, &group, &second, 0);
    return SK_PASS;
}
"""
)


@pytest.fixture
def loaded(compile_c: Compile) -> Iterator[LoadedObject]:
    with load(compile_c(SOURCE)) as opened:
        yield opened


@pytest.fixture
def filters(compile_c: Compile) -> Iterator[LoadedObject]:
    with load(compile_c(FILTERS)) as opened:
        yield opened


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection with itself, over loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        served, _ = server.accept()
        with served:
            client.settimeout(patience(10))
            served.settimeout(patience(10))
            yield client, served


def count(loaded: LoadedObject, name: str) -> int:
    return int(loaded.variables[name].get())


# -- maps of sockets -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("via", ["sockmap link", "prog_attach", None])
def test_messages_of_the_sockets_in_a_map(
    loaded: LoadedObject, pair: tuple[socket.socket, socket.socket], via: str | None
) -> None:
    client, served = pair
    sockets = loaded.maps["sockets"]
    links = [loaded.attach(name, map=sockets, via=via)[0] for name in ("parse", "judge", "outgoing")]
    sockets[0] = client
    client.sendall(b"twelve bytes")
    assert served.recv(100) == b"twelve bytes"
    assert count(loaded, "sent") == 12
    served.sendall(b"answer")
    assert client.recv(100) == b"answer"
    assert (count(loaded, "parsed"), count(loaded, "judged")) == (1, 1)
    for link in links:
        if link.via == "sockmap link":
            info = link.info
            assert isinstance(info, SockmapInfo) and info.map_id == sockets.info.id
        else:
            assert link.info is None and "it stays as long as somebody has the map" in link.explain()
        assert "(map 'sockets')" in link.explain()
    del sockets[0]
    for link in links:
        link.detach()
    client.sendall(b"more")
    assert served.recv(100) == b"more"
    assert count(loaded, "sent") == 12


@pytest.mark.parametrize("via", ["sockmap link", "prog_attach"])
def test_who_is_there(loaded: LoadedObject, via: str) -> None:
    sockets = loaded.maps["sockets"]
    (link,) = loaded.attach("judge", map=sockets, via=via)
    try:
        told = query("sk_skb/stream_verdict", map=sockets)
    except NotSupported as error:
        assert error.since == "5.18"
    else:
        assert [each.prog_id for each in told.programs] == [loaded.programs["judge"].info().id]
    link.update(loaded.programs["refuse"])
    assert link.program == "refuse"
    with pytest.raises(KernelError):
        loaded.attach("outgoing", map=loaded.maps[".bss"])
    link.detach()
    (again,) = loaded.attach("judge", map=sockets, via=via)
    if via == "sockmap link":
        with pytest.raises(KernelError, match="another program is there") as busy:
            loaded.attach("refuse", map=sockets, via=via)
        assert busy.value.errno == errno.EBUSY
    again.detach()
    with pytest.raises(UsageError, match="needs a map of sockets"):
        loaded.attach("judge")


def test_it_says_why_it_took_the_way(loaded: LoadedObject) -> None:
    (link,) = loaded.attach("judge", map=loaded.maps["sockets"])
    if link.via == "prog_attach":
        assert (
            "not by sockmap link: this kernel does not support links of socket maps (needs Linux 6.10)"
            in link.explain()
        )
    else:
        assert link.tried == ()


# -- one socket ------------------------------------------------------------------------------------------------


def test_a_filter_on_a_socket(filters: LoadedObject) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(patience(10))
        (link,) = filters.attach("cut", socket=receiver)
        for _ in range(3):
            receiver.sendto(b"0123456789", receiver.getsockname())
            assert receiver.recv(100) == b"01234"  # what is kept counts from the UDP header on
        assert count(filters, "seen") == 3
        assert link.via == "setsockopt" and "it stays as long as somebody has the socket" in link.explain()
        link.update(filters.programs["nothing"])
        receiver.sendto(b"0123456789", receiver.getsockname())
        receiver.setblocking(False)
        with pytest.raises(BlockingIOError):
            receiver.recv(100)
        receiver.settimeout(patience(10))
        link.detach()
        receiver.sendto(b"0123456789", receiver.getsockname())
        assert receiver.recv(100) == b"0123456789"
        with pytest.raises(UsageError, match="needs a socket"):
            filters.attach("cut")


def test_a_socket_that_was_closed_before(filters: LoadedObject) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first:
        number = first.fileno()
        (by_object,) = filters.attach("cut", socket=first)
        (by_number,) = filters.attach("cut", socket=number)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second:
        (other,) = filters.attach("cut", socket=second)
        by_object.detach()
        by_number.detach()  # its number may be that of `second` now, whose filter stays
        second.bind(("127.0.0.1", 0))
        second.sendto(b"0123456789", second.getsockname())
        second.settimeout(patience(10))
        assert second.recv(100) == b"01234"
        other.detach()


def test_sockets_that_share_a_port(filters: LoadedObject) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        with pytest.raises(UsageError, match=r"the socket shares no port(?s:.*)SO_REUSEPORT"):
            filters.attach("choose", socket=sender)
        for each in (first, second):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            each.bind(("127.0.0.1", 0) if each is first else first.getsockname())
            each.settimeout(patience(10))
        filters.maps["group"][1] = second
        (link,) = filters.attach("choose", socket=first)
        for _ in range(8):
            sender.sendto(b"x", first.getsockname())
            assert second.recv(10) == b"x"
        assert count(filters, "chosen") == 8
        link.detach()
        del filters.maps["group"][1]
        for _ in range(4):
            sender.sendto(b"x", first.getsockname())
        assert count(filters, "chosen") == 8
