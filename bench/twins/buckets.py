"""XDP: a token bucket for each source address."""

from __future__ import annotations

from beespace.lang import Counter, Hash, Program, Struct, bpf, xdp
from beespace.lang.packet import ETH_P_IP, Ethernet, IPv4
from beespace.lang.verdicts import XDP_DROP, XDP_PASS
from beespace.types import u32, u64

SECOND = 1_000_000_000


class Bucket(Struct):
    tokens: u64
    filled: u64


class Twin(Program):
    rate: u64 = 1000
    burst: u64 = 5000
    buckets = Hash(key=u32, value=Bucket, max_entries=1024)
    dropped = Counter()

    @xdp
    def run(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        if ethernet is None or ethernet.ethertype != ETH_P_IP:
            return XDP_PASS
        ip = bpf.packet(ctx, IPv4, 14)
        if ip is None:
            return XDP_PASS
        now = bpf.now()
        source = ip.source
        bucket = self.buckets.get(source)
        if bucket is None:
            self.buckets[source] = Bucket(tokens=self.burst, filled=now)
            return XDP_PASS
        gained = (now - bucket.filled) * self.rate // SECOND
        if gained > 0:
            bucket.tokens = min(bucket.tokens + gained, self.burst)
            bucket.filled = now
        if bucket.tokens == 0:
            self.dropped += 1
            return XDP_DROP
        bucket.tokens = bucket.tokens - 1
        return XDP_PASS
