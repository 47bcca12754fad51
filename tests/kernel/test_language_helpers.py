"""Helpers by their names, on this kernel: what they give is what the system says otherwise."""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from beespace.lang import (
    Array,
    Event,
    Global,
    Program,
    Ring,
    Struct,
    bpf,
    cgroup_skb,
    cgroup_sock_addr,
    cgroup_sysctl,
    function,
    raw_tracepoint,
    syscall,
    tc,
    xdp,
)
from beespace.lang.packet import IPv4
from beespace.lang.uapi import BPF_F_CURRENT_NETNS, BPF_TCP_LISTEN
from beespace.types import CgroupId, Text, be16, be32, i64, raw, text, u16, u32, u64

pytestmark = pytest.mark.kernel


class Clocks(Event):
    boot: u64
    monotonic: u64
    tai: u64
    jiffies: u64
    by_name: u64


class Identity(Event):
    node: u32
    pid_tgid: u64
    uid_gid: u64
    ancestor: u64
    inside_pid: u32
    inside_tid: u32
    missing: i64
    name: Text = text(16)
    whole: Text = text(32)


class PidInNamespace(Struct):
    """struct bpf_pidns_info."""

    pid: u32
    tgid: u32


class Current(Program):
    clocks = Ring(Clocks)
    coarse = Global(u64)
    identities = Ring(Identity)
    device: u64 = 0
    inode: u64 = 0

    @raw_tracepoint("sched_process_exit")
    def tell_time(self, ctx):
        self.clocks.emit(
            Clocks(
                boot=bpf.now(),
                monotonic=bpf.monotonic(),
                tai=bpf.tai(),
                jiffies=bpf.jiffies(),
                by_name=bpf.ktime_get_ns(),
            )
        )

    @tc("ingress")
    def tell_coarse(self, ctx):
        self.coarse.value = bpf.coarse()

    @raw_tracepoint("sched_process_exit")
    def tell_who(self, ctx):
        inside = PidInNamespace()
        missing = bpf.get_ns_current_pid_tgid(self.device, self.inode, inside)
        name = text(16)
        bpf.get_current_comm(name)
        whole = text(32)
        bpf.probe_read_kernel_str(whole, bpf.task().comm)
        self.identities.emit(
            Identity(
                node=bpf.numa_node(),
                pid_tgid=bpf.get_current_pid_tgid(),
                uid_gid=bpf.get_current_uid_gid(),
                ancestor=bpf.ancestor_cgroup_id(0),
                inside_pid=inside.tgid,
                inside_tid=inside.pid,
                missing=missing,
                name=name,
                whole=whole,
            )
        )


def test_clocks(no_leaks: None) -> None:
    with Current().load() as probe:
        before = [time.clock_gettime_ns(clock) for clock in (time.CLOCK_BOOTTIME, time.CLOCK_MONOTONIC, time.CLOCK_TAI)]
        probe.test_run("tell_time", context=bytes(24))
        after = [time.clock_gettime_ns(clock) for clock in (time.CLOCK_BOOTTIME, time.CLOCK_MONOTONIC, time.CLOCK_TAI)]
        probe.test_run("tell_coarse", bytes(64))
        (seen,) = probe.clocks.available()
        for number, low, high in zip((seen.boot, seen.monotonic, seen.tai), before, after, strict=True):
            assert low <= number <= high
        assert seen.monotonic <= seen.by_name <= after[1]
        assert before[1] - 20_000_000 <= probe.coarse.value <= time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        assert seen.jiffies > 0


def test_identity(no_leaks: None) -> None:
    place = Path("/proc/self/ns/pid").stat()
    with Current(device=place.st_dev, inode=place.st_ino).load() as probe:
        probe.test_run("tell_who", context=bytes(24))
        (seen,) = probe.identities.available()
        assert seen.pid_tgid == os.getpid() << 32 | threading.get_native_id()
        assert seen.uid_gid == os.getgid() << 32 | os.getuid()
        assert (seen.missing, seen.inside_pid, seen.inside_tid) == (0, os.getpid(), threading.get_native_id())
        name = Path("/proc/self/comm").read_text().strip()
        assert (seen.name, seen.whole) == (name, name)
        assert seen.ancestor == Path("/sys/fs/cgroup").stat().st_ino or seen.ancestor in (0, 1)
        assert seen.node < 1024


