"""Programs that are run by hand: packets and contexts in and out, where and how often."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from beespace.errors import KernelError, UsageError
from beespace.kernel import KernelProgram, LoadedObject, load
from beespace.spec import ObjectSpec
from beespace.syscall.process import online_cpus

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[..., ObjectSpec]

HEAD = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
char LICENSE[] SEC("license") = "GPL";
"""
# Ethernet, then IPv4 from 10.0.0.1 to 10.0.0.2, UDP from port 1000 to 53, six bytes.
ETHERNET = bytes(12) + b"\x08\x00"
IP = bytes.fromhex("4500 0022 0001 0000 40 11 0000 0a000001 0a000002")
UDP = struct.pack(">HHHH", 1000, 53, 14, 0) + b"query!"
PACKET = ETHERNET + IP + UDP + bytes(16)

PROGRAMS = (
    HEAD
    + """
SEC("tc") int mark(struct __sk_buff *skb)
{
    skb->mark = skb->mark * 2 + 1;
    skb->priority = skb->len;
    return skb->mark;
}

SEC("xdp") int pull(struct xdp_md *ctx)
{
    if (bpf_xdp_adjust_head(ctx, 14))
        return XDP_ABORTED;
    return ctx->rx_queue_index == 0 ? XDP_PASS : XDP_TX;
}

SEC("xdp") int meta(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *meta = (void *)(long)ctx->data_meta;
    if (meta + 4 > data)
        return XDP_ABORTED;
    return *(__u32 *)meta;
}

SEC("xdp") int grow(struct xdp_md *ctx)
{
    return bpf_xdp_adjust_tail(ctx, 100) ? XDP_ABORTED : XDP_PASS;
}

__u64 seen[3];
SEC("raw_tp/task_rename") int raw(struct bpf_raw_tracepoint_args *ctx)
{
    seen[0] = ctx->args[0];
    seen[1] = ctx->args[1];
    seen[2] = bpf_get_smp_processor_id();
    return 17;
}

struct sum { __u32 a, b; __u64 total; };
SEC("?syscall") int add(struct sum *sum)
{
    sum->total = (__u64)sum->a + sum->b;
    return 3;
}

SEC("?sk_lookup") int choose(struct bpf_sk_lookup *ctx)
{
    return ctx->local_port == 443 && ctx->remote_ip4 == bpf_htonl(0x0a000001) ? SK_DROP : SK_PASS;
}

SEC("flow_dissector") int flow(struct __sk_buff *skb)
{
    struct bpf_flow_keys *keys = skb->flow_keys;
    keys->ip_proto = 17;
    keys->dport = bpf_htons(53);
    return BPF_OK;
}

SEC("?netfilter") int nf(void *ctx) { return 1; }
SEC("cgroup_skb/egress") int filter(struct __sk_buff *skb) { return skb->len > 40; }
SEC("socket") int cut(struct __sk_buff *skb) { return skb->len - skb->mark; }
SEC("kprobe/vfs_read") int probe(void *ctx) { return 0; }
SEC("tracepoint/sched/sched_process_exec") int point(void *ctx) { return 0; }
"""
)


# The first kernel that loads and runs a program so.
SINCE = {"add": "5.14", "choose": "5.14", "nf": "6.4"}


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def program(compile_c: Compile, opened: ExitStack) -> Callable[[str], KernelProgram]:
    def get(name: str) -> KernelProgram:
        spec = compile_c(PROGRAMS)
        try:
            loaded: LoadedObject = opened.enter_context(load(spec, programs=[name]))
        except KernelError as error:
            pytest.skip(f"{name} (Linux {SINCE.get(name, '5.10')}): {error.message}")
        found = loaded.programs[name]
        found.owner = loaded  # type: ignore[attr-defined]
        return found

    return get


Get = Callable[[str], KernelProgram]


def test_a_packet_and_its_context_by_name(program: Get) -> None:
    run = program("mark").test_run(PACKET, {"mark": 20, "priority": 1})
    assert (run.retval, run.data) == (41, PACKET)
    assert run.context is not None
    assert (run.context.mark, run.context["priority"]) == (41, len(PACKET))
    again = program("mark").test_run(PACKET, run.context._asdict())
    assert again.retval == 83


def test_a_context_in_bytes_comes_back_in_bytes(program: Get) -> None:
    context = bytearray(192)
    struct.pack_into("=I", context, 8, 4)  # mark
    run = program("mark").test_run(PACKET, bytes(context))
    assert (run.retval, run.context) == (9, None)
    assert struct.unpack_from("=I", run.ctx, 8) == (9,)


def test_a_context_of_zeroes(program: Get) -> None:
    run = program("mark").test_run(PACKET, {})
    assert run.retval == 1 and run.context is not None and run.context.mark == 1
    assert program("mark").test_run(PACKET).context is None


def test_a_field_that_is_not_there(program: Get) -> None:
    with pytest.raises(UsageError, match="makr"):
        program("mark").test_run(PACKET, {"makr": 1})
    with pytest.raises(UsageError, match="not run on a list of numbers"):
        program("mark").test_run(PACKET, [1, 2])


def test_a_packet_that_changes_its_length(program: Get) -> None:
    assert program("pull").test_run(PACKET).data == PACKET[14:]
    run = program("grow").test_run(PACKET)
    assert run.retval == 2 and run.data == PACKET + bytes(100)


