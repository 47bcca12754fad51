from beespace.lang import Hash, Program, cgroup_skb, function
from beespace.schema import Struct
from beespace.types import Timer, timer, u32, u64


class First(Struct):
    timer: Timer = timer()
    count: u64


class Second(Struct):
    timer: Timer = timer()
    count: u64


class Probe(Program):
    firsts = Hash(key=u32, value=First)
    seconds = Hash(key=u32, value=Second)

    @cgroup_skb("egress")
    def on_packet(self, ctx):
        first = self.firsts.get(1)
        second = self.seconds.get(1)
        if first is None or second is None:
            return
        first.timer.start(self.on_timer, 1000)
        second.timer.start(self.on_timer, 1000)

    @function
    def on_timer(self, key: u32, entry):
        entry.count += 1
