"""Events whose last field is as long as what is in it: what is sent, and what every reader makes of it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import beespace
from beespace.lang import Event, PerfEvents, Program, Ring, Struct, bpf, function, syscall, tc, tracepoint, xdp
from beespace.lang.verdicts import TC_ACT_OK, XDP_PASS
from beespace.types import Pid, Raw, Text, raw, text, u32, u64

pytestmark = pytest.mark.kernel

CAPACITY = 300
PACKET = bytes(number % 251 for number in range(1000))


class Went(Event):
    pid: Pid
    path: Text = text(4096, variable=True)


class Going(Program):
    pid: u32 = 0
    went = Ring(Went, size="64 KiB")

    @tracepoint("syscalls:sys_enter_chdir")
    def enter(self, ctx):
        if bpf.pid() == self.pid:
            self.went.emit(Went(pid=bpf.pid(), path=bpf.user_text(ctx.filename)))


def go(*lengths: int) -> list[str]:
    """Try to change to folders whose names have these lengths."""
    tried = ["x" * length for length in lengths]
    for path in tried:
        try:
            os.chdir(path)
        except OSError:
            continue
        raise AssertionError(path)
    return tried


def test_texts_are_sent_as_long_as_they_are() -> None:
    with Going(pid=os.getpid()) as probe:
        tried = go(1, 7, 8, 100, 4094, 4095)
        assert [event.path for event in probe.went.available()] == tried
        go(4096, 5000)  # with its zero byte a text has at most 4096
        assert [event.path for event in probe.went.available()] == ["x" * 4095] * 2
        tried = go(1, 7, 100)
        records = list(probe.went.backend.records(0))
        assert [len(record) for record in records] == [4 + 4 + len(path) for path in tried]
        assert probe.went.lost == 0


def test_columns_and_an_event_loop() -> None:
    async def first(probe: Any) -> Any:
        async for event in probe.went:
            return event

    with Going(pid=os.getpid()) as probe:
        tried = [*go(1, 7, 100, 2000), "grün/ж"]
        with pytest.raises(OSError, match="No such file"):
            os.chdir(tried[-1])
        [batch] = probe.went.batches(0)
        assert batch.records.to_pydict() == {"pid": [os.getpid()] * 5, "path": tried}
        assert batch.records.schema.field("path").type == "string"
        go(9)
        assert asyncio.run(first(probe)) == Went(pid=os.getpid(), path="x" * 9)


def test_what_finds_the_ring_full_is_counted() -> None:
    with Going(pid=os.getpid()) as probe:
        go(*[4000] * 30)
        found = len(list(probe.went.available()))
        assert found < 30 == found + probe.went.lost
        go(*[1] * 30)
        assert len(list(probe.went.available())) == 30


class Data(Event):
    number: u32
    data: Raw = raw(CAPACITY, variable=True)


class Head(Event):
    data: Raw = raw(16)


class Packets(Program):
    at: u32 = 0
    size: u32 = 0xFFFFFFFF
    sent = Ring(Data, size="64 KiB")
    heads = Ring(Head, size="64 KiB")
    perf = PerfEvents(Data)

    @tc("ingress")
    def on_packet(self, ctx):
        self.sent.emit(Data(number=1, data=bpf.packet_bytes(ctx, self.at, self.size)))
        self.heads.emit(Head(data=bpf.packet_bytes(ctx, self.at, 10)))
        self.perf.emit(ctx, Data(number=1, data=bpf.packet_bytes(ctx, self.at, self.size)))
        return TC_ACT_OK


class Frames(Program):
    sent = Ring(Data, size="64 KiB")

    @xdp(fragments=True)
    def on_frame(self, ctx):
        self.sent.emit(Data(number=2, data=bpf.packet_bytes(ctx, 14, 100_000)))
        return XDP_PASS


LENGTHS = (14, 15, 100, CAPACITY - 1, CAPACITY, CAPACITY + 1, 1000)


@pytest.mark.parametrize(("at", "size"), [(0, 0xFFFFFFFF), (14, 50), (99, CAPACITY), (5000, 1), (0, 0)])
def test_bytes_of_packets(at: int, size: int) -> None:
    probe = Packets(at=at, size=size)
    probe.load()
    with probe:
        for length in LENGTHS:
            probe.test_run("on_packet", PACKET[:length])
        wanted = [PACKET[:length][at:][:size][:CAPACITY] for length in LENGTHS]
        assert [event.data for event in probe.sent.available()] == wanted
        assert [event.data for event in probe.perf.available()] == wanted
        heads = [PACKET[:length][at:][:10] for length in LENGTHS]
        assert [event.data for event in probe.heads.available()] == [head.ljust(16, b"\0") for head in heads]
        for length in LENGTHS:
            probe.test_run("on_packet", PACKET[:length])
        for events in (probe.sent, probe.perf):
            found = [row["data"] for batch in events.batches(0) for row in batch.records.to_pylist()]
            assert found == wanted


def test_bytes_of_all_fragments() -> None:
    probe = Frames()
    probe.load()
    with probe:
        for length in (14, 15, 1000):
            probe.test_run("on_frame", PACKET[:length])
        assert [event.data for event in probe.sent.available()] == [b"", PACKET[14:15], PACKET[14:][:CAPACITY]]


class Small(Event):
    """One that stands on the stack, of which kernels before 6.3 give helpers only what was written."""

    number: u32
    line: Text = text(40, variable=True)


class Smalls(Program):
    lines = Ring(Small, size=4096)

    @tc("ingress")
    def on_packet(self, ctx):
        name = text(16)
        name = "a local"
        self.lines.emit(Small(number=1, line="a literal"))
        self.lines.emit(Small(number=2))
        self.lines.emit(Small(number=3, line=name))
        self.lines.emit(Small(number=4, line=name[2:5]))
        kept = Small(number=5, line="kept")
        self.lines.emit(kept)
        return TC_ACT_OK


def test_events_on_the_stack() -> None:
    probe = Smalls()
    probe.load()
    with probe:
        probe.test_run("on_packet", PACKET[:20])
        found = {event.number: event.line for event in probe.lines.available()}
        assert found == {1: "a literal", 2: "", 3: "a local", 4: "loc", 5: "kept"}


class Ask(Struct):
    address: u64
    size: u32
    kind: u32


class Sources(Program):
    """What a field of variable length can be made of."""

    texts = Ring(Went, size="64 KiB")
    datas = Ring(Data, size="64 KiB")

    @syscall
    def ask(self, ask: Ask):
        if ask.kind == 0:
            self.texts.emit(Went(pid=1, path="a literal"))
            self.texts.emit(Went(pid=2))
            self.texts.emit(Went(pid=3, path=bpf.comm()))
            name = text(64)
            name = bpf.user_text(ask.address)
            self.texts.emit(Went(pid=4, path=name))
            self.texts.emit(Went(pid=5, path=name[2:4]))
            self.texts.emit(Went(pid=6, path=bpf.task().comm))
        else:
            kept = Data(number=1, data=b"\1\2\0")
            self.datas.emit(kept)
            kept.data = bpf.user_bytes(ask.address, ask.size)
            self.send(kept)
            self.datas.emit(Data(number=3, data=bpf.user_bytes(8, 8)))
            self.datas.emit(Data(number=4, data=bpf.read(bpf.task().comm, raw(16))))
            self.datas.emit(Data(number=5, data=bpf.kernel_bytes(bpf.task().comm, ask.size)))

    @function
    def send(self, data: Data):
        data.number = 2
        self.datas.emit(data)


def test_what_a_field_is_made_of() -> None:
    import ctypes

    memory = ctypes.create_string_buffer(b"in this process")
    comm = Path("/proc/thread-self/comm").read_text().strip()
    probe = Sources()
    probe.load()
    with probe:
        for kind in (0, 1):
            probe.test_run("ask", context=Ask(address=ctypes.addressof(memory), size=7, kind=kind))
        texts = {event.pid: event.path for event in probe.texts.available()}
        assert texts == {1: "a literal", 2: "", 3: comm, 4: "in this process", 5: " t", 6: comm}
        first, *others = probe.datas.available()
        assert first == Data(number=1, data=b"\1\2\0")
        name = comm.encode().ljust(16, b"\0")
        assert {event.number: event.data for event in others} == {2: b"in this", 3: b"", 4: name, 5: name[:7]}


def test_an_object_of_it_opens_with_the_same_values(tmp_path: Path) -> None:
    file = tmp_path / "going.bpf.o"
    Going.build(file)
    with beespace.open(file, variables={"pid": os.getpid()}) as opened:
        opened.attach()
        events = opened.events("went")
        tried = go(1, 7, 100)
        assert [event.path for event in events.available()] == tried
        tried = go(3)
        [batch] = events.batches(0)
        assert batch.records.to_pydict() == {"pid": [os.getpid()], "path": tried}
        assert events.malformed == 0


SOURCE = """
from beespace import Event, Program, Ring, bpf, tracepoint
from beespace.types import Text, text, u32


