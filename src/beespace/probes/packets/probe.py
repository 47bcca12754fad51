"""Packets as the ``flows`` probe sees them, with all that it looks at: what a recording can be counted from again.

The hooks are those of ``flows``.  With ``full`` unset a packet's bytes end with its transport header, and those of
protocols that have none which is known here with the IP header: what is carried never leaves the kernel.
"""

from __future__ import annotations

from beespace.lang import Event, Program, Ring, bpf, cgroup_skb, function
from beespace.lang.packet import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP, TCP, IPv4, IPv6
from beespace.probes.flows.probe import (
    IP_FRAGMENT_OFFSET,
    IPV6_DESTINATION_OPTIONS,
    IPV6_FRAGMENT,
    IPV6_HOP_BY_HOP,
    IPV6_ROUTING,
    Extension,
)
from beespace.types import Cookie, Raw, Timestamp, boolean, raw, u32


class Seen(Event):
    """One skb: ``length`` is its own, ``data`` what was kept of it; ``cookie`` 0 is an skb without a socket."""

    time: Timestamp
    cookie: Cookie
    length: u32
    gso_size: u32
    gso_segs: u32
    egress: u32
    state: u32
    srtt_us: u32
    rtt_min_us: u32
    retransmits: u32
    interface: u32
    data: Raw = raw(32_000, variable=True)


class Packets(Program):
    """Every packet of every local socket."""

    full: u32 = 0  # not only headers
    packets = Ring(Seen, size="16 MiB")

    @cgroup_skb("egress")
    def on_egress(self, ctx):
        self.see(ctx, True)

    @cgroup_skb("ingress")
    def on_ingress(self, ctx):
        self.see(ctx, False)

    @function
    def see(self, ctx, egress: boolean):
        seen = Seen(
            time=bpf.now(),
            cookie=0,
            length=ctx.len,
            gso_size=ctx.gso_size,
            gso_segs=ctx.gso_segs,
            egress=u32(egress),
            state=0,
            srtt_us=0,
            rtt_min_us=0,
            retransmits=0,
            interface=ctx.ifindex,
        )
        socket = bpf.full_socket(ctx)
        if socket is not None:
            seen.cookie = bpf.socket_cookie(ctx)
            seen.state = socket.state
            if socket.protocol == IPPROTO_TCP:
                tcp = bpf.tcp_socket(socket)
                if tcp is not None:
                    seen.srtt_us = tcp.srtt_us
                    seen.rtt_min_us = tcp.rtt_min
                    seen.retransmits = tcp.total_retrans
        seen.data = bpf.packet_bytes(ctx, 0, ctx.len if self.full != 0 else self.headers(ctx))
        self.packets.emit(seen)

    @function
    def headers(self, ctx) -> u32:
        """How long the headers are, up to that of the transport."""
        ip = bpf.packet(ctx, IPv4, 0)
        if ip is None:
            return 0
        header: u32 = 40
        protocol: u32 = 0
        if ip.version_ihl >> 4 == 4:
            header = u32(ip.version_ihl & 15) * 4
            if ip.flags_fragment & IP_FRAGMENT_OFFSET == 0:
                protocol = u32(ip.protocol)
        else:
            ip6 = bpf.packet(ctx, IPv6, 0)
            if ip6 is None:
                return 0
            protocol = u32(ip6.next_header)
            for _ in range(4):
                if (
                    protocol != IPV6_HOP_BY_HOP
                    and protocol != IPV6_ROUTING
                    and protocol != IPV6_DESTINATION_OPTIONS
                    and protocol != IPV6_FRAGMENT
                ):
                    break
                extension = bpf.packet(ctx, Extension, header)
                if extension is None:
                    break
                if protocol == IPV6_FRAGMENT:
                    header += 8
                    protocol = u32(extension.following) if extension.fragment >> 3 == 0 else 0xFFFF
                else:
                    header += (u32(extension.length) + 1) * 8
                    protocol = u32(extension.following)
        if protocol == IPPROTO_TCP:
            tcp = bpf.packet(ctx, TCP, header)
            return header + 20 if tcp is None else header + u32(tcp.data_offset >> 4) * 4
        if protocol in (IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6):
            return header + 8
        return header
