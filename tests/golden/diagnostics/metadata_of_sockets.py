from beespace.lang import Program, Struct, bpf, cgroup_skb, tc
from beespace.types import u32


class Meta(Struct):
    mark: u32


class Probe(Program):
    @cgroup_skb("ingress")
    def on_packet(self, ctx):
        meta = bpf.metadata(ctx, Meta)
        return meta is None

    @tc("ingress")
    def on_other(self, ctx):
        start = ctx.data_meta
        meta = bpf.metadata(ctx, u32)
        return 0