# --- packets -------------------------------------------------------------------------------------


class Ethernet(Struct):
    destination: bytes = raw(6)
    source: bytes = raw(6)
    protocol: be16


class Word(Struct):
    value: u64


class Packets(Program):
    """The same header by four ways, and packets changed by two."""

    length = Global(u64)
    protocol = Global(u64)
    again = Global(u64)
    beyond = Global(i64)
    checksum = Global(i64)
    hash = Global(u64)
    changed = Global(i64)
    full = Global(u64)

    @tc("ingress")
    def look(self, ctx):
        header = Ethernet()
        if bpf.skb_load_bytes(ctx, 0, header) == 0:
            self.protocol.value = u64(header.protocol)
        self.beyond.value = bpf.skb_load_bytes(ctx, 60_000, to=header)
        copied = bpf.load_bytes(ctx, IPv4, 14)
        if copied is not None:
            self.again.value = u64(copied.protocol)
        if bpf.load_bytes(ctx, IPv4, 60_000) is None:
            self.again.value += 1000
        self.length.value = u64(bpf.packet_length(ctx))
        self.hash.value = u64(bpf.get_hash_recalc(ctx))

    @tc("ingress")
    def change(self, ctx):
        header = Ethernet(destination=b"\x01\x02\x03\x04\x05\x06", source=b"\x0a\x0b\x0c\x0d\x0e\x0f", protocol=0x86DD)
        self.changed.value = i64(bpf.store_bytes(ctx, header, 0))
        bpf.skb_store_bytes(ctx, 14, Word(value=0x1122334455667788), flags=0)
        self.checksum.value = bpf.csum_diff(None, Word(value=1), 0)

    @xdp
    def in_xdp(self, ctx):
        copied = bpf.load_bytes(ctx, Ethernet, 0)
        if copied is not None:
            self.protocol.value = u64(copied.protocol)
            copied.protocol = 0x0800
            self.changed.value = i64(bpf.store_bytes(ctx, copied, 0))
        self.full.value = bpf.xdp_get_buff_len(ctx)
        self.beyond.value = bpf.xdp_adjust_head(ctx, 4)
        return 2

    @cgroup_skb("egress")
    def order(self, ctx):
        self.full.value = u64(bpf.network16(0x1234)) << 32 | u64(bpf.network32(0x01020304))
        return 1


PACKET = bytes(12) + b"\x08\x00" + b"\x45\0\0\x28" + bytes(5) + b"\x06" + bytes(10) + bytes(range(40))


def test_bytes_of_packets(no_leaks: None) -> None:
    with Packets().load() as probe:
        probe.test_run("look", PACKET)
        assert probe.protocol.value == 0x0800
        assert probe.beyond.value == -14  # EFAULT
        assert probe.again.value == 6 + 1000
        assert probe.length.value == len(PACKET)
        assert probe.hash.value != 0
        result = probe.test_run("change", PACKET)
        assert probe.changed.value == 1
        assert result.data[:22] == bytes.fromhex("0102030405060a0b0c0d0e0f86dd") + struct.pack("=Q", 0x1122334455667788)
        assert probe.checksum.value & 0xFFFFFFFF == 1
        probe.test_run("order", PACKET)
        assert probe.full.value == socket.htons(0x1234) << 32 | socket.htonl(0x01020304)


def test_bytes_of_xdp_packets(no_leaks: None) -> None:
    with Packets().load() as probe:
        result = probe.test_run("in_xdp", PACKET)
        assert (probe.protocol.value, probe.changed.value, probe.full.value) == (0x0800, 1, len(PACKET))
        assert probe.beyond.value == 0
        assert result.data == PACKET[4:]


# --- memory, numbers, refusals -------------------------------------------------------------------


class Numbers(Struct):
    value: i64


