from beespace.lang import Hash, Program, bpf, function, raw_tracepoint
from beespace.types import Text, text, u8, u32, u64


class Probe(Program):
    counts = Hash(key=u32, value=u64)

    @function
    def pair(self):
        if bpf.cpu() == 0:
            return 1, 2, 3
        return bpf.pid(), True

    @function
    def other(self):
        if bpf.cpu() == 0:
            return bpf.pid(), True
        return True, bpf.pid()

    @function
    def missing(self) -> tuple[u32, u32]:
        if bpf.cpu() == 0:
            return None
        return 1, 2

    @function
    def good(self):
        return bpf.pid(), bpf.comm()

    @function
    def maybe(self):
        if bpf.cpu() == 0:
            return None
        return 1, 2

    @function
    def single(self) -> tuple[u32, u32]:
        return 1

    @function
    def nested(self):
        return 1, (2, 3)

    @function
    def many(self, a: Text, b: Text, c: Text, d: Text) -> u8:
        return u8(len(a) + len(b) + len(c) + len(d))

    @function
    def full(self, a: Text, b: Text, c: Text, d: Text, e: Text):
        return a

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        a, b = self.pair()
        c, d = self.other()
        e, f = self.missing()
        g, h, i = self.good()
        j, k = self.maybe()
        pair = self.good()
        third = pair[2]
        at = pair[bpf.cpu()]
        m = self.single()
        n = self.nested()
        name = text(16)
        o = self.full(name, name, name, name, name)
        self.counts[0] = pair
        if pair:
            pass
