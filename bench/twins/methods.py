"""XDP: HTTP requests by their method, told by the first bytes of the payload."""

from __future__ import annotations

from beespace.lang import Array, Program, Struct, bpf, xdp
from beespace.lang.packet import ETH_P_IP, IPPROTO_TCP, Ethernet, IPv4
from beespace.lang.verdicts import XDP_PASS
from beespace.types import Text, text, u64


class Request(Struct):
    line: Text = text(8)


class Twin(Program):
    methods = Array(u64, 4)

    @xdp
    def run(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        if ethernet is None or ethernet.ethertype != ETH_P_IP:
            return XDP_PASS
        ip = bpf.packet(ctx, IPv4, 14)
        if ip is None or ip.protocol != IPPROTO_TCP:
            return XDP_PASS
        request = bpf.packet(ctx, Request, 54)
        if request is None:
            return XDP_PASS
        if request.line.startswith("GET "):
            self.methods[0] += 1
        elif request.line.startswith("POST "):
            self.methods[1] += 1
        elif request.line.startswith("HEAD "):
            self.methods[2] += 1
        else:
            self.methods[3] += 1
        return XDP_PASS
