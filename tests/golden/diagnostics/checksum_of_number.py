from beespace.lang import Program, bpf, tc
from beespace.lang.packet import IPv4
from beespace.types import u16


class Probe(Program):
    @tc("ingress")
    def on_packet(self, ctx):
        ip = bpf.load_bytes(ctx, IPv4, 14)
        if ip is None:
            return
        ip.checksum = bpf.checksum(5)
        ip.checksum = bpf.csum_fold(u16(7))
        ip.checksum = bpf.checksum(b"12345")
        bpf.skb_store_bytes(ctx, 0, b"", 0)
