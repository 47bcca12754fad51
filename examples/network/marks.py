"""Packets that leave an interface get a mark by their size, and are counted by protocol."""

from beespace import Hash, Program, bpf, tc
from beespace.lang.packet import IPv4
from beespace.lang.verdicts import TC_ACT_OK
from beespace.types import u8, u64


class Marks(Program):
    """Marks big packets."""

    protocols = Hash(key=u8, value=u64)

    @tc("egress")
    def on_packet(self, ctx):
        ip = bpf.packet(ctx, IPv4, 14)
        if ip is not None and ctx.protocol == 0x0800:
            self.protocols[ip.protocol] += 1
        if ctx.len > 1000:
            ctx.mark = 7
        return TC_ACT_OK


if __name__ == "__main__":
    import sys
    import time

    with Marks().start(interface=sys.argv[1]) as probe:
        time.sleep(10)
        for protocol, count in probe.protocols.items():
            print(protocol, count)
