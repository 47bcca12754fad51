from beespace.kernel import file
from beespace.lang import Hash, Program, cgroup_skb
from beespace.schema import Struct
from beespace.types import Kptr, kptr, u32, u64


class Entry(Struct):
    file: Kptr = kptr(file)
    count: u64


class Probe(Program):
    entries = Hash(key=u32, value=Entry)

    @cgroup_skb("egress")
    def on_packet(self, ctx):
        entry = self.entries.get(1)
        if entry is not None:
            entry.file.clear()
