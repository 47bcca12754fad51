from beespace.lang import Counter, Program, Struct, bpf, raw_tracepoint
from beespace.types import u32


class Key(Struct):
    port: u32


class Probe(Program):
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        n = bpf.pid()
        key = Key(port=n)
        del n
        self.total += n
        del key.port
