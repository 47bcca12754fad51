"""Kernel types, contexts and packets of the language, on this kernel."""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from pace import patience

from beespace.lang import (
    Array,
    Counter,
    Event,
    Global,
    Hash,
    Program,
    Ring,
    SocketStorage,
    Struct,
    TaskStorage,
    bpf,
    btf_tracepoint,
    cgroup_skb,
    cgroup_sock,
    cgroup_sock_addr,
    function,
    iterator,
    raw_tracepoint,
    sockops,
    tracepoint,
)
from beespace.lang.packet import IPPROTO_TCP, IPPROTO_UDP, TCP, TCP_SYN, UDP, IPv4, IPv6
from beespace.types import Address, Pid, Port, Text, boolean, i32, raw, text, u8, u16, u32, u64

pytestmark = pytest.mark.kernel


class Me(Event):
    pid: Pid
    tid: Pid
    parent: Pid
    uid: u32
    gid: u32
    priority: i32
    start: u64
    now: u64
    cgroup: u64
    limit: u64
    kthread: boolean
    unset: boolean
    name: Text = text(16)
    leader: Text = text(8)
    chain: Text = text(64)


class Tasks(Program):
    """The current task, read by trusted pointers."""

    me = Ring(Me)
    seen = TaskStorage(Me)
    mine = Global(u64)

    @raw_tracepoint("sched_process_exit")
    def look(self, ctx):
        task = bpf.task()
        program = text(64)
        file = task.mm.exe_file
        if file is not None:
            program = file.f_path.dentry.d_name.name
        self.me.emit(
            Me(
                pid=u32(task.tgid),
                tid=u32(task.pid),
                parent=u32(task.real_parent.tgid),
                uid=task.cred.uid.val,
                gid=bpf.gid(),
                priority=task.static_prio - 120,
                start=task.start_boottime,
                now=bpf.now(),
                cgroup=bpf.cgroup_id(),
                limit=task.signal.rlim[7].rlim_cur,
                kthread=task.mm is None,
                unset=bool(task.sched_reset_on_fork),
                name=task.comm,
                leader=task.group_leader.comm,
                chain=program,
            )
        )
        stored = self.seen.get_or_create(task)
        if stored is not None:
            stored.start += 1
            self.mine.value = stored.start
        if task.comm == "no such name" or not task.comm.startswith(""):
            self.mine.value = 99


class Untrusted(Program):
    """A raw tracepoint's arguments: numbers and addresses of this process."""

    found = Ring(Me)
    bytes = Array(raw(6), 2)
    big = Hash(key=u32, value=u64)

    @raw_tracepoint("sys_enter")
    def look(self, regs, id):
        address = u64(id)
        self.found.emit(Me(name=bpf.user_text(address), chain=bpf.user_text(address + 2), tid=u32(id)))
        short = raw(6)
        short = bpf.user_bytes(address, u32(4))
        self.bytes[0] = short
        long = raw(6)
        long = bpf.user_bytes(address, u32(4000))
        self.bytes[1] = long
        # Reading through a pointer that points nowhere gives zero, and no fault.
        self.big[1] = regs.ip


