"""Only answers come in: an interface that remembers the connections that were begun from here."""

from enum import IntEnum

from beespace import Counter, LruHash, Program, Struct, bpf, function, tc
from beespace.lang.packet import (
    ETH_P_IP,
    ETH_P_IPV6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    TCP,
    TCP_FIN,
    TCP_RST,
    UDP,
    Ethernet,
    IPv4,
    IPv6,
)
from beespace.lang.verdicts import TC_ACT_OK, TC_ACT_SHOT
from beespace.types import Address, Duration, Port, Timestamp, stored, u8, u32, u64

CONNECTION = 0x100  # a packet of one; the flags of TCP stand below it


class State(IntEnum):
    NEW = 0
    ANSWERED = 1
    CLOSING = 2


class Connection(Struct):
    ours: Address
    theirs: Address
    our_port: Port
    their_port: Port
    protocol: u8


class Entry(Struct):
    state: State = stored(State, u8)
    last: Timestamp
    sent: u64
    received: u64


class Stateful(Program):
    """Drops what arrives without having been asked for."""

    timeout: Duration = 30_000_000_000
    connections = LruHash(key=Connection, value=Entry, max_entries=65_536)
    refused = Counter()

    @tc("egress")
    def on_way_out(self, ctx):
        connection = Connection()
        found = self.parse(ctx, connection, outward=True)
        if found == 0:
            return TC_ACT_OK
        entry = self.connections.get_or_create(connection)
        if entry is not None:
            entry.last = bpf.now()
            entry.sent += 1
            if found & (TCP_FIN | TCP_RST):
                entry.state = State.CLOSING
        return TC_ACT_OK

    @tc("ingress")
    def on_way_in(self, ctx):
        connection = Connection()
        if self.parse(ctx, connection, outward=False) == 0:
            return TC_ACT_OK
        entry = self.connections.get(connection)
        if entry is None or bpf.now() - entry.last > self.timeout:
            self.refused += 1
            return TC_ACT_SHOT
        entry.received += 1
        if entry.state == State.NEW:
            entry.state = State.ANSWERED
        return TC_ACT_OK

    @function
    def parse(self, ctx, connection: Connection, outward: bool) -> u32:
        ethernet = bpf.load_bytes(ctx, Ethernet, 0)
        if ethernet is None:
            return 0
        at: u32 = 14
        if ethernet.ethertype == ETH_P_IP:
            ip = bpf.load_bytes(ctx, IPv4, 14)
            if ip is None:
                return 0
            connection.ours = bpf.v4(ip.source if outward else ip.destination)
            connection.theirs = bpf.v4(ip.destination if outward else ip.source)
            connection.protocol = ip.protocol
            at += u32(ip.version_ihl & 15) * 4
        elif ethernet.ethertype == ETH_P_IPV6:
            six = bpf.load_bytes(ctx, IPv6, 14)
            if six is None:
                return 0
            connection.ours = six.source if outward else six.destination
            connection.theirs = six.destination if outward else six.source
            connection.protocol = six.next_header
            at += 40
        else:
            return 0
        ports = bpf.load_bytes(ctx, UDP, at)  # TCP has them at the same places
        if ports is None or connection.protocol not in (IPPROTO_TCP, IPPROTO_UDP):
            return 0
        connection.our_port = ports.source if outward else ports.destination
        connection.their_port = ports.destination if outward else ports.source
        if connection.protocol == IPPROTO_UDP:
            return CONNECTION
        tcp = bpf.load_bytes(ctx, TCP, at)
        return 0 if tcp is None else CONNECTION | u32(tcp.flags)


if __name__ == "__main__":
    import sys
    import time

    with Stateful().start(interface=sys.argv[1]) as probe:
        time.sleep(60)
        for connection, entry in probe.connections.items():
            print(f"{connection.ours} -> {connection.theirs} {connection.their_port}: {entry.state.name}")
        print("refused:", probe.refused.value)
