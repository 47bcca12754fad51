"""What a program says: its log, failing asserts, loops without an end, the trace pipe."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest

from beespace.lang import Array, Program, Struct, bpf, cgroup_skb, function
from beespace.syscall import mounts
from beespace.types import Text, i32, text, u8, u64

pytestmark = pytest.mark.kernel
PACKET = bytes(64)


class Name(Struct):
    name: Text = text(8)


class Talking(Program):
    inputs = Array(u64, 2)
    results = Array(u64, 2)

    @cgroup_skb("egress")
    def says(self, ctx):
        a = self.inputs[0]
        entry = Name(name="abcdefgh")
        less = i32(a) - 10
        bpf.log(f"{a} {a:x} {a:>6} {a:,} {a:#06b} {less:+d} {less!r:>5} {entry.name:.3} {entry.name!r} {a > 5} {{}}")
        bpf.log("nothing else")
        for i in range(3):
            bpf.log(f"round {i}")

    @cgroup_skb("egress")
    def asserts(self, ctx):
        a = self.inputs[0]
        assert a < 50, f"{a} is too much"
        self.results[0] = self.checked(a)
        self.results[1] = 100 // (self.inputs[1] or 1)
        divisor = self.inputs[1]
        assert divisor
        self.results[1] = 100 // divisor

    @function
    def checked(self, a: u64) -> u64:
        self.unlucky(a)
        return a + 1

    @function
    def unlucky(self, a: u64):
        for _ in range(3):
            assert a != 13

    @cgroup_skb("egress")
    def endless(self, ctx):
        n = self.inputs[0]
        while n != 1:
            n = n + 2 if n > 0 else 0
        self.results[0] = 7

    @cgroup_skb("egress")
    def prints(self, ctx):
        a = self.inputs[0]
        entry = Name(name="abcdefgh")
        print(f"beespace test {a} {u8(a):x} 100%")
        print("beespace test", entry.name, a > 5, i32(a) - 100)
        bpf.printk(f"beespace test {a:08x} {a:6} {a} {entry.name} {a == 1}")


def run(probe: Program, method: str, *inputs: int) -> tuple[int, list[str]]:
    for number, value in enumerate(inputs):
        probe.inputs[number] = value
    for number in range(2):
        probe.results[number] = 0
    verdict = probe.loaded.programs[method].test_run(PACKET).retval
    return verdict, [str(message) for message in probe.log.available()]


def values(probe: Program) -> list[int]:
    return [probe.results[number] for number in range(2)]


def test_values_are_formatted_by_python(loaded_probe) -> None:
    probe = loaded_probe(Talking)
    for a in (0, 7, 200, 123456):
        less, name = a - 10, "abcdefgh"
        said = f"{a} {a:x} {a:>6} {a:,} {a:#06b} {less:+d} {less!r:>5} {name:.3} {name!r} {a > 5} {{}}"
        _, messages = run(probe, "says", a)
        assert messages == [said, "nothing else", "round 0", "round 1", "round 2"]
    assert probe.log.lost == 0


def test_a_failing_assert_ends_the_program_and_says_so(loaded_probe) -> None:
    probe = loaded_probe(Talking)
    assert run(probe, "asserts", 5, 4) == (1, [])
    assert values(probe) == [6, 25]
    verdict, messages = run(probe, "asserts", 50, 4)
    assert verdict == 1 and values(probe) == [0, 0]
    assert [message.partition(": ")[2] for message in messages] == ["assertion failed: 50 is too much"]
    assert "test_language_log.py:" in messages[0]
    verdict, messages = run(probe, "asserts", 13, 4)
    assert verdict == 1 and values(probe) == [0, 0]
    assert [message.partition(": ")[2] for message in messages] == ["assertion failed: a != 13"]
    verdict, messages = run(probe, "asserts", 1, 0)
    assert values(probe) == [2, 100]
    assert [message.partition(": ")[2] for message in messages] == ["assertion failed: divisor"]


def test_a_while_loop_without_an_end_ends_the_program(loaded_probe) -> None:
    probe = loaded_probe(Talking)
    assert run(probe, "endless", 1) == (1, [])
    assert probe.results[0] == 7
    verdict, messages = run(probe, "endless", 0)
    assert (verdict, probe.results[0]) == (1, 0)
    assert [message.partition(": ")[2] for message in messages] == [
        "a while loop was still running after 1048576 rounds"
    ]


def test_messages_that_do_not_fit_are_counted(loaded_probe) -> None:
    probe = loaded_probe(Talking)
    probe.inputs[0] = 1
    probe.loaded.programs["says"].test_run(PACKET, repeat=5000)
    got = len(list(probe.log.available()))
    assert probe.log.lost > 0
    assert got + probe.log.lost == 5 * 5000


@contextlib.contextmanager
def trace_pipe() -> Iterator[int]:
    """The trace pipe, with tracing on for as long as it is read."""
    with mounts.tracefs() as root:
        switch = os.open("tracing_on", os.O_RDWR, dir_fd=root.fileno())
        pipe = os.open("trace_pipe", os.O_RDONLY | os.O_NONBLOCK, dir_fd=root.fileno())
        before = os.read(switch, 16)
        try:
            os.write(switch, b"1")
            yield pipe
        finally:
            os.write(switch, before)
            os.close(switch)
            os.close(pipe)


def test_lines_in_the_trace_pipe(loaded_probe) -> None:
    probe = loaded_probe(Talking)
    with trace_pipe() as pipe:
        for a in (1, 200, 70000):
            run(probe, "prints", a)
        text = b""
        with contextlib.suppress(BlockingIOError):
            while part := os.read(pipe, 65536):
                text += part
    lines = [line.partition("beespace test ")[2] for line in text.decode().splitlines() if "beespace test " in line]
    expected = []
    for a in (1, 200, 70000):
        expected += [
            f"{a} {a & 255:x} 100%",
            f"abcdefgh {a > 5} {a - 100}",
            f"{a:08x} {a:6} {a} abcdefgh {a == 1}",
        ]
    assert lines == expected
