"""Packets that the kernel throws away (``skb:kfree_skb``), counted by flow, reason and place.

Packets that were used up are not drops: the kernel frees them elsewhere (``consume_skb``).  A packet
whose receiving device is known was on its way in, or to be forwarded, so its destination is the
local end; any other was on its way out.  Endpoints are those in the packet as it was freed: behind
address translation they differ from the socket's.
The owner of a flow is not asked here: it is found by its endpoints among the flows of the same interval.

Linux 5.17: the kernel says why.  Units are those of ``flows``.  Everything is read as plain memory, because
the pointers of a packet are taken apart as numbers, which Linux 7.3 forbids of pointers that it vouches for.
"""

from __future__ import annotations

from beespace.lang import Counter, Interval, KernelStruct, Program, Struct, bpf, raw_tracepoint
from beespace.lang.packet import ETH_P_IP, ETH_P_IPV6, IPPROTO_TCP, IPPROTO_UDP, TCP, UDP, IPv4, IPv6
from beespace.types import Address, Cookie, Port, Timestamp, u16, u32, u64

IP_FRAGMENT_OFFSET = 0x1FFF
UNKNOWN = 0xFFFF  # a header's place that nobody has set, or beyond any packet
NO_REASONS = "packets that are thrown away are not seen"


class SharedInfo(KernelStruct, name="skb_shared_info"):
    """``struct skb_shared_info`` (include/linux/skbuff.h), which follows a packet's data."""

    gso_segs: u16


class DropKey(Struct):
    """A flow as ``FlowKey`` has it, and what happened to its packets; ``place`` is in the function that freed them."""

    local: Address
    remote: Address
    netns: u64
    local_port: Port
    remote_port: Port
    protocol: u32
    place: u64
    reason: u32
    egress: u32


class DropStats(Struct):
    """What was thrown away in one interval."""

    packets: u64
    bytes: u64
    first: Timestamp
    last: Timestamp
    cookie: Cookie
    interface: u32
    spare: u32


class Drops(Program):
    """Counts packets that the kernel throws away, by flow and reason."""

    drops = Interval(key=DropKey, value=DropStats, max_entries=16_384)
    lost_packets = Counter()  # packets that found the table full
    others = Counter()  # no IP, or headers that could not be read

    @raw_tracepoint("kfree_skb", optional=NO_REASONS)
    def on_drop(self, skb, location, reason):
        if (skb.protocol != ETH_P_IP and skb.protocol != ETH_P_IPV6) or skb.network_header == UNKNOWN:
            self.others += 1
            return
        start = u64(skb.head) + u64(skb.network_header)
        egress = skb.skb_iif == 0
        key = DropKey(place=u64(location), reason=u32(reason), egress=u32(egress))
        header: u32 = 40
        whole = True
        if skb.protocol == ETH_P_IP:
            ip = bpf.read(start, IPv4)
            if ip.version_ihl >> 4 != 4:
                self.others += 1
                return
            header = u32(ip.version_ihl & 15) * 4
            whole = ip.flags_fragment & IP_FRAGMENT_OFFSET == 0
            key.protocol = u32(ip.protocol)
            key.local = bpf.v4(ip.source) if egress else bpf.v4(ip.destination)
            key.remote = bpf.v4(ip.destination) if egress else bpf.v4(ip.source)
        else:
            ip6 = bpf.read(start, IPv6)
            if ip6.version_class_label >> 28 != 6:
                self.others += 1
                return
            key.protocol = u32(ip6.next_header)
            key.local = ip6.source if egress else ip6.destination
            key.remote = ip6.destination if egress else ip6.source
        if whole and key.protocol == IPPROTO_TCP:
            tcp = bpf.read(start + u64(header), TCP)
            key.local_port = tcp.source if egress else tcp.destination
            key.remote_port = tcp.destination if egress else tcp.source
            header += u32(tcp.data_offset >> 4) * 4
        elif whole and key.protocol == IPPROTO_UDP:
            udp = bpf.read(start + u64(header), UDP)
            key.local_port = udp.source if egress else udp.destination
            key.remote_port = udp.destination if egress else udp.source
            header += 8
        shared = bpf.cast(u64(skb.head) + u64(skb.end), SharedInfo)
        packets = max(u64(shared.gso_segs), 1)
        # From the IP header on, wherever the packet's data begin by now.
        length = u64(skb.len) + u64(skb.data) - start + (packets - 1) * u64(header)
        key.netns = skb.dev.nd_net.net.net_cookie
        stats = self.drops.get_or_create(key)
        if stats is None:
            self.lost_packets += packets
            return
        stats.packets += packets
        stats.bytes += length
        stats.last = bpf.now()
        if stats.first == 0:
            stats.first = stats.last
        sk = skb.sk
        if sk is not None:
            stats.cookie = u64(sk.__sk_common.skc_cookie.counter)
        stats.interface = u32(skb.dev.ifindex)
