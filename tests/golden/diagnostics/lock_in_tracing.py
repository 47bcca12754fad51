from beespace.lang import Hash, Program, kprobe
from beespace.schema import Struct
from beespace.types import SpinLock, Timer, spin_lock, timer, u32, u64


class Entry(Struct):
    lock: SpinLock = spin_lock()
    timer: Timer = timer()
    count: u64


class Probe(Program):
    entries = Hash(key=u32, value=Entry)

    @kprobe("vfs_read")
    def on_read(self, ctx):
        entry = self.entries.get(1)
        if entry is not None:
            with entry.lock:
                entry.count = 2
