"""Programs of every kind, judged by libbpf: ``bpftool prog loadall`` takes what the compiler makes of each hook."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from beespace.compiler import compile_program
from beespace.kernel import vmlinux_btf
from beespace.lang import (
    Counter,
    Program,
    bpf,
    cgroup_device,
    cgroup_sock,
    cgroup_sock_addr,
    cgroup_sockopt,
    cgroup_sysctl,
    flow_dissector,
    iterator,
    kprobe,
    kretprobe,
    kretsyscall,
    ksyscall,
    lwt_in,
    lwt_xmit,
    perf_event,
    raw_tracepoint,
    sk_lookup,
    sk_msg,
    sk_reuseport,
    sk_skb,
    socket_filter,
    sockops,
    syscall,
    tc,
    tracepoint,
    uprobe,
    uretprobe,
    usdt,
    xdp,
)
from beespace.lang.packet import Ethernet
from beespace.types import i32, u64

BPFTOOL = shutil.which("bpftool") or shutil.which("bpftool", path="/usr/sbin:/sbin") or ""
pytestmark = [pytest.mark.kernel, pytest.mark.skipif(not BPFTOOL, reason="bpftool is not installed")]

# In a mount namespace of its own, so that the pins are gone with it.
LOAD = 'set -e; mount -t bpf none "$2"; "$0" prog loadall "$1" "$2/programs"; ls "$2/programs"'


class Tracing(Program):
    n = Counter()

    @tracepoint("syscalls:sys_enter_openat")
    def opened(self, ctx):
        self.n += u64(ctx.mode)

    @raw_tracepoint("sched_switch")
    def switched(self, preempt, prev, next):
        self.n += u64(preempt)

    @kprobe("vfs_read")
    def read(self, file, buf, count):
        self.n += count

    @kretprobe("vfs_read")
    def was_read(self, result):
        self.n += u64(result > 0)

    @ksyscall("openat")
    def opening(self, dfd, filename):
        self.n += filename

    @kretsyscall("openat")
    def opened_as(self, result):
        self.n += u64(result < 0)

    @uprobe("libc:malloc")
    def allocated(self, size: u64):
        self.n += size

    @uretprobe("libc:malloc")
    def allocated_at(self, result: u64):
        self.n += result

    @usdt("libc:setjmp", binary="libc")
    def jumped(self, env: u64, value: i32):
        self.n += env

    @perf_event("cpu-clock", frequency=99)
    def sampled(self, ctx):
        self.n += ctx.regs.ip

    @iterator("task")
    def walked(self, ctx):
        self.n += ctx.meta.seq_num

    @syscall
    def asked(self, ctx):
        self.n += 1


class Network(Program):
    n = Counter()

    @xdp
    def received(self, ctx):
        self.n += u64(bpf.packet_length(ctx))

    @tc("ingress")
    def shaped(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        if ethernet is not None:
            ethernet.ethertype = 7
        ctx.mark = 3

    @socket_filter
    def filtered(self, ctx):
        self.n += u64(ctx.len)

    @flow_dissector
    def dissected(self, ctx):
        ctx.flow_keys.nhoff = 14

    @lwt_in()
    def routed(self, ctx):
        self.n += 1

    @lwt_xmit()
    def sent(self, ctx):
        self.n += 1

    @sk_lookup
    def looked_up(self, ctx):
        self.n += u64(ctx.local_port)

    @sk_reuseport
    def chosen(self, ctx):
        self.n += u64(ctx.hash)

    @sk_msg
    def message(self, ctx):
        self.n += u64(ctx.size)

    @sk_skb("stream_verdict")
    def stream(self, ctx):
        self.n += u64(ctx.len)

    @sk_skb("stream_parser")
    def parsed(self, ctx):
        return 10


class Cgroups(Program):
    n = Counter()

    @sockops
    def turned(self, ctx):
        ctx.reply = 1

    @cgroup_sock("create")
    def made(self, ctx):
        ctx.mark = 1

    @cgroup_sock_addr("connect6")
    def connected(self, ctx):
        self.n += u64(ctx.user_port)

    @cgroup_sockopt("set")
    def option_set(self, ctx):
        return ctx.level != 1

    @cgroup_sockopt("get")
    def option_read(self, ctx):
        ctx.retval = 0

    @cgroup_sysctl
    def sysctl(self, ctx):
        return ctx.write == 0

    @cgroup_device
    def device(self, ctx):
        return ctx.major != 1


@pytest.mark.parametrize("program", [Tracing, Network, Cgroups])
def test_every_kind_of_program(program: type[Program], tmp_path: Path) -> None:
    compiled = compile_program(program.declaration(), vmlinux_btf)
    (tmp_path / "x.bpf.o").write_bytes(compiled.object)
    (tmp_path / "bpffs").mkdir()
    command = ["unshare", "-m", "sh", "-c", LOAD, BPFTOOL, tmp_path / "x.bpf.o", tmp_path / "bpffs"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == set(program.declaration().programs)
