"""Packets of an interface, let in by their source: an allow list of networks."""

from beespace import Counter, Program, Struct, bpf, xdp
from beespace.lang import LpmTrie
from beespace.lang.packet import ETH_P_IP, Ethernet, IPv4
from beespace.lang.verdicts import XDP_DROP, XDP_PASS
from beespace.types import u64


class Network(Struct):
    packets: u64


class Firewall(Program):
    """Drops IPv4 packets that come from nowhere in ``allowed``, and counts those of each network."""

    allowed = LpmTrie(Network, max_entries=1024)
    dropped = Counter()

    @xdp
    def on_packet(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        if ethernet is None or ethernet.ethertype != ETH_P_IP:
            return XDP_PASS
        ip = bpf.packet(ctx, IPv4, 14)
        if ip is None:
            return XDP_PASS
        network = self.allowed.get(bpf.v4(ip.source))
        if network is None:
            self.dropped += 1
            return XDP_DROP
        network.packets += 1
        return XDP_PASS


if __name__ == "__main__":
    import sys
    import time

    interface, *networks = sys.argv[1:]
    with Firewall().load() as probe:
        for network in networks:
            probe.allowed[network] = Network()
        probe.attach("on_packet", interface=interface)
        time.sleep(60)
        for network, entry in probe.allowed.items():
            print(f"{network}: {entry.packets} packets")
        print("dropped:", probe.dropped.value)