class Went(Event):
    path: Text = text(4096, variable=True)


class Going(Program):
    parent: u32 = 0
    went = Ring(Went)

    @tracepoint("syscalls:sys_enter_chdir")
    def enter(self, ctx):
        if u32(bpf.task().real_parent.tgid) == self.parent:
            self.went.emit(Went(path=bpf.user_text(ctx.filename)))
"""


def test_the_command_line_prints_it(tmp_path: Path) -> None:
    file = tmp_path / "going.py"
    file.write_text(SOURCE)
    command = [sys.executable, "-m", "beespace", "run", str(file), "-o", "json", "--parent", str(os.getpid())]
    with subprocess.Popen([*command, "--for", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None and run.stderr is not None
        line = ""
        while not line.startswith("{"):
            subprocess.run(
                [sys.executable, "-c", "import os\ntry: os.chdir('/no/such')\nexcept OSError: pass"], check=True
            )
            os.set_blocking(run.stdout.fileno(), False)
            line = run.stdout.readline()
            if run.poll() is not None:
                said = run.stderr.read()
                assert "needs Linux 5.11" in said, said
                pytest.skip("bpf_get_current_task_btf() (Linux 5.11)")
        run.terminate()
        os.set_blocking(run.stdout.fileno(), True)
        run.communicate()
    assert json.loads(line)["path"] == "/no/such"
