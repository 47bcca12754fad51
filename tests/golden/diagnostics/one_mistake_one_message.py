from beespace.lang import Program, bpf, tc
from beespace.lang.packet import IPv4, UDP


class Probe(Program):
    @tc("ingress")
    def on_packet(self, ctx):
        at = 34
        number: u16 = 0
        ip = bpf.packet(ctx, IPv4, 14)
        udp = bpf.packet(ctx, UDP, at)
        length = ctx.len
        if ip is None or udp is None or length is None:
            return
        if ip.ttl > 3 and udp.length > 8:
            return
