"""A TCP congestion control of BPF programs: converted, registered, used, replaced, and gone again."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from beespace.btf import Kind
from beespace.errors import KernelError, NotSupported, RelocationError, UsageError
from beespace.kernel import LoadedObject, load
from beespace.kernel.kernel_types import kernel_types
from beespace.spec import ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[..., ObjectSpec]

HEAD = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
struct sock;
struct tcp_congestion_ops___of_tests {
    unsigned int (*ssthresh)(struct sock *sk);
    void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
    unsigned int (*undo_cwnd)(struct sock *sk);
    void (*of_no_kernel)(struct sock *sk);
    char name[16];
    int also_of_no_kernel;
};
char LICENSE[] SEC("license") = "GPL";
volatile int calls, others;
"""
CUBIC = (
    HEAD
    + r"""
SEC("struct_ops/ssthresh") unsigned int BPF_PROG(threshold, struct sock *sk) { return 100; }
SEC("struct_ops") void BPF_PROG(avoid, struct sock *sk, __u32 ack, __u32 acked) { __sync_fetch_and_add(&calls, 1); }
SEC("struct_ops") void BPF_PROG(avoid2, struct sock *sk, __u32 ack, __u32 acked) { __sync_fetch_and_add(&others, 1); }
SEC("struct_ops") unsigned int BPF_PROG(undo, struct sock *sk) { return 100; }
SEC("struct_ops/of_no_kernel") void BPF_PROG(nothing, struct sock *sk) { }

SEC(".struct_ops.link") struct tcp_congestion_ops___of_tests linked = {
    .ssthresh = (void *)threshold, .cong_avoid = (void *)avoid, .undo_cwnd = (void *)undo,
    .name = "bee_linked",
};
SEC("?.struct_ops.link") struct tcp_congestion_ops___of_tests newer = {
    .ssthresh = (void *)threshold, .cong_avoid = (void *)avoid, .undo_cwnd = (void *)undo,
    .of_no_kernel = (void *)nothing, .name = "bee_newer",
};
SEC("?.struct_ops.link") struct tcp_congestion_ops___of_tests second = {
    .ssthresh = (void *)threshold, .cong_avoid = (void *)avoid2, .undo_cwnd = (void *)undo, .name = "bee_linked",
};
SEC("?.struct_ops") struct tcp_congestion_ops___of_tests plain = {
    .ssthresh = (void *)threshold, .cong_avoid = (void *)avoid, .undo_cwnd = (void *)undo, .name = "bee_plain",
};
"""
)


@pytest.fixture(scope="module", autouse=True)
def interface_is_there() -> None:
    with kernel_types() as kernel:
        if kernel.find("bpf_struct_ops_tcp_congestion_ops", Kind.STRUCT) is None:
            pytest.skip("this kernel has no congestion controls of BPF programs")


@contextmanager
def loaded(spec: ObjectSpec, *names: str) -> Iterator[LoadedObject]:
    try:
        opened = load(spec, programs=names or None)
    except NotSupported as error:
        pytest.skip(str(error))
    with opened:
        yield opened


def known_to_the_kernel(name: str) -> bool:
    return name in Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text().split()


def talk(control: str) -> None:
    """Some traffic over the loopback with that congestion control."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, control.encode())
        with socket.create_connection(server.getsockname()) as client:
            accepted, _ = server.accept()
            with accepted:
                sender = threading.Thread(target=accepted.sendall, args=(bytes(1 << 18),))
                sender.start()
                received = 0
                while received < 1 << 18:
                    received += len(client.recv(1 << 16))
                sender.join()


def test_a_congestion_control(compile_c: Compile) -> None:
    with loaded(compile_c(CUBIC)) as opened:
        assert list(opened.struct_ops) == ["linked"]
        # What only others are made of is not loaded.
        assert list(opened.programs) == ["threshold", "avoid", "undo"]
        assert opened.struct_ops["linked"].programs == ("threshold", "avoid", "undo")
        assert "linked" in opened.maps
        assert not known_to_the_kernel("bee_linked")
        (link,) = opened.attach()
        assert known_to_the_kernel("bee_linked")
        talk("bee_linked")
        assert opened.variables["calls"].get() > 0
        if link.via == "link":
            assert link.info is not None and link.info.type == 9
        else:
            assert "Linux 6.4" in link.explain()
        opened.detach()
        assert not known_to_the_kernel("bee_linked")
        if link.via == "link":
            assert [link.section for link in opened.attach("linked")] == ["struct_ops/linked"]


def test_by_an_update_of_the_map(compile_c: Compile) -> None:
    spec = compile_c(CUBIC)
    with loaded(spec, "plain") as opened:
        assert list(opened.programs) == ["threshold", "avoid", "undo"]
        with opened.struct_ops["plain"].attach() as link:
            assert known_to_the_kernel("bee_plain")
            assert link.via == "map update" and link.info is None
            assert "stays registered" in link.explain()
            with loaded(spec, "plain") as again, pytest.raises(KernelError) as refused:
                again.attach()
            assert refused.value.errno == errno.EEXIST
        assert not known_to_the_kernel("bee_plain")
        with pytest.raises(UsageError, match="allows that once"):
            opened.attach()


def test_one_takes_the_place_of_another(compile_c: Compile) -> None:
    with loaded(compile_c(CUBIC), "linked", "second") as opened:
        with opened.struct_ops["linked"].attach() as link:
            if link.via != "link":
                pytest.skip("this kernel has no links of interfaces (Linux 6.4)")
            link.update(opened.struct_ops["second"])
            talk("bee_linked")
            assert opened.variables["calls"].get() == 0
            assert opened.variables["others"].get() > 0
        assert not known_to_the_kernel("bee_linked")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '.name = "bee_linked"',
            '.also_of_no_kernel = 5, .name = "bee_linked"',
            "linked.also_of_no_kernel is set, but struct",
        ),
        ("tcp_congestion_ops___of_tests", "bee_interface", "no interface 'bee_interface'"),
        ("char name[16]", "char name[12]", "linked.name has 12 bytes; in this kernel it has 16"),
        ("unsigned int (*undo_cwnd)(struct sock *sk)", "long undo_cwnd", "linked.undo_cwnd is long; in this kernel"),
        (
            ".cong_avoid = (void *)avoid,",
            ".cong_avoid = (void *)threshold,",
            "'threshold' stands for linked.cong_avoid",
        ),
    ],
)
def test_what_does_not_fit_this_kernel(compile_c: Compile, old: str, new: str, message: str) -> None:
    source = CUBIC
    if "undo_cwnd" in old:
        source = source.replace(".undo_cwnd = (void *)undo,", "")
    spec = compile_c(source.replace(old, new), "-Wno-unused")
    with pytest.raises(RelocationError) as refused:
        load(spec)
    assert message in str(refused.value)


def test_a_member_that_this_kernel_does_not_have(compile_c: Compile) -> None:
    with pytest.raises(
        RelocationError, match=r"newer\.of_no_kernel is set, but struct tcp_congestion_ops of this kernel"
    ):
        load(compile_c(CUBIC), programs=["newer"])


def test_a_program_without_a_place(compile_c: Compile) -> None:
    spec = compile_c(CUBIC)
    with pytest.raises(RelocationError, match="'undo' is for a kernel interface, but stands in none"):
        load(replace(spec, struct_ops={}), programs=["undo"])
