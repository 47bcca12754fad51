"""Lines that come to this host by syslog (UDP), whether or not anybody listens, put together from their fragments."""

from beespace import Event, Program, Ring, bpf
from beespace.lang import netfilter
from beespace.lang.packet import IPPROTO_UDP, UDP, IPv4
from beespace.lang.verdicts import NF_ACCEPT
from beespace.types import Address, Port, Raw, raw, u32


class Line(Event):
    sender: Address
    data: Raw = raw(8192, variable=True)


class Syslog(Program):
    """Copies what is sent to one port of UDP, as it passes netfilter on its way in."""

    port: Port = 514
    lines = Ring(Line, size="1 MiB")

    @netfilter("local_in", family="inet", priority=-5)
    def on_packet(self, ctx):
        ip = bpf.load_bytes(ctx, IPv4, 0)
        if ip is None or ip.protocol != IPPROTO_UDP:
            return NF_ACCEPT
        start = u32(ip.version_ihl & 15) * 4
        udp = bpf.load_bytes(ctx, UDP, start)
        if udp is not None and udp.destination == self.port:
            self.lines.emit(Line(sender=bpf.v4(ip.source), data=bpf.packet_bytes(ctx, start + 8, 8192)))
        return NF_ACCEPT


if __name__ == "__main__":
    with Syslog() as probe:
        for line in probe.lines:
            print(line.sender, line.data.decode(errors="replace"))