class Memory(Program):
    parsed = Global(i64)
    taken = Global(i64)
    unread = Global(i64)
    copied = Global(u64)
    first = Global(u64)
    whole = Global(u64)
    signalled = Global(i64)
    found = Global(u64)
    address: u64 = 0

    @syscall
    def parse(self, ctx):
        number = Numbers()
        self.taken.value = bpf.strtol("-1234 rest", 10, number)
        self.parsed.value = number.value
        symbol = Word()
        if bpf.kallsyms_lookup_name("bpf_prog_load", 0, symbol) == 0:
            self.found.value = symbol.value

    @raw_tracepoint("sched_process_exit")
    def read(self, ctx):
        self.copied.value = bpf.user(self.address, u64)
        again = Word()
        self.unread.value = bpf.probe_read_user(again, 16)
        bpf.probe_read_user(again, self.address + 8)
        self.first.value = again.value
        self.whole.value = bpf.user(16, u64)

    @raw_tracepoint("sched_process_exit")
    def knock(self, ctx):
        self.signalled.value = bpf.signal(10)


def test_numbers_from_text(no_leaks: None) -> None:
    with Memory().load() as probe:
        probe.test_run("parse")
        assert (probe.taken.value, probe.parsed.value) == (5, -1234)
        symbols = [line.split() for line in Path("/proc/kallsyms").read_text().splitlines()]
        address = next(int(symbol[0], 16) for symbol in symbols if symbol[2] == "bpf_prog_load")
        assert probe.found.value == address


def test_memory_of_the_process(no_leaks: None) -> None:
    import ctypes

    memory = (ctypes.c_uint64 * 2)(0xDEAD, 0xBEEF)
    with Memory(address=ctypes.addressof(memory)).load() as probe:
        probe.test_run("read", context=bytes(24))
        assert (probe.copied.value, probe.first.value) == (0xDEAD, 0xBEEF)
        assert probe.unread.value == -14  # EFAULT
        assert probe.whole.value == 0


def test_a_signal(no_leaks: None) -> None:
    got = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))
    try:
        with Memory().load() as probe:
            probe.test_run("knock", context=bytes(24))
            time.sleep(0.01)
            assert (probe.signalled.value, got) == (0, [signal.SIGUSR1])
    finally:
        signal.signal(signal.SIGUSR1, before)


# --- sockets -------------------------------------------------------------------------------------


class Pair(Struct):
    """struct bpf_sock_tuple for IPv4."""

    source: be32
    target: be32
    source_port: be16
    target_port: be16


class Lookup(Program):
    port: u32 = 0
    state = Global(u64)
    cookie = Global(u64)
    absent = Global(u64)
    listening = Global(u64)

    @tc("ingress")
    def look(self, ctx):
        pair = Pair(target=0x7F000001, target_port=u16(self.port))
        with bpf.sk_lookup_tcp(ctx, pair, BPF_F_CURRENT_NETNS) as found:
            if found is not None:
                self.state.value = u64(found.state)
        pair.target_port = 1
        with bpf.skc_lookup_tcp(ctx, pair, BPF_F_CURRENT_NETNS) as any_state:
            if any_state is None:
                self.absent.value = 1
                return 0
        with bpf.sk_lookup_udp(ctx, pair, BPF_F_CURRENT_NETNS, 0) as other:
            if other is not None:
                self.listening.value = 1
        return 0


