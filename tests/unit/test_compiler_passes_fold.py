"""Compiled for one kernel: nothing is asked of the loader, and what runs is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from beespace.btf import Btf
from beespace.compiler import lower
from beespace.compiler.ir.printer import module_text
from beespace.compiler.ir.verify import verify
from beespace.compiler.passes.fold import fold
from beespace.lang import Counter, Program, bpf, btf_tracepoint, iterator, tracepoint

TYPES = Path(__file__).parent.parent / "golden" / "kernel.btf"


@pytest.fixture(scope="module")
def btf() -> Btf:
    return Btf(TYPES.read_bytes())


class Probe(Program):
    total = Counter()

    @btf_tracepoint("sched_process_exit")
    def on_exit(self, task):  # type: ignore[no-untyped-def]
        if task.real_parent.tgid == 1:
            self.total += 1

    @tracepoint("sched:sched_process_exec")
    def on_exec(self, ctx):  # type: ignore[no-untyped-def]
        if ctx.pid == ctx.old_pid:
            self.total += bpf.pid()

    @iterator("task")
    def on_task(self, ctx):  # type: ignore[no-untyped-def]
        if ctx.task is not None:
            self.total += 1


def test_offsets_are_constants(btf: Btf) -> None:
    module = lower(Probe.declaration(), btf)
    folded = fold(btf, module)
    verify(folded)
    assert "->task_struct" in module_text(module)
    text = module_text(folded)
    assert "task_struct." not in text and "trace_event_raw" not in text
    task = btf.find("task_struct")
    parent, tgid = (btf.member(task, name).byte_offset for name in ("real_parent", "tgid"))
    assert f"+ {parent} bytes" in text and f"+ {tgid} bytes" in text
    assert "ctx->" in text


def test_what_this_kernel_does_not_have_stays_a_question(btf: Btf) -> None:
    module = lower(Probe.declaration(), btf)
    other = Btf(_without(b"real_parent", TYPES.read_bytes()))
    assert "task_struct.real_parent" in module_text(fold(other, module))


def _without(name: bytes, data: bytes) -> bytes:
    return data.replace(b"\0" + name + b"\0", b"\0" + b"x" * len(name) + b"\0")
