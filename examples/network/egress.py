"""Where the processes of a cgroup may send to: networks and ports, for each cgroup its own."""

from beespace import Event, Program, Ring, Struct, bpf, cgroup_skb
from beespace.lang import LpmTrie
from beespace.lang.packet import IPPROTO_TCP, IPPROTO_UDP, UDP, IPv4
from beespace.types import Address, CgroupId, Port, be32, u32, u64


class Network(Struct):
    """The key of a rule: all bits of the cgroup count, and as many of the address as the rule says."""

    cgroup: CgroupId
    address: be32


class Rule(Struct):
    port: Port  # 0: any
    packets: u64


class Refused(Event):
    cgroup: CgroupId
    address: Address
    port: Port


class Egress(Program):
    """Lets out what a rule allows, and IPv6 as it is; says what it keeps back."""

    rules = LpmTrie(Rule, key=Network)
    refused = Ring(Refused)

    @cgroup_skb("egress")
    def on_packet(self, ctx):
        ip = bpf.packet(ctx, IPv4, 0)
        if ip is None or ip.version_ihl >> 4 != 4:
            return True
        port: Port = 0
        if ip.protocol in (IPPROTO_TCP, IPPROTO_UDP):
            ports = bpf.packet(ctx, UDP, u32(ip.version_ihl & 15) * 4)
            if ports is None:
                return False
            port = ports.destination
        cgroup = bpf.packet_cgroup_id(ctx)
        rule = self.rules.get(Network(cgroup=cgroup, address=ip.destination))
        if rule is not None and rule.port in (0, port):
            rule.packets += 1
            return True
        self.refused.emit(Refused(cgroup=cgroup, address=bpf.v4(ip.destination), port=port))
        return False

    def allow(self, cgroup: int, network: int, bits: int, port: int = 0) -> None:
        self.rules[64 + bits, Network(cgroup=cgroup, address=network)] = Rule(port=port)


if __name__ == "__main__":
    import ipaddress
    import sys
    from pathlib import Path

    cgroup, *networks = sys.argv[1:]
    with Egress().load() as probe:
        for each in map(ipaddress.ip_network, networks):
            probe.allow(Path(cgroup).stat().st_ino, int(each.network_address), each.prefixlen)
        probe.attach("on_packet", cgroup=cgroup)
        for event in probe.refused:
            print(f"{event.address} {event.port}")