def test_a_socket_is_looked_up_and_given_back(no_leaks: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, Lookup(port=server.getsockname()[1]).load() as probe:
        probe.test_run("look", PACKET, repeat=3)
        assert (probe.state.value, probe.absent.value) == (BPF_TCP_LISTEN, 1)


# --- sysctls, socket options, formatted text -------------------------------------------------------


class Sysctl(Event):
    cgroup: CgroupId
    length: i64
    name: Text = text(32)
    value: Text = text(16)


class Settings(Program):
    seen = Ring(Sysctl)

    @cgroup_sysctl
    def on_read(self, ctx):
        name = text(32)
        length = bpf.sysctl_get_name(ctx, name)
        value = text(16)
        bpf.sysctl_get_current_value(ctx, value)
        self.seen.emit(Sysctl(cgroup=bpf.cgroup_id(), length=length, name=name, value=value))
        return True


IN_CGROUP = """
import os, sys
open(sys.argv[1] + "/cgroup.procs", "w").write("0")
print(open("/proc/sys/net/core/somaxconn").read().strip())
"""


def test_names_and_values_of_sysctls(cgroup: Path, no_leaks: None) -> None:
    with Settings().start(cgroup=cgroup) as probe:
        child = subprocess.Popen(
            [sys.executable, "-c", IN_CGROUP, str(cgroup.resolve())], stdout=subprocess.PIPE, text=True
        )
        with child:
            assert child.stdout is not None
            value = child.stdout.read().strip()
        found = [each for each in probe.seen.available() if each.cgroup == cgroup.stat().st_ino]
        name = "net/core/somaxconn"
        assert {(each.name, each.value.strip(), each.length) for each in found} == {(name, value, len(name))}


class Marks(Program):
    asked = Global(i64)
    before = Global(u32)
    after = Global(u32)

    @cgroup_sock_addr("connect4")
    def on_connect(self, ctx):
        mark = Mark()
        self.asked.value = bpf.getsockopt(ctx, socket.SOL_SOCKET, socket.SO_MARK, mark)
        self.before.value = mark.value
        bpf.setsockopt(ctx, socket.SOL_SOCKET, socket.SO_MARK, u32(77))
        bpf.getsockopt(ctx, socket.SOL_SOCKET, socket.SO_MARK, mark)
        self.after.value = mark.value
        return True


class Mark(Struct):
    value: u32


CONNECT = """
import socket, sys
open(sys.argv[1] + "/cgroup.procs", "w").write("0")
with socket.socket() as s:
    try:
        s.connect(("127.0.0.1", 1))
    except OSError:
        pass
    print(s.getsockopt(socket.SOL_SOCKET, socket.SO_MARK))
"""


def test_options_of_a_socket(cgroup: Path, no_leaks: None) -> None:
    with Marks().start(cgroup=cgroup) as probe:
        done = subprocess.run(
            [sys.executable, "-c", CONNECT, str(cgroup.resolve())], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "77"
        if probe.asked.value == -errno.EINVAL:
            pytest.skip("bpf_getsockopt() reads no option of SOL_SOCKET (Linux 6.1, 65ddc82d3b96)")
        assert (probe.asked.value, probe.before.value, probe.after.value) == (0, 0, 77)


class Line(Event):
    size: i64
    text: Text = text(48)


class Pieces(Struct):
    first: u64
    second: i64


class Formatted(Program):
    lines = Ring(Line)

    @raw_tracepoint("sched_process_exit")
    def write(self, ctx):
        line = text(48)
        size = bpf.snprintf(line, "%llx and %lld", Pieces(first=0xBEE, second=-7))
        self.lines.emit(Line(size=size, text=line))
        line = text(48)
        self.lines.emit(Line(size=bpf.snprintf(None, "x", None), text=line))


def test_formatted_text(no_leaks: None) -> None:
    with Formatted().load() as probe:
        probe.test_run("write", context=bytes(24))
        first, second = probe.lines.available()
        assert (first.text, first.size) == ("bee and -7", len("bee and -7") + 1)
        assert (second.text, second.size) == ("", 2)


class Area(Struct):
    start: u64
    end: u64
    seen: u64


class Areas(Program):
    address: u64 = 0
    first = Global(u64)
    behind = Global(u64)
    missed = Global(u64)
    results = Array(i64, 2)

    @raw_tracepoint("sched_process_exit")
    def look(self, ctx):
        area = Area()
        self.results[0] = bpf.find_vma(bpf.task(), self.address, self.remember, area)
        if area.seen == 1:
            self.first.value = area.start
            self.behind.value = area.end
        missed = Area()
        self.results[1] = bpf.find_vma(bpf.task(), 16, self.remember, missed)
        self.missed.value = 1 if missed.seen == 1 else 2  # kernels before 6.7 hold that the method is called

    @function
    def remember(self, task, area, found: Area):
        found.start = area.vm_start
        found.end = area.vm_end
        found.seen = 1


def test_the_area_of_an_address(no_leaks: None) -> None:
    import ctypes

    memory = ctypes.create_string_buffer(16)
    address = ctypes.addressof(memory)
    with Areas(address=address).load() as probe:
        probe.test_run("look", context=bytes(24))
        assert [probe.results[0], probe.results[1], probe.missed.value] == [0, -2, 2]  # ENOENT
        lines = Path("/proc/self/maps").read_text().splitlines()
        areas = [tuple(int(part, 16) for part in line.split()[0].split("-")) for line in lines]
        assert probe.first.value <= address < probe.behind.value
        assert any(low <= address < high and low <= probe.first.value for low, high in areas)
