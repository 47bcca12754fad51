"""XDP tells tc what it found: a number in front of the packet (metadata), which becomes its mark."""

from beespace import Hash, Program, Struct, bpf, tc, xdp
from beespace.lang.packet import IPv4
from beespace.lang.verdicts import TC_ACT_OK, XDP_PASS
from beespace.types import u32, u64

KINDS = {"other": 1, "tcp": 2, "udp": 3}
OTHER, TCP, UDP = KINDS.values()


class Found(Struct):
    kind: u32


class Handover(Program):
    """Marks packets by their protocol, which XDP has looked at already."""

    packets = Hash(key=u32, value=u64)

    @xdp
    def look(self, ctx):
        if bpf.xdp_adjust_meta(ctx, -4) < 0:
            return XDP_PASS  # the driver has no room for that
        found = bpf.metadata(ctx, Found)
        ip = bpf.packet(ctx, IPv4, 14)
        if found is None or ip is None:
            return XDP_PASS
        match ip.protocol:
            case 6:
                found.kind = TCP
            case 17:
                found.kind = UDP
            case _:
                found.kind = OTHER
        return XDP_PASS

    @tc("ingress")
    def use(self, ctx):
        found = bpf.metadata(ctx, Found)
        if found is not None:
            ctx.mark = found.kind
            self.packets[found.kind] += 1
        return TC_ACT_OK


if __name__ == "__main__":
    import sys
    import time

    with Handover().start(interface=sys.argv[1]) as probe:
        time.sleep(60)
        for name, kind in KINDS.items():
            print(name, probe.packets.get(kind) or 0)
