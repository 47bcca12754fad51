"""A security hook whose result
may be any number."""

from beespace.lang import Counter, Program, bpf, lsm
from beespace.types import i32


class Probe(Program):
    total = Counter()

    @lsm("file_open")
    def on_open(self, file):
        self.total += 1
        return i32(bpf.random())
