from beespace.lang import Program, Struct, bpf, tc
from beespace.types import be16, be32


class Pair(Struct):
    source: be32
    target: be32
    source_port: be16
    target_port: be16


class Probe(Program):
    @tc("ingress")
    def on_packet(self, ctx):
        socket = bpf.sk_lookup_tcp(ctx, Pair(), 0)
        if socket is None:
            return 0
        with bpf.sk_lookup_tcp(ctx, Pair(), 0) as found:
            if found.state == 1:
                return 1
        return found.state
