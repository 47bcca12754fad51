"""A transparent proxy: connections that pass an interface go to a local socket, which sees where they were going."""

from beespace import Counter, Program, Struct, bpf, tc
from beespace.lang import SockMap
from beespace.lang.packet import IPPROTO_TCP, TCP, IPv4
from beespace.lang.uapi import BPF_F_CURRENT_NETNS, BPF_TCP_LISTEN
from beespace.lang.verdicts import TC_ACT_OK, TC_ACT_SHOT
from beespace.types import Port, be16, be32


class Pair(Struct):
    source: be32
    target: be32
    source_port: be16
    target_port: be16


class Transparent(Program):
    """Takes connections to ``port``, wherever they go.  ``listener[0]`` is a listening socket with IP_TRANSPARENT."""

    port: Port = 80
    listener = SockMap(1)
    taken = Counter()

    @tc("ingress")
    def on_packet(self, ctx):
        ip = bpf.packet(ctx, IPv4, 14)
        tcp = bpf.packet(ctx, TCP, 34)
        if ip is None or tcp is None or ip.version_ihl != 0x45 or ip.protocol != IPPROTO_TCP:
            return TC_ACT_OK
        if tcp.destination != self.port:
            return TC_ACT_OK
        pair = Pair(source=ip.source, target=ip.destination, source_port=tcp.source, target_port=tcp.destination)
        with bpf.skc_lookup_tcp(ctx, pair, BPF_F_CURRENT_NETNS) as known:
            if known is not None and known.state != BPF_TCP_LISTEN:
                bpf.sk_assign(ctx, known, 0)  # a connection that was taken before
                return TC_ACT_OK
        with self.listener.get(0) as listener:
            if listener is None or bpf.sk_assign(ctx, listener, 0) != 0:
                return TC_ACT_SHOT
            self.taken += 1
        return TC_ACT_OK


if __name__ == "__main__":
    import socket
    import sys

    # ip route add local 0.0.0.0/0 dev lo table 100; ip rule add fwmark 1 lookup 100 brings packets for others here.
    with socket.create_server(("0.0.0.0", 8080)) as server, Transparent().load() as probe:
        server.setsockopt(socket.SOL_IP, 19, 1)  # IP_TRANSPARENT
        probe.listener[0] = server
        probe.attach("on_packet", interface=sys.argv[1])
        connection, peer = server.accept()
        print(peer, "wanted", connection.getsockname())
