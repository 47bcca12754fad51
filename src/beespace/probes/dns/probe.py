"""The payload of DNS messages (RFC 1035) that local sockets send and receive, over UDP and TCP.

Only packets of one port, and of them only what follows the UDP or TCP header, leave the kernel, at most 4,096 bytes of
each; what they say is read outside.  Who asked is known by the socket's cookie, which ``flows`` has too.
"""

from __future__ import annotations

from beespace.lang import Event, Program, Ring, bpf, cgroup_skb, function
from beespace.lang.packet import IPPROTO_TCP, IPPROTO_UDP, TCP, UDP, IPv4, IPv6
from beespace.types import Address, Cookie, Port, Raw, Timestamp, boolean, raw, u16, u32

IP_FRAGMENT_OFFSET = 0x1FFF


class DnsPayload(Event):
    """What one packet carries; ``size`` is how much that is, ``sequence`` the TCP sequence number."""

    time: Timestamp
    cookie: Cookie
    local: Address
    remote: Address
    local_port: Port
    remote_port: Port
    protocol: u32
    egress: u32
    sequence: u32
    size: u32
    payload: Raw = raw(4096, variable=True)


class Dns(Program):
    """Payloads of DNS messages."""

    port: u16 = 53
    payloads = Ring(DnsPayload, size="4 MiB")

    @cgroup_skb("egress")
    def on_egress(self, ctx):
        self.look(ctx, True)

    @cgroup_skb("ingress")
    def on_ingress(self, ctx):
        self.look(ctx, False)

    @function
    def look(self, ctx, egress: boolean):
        ip = bpf.packet(ctx, IPv4, 0)
        if ip is None:
            return
        header: u32 = 40
        protocol: u32 = 0
        local = bpf.v4(ip.source if egress else ip.destination)
        remote = bpf.v4(ip.destination if egress else ip.source)
        if ip.version_ihl >> 4 == 4:
            header = u32(ip.version_ihl & 15) * 4
            protocol = u32(ip.protocol)
            if ip.flags_fragment & IP_FRAGMENT_OFFSET != 0:
                return
        else:
            ip6 = bpf.packet(ctx, IPv6, 0)
            if ip6 is None:
                return
            protocol = u32(ip6.next_header)
            local = ip6.source if egress else ip6.destination
            remote = ip6.destination if egress else ip6.source
        source: u16 = 0
        destination: u16 = 0
        sequence: u32 = 0
        if protocol == IPPROTO_UDP:
            udp = bpf.packet(ctx, UDP, header)
            if udp is None:
                return
            source = udp.source
            destination = udp.destination
            header += 8
        elif protocol == IPPROTO_TCP:
            tcp = bpf.packet(ctx, TCP, header)
            if tcp is None:
                return
            source = tcp.source
            destination = tcp.destination
            sequence = tcp.sequence
            header += u32(tcp.data_offset >> 4) * 4
        if (source != self.port and destination != self.port) or ctx.len <= header:
            return
        self.payloads.emit(
            DnsPayload(
                time=bpf.now(),
                cookie=bpf.socket_cookie(ctx),
                local=local,
                remote=remote,
                local_port=source if egress else destination,
                remote_port=destination if egress else source,
                protocol=protocol,
                egress=u32(egress),
                sequence=sequence,
                size=ctx.len - header,
                payload=bpf.packet_bytes(ctx, header, ctx.len - header),
            )
        )
