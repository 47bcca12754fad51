from beespace.lang import Counter, Program, bpf, tc
from beespace.lang.packet import IPv4


class Probe(Program):
    total = Counter()

    @tc("ingress")
    def on_packet(self, ctx):
        ip = bpf.packet(ctx, IPv4, 14)
        if ip is None:
            return 0
        bpf.skb_pull_data(ctx, 60)
        self.total += ip.ttl
        return 0
