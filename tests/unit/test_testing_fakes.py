"""What tests make up: tasks, captures, packets of scapy, arguments and registers by name, strategies."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beespace.capture import Direction, PcapngWriter
from beespace.errors import FormatError, UsageError
from beespace.lang import (
    Counter,
    Hash,
    Program,
    bpf,
    cgroup_sock_addr,
    fexit,
    kprobe,
    raw_tracepoint,
    tracepoint,
    uprobe,
    xdp,
)
from beespace.lang.attach import ksyscall
from beespace.testing import contents, contexts, frames, packets, task
from beespace.types import i64, text, u32, u64


@pytest.fixture(autouse=True)
def shipped_types(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("BEESPACE_BTF", "shipped")


class Many(Program):
    numbers = Hash(key=u32, value=i64)
    names = Hash(key=u32, value=text(16))
    packets = Counter()

    @kprobe("vfs_read")
    def on_read(self, file, buf, count):
        self.numbers[0] = i64(count)
        self.numbers[1] = i64(file.f_flags)

    @fexit("vfs_read")
    def on_result(self, file, buf, count, pos, result):
        self.numbers[2] = i64(result)
        self.numbers[3] = i64(count)

    @ksyscall("openat")
    def on_openat(self, dfd, filename, flags):
        self.numbers[4] = i64(flags)
        self.names[4] = bpf.user_text(filename)

    @uprobe("/bin/sh:main")
    def on_main(self, count: u64, words: u64):
        self.numbers[5] = i64(count)
        self.names[5] = bpf.user_text(bpf.user(words + 8, u64))

    @raw_tracepoint("sys_enter")
    def on_call(self, registers, number):
        self.numbers[6] = i64(number)

    @tracepoint("sched:sched_process_exec")
    def on_exec(self, ctx):
        self.numbers[7] = i64(ctx.pid)
        self.names[7] = ctx.filename

    @cgroup_sock_addr("connect4")
    def on_connect(self, ctx):
        self.numbers[8] = i64(ctx.user_port)
        return 1

    @xdp
    def on_packet(self, ctx):
        self.packets += 1
        self.numbers[9] = i64(bpf.packet_length(ctx))
        return 2


def test_arguments_by_name_and_in_order() -> None:
    with Many().simulate() as probe:
        probe.test_run("on_read", context={"file": {"f_flags": 5}, "count": 4096})
        assert (probe.numbers[0], probe.numbers[1]) == (4096, 5)
        probe.test_run("on_read", context=[{"f_flags": 6}, 0, 7])
        assert (probe.numbers[0], probe.numbers[1]) == (7, 6)
        probe.test_run("on_result", context={"count": 9, "return": -5})
        assert (probe.numbers[2], probe.numbers[3]) == (-5, 9)
        probe.test_run("on_openat", context={"filename": "/etc/hosts", "flags": 2})
        assert (probe.numbers[4], probe.names[4]) == (2, "/etc/hosts")
        probe.test_run("on_main", context={"count": 2, "words": ["sh", "-c"]})
        assert (probe.numbers[5], probe.names[5]) == (2, "-c")
        probe.test_run("on_main", context=[3, ["sh", "-x"]])
        assert (probe.numbers[5], probe.names[5]) == (3, "-x")
        probe.test_run("on_call", context={"id": 257})
        assert probe.numbers[6] == 257


@pytest.mark.parametrize(
    ("method", "context", "says"),
    [
        ("on_read", {"size": 1}, r"vfs_read has no argument 'size'\n  help: its arguments: file, buf, count, pos"),
        (
            "on_openat",
            {"path": "x"},
            r"has no argument 'path'\n  help: its arguments: dfd, filename, flags, mode",
        ),
        ("on_main", {"argc": 1}, r"main has no argument 'argc'\n  help: its arguments: count, words"),
        ("on_main", [0] * 7, "has 6 arguments in registers, not 7"),
        ("on_result", {"result": 1}, "has no argument 'result'"),
    ],
)
def test_arguments_that_there_are_not(method: str, context: object, says: str) -> None:
    with Many().simulate() as probe, pytest.raises(UsageError, match=says):
        probe.test_run(method, context=context)


def test_a_task() -> None:
    made = task(7, tid=8, comm="nginx", uid=33, gid=34, real_parent=task(1), prio=120)
    assert made == {
        "tgid": 7, "pid": 8, "comm": "nginx", "cred": {"uid": {"val": 33}, "gid": {"val": 34}},
        "real_parent": {"tgid": 1, "pid": 1, "comm": ""}, "prio": 120,
    }  # fmt: skip
    with Many().simulate(task=task(7, comm="nginx")) as probe:
        inputs = probe.program("on_call").machine.inputs
        assert (inputs.tgid, inputs.pid, inputs.comm) == (7, 7, "nginx")
    with Many().simulate(task=task(7), tgid=9) as probe:
        assert probe.program("on_call").machine.inputs.tgid == 9


def test_packets_of_a_capture(tmp_path: Path) -> None:
    kept = io.BytesIO()
    writer = PcapngWriter(kept, 1)
    sent = [bytes(60), bytes(range(80))]
    for frame in sent:
        writer.write(1_700_000_000_000_000_000, frame, len(frame), Direction.UNKNOWN)
    (tmp_path / "two.pcapng").write_bytes(kept.getvalue())
    assert frames(tmp_path / "two.pcapng") == sent
    (tmp_path / "cut.pcapng").write_bytes(kept.getvalue()[:-20])
    with pytest.raises(FormatError, match="ends in the middle of a packet"):
        frames(tmp_path / "cut.pcapng")
    with pytest.raises(UsageError, match="no capture can be read there"):
        frames(tmp_path / "nothing.pcap")


def test_packets_of_scapy() -> None:
    scapy = pytest.importorskip("scapy.layers.inet", reason="scapy is not installed")
    ethernet = pytest.importorskip("scapy.layers.l2").Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    with Many().simulate() as probe:
        probe.test_run("on_packet", ethernet / scapy.IP(dst="10.0.0.2") / scapy.UDP(dport=53) / b"hello")
        assert probe.numbers[9] == 14 + 20 + 8 + 5
        assert contents(probe)["numbers"] == [[9, 47]]


def test_contents_are_sorted() -> None:
    with Many().simulate() as probe:
        for number in (10, 9, 200):
            probe.numbers[number] = number
        assert contents(probe) == {"numbers": [[9, 9], [10, 10], [200, 200]], "names": [], "packets": 0}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_contexts_have_what_a_method_mentions(data: st.DataObject) -> None:
    made = data.draw(contexts(Many, "on_exec"))
    assert set(made) <= {"pid", "filename"}
    address = data.draw(contexts(Many, "on_connect"))
    assert set(address) <= {"user_port"}
    with Many().simulate() as probe:
        probe.test_run("on_exec", context=made)
        assert (probe.numbers[7], probe.names[7]) == (made.get("pid", 0), made.get("filename", "")[:15])
        probe.test_run("on_connect", context=address)


def test_contexts_that_there_are_not() -> None:
    with pytest.raises(UsageError, match="there are no made-up contexts for 'xdp'"):
        contexts(Many, "on_packet")
    with pytest.raises(UsageError, match="has no program 'on_nothing'"):
        contexts(Many, "on_nothing")


@settings(deadline=None)
@given(packets(damaged=False))
def test_packets_are_as_scapy_would_make_them(packet: bytes) -> None:
    """Lengths and checksums of headers: scapy puts in its own where they are deleted."""
    layers = pytest.importorskip("scapy.layers.inet", reason="scapy is not installed")
    read = pytest.importorskip("scapy.layers.l2").Ether(packet)
    again = read.copy()
    for layer, fields in ((layers.IP, ("chksum", "len", "ihl")), (layers.UDP, ("len",))):
        if layer in again and not (layers.IP in again and again[layers.IP].frag and layer is not layers.IP):
            for field in fields:
                delattr(again[layer], field)
    assert bytes(again) == packet