def test_current_task(loaded_probe) -> None:
    probe = loaded_probe(Tasks)
    probe.loaded.programs["look"].test_run(ctx_in=bytes(24))
    probe.loaded.programs["look"].test_run(ctx_in=bytes(24))
    me, _ = probe.me.events(timeout=0)
    name = Path("/proc/self/task", str(me.tid), "comm").read_text().strip()
    stat = Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()
    assert (me.pid, me.parent, me.uid, me.gid) == (os.getpid(), os.getppid(), os.getuid(), os.getgid())
    assert me.priority == os.nice(0)
    assert (me.name, me.leader) == (name, Path("/proc/self/comm").read_text().strip()[:7])
    assert me.start // 10_000_000 == int(stat[19])
    assert (me.kthread, me.unset, me.limit) == (False, False, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    assert me.now > me.start
    assert me.chain == Path("/proc/self/exe").resolve().name
    assert probe.mine.value == 2


def test_user_memory(loaded_probe) -> None:
    probe = loaded_probe(Untrusted)
    memory = ctypes.create_string_buffer(b"0123456789abcdef0123456789")
    probe.loaded.programs["look"].test_run(ctx_in=struct.pack("=QQ", 0, ctypes.addressof(memory)))
    (found,) = probe.found.events(timeout=0)
    assert (found.name, found.chain) == ("0123456789abcde", "23456789abcdef0123456789")
    assert (probe.bytes[0], probe.bytes[1]) == (b"0123\0\0", b"012345")
    assert probe.big[1] == 0


class Execution(Event):
    source: u32
    pid: Pid
    parent: Pid
    old_pid: i32
    state: u32
    reset: boolean
    null: boolean
    name: Text = text(16)
    path: Text = text(64)
    short: Text = text(6)


class Executions(Program):
    """One event seen through its record, its trusted arguments and its untrusted ones."""

    seen = Ring(Execution)

    @btf_tracepoint("sched_process_exec")
    def trusted(self, task, old_pid, binary):
        self.seen.emit(
            Execution(
                source=1, pid=u32(task.tgid), parent=u32(task.real_parent.tgid), old_pid=old_pid,
                state=7 if task.exit_code == 0 else 8, reset=bool(task.in_execve), null=task.mm is None, name=task.comm,
                path=binary.filename, short=binary.filename,
            )
        )  # fmt: skip

    @btf_tracepoint("sched_process_exec")
    def by_name(self, ctx):
        task = ctx.p
        self.seen.emit(
            Execution(
                source=2, pid=u32(task.tgid), parent=u32(task.real_parent.tgid), old_pid=ctx.old_pid,
                state=7 if task.exit_code == 0 else 8, reset=bool(task.in_execve), null=task.mm is None,
                name=task.comm, path=bpf.kernel_text(ctx.bprm.filename), short=ctx.bprm.filename,
            )
        )  # fmt: skip

    @raw_tracepoint("sched_process_exec")
    def untrusted(self, task, old_pid, binary):
        self.seen.emit(
            Execution(
                source=3, pid=u32(task.tgid), parent=u32(task.real_parent.tgid), old_pid=old_pid,
                state=7 if task.exit_code == 0 else 8, reset=bool(task.in_execve), null=task.mm is None,
                name=task.comm, path=binary.filename, short=binary.filename,
            )
        )  # fmt: skip

    @tracepoint("sched:sched_process_exec")
    def record(self, ctx):
        self.seen.emit(
            Execution(
                source=4, pid=u32(ctx.pid), parent=u32(bpf.task().real_parent.tgid), old_pid=ctx.old_pid, state=7,
                reset=bool(bpf.task().in_execve), name=bpf.comm(), path=ctx.filename, short=ctx.filename,
            )
        )  # fmt: skip


def test_four_views_of_one_event(loaded_probe) -> None:
    probe = loaded_probe(Executions)
    links = [program.attach() for program in probe.loaded.programs.values()]
    try:
        child = subprocess.Popen(["/usr/bin/env", "true"])
        assert child.wait(10) == 0
    finally:
        for link in links:
            link.close()
    seen = [event for event in probe.seen.events(timeout=0) if event.pid == child.pid]
    first = [event for event in seen if event.path == "/usr/bin/env"]
    assert sorted(event.source for event in first) == [1, 2, 3, 4]
    for event in first:
        expected = Execution(
            source=event.source, pid=child.pid, parent=os.getpid(), old_pid=child.pid, state=7, reset=event.reset,
            name="env", path="/usr/bin/env", short="/usr/",
        )  # fmt: skip
        assert event == expected
    assert len({event.reset for event in first}) == 1
    assert {event.name for event in seen} == {"env", "true"}


# --- packets -------------------------------------------------------------------------------------


class Parsed(Struct):
    length: u32
    protocol: u8
    ttl: u8
    source: Address
    destination: Address
    source_port: Port
    destination_port: Port
    syn: boolean
    known: boolean


class Packets(Program):
    parsed = Hash(key=u32, value=Parsed)
    short = Counter()
    offset = Array(u32, 1)

    @cgroup_skb("egress")
    def look(self, ctx):
        found = Parsed(length=ctx.len)
        if self.parse(ctx, found):
            self.parsed[0] = found
        else:
            self.short += 1
        return True

    @function
    def parse(self, ctx, found: Parsed) -> bool:
        ip = bpf.packet(ctx, IPv4, 0)
        if ip is None:
            return False
        at: u32 = 40
        if ip.version_ihl >> 4 == 4:
            found.protocol = ip.protocol
            found.ttl = ip.ttl
            found.source = bpf.v4(ip.source)
            found.destination = bpf.v4(ip.destination)
            at = u32(ip.version_ihl & 15) * 4
        elif (ip6 := bpf.packet(ctx, IPv6, 0)) is not None:
            found.protocol = ip6.next_header
            found.ttl = ip6.hop_limit
            found.source = ip6.source
            found.destination = ip6.destination
        else:
            return False
        at += self.offset[0]
        if found.protocol == IPPROTO_TCP:
            tcp = bpf.packet(ctx, TCP, at)
            if tcp is None:
                return False
            found.source_port = tcp.source
            found.destination_port = tcp.destination
            found.syn = tcp.flags & TCP_SYN != 0
        elif found.protocol == IPPROTO_UDP:
            udp = bpf.packet(ctx, UDP, at)
            if udp is None:
                return False
            found.source_port, found.destination_port = udp.source, udp.destination
        found.known = ip.destination == 0x08080808
        return True


ETHERNET4 = bytes(12) + b"\x08\x00"
ETHERNET6 = bytes(12) + b"\x86\xdd"


def ipv4(protocol: int, payload: bytes, options: bytes = b"") -> bytes:
    size = 20 + len(options)
    header = struct.pack(
        ">BBHHHBBH4s4s", 0x40 | size // 4, 0, size + len(payload), 0, 0, 64, protocol, 0,
        socket.inet_aton("10.0.0.1"), socket.inet_aton("8.8.8.8"),
    )  # fmt: skip
    return ETHERNET4 + header + options + payload


def test_packets(loaded_probe) -> None:
    # Up to Linux 6.12, a test run of cgroup programs gives them no packet, although they may read one.
    probe = loaded_probe(Packets, look="lwt_in")
    run = probe.loaded.programs["look"].test_run
    tcp = struct.pack(">HHIIBBHHH", 40000, 443, 1, 2, 0x50, 0x02, 0, 0, 0)
    for options in (b"", bytes(8)):
        assert run(data_in=ipv4(6, tcp, options)).retval == 1
        found = probe.parsed[0]
        assert (found.source, found.destination, found.protocol, found.ttl) == ("10.0.0.1", "8.8.8.8", 6, 64)
        assert (found.source_port, found.destination_port, found.syn, found.known) == (40000, 443, True, True)
        assert found.length == 40 + len(options)
    udp = struct.pack(">HHHH", 53, 5353, 8, 0)
    header = struct.pack(
        ">IHBB16s16s", 6 << 28, 8, 17, 3, socket.inet_pton(socket.AF_INET6, "fe80::1"), bytes(15) + b"\1"
    )
    run(data_in=ETHERNET6 + header + udp)
    found = probe.parsed[0]
    assert (found.source, found.destination, found.protocol, found.ttl) == ("fe80::1", "::1", 17, 3)
    assert (found.source_port, found.destination_port, found.syn) == (53, 5353, False)
    assert probe.short.value == 0
    run(data_in=ipv4(6, tcp[:19]))  # one byte short
    run(data_in=ETHERNET6 + header + udp[:7])
    assert probe.short.value == 2
    for far in (1, 0x3FF0, 0x4000, 0xFFFF, 0xFFFF_FF00, 0x8000_0000):  # past the end, whatever the mask keeps of it
        probe.offset[0] = far
        run(data_in=ipv4(6, tcp))
    assert probe.short.value == 8


# --- sockets -------------------------------------------------------------------------------------


class Owner(Struct):
    pid: Pid
    uses: u32


class Connection(Event):
    family: u32
    type: u32
    address: Address
    port: Port
    pid: Pid
    uses: u32
    cookie: u64


class Sockets(Program):
    owners = SocketStorage(Owner)
    connections = Ring(Connection)
    established = Counter()
    answered = Hash(key=Port, value=u64)
    redirect = Global(u32)
    packets = Hash(key=Pid, value=u64)

    @cgroup_sock("create")
    def on_create(self, ctx):
        owner = self.owners.get_or_create(ctx)
        if owner is not None:
            owner.pid = bpf.pid()

    @cgroup_sock_addr("connect4")
    def on_connect(self, ctx):
        owner = self.owners.get(ctx.sk)
        pid: Pid = 0
        uses: u32 = 0
        if owner is not None:
            owner.uses += 1
            pid = owner.pid
            uses = owner.uses
        self.connections.emit(
            Connection(
                family=ctx.user_family, type=ctx.type, address=bpf.v4(ctx.user_ip4), port=ctx.user_port, pid=pid,
                uses=uses, cookie=bpf.socket_cookie(ctx),
            )
        )  # fmt: skip
        if self.redirect.value != 0:
            ctx.user_port = u16(self.redirect.value)

    @sockops
    def on_change(self, ctx):
        if ctx.op == 4:  # BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB
            self.established += 1
            self.answered[u16(ctx.remote_port)] = 1

    @cgroup_skb("egress")
    def on_packet(self, ctx):
        sk = bpf.full_socket(ctx)
        if sk is None:
            return
        owner = self.owners.get(sk)
        if owner is not None and (tcp := bpf.tcp_socket(sk)) is not None and tcp.snd_cwnd > 0:
            self.packets[owner.pid] += 1


CLIENT = """
import os, socket, sys
sys.stdin.readline()
for _ in range(2):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as client:
        client.send(b"x")
        client.recv(1)
"""


def test_sockets(loaded_probe, cgroup: Path) -> None:
    probe = loaded_probe(Sockets)
    links = [
        probe.loaded.programs[name].attach(cgroup=cgroup)
        for name in ("on_create", "on_connect", "on_change", "on_packet")
    ]
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            asked = port ^ 1  # the program sends it to the server's port
            probe.redirect.value = port
            server.settimeout(patience(60))
            client = subprocess.Popen([sys.executable, "-c", CLIENT, str(asked)], stdin=subprocess.PIPE)
            with client:
                assert client.stdin is not None
                (cgroup / "cgroup.procs").write_text(str(client.pid))
                client.stdin.write(b"\n")
                client.stdin.flush()
                for _ in range(2):
                    connection, _ = server.accept()
                    with connection:
                        connection.send(connection.recv(1))
            assert client.returncode == 0
        first, second = probe.connections.events(timeout=0)
        assert (first.family, first.type, first.address, first.port) == (2, 1, "127.0.0.1", asked)
        assert (first.pid, first.uses, second.uses) == (client.pid, 1, 1)
        assert 0 != first.cookie != second.cookie != 0
        assert (probe.established.value, dict(probe.answered.items())) == (2, {port: 1})
        assert probe.packets[client.pid] >= 6
    finally:
        for link in links:
            link.close()


# --- iterators -----------------------------------------------------------------------------------


class Walk(Program):
    names = Hash(key=Pid, value=text(16))
    rounds = Counter()

    @iterator("task")
    def on_task(self, ctx):
        task = ctx.task
        if task is None:
            return
        self.rounds += 1
        if task.pid == task.tgid:
            self.names[u32(task.tgid)] = task.comm


def test_iterator(loaded_probe) -> None:
    probe = loaded_probe(Walk)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other:  # it runs once Popen has returned
        with probe.loaded.programs["on_task"].attach() as link:
            link.read()
        name = Path(f"/proc/{other.pid}/comm").read_text().strip()
    assert probe.names[os.getpid()] == Path("/proc/self/comm").read_text().strip()
    assert probe.names[other.pid] == name
    assert probe.rounds.value >= len(probe.names) > 2


class Peer(Struct):
    address: Address
    same: boolean
    last: u32
    remote: Port
    state: u8
    reuse: u8


class Peers(Program):
    """Sockets of this process, by their local port: unions, arrays, bit-fields, network order."""

    peers = Hash(key=Port, value=Peer)
    owner: u32 = 0

    @iterator("task_file")
    def on_file(self, ctx):
        task, file = ctx.task, ctx.file
        if task is None or file is None or u32(task.tgid) != self.owner:
            return
        found = bpf.file_socket(file)
        if found is None:
            return
        sk = found.sk
        if sk is None or sk.__sk_common.skc_family != 10:
            return
        common = sk.__sk_common
        peer = Peer(address=common.skc_v6_daddr, remote=common.skc_dport, state=common.skc_state)
        peer.last = common.skc_v6_daddr.in6_u.u6_addr32[3]
        peer.same = peer.address == "::1"
        peer.reuse = common.skc_reuse
        self.peers[common.skc_num] = peer


def test_socket_fields(loaded_probe) -> None:
    Peers.owner = os.getpid()
    try:
        probe = loaded_probe(Peers)
    finally:
        Peers.owner = 0
    with socket.socket(socket.AF_INET6) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("::1", 0))
        server.listen()
        with (
            socket.create_connection(server.getsockname()[:2]) as client,
            probe.loaded.programs["on_file"].attach() as link,
        ):
            link.read()
            port, listening = client.getsockname()[1], server.getsockname()[1]
    peer = probe.peers[port]
    assert peer == Peer(address="::1", same=True, last=1, remote=listening, state=1, reuse=0)
    assert probe.peers[listening] == Peer(address="::", state=10, reuse=1)
