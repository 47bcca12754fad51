from beespace.lang import Counter, Hash, Program, bpf, cgroup_skb, function, raw_tracepoint
from beespace.types import Pid, u64


class Probe(Program):
    packets = Hash(key=Pid, value=u64)
    total = Counter()

    @cgroup_skb("egress")
    def on_packet(self, ctx):
        self.packets[bpf.tid()] += u64(bpf.send_signal(9))
        self.count(bpf.skb_ecn_set_ce(ctx) == 1)
        return 1

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, ctx):
        self.count(False)

    @function
    def count(self, marked: bool):
        self.total += bpf.coarse()
        if marked:
            self.total += 1
