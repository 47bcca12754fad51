from beespace.lang import Program, Ring, bpf, cgroup_skb
from beespace.schema import Event
from beespace.types import u64


class Seen(Event):
    time: u64


class Probe(Program):
    events = Ring(Seen)

    @cgroup_skb("egress")
    def on_packet(self, ctx):
        with self.events.reserve() as event:
            event.time = bpf.now()
