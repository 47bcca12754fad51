from beespace.lang import Counter, Program, bpf, function, raw_tracepoint
from beespace.types import u64


class Probe(Program):
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        self.total += self.a(bpf.random())

    @function
    def a(self, n: u64) -> u64:
        return self.b(n) + bpf.random()

    @function
    def b(self, n: u64) -> u64:
        return self.c(n) + bpf.random()

    @function
    def c(self, n: u64) -> u64:
        return self.d(n) + bpf.random()

    @function
    def d(self, n: u64) -> u64:
        return self.e(n) + bpf.random()

    @function
    def e(self, n: u64) -> u64:
        return self.f(n) + bpf.random()

    @function
    def f(self, n: u64) -> u64:
        return self.g(n) + bpf.random()

    @function
    def g(self, n: u64) -> u64:
        return self.h(n) + bpf.random()

    @function
    def h(self, n: u64) -> u64:
        return n + bpf.random()
