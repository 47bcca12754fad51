from beespace.lang import Hash, Program, cgroup_skb, function
from beespace.schema import Struct
from beespace.types import WorkQueue, u32, u64, work_queue


class Entry(Struct):
    work: WorkQueue = work_queue()
    count: u64


class Probe(Program):
    entries = Hash(key=u32, value=Entry)

    @cgroup_skb("egress")
    def on_packet(self, ctx):
        entry = self.entries.get(1)
        if entry is not None:
            entry.work.start(self.on_work)

    @function
    def on_work(self, key: u32, entry: Entry):
        entry.count += 1
