"""A network behind one address: packets leave with another source, and their answers find back (as masquerading)."""

from beespace import Counter, LruHash, Program, Struct, bpf, function, tc
from beespace.lang.packet import IPPROTO_TCP, IPPROTO_UDP, UDP, IPv4
from beespace.lang.uapi import BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR
from beespace.lang.verdicts import TC_ACT_OK, TC_ACT_SHOT
from beespace.types import be16, be32, u8, u32, u64


class Answer(Struct):
    source: be32
    target: be32
    source_port: be16
    target_port: be16
    protocol: u8


class Nat(Program):
    """Puts ``outside`` in the place of ``inside``."""

    inside: be32 = 0x0A010002
    outside: be32 = 0x0A010063
    sessions = LruHash(key=Answer, value=be32)  # who gets an answer like this
    changed = Counter()
    strangers = Counter()

    @tc("egress")
    def on_way_out(self, ctx):
        ip = bpf.load_bytes(ctx, IPv4, 14)
        ports = bpf.load_bytes(ctx, UDP, 34)  # TCP has them at the same places
        if ip is None or ports is None or ip.protocol not in (IPPROTO_TCP, IPPROTO_UDP) or ip.source != self.inside:
            return TC_ACT_OK
        answer = Answer(
            source=ip.destination, target=self.outside, source_port=ports.destination, target_port=ports.source,
            protocol=ip.protocol,
        )  # fmt: skip
        self.sessions[answer] = ip.source
        self.change(ctx, ip.protocol, ip.source, self.outside, 26)
        return TC_ACT_OK

    @tc("ingress")
    def on_way_in(self, ctx):
        ip = bpf.load_bytes(ctx, IPv4, 14)
        ports = bpf.load_bytes(ctx, UDP, 34)
        if ip is None or ports is None or ip.destination != self.outside:
            return TC_ACT_OK
        answer = Answer(
            source=ip.source, target=ip.destination, source_port=ports.source, target_port=ports.destination,
            protocol=ip.protocol,
        )  # fmt: skip
        inside = self.sessions.get(answer)
        if inside is None:
            self.strangers += 1
            return TC_ACT_SHOT
        self.change(ctx, ip.protocol, ip.destination, inside, 30)
        return TC_ACT_OK

    @function
    def change(self, ctx, protocol: u8, old: u32, new: u32, offset: u32):
        place: u32 = 50 if protocol == IPPROTO_TCP else 40
        flags: u64 = BPF_F_PSEUDO_HDR | 4
        if protocol == IPPROTO_UDP:
            flags |= BPF_F_MARK_MANGLED_0  # a zero says that there is no checksum
        # Helpers take bytes as they stand in the packet.
        before, after = bpf.network32(old), bpf.network32(new)
        bpf.l4_csum_replace(ctx, place, before, after, flags)
        bpf.l3_csum_replace(ctx, 24, before, after, 4)
        bpf.skb_store_bytes(ctx, offset, after, 0)
        self.changed += 1


if __name__ == "__main__":
    import ipaddress
    import sys
    import time

    interface, inside, outside = sys.argv[1:]
    addresses = {"inside": int(ipaddress.ip_address(inside)), "outside": int(ipaddress.ip_address(outside))}
    with Nat(**addresses).start(interface=interface) as probe:
        time.sleep(60)
        print(probe.changed.value, "packets changed,", probe.strangers.value, "answers that nobody asked for")
