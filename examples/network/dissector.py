"""Which headers a flow is made of: a flow dissector that knows UDP over IPv4 alone."""

from beespace import Program, bpf
from beespace.lang import flow_dissector
from beespace.lang.packet import ETH_P_IP, UDP, IPv4
from beespace.lang.verdicts import BPF_DROP, BPF_OK


class Dissector(Program):
    """Finds ports of UDP; all else is not dissected."""

    @flow_dissector
    def on_packet(self, ctx):
        start = ctx.flow_keys.nhoff
        if ctx.flow_keys.n_proto != ETH_P_IP:
            return BPF_DROP
        ip = bpf.packet(ctx, IPv4, start)
        if ip is None or ip.protocol != 17:
            return BPF_DROP
        udp = bpf.packet(ctx, UDP, start + 20)
        if udp is None:
            return BPF_DROP
        ctx.flow_keys.ip_proto = ip.protocol
        ctx.flow_keys.addr_proto = ETH_P_IP
        ctx.flow_keys.ipv4_src = ip.source
        ctx.flow_keys.ipv4_dst = ip.destination
        ctx.flow_keys.sport = udp.source
        ctx.flow_keys.dport = udp.destination
        ctx.flow_keys.thoff = start + 20
        return BPF_OK


if __name__ == "__main__":
    with Dissector().load() as probe:
        packet = bytes(12) + bytes.fromhex("0800 4500001c 00000000 4011 0000 0a000001 0a000002 1388 0035 0008 0000")
        print(probe.test_run("on_packet", packet))
