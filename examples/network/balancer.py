"""A load balancer: packets for a service go to one of its servers, inside of IP (as Katran and IPVS)."""

from beespace import Array, Counter, Hash, LruHash, Program, Struct, bpf, function, xdp
from beespace.lang import option
from beespace.lang.packet import ETH_P_IP, IPPROTO_TCP, IPPROTO_UDP, TCP, TCP_SYN, Ethernet, IPv4
from beespace.lang.verdicts import XDP_DROP, XDP_PASS, XDP_TX
from beespace.types import Port, Raw, be16, be32, raw, u8, u32, u64

PLACES = 251  # of a service in the table of servers: a prime, as Maglev wants it
IPPROTO_IPIP = 4


class Service(Struct):
    address: be32
    port: be16
    protocol: u8


class Flow(Struct):
    source: be32
    target: be32
    source_port: be16
    target_port: be16
    protocol: u8


class Ports(Struct):
    source: be16
    target: be16


class Traffic(Struct):
    packets: u64
    bytes: u64


class Balancer(Program):
    """Chooses a server by the flow's hash, remembers it, and wraps each packet in a header for that server."""

    own: be32 = 0x0A000001  # address that the wrapped packets come from
    gateway: Raw = option(raw(6), b"\2\0\0\0\0\1", help="hardware address of the next router")
    services = Hash(key=Service, value=u32, max_entries=512)  # its number
    places = Array(u32, PLACES * 16)  # of each service one after another: numbers of servers
    servers = Array(be32, 64)
    traffic = Array(Traffic, 64)  # by server
    flows = LruHash(key=Flow, value=u32, max_entries=65_536)
    chosen = Counter()

    @xdp
    def on_packet(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        ip = bpf.packet(ctx, IPv4, 14)
        if ethernet is None or ip is None or ethernet.ethertype != ETH_P_IP or ip.version_ihl != 0x45:
            return XDP_PASS
        ports = bpf.packet(ctx, Ports, 34)
        if ports is None or ip.protocol not in (IPPROTO_TCP, IPPROTO_UDP):
            return XDP_PASS
        service = self.services.get(Service(address=ip.destination, port=ports.target, protocol=ip.protocol))
        if service is None:
            return XDP_PASS
        if ip.flags_fragment & 0x3FFF:
            return XDP_DROP  # a fragment, which has no ports
        flow = Flow(
            source=ip.source, target=ip.destination, source_port=ports.source, target_port=ports.target,
            protocol=ip.protocol,
        )  # fmt: skip
        opens = False
        if ip.protocol == IPPROTO_TCP:
            tcp = bpf.packet(ctx, TCP, 34)
            if tcp is None:
                return XDP_DROP
            opens = tcp.flags & TCP_SYN != 0
        server: u32 = 0
        known = self.flows.get(flow)
        if known is None or opens:
            place = self.places.get(service * PLACES + self.hash(flow) % PLACES)
            if place is None:
                return XDP_DROP
            server = place
            self.flows[flow] = server
            self.chosen += 1
        else:
            server = known
        target = self.servers.get(server)
        traffic = self.traffic.get(server)
        if target is None or target == 0 or traffic is None:
            return XDP_DROP
        traffic.packets += 1
        traffic.bytes += ip.total_length
        length = ip.total_length + 20
        tos = ip.tos
        if bpf.xdp_adjust_head(ctx, -20) != 0:
            return XDP_DROP
        # What was known of the packet is not known any longer: it begins somewhere else.
        new = bpf.packet(ctx, Ethernet, 0)
        old = bpf.packet(ctx, Ethernet, 20)
        outer = bpf.packet(ctx, IPv4, 14)
        if new is None or old is None or outer is None:
            return XDP_DROP
        mine = old.destination
        new.source = mine
        new.destination = self.gateway
        new.ethertype = ETH_P_IP
        outer.version_ihl = 0x45
        outer.tos = tos
        outer.total_length = length
        outer.identification = 0
        outer.flags_fragment = 0
        outer.ttl = 64
        outer.protocol = IPPROTO_IPIP
        outer.source = self.own
        outer.destination = target
        outer.checksum = 0
        outer.checksum = bpf.checksum(outer)
        return XDP_TX

    @function
    def hash(self, flow: Flow) -> u32:
        found: u32 = 2_166_136_261
        ports = u32(flow.source_port) << 16 | flow.target_port
        for word in (flow.source, flow.target, ports, u32(flow.protocol)):
            found = (found ^ word) * 16_777_619
            found = found ^ found >> 15
        return found

    def serve(self, number: int, address: int, port: Port, servers: list[int]) -> None:
        """A TCP service and its servers: each takes its places in an order of its own, in turns (Maglev)."""
        names = [each.to_bytes(4, "big") for each in servers]
        orders = [[(hash(name) + turn * (1 + hash(name[::-1]) % (PLACES - 1))) % PLACES for turn in range(PLACES)]
                  for name in names]  # fmt: skip
        taken: dict[int, int] = {}
        while len(taken) < PLACES:
            for server, order in enumerate(orders):
                if len(taken) < PLACES:
                    taken[next(place for place in order if place not in taken)] = server
        for server, each in enumerate(servers):
            self.servers[number * 4 + server] = each
        for place, server in taken.items():
            self.places[number * PLACES + place] = number * 4 + server
        self.services[Service(address=address, port=port, protocol=IPPROTO_TCP)] = number


if __name__ == "__main__":
    import ipaddress
    import sys
    import time

    interface, service, *servers = sys.argv[1:]
    with Balancer().load() as probe:
        probe.serve(0, int(ipaddress.ip_address(service)), 80, [int(ipaddress.ip_address(each)) for each in servers])
        probe.attach("on_packet", interface=interface)
        time.sleep(60)
        for number, server in enumerate(servers):
            print(f"{server}: {probe.traffic[number].packets} packets")
