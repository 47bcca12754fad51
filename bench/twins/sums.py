"""XDP: the checksum of the IPv4 header, and how many are wrong."""

from __future__ import annotations

from beespace.lang import Array, Program, Struct, bpf, xdp
from beespace.lang.packet import ETH_P_IP, Ethernet
from beespace.lang.verdicts import XDP_PASS
from beespace.types import array, be16, u32, u64


class Words(Struct):
    words: list[be16] = array(be16, 10)


class Twin(Program):
    results = Array(u64, 2)

    @xdp
    def run(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        if ethernet is None or ethernet.ethertype != ETH_P_IP:
            return XDP_PASS
        header = bpf.packet(ctx, Words, 14)
        if header is None:
            return XDP_PASS
        sum: u32 = 0
        for number in range(10):
            sum += header.words[number]
        sum = (sum & 0xFFFF) + (sum >> 16)
        sum = (sum & 0xFFFF) + (sum >> 16)
        if sum == 0xFFFF:
            self.results[0] += 1
        else:
            self.results[1] += 1
        return XDP_PASS
