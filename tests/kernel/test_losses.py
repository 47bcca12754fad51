"""Nothing is lost in silence: with rings and maps made too small, what arrived and what was lost add up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from beespace import Counter, Event, Hash, Program, Ring, bpf
from beespace.lang import raw_tracepoint
from beespace.probes.execs import Execs
from beespace.session.watch import Watch, WatchOptions
from beespace.types import Pid, Text, text, u32, u64

pytestmark = pytest.mark.kernel


class Seen(Event):
    pid: Pid
    name: Text = text(16)


class Small(Program):
    """A ring of one page and a table of eight entries."""

    parent: u32 = 0
    total = Counter()
    execs = Ring(Seen, size=4096)
    by_pid = Hash(key=u32, value=u64, max_entries=8)

    @raw_tracepoint("sched_process_exec")
    def on_exec(self, task, old_pid, binary):
        if u32(task.real_parent.tgid) != self.parent:
            return
        self.total += 1
        self.execs.emit(Seen(pid=bpf.pid(), name=bpf.comm()))
        self.by_pid[bpf.pid()] += 1


def test_a_full_ring_and_a_full_table_are_counted(no_leaks: None) -> None:
    runs = 300
    with Small(parent=os.getpid()) as probe:
        for _ in range(runs):
            subprocess.run(["/bin/true"], check=True)
        events = list(probe.execs.events(0))
        kept = sum(count for _, count in probe.by_pid.items())
        assert probe.total.value == runs
        assert probe.execs.lost > 0
        assert len(events) + probe.execs.lost == runs
        assert probe.by_pid.lost > 0
        assert kept + probe.by_pid.lost == runs


def test_the_exec_table_says_what_its_ring_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent does not look while 200 programs run; its ring has room for a few."""
    monkeypatch.setattr(Execs.processes, "max_entries", 16_384)
    program = tmp_path / "mayfly"
    shutil.copy(shutil.which("true") or "/bin/true", program)
    with Watch(WatchOptions()) as watch:
        watch.collect()
        runs = f"import subprocess\nfor _ in range(200): subprocess.run([{str(program)!r}])"
        subprocess.run([sys.executable, "-c", runs], check=True)
        batches = [batch for batch in watch.collect() if batch.table == "execs"]
    rows = sum(len(batch) for batch in batches)
    lost = sum(sum(batch.lost.values()) for batch in batches)
    assert lost > 0
    assert rows + lost >= 2 * 200  # an execution and an end of each; others run programs meanwhile