def test_the_end_of_an_xdp_packet_is_filled_in(program: Get) -> None:
    try:
        run = program("pull").test_run(PACKET, {"ingress_ifindex": 1})
    except KernelError as error:
        assert error.errno == 22
        pytest.skip("this kernel takes no context for XDP programs (Linux 5.14)")
    assert (run.retval, run.data) == (2, PACKET[14:])
    assert run.context is not None and run.context.data_end == len(PACKET) - 14
    note = struct.pack("=I", 77)
    run = program("meta").test_run(note + PACKET, {"data": 4})
    assert run.retval == 77


def test_repeating_gives_a_mean_time(program: Get) -> None:
    run = program("filter").test_run(PACKET, repeat=2000)
    assert run.retval == 1
    assert 0 < run.duration_ns < 100_000


def test_the_arguments_of_a_raw_tracepoint(program: Get) -> None:
    raw = program("raw")
    run = raw.test_run(ctx_in=[5, -1])
    assert run.retval == 17
    seen = raw.owner.variables["seen"].get()  # type: ignore[attr-defined]
    values = seen if isinstance(seen, tuple) else struct.unpack("=3Q", seen)
    assert values[:2] == (5, 2**64 - 1)
    for cpu in online_cpus():
        raw.test_run(ctx_in=(0, 0), cpu=cpu)
        seen = raw.owner.variables["seen"].get()  # type: ignore[attr-defined]
        values = seen if isinstance(seen, tuple) else struct.unpack("=3Q", seen)
        assert values[2] == cpu
    with pytest.raises(KernelError):
        raw.test_run(ctx_in=(0, 0), cpu=4095)


def test_a_struct_for_a_program_that_is_called(program: Get) -> None:
    run = program("add").test_run(ctx_in={"a": 2**32 - 1, "b": 2})
    assert run.retval == 3
    assert run.context is not None and run.context._asdict() == {"a": 2**32 - 1, "b": 2, "total": 2**32 + 1}
    raw = program("add").test_run(ctx_in=struct.pack("=IIQ", 1, 2, 0))
    assert struct.unpack("=IIQ", raw.ctx) == (1, 2, 3)


def test_which_socket(program: Get) -> None:
    try:
        run = program("choose").test_run(
            ctx_in={"family": 2, "protocol": 6, "local_port": 443, "remote_ip4": struct.unpack("=I", b"\n\0\0\1")[0]}
        )
    except KernelError as error:
        assert error.errno in (524, 22)
        pytest.skip("this kernel does not run sk_lookup programs for a test (Linux 5.14)")
    assert run.retval == 0
    assert run.context is not None and run.context.local_port == 443
    assert program("choose").test_run(ctx_in={"family": 2, "protocol": 6, "local_port": 80}).retval == 1


def test_a_flow_dissector_gives_its_keys(program: Get) -> None:
    run = program("flow").test_run(PACKET)
    assert run.retval in (0, 1)  # BPF_OK; 5.10 says whether it was that
    assert struct.pack(">H", 53) in run.data and len(run.data) >= 40


def test_a_netfilter_program(program: Get) -> None:
    try:
        assert program("nf").test_run(PACKET).retval == 1
    except KernelError as error:
        pytest.skip(f"this kernel does not run netfilter programs for a test (Linux 6.4): {error.message}")


def test_live_frames_are_sent(program: Get) -> None:
    pull = program("grow")
    before = _received("lo")
    try:
        run = pull.test_run(PACKET, {"ingress_ifindex": 1}, repeat=50, live_frames=True, batch_size=10)
    except KernelError as error:
        assert error.errno == 22
        pytest.skip("this kernel does not run XDP programs on live frames (Linux 5.18)")
    assert (run.retval, run.data) == (0, b"")
    assert _received("lo") >= before


def _received(interface: str) -> int:
    return int(Path(f"/sys/class/net/{interface}/statistics/rx_packets").read_text())


def test_a_complete_checksum(program: Get) -> None:
    try:
        run = program("mark").test_run(PACKET, checksum=True)
    except KernelError as error:
        assert error.errno == 22
        pytest.skip("this kernel does not make packets with a complete checksum (Linux 6.16)")
    assert run.retval == 1


@pytest.mark.parametrize("name", ["probe", "point"])
def test_what_cannot_be_run_says_so(program: Get, name: str) -> None:
    with pytest.raises(KernelError, match="programs of this type cannot be run for a test"):
        program(name).test_run(ctx_in=bytes(64))
    with pytest.raises(UsageError, match="have no struct that they could be run on"):
        program(name).test_run(ctx_in={"a": 1})


def test_a_context_of_no_struct(compile_c: Compile) -> None:
    text = HEAD + 'SEC("syscall") int nothing(void *ctx) { return 0; }\n'
    try:
        loaded = load(compile_c(text))
    except KernelError as error:
        pytest.skip(f"programs that are called (Linux 5.14): {error.message}")
    with loaded, pytest.raises(UsageError, match=r"nothing says which struct nothing\(\) is called with"):
        loaded.programs["nothing"].test_run(ctx_in={"a": 1})
    assert os.geteuid() == 0
