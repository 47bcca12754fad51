import os

from beespace.lang import Array, Program, bpf, raw_tracepoint
from beespace.types import u64


class Probe(Program):
    results = Array(u64, 4)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        n = u64(bpf.random())
        self.results[0] = round(n)
        a = hex(n)
        b = sorted((3, 1, 2))
        c = int("12")
        d = getattr(self, "results")
        e = next(iter((1, 2)))
        f = os.getpid()
