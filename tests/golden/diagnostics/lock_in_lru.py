from beespace.lang import Hash, LruHash, Program, cgroup_skb
from beespace.schema import Struct
from beespace.types import SpinLock, Timer, spin_lock, timer, u32, u64


class Entry(Struct):
    lock: SpinLock = spin_lock()
    timer: Timer = timer()
    count: u64


class Recent(Struct):
    lock: SpinLock = spin_lock()
    count: u64


class Probe(Program):
    entries = Hash(key=u32, value=Entry)
    recent = LruHash(key=u32, value=Recent)

    @cgroup_skb("egress")
    def on_packet(self, ctx):
        recent = self.recent.get(1)
        if recent is not None:
            with recent.lock:
                recent.count = 2
