"""Probes on machines: where arguments and results are read, on x86-64 and on arm64.

``tests/golden/arm64.btf`` has ``struct pt_regs`` and a few types more of Debian's 6.12 for arm64.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from beespace.btf import Btf
from beespace.compiler import ir, lower
from beespace.compiler.ir.walk import walk
from beespace.errors import CompileError
from beespace.lang import Hash, Program, kprobe, kretprobe, ksyscall, perf_event, uprobe
from beespace.types import i32, u32, u64

GOLDEN = Path(__file__).parent.parent / "golden"


class Probes(Program):
    out = Hash(key=u32, value=u64)

    @kprobe("vfs_read")
    def third(self, file, buf, count):
        self.out[1] = count

    @kretprobe("vfs_read")
    def returned(self, result):
        self.out[2] = u64(result)

    @uprobe("libc:abs")
    def second(self, first: i32, second: u64):
        self.out[3] = second

    @ksyscall("mmap")
    def sixth(self, ctx):
        self.out[4] = ctx.off


class Counters(Program):
    out = Hash(key=u32, value=u64)

    @perf_event("cpu-clock")
    def where(self, ctx):
        self.out[5] = ctx.regs.pc


class TooMany(Program):
    out = Hash(key=u32, value=u64)

    @uprobe("libc:f")
    def on_call(self, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, h: u64):
        self.out[1] = g


def offsets(program: type[Program], btf: str) -> dict[str, list[int]]:
    """Where each function reads its context."""
    module = lower(program.declaration(), Btf((GOLDEN / btf).read_bytes()))
    return {
        function.name: [node.offset for node in walk(function.body) if isinstance(node, ir.ContextField)]
        for function in module.functions
    }


def test_registers() -> None:
    # si, dx, di, ax of arch/x86/include/asm/ptrace.h; x1, x2, x0 of arch/arm64/include/uapi/asm/ptrace.h
    assert offsets(Probes, "kernel.btf") == {"third": [96], "returned": [80], "second": [104], "sixth": [112]}
    assert offsets(Probes, "arm64.btf") == {"third": [16], "returned": [0], "second": [8], "sixth": [0]}


def test_arguments_of_system_calls_are_in_registers_that_the_kernel_kept() -> None:
    for btf, expected in (("kernel.btf", 64), ("arm64.btf", 40)):
        module = lower(Probes.declaration(), Btf((GOLDEN / btf).read_bytes()))
        (function,) = [each for each in module.functions if each.name == "sixth"]
        inner = [node.bytes for node in walk(function.body) if isinstance(node, ir.Offset)]
        assert inner == [expected]


def test_registers_of_counters() -> None:
    assert offsets(Counters, "arm64.btf") == {"where": [256]}
    with pytest.raises(CompileError, match="has no field pc"):
        offsets(Counters, "kernel.btf")


def test_how_many_arguments_are_in_registers() -> None:
    assert offsets(TooMany, "arm64.btf") == {"on_call": [48]}
    with pytest.raises(CompileError, match="only the first 6 are"):
        offsets(TooMany, "kernel.btf")
