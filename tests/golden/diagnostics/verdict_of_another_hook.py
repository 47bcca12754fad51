from beespace.lang import Program, xdp
from beespace.lang.verdicts import TC_ACT_SHOT, XDP_PASS


class Probe(Program):
    @xdp
    def on_packet(self, ctx):
        return TC_ACT_SHOT if ctx.ingress_ifindex == 2 else XDP_PASS
