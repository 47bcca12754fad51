"""Every packet of the devices that lead out of this host: what attribution is held against.

Packets are counted where a device hands them over (``tc`` ingress) and takes them (egress), in the units of ``flows``:
packets as on the wire, bytes from the IP header on.  What leaves shows whose it is by its socket; what arrives does not
yet, so packets that are forwarded are counted where netfilter forwards them (Linux 6.4).
"""

from __future__ import annotations

from enum import IntEnum

from beespace.lang import Hash, KernelStruct, PerCpuHash, Program, Struct, bpf, function, netfilter, tc
from beespace.lang.packet import ETH_P_IP, ETH_P_IPV6, IPPROTO_TCP, IPPROTO_UDP, TCP, IPv4, IPv6
from beespace.types import u16, u32, u64

FORWARDED = "packets that arrive and are forwarded are counted as packets for no socket of this host"


class Way(IntEnum):
    """What a packet was when it passed."""

    ARRIVED = 1
    SENT_ON = 2  # it had arrived by this device, and is sent on by another one; counted again
    FROM_SOCKET = 3
    FORWARDED = 4  # it leaves, and came in by another device
    KERNEL_MADE = 5  # it leaves, has no socket and did not come in
    NO_IP = 6


class PassedKey(Struct):
    """A device, a way, and whether it left."""

    interface: u32
    way: u32
    egress: u32


class Passed(Struct):
    """Since the start, on one CPU."""

    packets: u64
    bytes: u64


class SharedInfo(KernelStruct, name="skb_shared_info"):
    """``struct skb_shared_info`` (include/linux/skbuff.h), which follows a packet's data."""

    gso_segs: u16


class Uplinks(Program):
    """Counts every packet of chosen devices, by what became of it."""

    passed = PerCpuHash(key=PassedKey, value=Passed, max_entries=1024)
    headers = Hash(key=u32, value=u32, max_entries=256)  # bytes before the IP header, by device

    @tc("ingress")
    def on_ingress(self, ctx):
        self.count(ctx, Way.ARRIVED, 0)

    @tc("egress")
    def on_egress(self, ctx):
        if bpf.full_socket(ctx) is not None:
            self.count(ctx, Way.FROM_SOCKET, 1)
        elif ctx.ingress_ifindex != 0:
            self.count(ctx, Way.FORWARDED, 1)
        else:
            self.count(ctx, Way.KERNEL_MADE, 1)

    @function
    def count(self, ctx, way: u32, egress: u32):
        before = self.headers.get(ctx.ifindex) or 0
        key = PassedKey(interface=ctx.ifindex, way=way, egress=egress)
        header: u32 = before
        protocol = ctx.protocol
        if protocol != ETH_P_IP and protocol != ETH_P_IPV6:
            key.way = Way.NO_IP
        packets: u64 = 1
        if ctx.gso_size > 0:
            following: u32 = 0
            if protocol == ETH_P_IP:
                ip = bpf.load_bytes(ctx, IPv4, before)
                if ip is not None:
                    header += u32(ip.version_ihl & 15) * 4
                    following = u32(ip.protocol)
            else:
                ip6 = bpf.load_bytes(ctx, IPv6, before)
                if ip6 is not None:
                    header += 40
                    following = u32(ip6.next_header)
            if following == IPPROTO_TCP:
                tcp = bpf.load_bytes(ctx, TCP, header)
                if tcp is not None:
                    header += u32(tcp.data_offset >> 4) * 4
            elif following == IPPROTO_UDP:
                header += 8
            payload = ctx.len - header
            packets = u64(ctx.gso_segs) if ctx.gso_segs > 0 else u64((payload + ctx.gso_size - 1) // ctx.gso_size)
        stats = self.passed.get_or_create(key)
        if stats is not None:
            stats.packets += packets
            stats.bytes += u64(ctx.len - before) + (packets - 1) * u64(header - before)

    @netfilter("forward", family="inet", priority=-500, optional=FORWARDED)
    def on_forward4(self, ctx):
        self.sent_on(u32(ctx.skb.skb_iif), u64(ctx.skb.head) + u64(ctx.skb.end))

    @netfilter("forward", family="inet6", priority=-500, optional=FORWARDED)
    def on_forward6(self, ctx):
        self.sent_on(u32(ctx.skb.skb_iif), u64(ctx.skb.head) + u64(ctx.skb.end))

    @function
    def sent_on(self, interface: u32, shared: u64):
        stats = self.passed.get_or_create(PassedKey(interface=interface, way=Way.SENT_ON, egress=0))
        if stats is not None:
            stats.packets += max(u64(bpf.cast(shared, SharedInfo).gso_segs), 1)


class UplinksOnly(Uplinks):
    """The same where the kernel has no netfilter programs."""

    on_forward4 = None  # type: ignore[assignment]
    on_forward6 = None  # type: ignore[assignment]
