from beespace.lang import Program, SocketStorage, Struct, cgroup_skb
from beespace.types import u16, u32


class Key(Struct):
    pid: u32
    port: u16


class Probe(Program):
    owners = SocketStorage(Key)

    @cgroup_skb("egress")
    def on_event(self, ctx):
        owner = self.owners.get(ctx)
