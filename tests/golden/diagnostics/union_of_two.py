from beespace import Hash, Program
from beespace.lang import raw_tracepoint
from beespace.lang import Union
from beespace.types import Raw, be32, raw, u64


class Address(Union):
    v4: be32
    v6: Raw = raw(16)


class Probe(Program):
    seen = Hash(key=Address, value=u64)

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        self.seen[Address(v4=1, v6=b"0123456789abcdef")] += 1
