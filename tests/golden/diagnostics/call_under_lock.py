from beespace.lang import Counter, Hash, Program, bpf, cgroup_skb, function
from beespace.schema import Struct
from beespace.types import SpinLock, Timer, spin_lock, timer, u32, u64


class Entry(Struct):
    lock: SpinLock = spin_lock()
    timer: Timer = timer()
    count: u64


class Probe(Program):
    entries = Hash(key=u32, value=Entry)

    @cgroup_skb("egress")
    def on_packet(self, ctx):
        entry = self.entries.get(1)
        if entry is None:
            return
        with entry.lock:
            entry.count = 1
            if entry.count > 2:
                entry.count = bpf.now()
