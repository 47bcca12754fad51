"""XDP: packets by what they are: protocol, then port."""

from __future__ import annotations

from beespace.lang import Array, Program, bpf, xdp
from beespace.lang.packet import ETH_P_IP, ETH_P_IPV6, TCP, UDP, Ethernet, IPv4
from beespace.lang.verdicts import XDP_PASS
from beespace.types import u32, u64


class Twin(Program):
    seen = Array(u64, 16)

    @xdp
    def run(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        if ethernet is None:
            return XDP_PASS
        slot = 15
        if ethernet.ethertype == ETH_P_IP:
            ip = bpf.packet(ctx, IPv4, 14)
            if ip is None:
                return XDP_PASS
            start = 14 + u32(ip.version_ihl & 15) * 4
            match ip.protocol:
                case 6:
                    tcp = bpf.packet(ctx, TCP, start)
                    if tcp is None:
                        return XDP_PASS
                    match tcp.destination:
                        case 80 | 8080:
                            slot = 0
                        case 443:
                            slot = 1
                        case 22:
                            slot = 2
                        case _:
                            slot = 3
                case 17:
                    udp = bpf.packet(ctx, UDP, start)
                    if udp is None:
                        return XDP_PASS
                    match udp.destination:
                        case 53:
                            slot = 4
                        case 443:
                            slot = 5
                        case _:
                            slot = 6
                case 1:
                    slot = 7
                case _:
                    slot = 8
        elif ethernet.ethertype == ETH_P_IPV6:
            slot = 9
        self.seen[min(slot, 15)] += 1
        return XDP_PASS
