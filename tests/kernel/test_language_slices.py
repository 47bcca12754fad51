"""Slices with bounds that only the running program knows, beside Python's."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from beespace.lang import Array, Program, Struct, bpf, raw_tracepoint
from beespace.types import Text, i64, text, u8, u32

pytestmark = pytest.mark.kernel


class Row(Struct):
    low: i64
    high: i64
    small: u8
    source: Text = text(24)
    both: Text = text(24)
    head: Text = text(24)
    tail: Text = text(24)
    window: Text = text(5)
    last: Text = text(4)
    unsigned: Text = text(24)
    equal: u32


class Slices(Program):
    rows = Array(Row, 1)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        row = self.rows[0]
        row.both = row.source[row.low : row.high]
        row.head = row.source[: row.high]
        row.tail = row.source[row.low :]
        start = row.low
        row.window = row.source[start : start + 5]
        row.last = row.source[-4:]
        row.unsigned = row.source[row.small :]
        name = row.source
        row.equal = u32(name[row.small :] == "world")
        name = name[row.small : 24]
        if name != row.unsigned:
            row.equal = 9


def test_slices_are_those_of_python(loaded_probe) -> None:
    probe = loaded_probe(Slices)
    words = ["hello world", "", "a", "x" * 24, "abcdefghijklmnopqrstuvwx"]
    bounds = [0, 1, 5, 23, 24, 25, 1 << 40, -1, -5, -24, -25, -(1 << 40)]
    for word, low, high in itertools.product(words, bounds, bounds):
        small = abs(low) % 256
        probe.rows[0] = Row(source=word, low=low, high=high, small=small)
        probe.loaded.programs["on_event"].test_run(ctx_in=bytes(24))
        row = probe.rows[0]
        found = (row.both, row.head, row.tail, row.window, row.last, row.unsigned)
        assert found == (word[low:high], word[:high], word[low:], word[low : low + 5], word[-4:], word[small:])
        assert row.equal == (word[small:] == "world")


class Names(Program):
    """Slices of texts of the kernel, also of one without a size."""

    parts = Array(text(16), 4)
    first: u8 = 2

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        me = bpf.task()
        size = min(self.first, 8)
        self.parts[0] = me.comm[size:]
        self.parts[1] = me.comm[:size]
        binary = me.mm.exe_file
        if binary is not None:
            self.parts[2] = binary.f_path.dentry.d_name.name[1 : size + 1]


def test_slices_of_the_kernels_texts(loaded_probe) -> None:
    probe = loaded_probe(Names, {"first": 3})
    probe.loaded.programs["on_event"].test_run(ctx_in=bytes(24))
    name, binary = Path("/proc/self/comm").read_text().strip(), Path("/proc/self/exe").resolve().name
    assert [probe.parts[at] for at in range(3)] == [name[3:], name[:3], binary[1:4]]
