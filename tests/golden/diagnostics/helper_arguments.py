from beespace.lang import Array, Counter, Hash, Program, Struct, bpf, tc
from beespace.types import u32, u64


class Header(Struct):
    first: u64


class Probe(Program):
    total = Counter()
    seen = Hash(key=u32, value=u64)
    few = Array(u64, 4)

    @tc("ingress")
    def on_packet(self, ctx):
        number: u64 = 0
        bpf.skb_load_bytes(ctx, 0, number)
        bpf.skb_load_bytes(ctx, 0, Header())
        bpf.skb_store_bytes(ctx, 0, 5)
        bpf.skb_load_bytes(self, 0, number)
        bpf.skb_load_bytes(ctx, number, number)
        bpf.skb_load_bytes(ctx, 0)
        bpf.skb_load_bytes(ctx, off=0)
        bpf.redirect_map(self.seen, 1, 0)
        bpf.perf_event_read(3)
        return 0

    @tc("egress")
    def check(self, ctx):
        header = Header()
        bpf.check_mtu(ctx, 0, header, 0)
        bpf.skb_vlan_push(ctx, 0x18100, 1)
        bpf.tcp_sock(ctx)
        return 0
