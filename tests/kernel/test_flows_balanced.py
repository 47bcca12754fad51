"""Socket load balancing: a program of the cgroup gives connections a back-end's address, as Cilium's does.

The balancer is our own example for IPv4, and one in C for IPv6.  Service and back-end are in one row, and each
packet is counted once, by TCP_INFO of the very sockets.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from flow_net import Net, line, of, total

from beespace.kernel import load
from beespace.session.watch import Watch, WatchOptions
from beespace.spec import ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("flows_load")]

EXAMPLE = Path(__file__).parents[2] / "examples/network/services.py"
SERVICE, SERVICE6, PORT = "10.96.0.10", "fd96::10", 7600
COLUMNS = [
    *("local_address", "local_port", "remote_address", "remote_port", "target_address", "target_port", "role"),
    *("process_pid", "tx_packets", "rx_packets"),
]
# The server says how it stands when all that it sent was acknowledged; nothing moves any more when the client does.
COMMON = """
import fcntl, json, socket, struct, sys, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
def said(sock):
    while struct.unpack("i", fcntl.ioctl(sock, 0x5411, bytes(4)))[0]: time.sleep(0.01)  # SIOCOUTQ
    packets = dict(zip(("out", "in"), struct.unpack_from("=II", sock.getsockopt(6, 11, 256), 136)))
    print(json.dumps({"local": sock.getsockname()[:2], "peer": sock.getpeername()[:2], **packets}), flush=True)
"""
SERVER = (
    COMMON
    + """
listener = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family)
print("ready", flush=True)
sock, _ = listener.accept()
got = 0
while got < 300_000: got += len(sock.recv(65536))
sock.sendall(b"done"); said(sock)
while sock.recv(1): sock.sendall(b"x"); said(sock)
"""
)
CLIENT = (
    COMMON
    + """
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
sock.sendall(bytes(300_000)); sock.recv(4, socket.MSG_WAITALL)
for wish in sys.stdin:
    if wish == "again\\n": sock.sendall(b"y"); sock.recv(1)
    else: said(sock)
"""
)


# Port 80 of any address is the back-end.
SERVICES6 = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
char LICENSE[] SEC("license") = "GPL";
struct called { __u32 address[4]; __u32 port; };
struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct called);
} chosen SEC(".maps");
SEC("cgroup/connect6") int on_connect(struct bpf_sock_addr *ctx)
{
    struct called *kept;
    if (ctx->user_port != bpf_htons(80) || !ctx->sk) return 1;
    kept = bpf_sk_storage_get(&chosen, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (!kept) return 1;
    kept->address[0] = ctx->user_ip6[0]; kept->address[1] = ctx->user_ip6[1];
    kept->address[2] = ctx->user_ip6[2]; kept->address[3] = ctx->user_ip6[3];
    kept->port = ctx->user_port;
    ctx->user_ip6[0] = bpf_htonl(0xfd770000); ctx->user_ip6[1] = 0;
    ctx->user_ip6[2] = 0; ctx->user_ip6[3] = bpf_htonl(2);
    ctx->user_port = bpf_htons(7600);
    return 1;
}
SEC("cgroup/getpeername6") int on_name(struct bpf_sock_addr *ctx)
{
    struct called *kept = ctx->sk ? bpf_sk_storage_get(&chosen, ctx->sk, 0, 0) : 0;
    if (!kept) return 1;
    ctx->user_ip6[0] = kept->address[0]; ctx->user_ip6[1] = kept->address[1];
    ctx->user_ip6[2] = kept->address[2]; ctx->user_ip6[3] = kept->address[3];
    ctx->user_port = kept->port;
    return 1;
}
"""


def example() -> Any:
    found = importlib.util.spec_from_file_location("services_example", EXAMPLE)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture
def balanced(net: Net, compile_c: Callable[[str], ObjectSpec]) -> Iterator[Net]:
    module = example()
    with module.Services().start(cgroup=net.cgroup) as four, load(compile_c(SERVICES6)) as six:
        for name in ("on_connect", "on_name"):
            six.attach(name, cgroup=net.cgroup)
        service = module.Service(address=int(ip_address(SERVICE)), port=80)
        four.services[service] = module.Service(address=int(ip_address(net.addresses[1])), port=PORT)
        yield net


def rows(watch: Watch) -> list[dict[str, Any]]:
    return [
        row for batch in watch.collect() if batch.table == "flows" for row in batch.records.select(COLUMNS).to_pylist()
    ]


Process = subprocess.Popen[str]


def call(net: Net, server: str, address: str, port: int) -> tuple[Process, Process]:
    """One connection, on which something was said: its client and its server."""
    serving = net.start(1, SERVER, server, PORT)
    assert line(serving) == "ready\n"
    return net.start(0, CLIENT, address, port), serving


def tell(calling: Process, wish: str) -> None:
    assert calling.stdin is not None
    calling.stdin.write(f"{wish}\n")
    calling.stdin.flush()


def counted(calling: Process, serving: Process) -> tuple[dict[str, Any], dict[str, Any]]:
    """What both sockets say when their connection rests."""
    server = json.loads(line(serving))
    tell(calling, "count")
    return json.loads(line(calling)), server


@pytest.mark.parametrize("version", [4, 6])
def test_service_and_back_end_in_one_row(balanced: Net, version: int) -> None:
    backend = (balanced.addresses if version == 4 else balanced.addresses6)[1]
    service = SERVICE if version == 4 else SERVICE6
    with Watch(WatchOptions(cgroup=balanced.cgroup)) as watch:
        calling, serving = call(balanced, backend, service, 80)
        found: list[dict[str, Any]] = []
        for _ in range(100):  # on a machine that is busy, the answer may come with a later packet
            client, server = counted(calling, serving)
            found += rows(watch)
            ours = [row for row in found if row["process_pid"] == calling.pid]
            if ours[-1]["target_address"] is not None:
                break
            tell(calling, "again")
        assert not [note for note in watch.notes if "balance" in note]
    assert client["peer"] == [service, 80], "the balancer hides the back-end from its client"
    assert {(row["remote_address"], row["remote_port"], row["role"]) for row in ours} == {(backend, PORT, "client")}
    assert (ours[-1]["target_address"], ours[-1]["target_port"]) == (service, 80)
    assert (total(ours, "tx_packets"), total(ours, "rx_packets")) == (client["out"], client["in"])
    theirs = of(found, server["local"], server["peer"])
    assert {(row["role"], row["target_address"], row["target_port"]) for row in theirs} == {("server", None, None)}
    assert total(theirs, "rx_packets") == server["in"]


def test_who_called_the_back_end_itself(balanced: Net) -> None:
    with Watch(WatchOptions(cgroup=balanced.cgroup)) as watch:
        calling, serving = call(balanced, balanced.addresses[1], balanced.addresses[1], PORT)
        counted(calling, serving)
        (ours,) = [row for row in rows(watch) if row["process_pid"] == calling.pid]
    assert (ours["remote_address"], ours["target_address"]) == (balanced.addresses[1], None)


def test_a_connection_that_is_closed_by_then_has_no_target(balanced: Net) -> None:
    """Nobody can be asked; the row is right, and says less."""
    with Watch(WatchOptions(cgroup=balanced.cgroup)) as watch:
        calling, serving = call(balanced, balanced.addresses[1], SERVICE, 80)
        client, _ = counted(calling, serving)
        calling.communicate()
        (ours,) = [row for row in rows(watch) if row["process_pid"] == calling.pid]
    assert (ours["remote_address"], ours["target_address"]) == (balanced.addresses[1], None)
    assert ours["tx_packets"] >= client["out"]
